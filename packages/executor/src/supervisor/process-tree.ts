/** One process of one attempt, with everything it starts. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Ended } from "../engine.ts";
import type { Request } from "./messages.ts";
import type { Strays } from "./strays.ts";
import { UsageWatch } from "./usage.ts";

/** After a request to stop, how long a process may take to put its things away. */
const graceMs = 5_000;

/** After a process has ended, how long its pipes may stay open: a daemon that holds them must not hang the run. */
const drainMs = 250;

/** What becomes of a process tree. */
export interface TreeListener {
  /** Returns whether more can be taken at once; else `resume` says when. */
  output(stream: "stdout" | "stderr", bytes: Buffer): boolean;
  ended(ended: Ended): void;
}

/** A process that was started, in a session of its own so that all it starts can be reached. */
export class ProcessTree {
  readonly #child: ChildProcess | undefined;
  readonly #listener: TreeListener;
  #stopped = false;
  #timedOut = false;
  #kill: NodeJS.Timeout | undefined;

  constructor(order: Request & { type: "start" }, strays: Strays, listener: TreeListener) {
    this.#listener = listener;
    const [program = "", ...args] = order.argv;
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd: order.cwd,
        env: { ...order.env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        shell: false,
      });
    } catch (error) {
      // Arguments that are too long, too many open files: thrown, where a missing program is an event.
      listener.ended(this.#neverStarted(error));
      return;
    }
    if (child.pid === undefined) {
      child.once("error", (error) => {
        listener.ended(this.#neverStarted(error));
      });
      return;
    }
    this.#child = child;
    this.#watch(child, child.pid, order, strays);
  }

  /** Asks the whole tree to stop, and ends it if it does not; `now` does not ask. */
  stop(how: "gently" | "now"): void {
    this.#stopped = true;
    if (how === "now") this.#signal("SIGKILL");
    else this.#terminate();
  }

  /** Goes on with what the process says, after `output` could not take more. */
  resume(): void {
    this.#child?.stdout?.resume();
    this.#child?.stderr?.resume();
  }

  #watch(child: ChildProcess, pid: number, order: Request & { type: "start" }, strays: Strays): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const pipe = child[stream];
      pipe?.on("data", (bytes: Buffer) => {
        if (!this.#listener.output(stream, bytes)) pipe.pause();
      });
    }
    const watch = new UsageWatch(pid);
    strays.began(pid);
    const timeout =
      order.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            this.#timedOut = true;
            this.#terminate();
          }, order.timeoutMs);

    child.once("exit", (code, signal) => {
      clearTimeout(timeout);
      clearTimeout(this.#kill);
      watch.reaped();
      // Whatever it left behind ends with it, also what has left its session.
      this.#signal("SIGKILL");
      watch.endSurvivors();
      strays.end(pid, order.env);
      let drained: NodeJS.Timeout | undefined;
      const finish = (): void => {
        clearInterval(drained);
        this.#listener.ended({
          code,
          signal,
          timedOut: this.#timedOut,
          stopped: this.#stopped,
          usage: watch.end(),
        });
      };
      const open = [child.stdout, child.stderr].filter((pipe) => pipe?.closed === false);
      if (open.length === 0) {
        finish();
        return;
      }
      drained = setInterval(() => {
        // What is held back only because nobody has taken it yet still belongs to the process.
        for (const pipe of open) if (pipe?.isPaused() === false) pipe.destroy();
      }, drainMs);
      child.once("close", finish);
    });
  }

  #neverStarted(error: unknown): Ended {
    const { code, message } =
      error instanceof Error ? (error as NodeJS.ErrnoException) : { message: String(error) };
    return {
      code: null,
      signal: null,
      timedOut: false,
      stopped: this.#stopped,
      failure: { code, message },
      usage: null,
    };
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
