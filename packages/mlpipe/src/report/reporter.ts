import type { ExecutorEvent } from "@mlpipe/executor";

/** Turns events into something to see. */
export interface Reporter {
  event(event: ExecutorEvent): void;
  /** Leaves the terminal as it was found. */
  close(): void;
}
