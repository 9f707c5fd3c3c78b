/** A temporary project, outside the repository as a user's is, and the real command line in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { removeAll } from "@mlpipe/store";

const repository = join(import.meta.dirname, "../..");

/** The command as the workspace links it. */
export const mlpipe = join(repository, "packages/mlpipe/bin/mlpipe.js");

/** What a command did. */
export interface Finished {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The parts of `run --json` that the tests look at. */
export interface RunJson {
  readonly schemaVersion: number;
  readonly run: string;
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
  readonly steps: readonly {
    readonly id: string;
    readonly status: string;
    readonly key: string;
    readonly stepRun: string | null;
    readonly reasons: readonly { readonly part: string; readonly name: string; readonly message: string }[];
    readonly outputs: Readonly<Record<string, { readonly digest: string }>>;
    readonly metrics?: Readonly<Record<string, number>>;
    readonly error?: { readonly code: string; readonly message: string };
    readonly check?: { readonly same: boolean };
  }[];
}

export class Project implements Disposable {
  readonly root: string;

  constructor(files: Readonly<Record<string, string>>) {
    this.root = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-e2e-")));
    mkdirSync(join(this.root, "node_modules"));
    symlinkSync(join(repository, "packages/mlpipe"), join(this.root, "node_modules/mlpipe"));
    symlinkSync(realpathSync(join(repository, "node_modules/zod")), join(this.root, "node_modules/zod"));
    this.write({ "package.json": JSON.stringify({ name: "e2e", type: "module" }), ...files });
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      const file = join(this.root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    }
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  /** Replaces text that must be there. */
  edit(path: string, from: string, to: string): void {
    const text = this.read(path);
    if (!text.includes(from)) throw new Error(`${path} does not contain ${from}`);
    this.write({ [path]: text.replace(from, to) });
  }

  /** Starts a command and leaves it running. */
  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const { FORCE_COLOR: _force, CI: _ci, GITHUB_ACTIONS: _actions, ...rest } = process.env;
    return spawn(process.execPath, [mlpipe, ...args], {
      cwd: this.root,
      env: { ...rest, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Runs a command to its end. */
  async mlpipe(...args: readonly string[]): Promise<Finished> {
    return finished(this.start(args));
  }

  /** `mlpipe run --json` and what it said. */
  async run(...args: readonly string[]): Promise<RunJson & { readonly exit: number | null }> {
    const { exit, stdout, stderr } = await this.mlpipe("run", "--json", ...args);
    try {
      // The shape is asserted by the tests that use it.
      return { ...(JSON.parse(stdout) as RunJson), exit };
    } catch {
      throw new Error(`run --json printed no JSON (exit ${exit}):\n${stdout}\n${stderr}`);
    }
  }

  /** The steps of a run by status: `{ ran: ["fit"], cached: ["split"] }`. */
  async statuses(...args: readonly string[]): Promise<Record<string, readonly string[]>> {
    const { steps } = await this.run(...args);
    const byStatus = Object.groupBy(steps, ({ status }) => status);
    return Object.fromEntries(
      Object.entries(byStatus).map(([status, group = []]) => [status, group.map(({ id }) => id)]),
    );
  }

  [Symbol.dispose](): void {
    removeAll(this.root);
  }
}

/** Waits for a process and gathers what it says. */
export async function finished(child: ChildProcess): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit, signal) => {
      resolve({ exit, signal, stdout, stderr });
    });
  });
}
