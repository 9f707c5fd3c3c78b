/**
 * Where programs are. The process of a step would look through `PATH` by itself, folder by folder, while the supervisor
 * waits for it: with a dozen folders that is a tenth of what starting it takes. So each is looked for once, and then is
 * the same program for the whole run.
 */
import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";

/** The programs that one supervisor has found. */
export class Programs {
  /** By `PATH`, then by name. */
  readonly #found = new Map<string, Map<string, string>>();

  /** Where a program is; the name itself if the system is to look for it. */
  find(name: string, path: string | undefined): string {
    if (path === undefined || name === "" || name.includes("/")) return name;
    let known = this.#found.get(path);
    if (known === undefined) this.#found.set(path, (known = new Map()));
    let place = known.get(name);
    if (place === undefined) {
      place = search(name, path);
      // What is not there now may be made by a step.
      if (place === undefined) return name;
      known.set(name, place);
    }
    return place;
  }

  /** It could not be started from where it was found. */
  forget(name: string, path: string | undefined): void {
    if (path !== undefined) this.#found.get(path)?.delete(name);
  }
}

/** As execvp(3) does; nothing where it depends on the working folder. */
function search(name: string, path: string): string | undefined {
  for (const folder of path.split(":")) {
    if (!isAbsolute(folder)) return undefined;
    const place = join(folder, name);
    try {
      accessSync(place, constants.X_OK);
      if (statSync(place).isFile()) return place;
    } catch {
      // Not there, or nothing that may be executed.
    }
  }
  return undefined;
}
