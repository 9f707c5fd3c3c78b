/** Puts the tools, in the versions of `versions.json`, below `test/.cache/bench`. What is there is used again. */
import { execFileSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import versions from "./versions.json" with { type: "json" };

const repository = join(import.meta.dirname, "../..");
const cache = join(repository, "test/.cache/bench");
const environment = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
};

type Outcome = { readonly folder: string } | { readonly missing: string };

export class Installer {
  /** Versions of what is there, by name. */
  readonly versions: Record<string, string> = { node: process.versions.node };
  /** Why something is not there, by name. */
  readonly missing: Record<string, string> = {};
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
    mkdirSync(cache, { recursive: true });
  }

  /** The absolute path of a program that the system has. */
  onSystem(name: string): string | undefined {
    for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
    this.missing[name] = "not installed on this machine";
    return undefined;
  }

  /** A Python package in an environment of its own; gives the path of its program. */
  python(name: "doit" | "dvc" | "ninja" | "redun" | "scons" | "snakemake"): string | undefined {
    const version = versions.python[name];
    const program = `bin/${name}`;
    const outcome = this.#once(`${name}-${version}`, (folder) => {
      const uv = this.#uv();
      this.#run(uv, ["venv", "-q", "--python", "python3", folder]);
      // Compiled now, or the first run would pay for it.
      const into = ["--compile-bytecode", "--python", join(folder, "bin/python")];
      this.#run(uv, ["pip", "install", "-q", ...into, `${name}==${version}`]);
    });
    return this.#found(name, version, outcome, program);
  }

  /** An npm package, its install scripts not run; gives the path of a file of it. */
  npm(name: "nx" | "turbo" | "wireit", file: string): string | undefined {
    const version = versions.npm[name];
    const outcome = this.#once(`${name}-${version}`, (folder) => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
      this.#npmInstall(folder, [`${name}@${version}`]);
    });
    return this.#found(name, version, outcome, join("node_modules", file));
  }

  /**
   * mlpipe as users get it: built, packed, and installed by npm.
   * @param again whether to build it anew
   * @returns the folder that holds its `node_modules`
   */
  mlpipe(again: boolean): string {
    const folder = join(cache, "mlpipe");
    if (again || !existsSync(join(folder, "package-lock.json"))) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(join(folder, "packed"), { recursive: true });
      const { packageManager } = readJson(join(repository, "package.json")) as { packageManager: string };
      const pnpm = ["-y", packageManager];
      this.#say("building mlpipe");
      // The two packages that are published and no more: a type error in a test is no reason not to measure.
      this.#run(join(repository, "node_modules/.bin/tsc"), ["-b", "packages/dsl"], repository);
      this.#run("npx", [...pnpm, "--dir", "packages/mlpipe", "run", "build"], repository);
      for (const name of ["dsl", "mlpipe"]) {
        const from = join(repository, "packages", name);
        this.#run("npx", [...pnpm, "pack", "--pack-destination", join(folder, "packed")], from);
      }
      const tarballs = readdirSync(join(folder, "packed")).map((name) => `./packed/${name}`);
      writeFileSync(
        join(folder, "package.json"),
        JSON.stringify({ name: "bench", private: true, type: "module" }),
      );
      const { devDependencies } = readJson(join(repository, "package.json")) as {
        devDependencies: { zod: string };
      };
      this.#npmInstall(folder, [`zod@${devDependencies.zod}`, ...tarballs]);
    }
    const { version } = readJson(join(folder, "node_modules/mlpipe/package.json")) as { version: string };
    this.versions["mlpipe"] = version;
    return folder;
  }

  #uv(): string {
    const outcome = this.#once(`uv-${versions.python.uv}`, (folder) => {
      this.#run("python3", ["-m", "venv", folder]);
      this.#run(join(folder, "bin/pip"), ["install", "-q", `uv==${versions.python.uv}`]);
    });
    if ("missing" in outcome) throw new Error(outcome.missing);
    return join(outcome.folder, "bin/uv");
  }

  /** Makes a folder of the cache, if that did not succeed before. */
  #once(name: string, make: (folder: string) => void): Outcome {
    const folder = join(cache, name);
    const done = join(folder, ".complete");
    if (existsSync(done)) return { folder };
    this.#say(`installing ${name}`);
    rmSync(folder, { recursive: true, force: true });
    try {
      make(folder);
      writeFileSync(done, "");
      return { folder };
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error));
      return { missing: "could not be installed" };
    }
  }

  #found(name: string, version: string, outcome: Outcome, file: string): string | undefined {
    if ("folder" in outcome) {
      this.versions[name] = version;
      return join(outcome.folder, file);
    }
    this.missing[name] = outcome.missing;
    return undefined;
  }

  #npmInstall(folder: string, packages: readonly string[]): void {
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    this.#run("npm", ["install", ...quiet, ...packages], folder);
  }

  #run(command: string, args: readonly string[], cwd = cache): void {
    execFileSync(command, args, {
      cwd,
      env: environment,
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 300_000,
    });
  }
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}
