/** A moment of the file system's own clock, to tell what was written to since. */
import { randomUUID } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class FileClock {
  readonly #ctimeNs: bigint | undefined;

  /** @param folder on the file system that is asked; one that cannot be written to has no clock, and nothing runs there */
  constructor(folder: string) {
    // Of several machines or containers that share the folder two may well have the same process id.
    const probe = join(folder, `clock-${process.pid}-${randomUUID()}`);
    try {
      writeFileSync(probe, "");
      this.#ctimeNs = statSync(probe, { bigint: true }).ctimeNs;
      rmSync(probe);
    } catch {
      this.#ctimeNs = undefined;
    }
  }

  /**
   * Whether a file was changed since, or is gone. No user can set a ctime back; one within the same
   * tick of the clock counts as later.
   */
  hasPassed(path: string): boolean {
    if (this.#ctimeNs === undefined) return false;
    try {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat !== undefined && stat.ctimeNs >= this.#ctimeNs;
    } catch {
      // Behind a folder that is closed to us: nobody whom we asked has read it.
      return false;
    }
  }
}
