/** Where the programs of a command lie, with what belongs to them. */
import { spawnSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

/** What a Python says of itself. */
const question =
  "import sys, json; print('\\x1e' + json.dumps([sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, " +
  "[p for p in sys.path if 'site-packages' in p or 'dist-packages' in p]]))";

/** Beside `bin`, what a program that was installed into a folder of its own reads. */
const besideBin = ["lib", "lib64", "libexec"];

/** Finds places, asking each Python once. */
export class ProgramPlaces {
  readonly #root: string;
  readonly #pythons = new Map<string, readonly string[]>();

  /** @param root where programs run */
  constructor(root: string) {
    this.#root = root;
  }

  /** What a program may read of what it was installed with. */
  ofProgram(program: string, home: string | undefined): readonly string[] {
    const folder = dirname(program);
    // A version manager: which program its stub starts is decided by files beside it.
    if (basename(folder) === "shims") return [program, dirname(folder)];
    const real = realOf(program);
    if (real === undefined) return [];
    const packages = real.indexOf(`${sep}node_modules${sep}`);
    if (packages !== -1) return [program, real.slice(0, packages + `${sep}node_modules`.length)];
    const prefix = dirname(dirname(real));
    if (basename(dirname(real)) !== "bin" || this.#isTooMuch(prefix, home)) return [program, real];
    return [program, real, dirname(real), ...besideBin.map((name) => join(prefix, name))];
  }

  /** An interpreter's own modules, and the packages installed for it. */
  ofPython(python: string, env: Readonly<Record<string, string>>): readonly string[] {
    const key = JSON.stringify([python, env["HOME"], env["PYTHONPATH"], env["VIRTUAL_ENV"]]);
    let places = this.#pythons.get(key);
    if (places === undefined) {
      places = this.#ask(python, env);
      this.#pythons.set(key, places);
    }
    return places;
  }

  #ask(python: string, env: Readonly<Record<string, string>>): readonly string[] {
    const { stdout } = spawnSync(python, ["-c", question], {
      cwd: this.#root,
      env: { ...env },
      encoding: "utf8",
      timeout: 60_000,
    });
    const answer = stdout?.slice(stdout.lastIndexOf("\u001e") + 1) ?? "";
    try {
      // Written by the question above.
      const [prefixes, site] = split(JSON.parse(answer) as [string, string, string, string, string[]]);
      return [...prefixes.filter((prefix) => !this.#isTooMuch(prefix, env["HOME"])), ...site];
    } catch {
      // One that cannot be asked will not run the step either, and says why itself.
      return [];
    }
  }

  /** Whether a folder holds the project, or all that a user has. */
  #isTooMuch(folder: string, home: string | undefined): boolean {
    const real = realOf(folder) ?? folder;
    return real === sep || real === home || `${this.#root}${sep}`.startsWith(`${real}${sep}`);
  }
}

function split([a, b, c, d, site]: [string, string, string, string, string[]]): [string[], string[]] {
  return [[a, b, c, d], site];
}

function realOf(path: string): string | undefined {
  return existsSync(path) ? realpathSync(path) : undefined;
}
