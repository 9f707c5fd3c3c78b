/** A project with all that lies around it: tools, a Python environment, variables. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { distribution, editedPipeline, type Files, shrinkProgram } from "./edited-pipeline.ts";

const workspace = join(import.meta.dirname, "../..");

export class Sandbox {
  readonly folder: string;
  /** What the pipeline is given by `-s`. */
  readonly params: string[] = [];
  readonly env: Record<string, string>;

  private constructor(folder: string) {
    this.folder = folder;
    const path = [join(folder, "venv/bin"), join(folder, "bin"), "/usr/bin", "/bin"].join(":");
    this.env = { PATH: path, HOME: folder, REGION: "north", TOKEN: "first-secret" };
  }

  /** The project as the table finds it. */
  static make(folder: string): Sandbox {
    const sandbox = new Sandbox(folder);
    sandbox.write(editedPipeline);
    sandbox.link("node_modules/mlpipe", join(workspace, "packages/mlpipe"));
    sandbox.link("node_modules/zod", realpathSync(join(workspace, "node_modules/zod")));
    sandbox.link("node_modules/@days/shared", "../../packages/shared");
    sandbox.link("data/photos/latest.png", "two.png");
    sandbox.program("shrink", shrinkProgram);
    const ask = "import sys; print(sys.executable, f'python{sys.version_info[0]}.{sys.version_info[1]}')";
    const [python = "", version = ""] = execFileSync("python3", ["-c", ask], { encoding: "utf8" })
      .trim()
      .split(" ");
    write(join(folder, "venv/pyvenv.cfg"), `home = ${dirname(python)}\n`);
    mkdirSync(join(folder, "venv/bin"));
    symlinkSync(python, join(folder, "venv/bin/python3"));
    mkdirSync(join(folder, "venv/lib", version, "site-packages"), { recursive: true });
    sandbox.pip(distribution("numlib", "1.0", "one = 1\n"));
    return sandbox;
  }

  /** A copy at another place, with everything that was kept. */
  static copy(from: Sandbox, folder: string): Sandbox {
    copy(from.folder, folder);
    return new Sandbox(folder);
  }

  get root(): string {
    return join(this.folder, "project");
  }

  path(file: string): string {
    return join(this.root, file);
  }

  exists(path: string): boolean {
    return existsSync(this.path(path));
  }

  write(files: Files): void {
    for (const [path, text] of Object.entries(files)) write(this.path(path), text);
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  /** Replaces text that must be there. */
  edit(path: string, from: string, to: string): void {
    const text = this.read(path);
    if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
    this.write({ [path]: text.replace(from, () => to) });
  }

  append(path: string, text: string): void {
    this.write({ [path]: this.read(path) + text });
  }

  prepend(path: string, text: string): void {
    this.write({ [path]: text + this.read(path) });
  }

  remove(path: string): void {
    rmSync(this.path(path), { recursive: true });
  }

  link(path: string, target: string): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    symlinkSync(target, this.path(path));
  }

  /** Gives a file another time. */
  touch(path: string): void {
    const later = new Date(Date.now() + 60_000);
    utimesSync(this.path(path), later, later);
  }

  /** Writes other bytes of the same length and puts the time of before back. */
  rewriteInPlace(path: string, from: string, to: string): void {
    const { atime, mtime, size } = statSync(this.path(path));
    this.edit(path, from, to);
    if (statSync(this.path(path)).size !== size) throw new Error("the same length was meant");
    utimesSync(this.path(path), atime, mtime);
  }

  /** Puts a program on `PATH`. */
  program(name: string, text: string): void {
    write(join(this.folder, "bin", name), text);
    chmodSync(join(this.folder, "bin", name), 0o755);
  }

  /** Unpacks a Python distribution. */
  pip(files: Files): void {
    for (const [path, text] of Object.entries(files)) write(join(this.sitePackages, path), text);
  }

  get sitePackages(): string {
    const lib = join(this.folder, "venv/lib");
    return join(lib, readdirSync(lib)[0] ?? "", "site-packages");
  }

  /** Everything as another sandbox has it, apart from what is kept and what was deployed. */
  undo(as: Sandbox): void {
    this.params.length = 0;
    Object.assign(this.env, new Sandbox(this.folder).env);
    for (const name of Object.keys(this.env)) {
      if (!Object.hasOwn(as.env, name)) delete this.env[name];
    }
    for (const name of ["bin", "venv"]) rmSync(join(this.folder, name), { recursive: true });
    for (const name of readdirSync(this.root)) {
      if (!kept.has(name)) rmSync(this.path(name), { recursive: true });
    }
    copy(as.folder, this.folder, kept);
  }
}

const kept = new Set([".mlpipe", "deployed.json"]);

function copy(from: string, to: string, except: ReadonlySet<string> = new Set()): void {
  cpSync(from, to, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
    filter: (path) => {
      const name = path.slice(join(from, "project/").length);
      return !except.has(name);
    },
  });
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  // A link is replaced and never written through.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(path);
  writeFileSync(path, text);
}
