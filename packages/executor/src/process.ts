/** One process of one attempt, with everything it starts. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Usage } from "@mlpipe/provenance";
import type { TextLog } from "./text-log.ts";
import { UsageWatch } from "./usage.ts";

/** After a request to stop, how long a process may take to put its things away. */
const graceMs = 5_000;

/** After a process has ended, how long its pipes may stay open: a daemon that holds them must not hang the run. */
const drainMs = 250;

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was stopped because it took too long. */
  readonly timedOut: boolean;
  /** It was stopped because somebody asked. */
  readonly stopped: boolean;
  /** It could not be started at all. */
  readonly failure?: NodeJS.ErrnoException;
  readonly usage: Usage | null;
}

/** What to start. */
export interface ProcessOptions {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: TextLog;
  readonly stderr: TextLog;
  readonly timeoutMs?: number | undefined;
}

/** A process that was started, in a group of its own so that all it starts can be reached. */
export class StepProcess {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess | undefined;
  #stopped = false;
  #timedOut = false;
  #kill: NodeJS.Timeout | undefined;

  constructor({ argv, cwd, env, stdout, stderr, timeoutMs }: ProcessOptions) {
    const [program = "", ...args] = argv;
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd,
        env: { ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        shell: false,
      });
    } catch (error) {
      // Arguments that are too long, too many open files: thrown, where a missing program is an event.
      const failure = error instanceof Error ? error : new Error(String(error));
      this.ended = Promise.resolve({
        code: null,
        signal: null,
        timedOut: false,
        stopped: false,
        failure,
        usage: null,
      });
      return;
    }
    this.#child = child;
    child.stdout?.on("data", (bytes: Buffer) => stdout.write(bytes));
    child.stderr?.on("data", (bytes: Buffer) => stderr.write(bytes));
    const watch = child.pid === undefined ? undefined : new UsageWatch(child.pid);
    const timeout =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            this.#timedOut = true;
            this.#terminate();
          }, timeoutMs);

    this.ended = new Promise<Ended>((resolve) => {
      const finish = (code: number | null, signal: NodeJS.Signals | null, failure?: Error): void => {
        clearTimeout(timeout);
        clearTimeout(this.#kill);
        stdout.end();
        stderr.end();
        resolve({
          code,
          signal,
          timedOut: this.#timedOut,
          stopped: this.#stopped,
          ...(failure !== undefined && { failure }),
          usage: watch?.end() ?? null,
        });
      };
      child.once("error", (error) => {
        finish(null, null, error);
      });
      child.once("exit", (code, signal) => {
        // Whatever it left behind ends with it, also what has left its group.
        this.#signal("SIGKILL");
        for (const pid of watch?.survivors() ?? []) endProcess(pid);
        const drained = setTimeout(() => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        }, drainMs);
        child.once("close", () => {
          clearTimeout(drained);
          finish(code, signal);
        });
      });
    });
  }

  /** Asks the whole tree to stop, and ends it if it does not; `now` does not ask. */
  stop(how: "gently" | "now"): void {
    this.#stopped = true;
    if (how === "now") this.#signal("SIGKILL");
    else this.#terminate();
  }

  #terminate(): void {
    this.#signal("SIGTERM");
    this.#kill ??= setTimeout(() => {
      this.#signal("SIGKILL");
    }, graceMs);
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      // The group exists as long as one process of it does, so its number cannot have been given to another.
      process.kill(-pid, signal);
    } catch {
      // Nobody of it is left.
    }
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}
