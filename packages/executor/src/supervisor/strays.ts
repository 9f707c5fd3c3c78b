/**
 * Processes that have left the session of their step, daemons above all. Node can neither ask the kernel to end a child
 * with its parent nor adopt orphans, so they are found by a variable that every process of an attempt inherits.
 * Linux only: elsewhere nobody can be asked for another process's environment, and a daemon is left alone.
 */
import { readdirSync, readFileSync } from "node:fs";

/** The variable by which a process tells which attempt it belongs to. */
export const attemptVariable = "MLPIPE_ATTEMPT";

/** Looks after the strays of the steps of one run. */
export class Strays {
  /** Numbers of the steps' own processes, in the order in which they were given. */
  readonly #own = new Set<number>();
  /** Processes that are known to be none of ours. */
  #others: ReadonlySet<string> | undefined;

  /** A step's own process was started. */
  began(pid: number): void {
    if (process.platform !== "linux") return;
    this.#others ??= new Set(processes());
    this.#own.add(pid);
  }

  /** Ends what a step has left, when its own process has ended. */
  end(pid: number, { [attemptVariable]: mark }: Readonly<Record<string, string>>): void {
    if (process.platform !== "linux" || mark === undefined || this.#wasAlone(pid)) return;
    this.#endMarked(`${attemptVariable}=${mark}`, this.#others);
  }

  /** Ends everything that any step of the run may have left. */
  endAll(marks: readonly string[]): void {
    if (process.platform !== "linux") return;
    for (const mark of marks) this.#endMarked(`${attemptVariable}=${mark}`);
  }

  /**
   * Whether nobody but the steps themselves has been given a process number since this one was: then there is nobody to
   * look for. Numbers are given in order, and the last one given is a short line to read.
   */
  #wasAlone(pid: number): boolean {
    const last = Number(readFileSync("/proc/loadavg", "utf8").trim().split(" ").at(-1));
    if (!(last >= pid)) return false;
    for (let number = pid + 1; number <= last; number++) if (!this.#own.has(number)) return false;
    return true;
  }

  #endMarked(mark: string, others?: ReadonlySet<string>): void {
    const foreign = new Set<string>();
    for (const name of processes()) {
      // A stranger stays one: what a step starts is marked from its first moment.
      if (others?.has(name) !== true && hasMark(name, mark)) kill(Number(name));
      else if (!this.#own.has(Number(name))) foreign.add(name);
    }
    // A number that is free again may be given to one of ours.
    if (others !== undefined) this.#others = foreign;
  }
}

/** Ends every process that an earlier attempt in a folder has left. */
export function endMarked(mark: string): void {
  new Strays().endAll([mark]);
}

function processes(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

function hasMark(pid: string, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(mark);
  } catch {
    // Gone, or somebody else's.
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself, or belongs to another user and could not write here anyway.
  }
}
