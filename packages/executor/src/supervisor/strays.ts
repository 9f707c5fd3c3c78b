/**
 * Processes that have left the session of their step, daemons above all. Node can neither ask the kernel to end a child
 * with its parent nor adopt orphans, so they are found by a variable that every process of an attempt inherits.
 * Linux only: elsewhere nobody can be asked for another process's environment, and a daemon is left alone.
 */
import { readdirSync, readFileSync } from "node:fs";
import { attemptVariable } from "../engine.ts";
import { ProcFile } from "./proc-file.ts";

/** How often what is left is looked for again, when something was: it may have started another meanwhile. */
const mostLooks = 50;

/**
 * A process that has lived for longer may have seen all numbers given and the first ones given again: nobody starts the
 * 32,768 processes of the smallest range in less.
 */
const shortMs = 500;

/** Looks after the strays of the steps of one run. */
export class Strays {
  /** Numbers of the steps' own processes, in the order in which they were given, and when. */
  readonly #own = new Map<number, number>();
  readonly #lastGiven = new ProcFile("/proc/loadavg");
  /** Processes that are known to be none of ours: at first all that are there before a step is started. */
  #others: ReadonlySet<string> = new Set(processes());

  /** A step's own process was started. */
  began(pid: number): void {
    if (process.platform === "linux") this.#own.set(pid, performance.now());
  }

  /** Ends what a step has left and what is no longer in its group, when its own process has ended. */
  end({ [attemptVariable]: mark }: Readonly<Record<string, string>>): void {
    if (process.platform !== "linux" || mark === undefined) return;
    this.#endMarked(`${attemptVariable}=${mark}`, this.#others);
  }

  /** Ends everything that any step of the run may have left. */
  endAll(marks: readonly string[]): void {
    if (process.platform !== "linux") return;
    for (const mark of marks) this.#endMarked(`${attemptVariable}=${mark}`);
  }

  /**
   * Whether nobody but the steps themselves has been given a process number since the process of one was: then it has left
   * nobody behind. Numbers are given in order, and the last one given is a short line to read.
   */
  wasAlone(pid: number): boolean {
    const since = this.#own.get(pid);
    if (since === undefined || performance.now() - since > shortMs) return false;
    const last = this.#last();
    if (!(last >= pid)) return false;
    for (let number = pid + 1; number <= last; number++) {
      const given = this.#own.get(number);
      if (given === undefined || given < since) return false;
    }
    return true;
  }

  /** The last number given; not a number where the system does not tell. */
  #last(): number {
    try {
      const said = this.#lastGiven.read();
      return Number(said.slice(said.lastIndexOf(" ")));
    } catch {
      return Number.NaN;
    }
  }

  #endMarked(mark: string, others?: ReadonlySet<string>): void {
    let strangers = others;
    for (let looks = 0, found = true; found && looks < mostLooks; looks++) {
      found = false;
      // Made anew each time: a number that is free again may be given to one of ours.
      const still = new Set<string>();
      for (const name of processes()) {
        // A stranger stays one: what a step starts is marked from its first moment.
        const whose = strangers?.has(name) === true ? "nobody" : ownerOf(name, mark);
        if (whose === "this attempt") found = kill(Number(name)) || found;
        else if (whose === "nobody" && !this.#own.has(Number(name))) still.add(name);
      }
      strangers = still;
    }
    if (others !== undefined && strangers !== undefined) this.#others = strangers;
  }
}

/** Ends every process of an attempt. @param mark the value of {@link attemptVariable} */
export function endMarked(mark: string): void {
  new Strays().endAll([mark]);
}

/** Ends every process whose attempt is one of those, and what they start meanwhile. */
export function killMarked(isOne: (mark: string) => boolean): void {
  const start = `${attemptVariable}=`;
  for (let looks = 0, found = true; found && looks < mostLooks; looks++) {
    found = false;
    for (const name of processes()) {
      const mark = variablesOf(name)?.find((each) => each.startsWith(start));
      if (mark !== undefined && isOne(mark.slice(start.length))) found = kill(Number(name)) || found;
    }
  }
}

function variablesOf(pid: string): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return undefined;
  }
}

/** The numbers of all processes; none where nobody can be asked: on macOS, and in a container or chroot without `/proc`. */
function processes(): readonly string[] {
  if (process.platform !== "linux") return [];
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Which attempt a process belongs to; unknown if it is gone, or becoming another program at this very moment. */
function ownerOf(pid: string, mark: string): "this attempt" | "another attempt" | "nobody" | "unknown" {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
    if (environment === "") return "unknown";
    const variables = environment.split("\0");
    if (variables.includes(mark)) return "this attempt";
    return variables.some((each) => each.startsWith(`${attemptVariable}=`)) ? "another attempt" : "nobody";
  } catch (error) {
    // Somebody else's, or gone.
    return error instanceof Error && "code" in error && error.code === "EACCES" ? "nobody" : "unknown";
  }
}

/** Whether it was there to be ended. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself, or belongs to another user and could not write here anyway.
    return false;
  }
}
