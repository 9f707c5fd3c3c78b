/** What runs the processes of attempts: today those of this machine, one day those of a cluster. */
import type { Usage } from "@mlpipe/provenance";

/**
 * The variable by which every process of an attempt tells which one it belongs to, also after it has left the session
 * and the parent that it was started with.
 */
export const attemptVariable = "MLPIPE_ATTEMPT";

/** A process to run, complete in itself: nothing else of the step is needed to start it. */
export interface ProcessOrder {
  /** The program and its arguments. No shell reads them. */
  readonly argv: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** The whole environment, {@link attemptVariable} among it. */
  readonly env: Readonly<Record<string, string>>;
  /** After this long it is stopped. @default never */
  readonly timeoutMs?: number | undefined;
  /** When it has ended well, the first in line begins in its place. @default false */
  readonly handsOver?: boolean | undefined;
  /** What it must have left to have ended well for that, relative to `cwd`. @default nothing */
  readonly leaves?: readonly string[] | undefined;
  /** It has no place yet and is the last in line: called when it begins. @default it begins at once */
  readonly onBegin?: ((at: Date) => void) | undefined;
  /** What it says, as it says it. Synchronous: whoever writes faster than this takes it is held back. */
  readonly onOutput: (stream: "stdout" | "stderr", bytes: Buffer) => void;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was stopped because it took too long. */
  readonly timedOut: boolean;
  /** It was stopped because somebody asked. */
  readonly stopped: boolean;
  /** It could not be started at all, or nobody knows what became of it. */
  readonly failure?: { readonly code?: string | undefined; readonly message: string };
  /** It was in line and did not get to begin. @default false */
  readonly neverBegan?: boolean;
  readonly usage: Usage | null;
}

/** A process under way, with everything that it starts. */
export interface StartedProcess {
  /** Settles when nothing of its tree is alive and all that it said was passed on. Never rejects. */
  readonly ended: Promise<Ended>;
  /** Asks the whole tree to stop, and ends it if it does not within the grace period; `now` does not ask. */
  stop(how: "gently" | "now"): void;
  /** Gives one in line a place; one that has begun goes on. */
  begin(): void;
  /** Takes one out of the line, which then ends with `neverBegan`; one that has begun goes on. */
  withdraw(): void;
}

/** Runs processes. What every engine promises is written down in `engine-contract.ts`. */
export interface Engine {
  /** Starts a process; one that cannot be started ends with a `failure`. */
  start(order: ProcessOrder): StartedProcess;
  /** Ends what is still running, and resolves when nothing is. */
  close(): Promise<void>;
}
