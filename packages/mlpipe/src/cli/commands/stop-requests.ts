/** Signals as requests to stop: the first gently, the second now. */
import { constants } from "node:os";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class StopRequests implements Disposable {
  readonly #gently = new AbortController();
  readonly #now = new AbortController();
  #first: (typeof signals)[number] = "SIGINT";

  constructor() {
    for (const signal of signals) process.on(signal, this.#onSignal);
  }

  get gently(): AbortSignal {
    return this.#gently.signal;
  }

  get now(): AbortSignal {
    return this.#now.signal;
  }

  /** The exit code of a program that was stopped by the first signal. */
  get exit(): number {
    return 128 + constants.signals[this.#first];
  }

  [Symbol.dispose](): void {
    for (const signal of signals) process.off(signal, this.#onSignal);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (this.#gently.signal.aborted) {
      this.#now.abort();
      return;
    }
    this.#first = signals.find((each) => each === signal) ?? "SIGINT";
    this.#gently.abort();
  };
}
