/** One process of one attempt, with everything it starts. */
import type { Ended } from "../engine.ts";
import type { OutputPipes } from "./output-pipes.ts";
import { ProcessOutput, type Say } from "./process-output.ts";
import type { Order, RootProcess, Starter } from "./starter.ts";
import type { Strays } from "./strays.ts";
import { UsageWatch } from "./usage.ts";

/** After a request to stop, how long a process may take to put its things away. */
const graceMs = 5_000;

/** How often a tree that was asked to stop is looked at, once its first process has ended. */
const graceLookMs = 20;

/** The longest that a timer can be set to: about 25 days. A longer one would go off at once. */
const longestTimerMs = 2 ** 31 - 1;

/** What becomes of a process tree. */
export interface TreeListener {
  output: Say;
  ended(ended: Ended): void;
}

/** What the processes of a supervisor have in common. */
export interface TreeSurroundings {
  readonly starter: Starter;
  readonly strays: Strays;
  readonly pipes: OutputPipes;
}

/** A process that was started, in a session of its own so that all it starts can be reached. */
export class ProcessTree {
  readonly #child: RootProcess | undefined;
  readonly #listener: TreeListener;
  readonly #output: ProcessOutput;
  #stopped = false;
  #timedOut = false;
  #kill: NodeJS.Timeout | undefined;
  #killed = false;

  constructor(order: Order, { starter, strays, pipes }: TreeSurroundings, listener: TreeListener) {
    this.#listener = listener;
    this.#output = new ProcessOutput(pipes, listener.output);
    let child: RootProcess;
    try {
      child = this.#output.of((ends) => starter.start(order, ends));
    } catch (error) {
      // Arguments that are too long, say: thrown, where a missing program is an event. Told like that one, later: whoever
      // makes this tree must have it before it ends.
      setImmediate(() => listener.ended(this.#neverStarted(error)));
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
    this.#output.resume();
  }

  #watch(child: RootProcess, pid: number, order: Order, strays: Strays): void {
    const watch = new UsageWatch(pid);
    strays.began(pid);
    const timeout =
      order.timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => {
              this.#timedOut = true;
              this.#terminate();
            },
            Math.min(order.timeoutMs, longestTimerMs),
          );

    child.once("exit", (code, signal) => {
      clearTimeout(timeout);
      watch.reaped(child.used);
      this.#afterGrace(() => conclude(code, signal));
    });

    const conclude = (code: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(this.#kill);
      // Whatever it left behind ends with it, also what has left its session.
      if (!strays.wasAlone(pid)) {
        this.#signal("SIGKILL");
        watch.endSurvivors();
        strays.end(order.env);
      }
      this.#output.end(() => {
        this.#listener.ended({
          code,
          signal,
          timedOut: this.#timedOut,
          stopped: this.#stopped,
          usage: watch.end(),
        });
      });
    };
  }

  /**
   * Of a tree that was asked to stop, the first process may be a shell that ends at once. The others were asked too, and
   * have the rest of the grace period.
   */
  #afterGrace(then: () => void): void {
    if (this.#kill === undefined || this.#killed || !this.#isThere()) {
      then();
      return;
    }
    const look = setInterval(() => {
      if (!this.#killed && this.#isThere()) return;
      clearInterval(look);
      then();
    }, graceLookMs);
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
    // What was suspended hears nothing before it goes on.
    this.#signal("SIGCONT");
    this.#kill ??= setTimeout(() => {
      this.#signal("SIGKILL");
    }, graceMs);
  }

  /** Whether anybody of the group is left. */
  #isThere(): boolean {
    return this.#signal(0);
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    if (signal === "SIGKILL") this.#killed = true;
    const pid = this.#child?.pid;
    if (pid === undefined) return false;
    try {
      // The group exists as long as one process of it does, so its number cannot have been given to another.
      process.kill(-pid, signal);
      return true;
    } catch {
      // Nobody of it is left.
      return false;
    }
  }
}
