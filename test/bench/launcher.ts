/** Commands started one at a time by a small process that measures them. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

/** A command to measure. */
export interface Job {
  /** The program's absolute path first. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Stopped after this long. */
  readonly seconds: number;
}

/** What a command took. */
export interface Launched {
  /** Wall clock, from the start to the end of the process. */
  readonly ms: number;
  /** Bytes: the largest of the process and those it waited for. */
  readonly peak: number;
  /** Bytes: what cannot be told apart from nothing. */
  readonly floor: number;
  readonly exit: number;
  /** Whether it was stopped because it took too long. */
  readonly late: boolean;
  /** The end of what it said. */
  readonly said: string;
}

export class Launcher implements Disposable {
  readonly #process: ChildProcess;
  readonly #answers: Interface;
  readonly #log: string;

  /** @param folder where to put what commands print */
  constructor(python: string, folder: string) {
    this.#log = join(folder, "said.log");
    this.#process = spawn(python, ["-S", "-E", join(import.meta.dirname, "launcher.py")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const { stdout } = this.#process;
    if (stdout === null) throw new Error("the launcher has no output");
    this.#answers = createInterface(stdout);
  }

  async launch(job: Job): Promise<Launched> {
    const answer = new Promise<string>((resolve, reject) => {
      this.#answers.once("line", resolve);
      this.#process.once("exit", () => {
        reject(new Error("the launcher ended"));
      });
    });
    this.#process.stdin?.write(`${JSON.stringify({ ...job, log: this.#log })}\n`);
    // The shape is launcher.py's.
    const launched = JSON.parse(await answer) as Omit<Launched, "said"> & { readonly error?: string };
    this.#process.removeAllListeners("exit");
    if (launched.error !== undefined) {
      return { ms: 0, peak: 0, floor: 0, exit: 127, late: false, said: launched.error };
    }
    return { ...launched, said: readFileSync(this.#log, "utf8").trimEnd().slice(-2000) };
  }

  /** Ends what runs, with everything it started. */
  stop(): void {
    this.#process.kill("SIGTERM");
  }

  [Symbol.dispose](): void {
    this.#process.stdin?.end();
  }
}
