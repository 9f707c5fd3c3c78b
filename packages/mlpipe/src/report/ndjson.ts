/** Every event as a line of JSON. */
import type { ExecutorEvent } from "@mlpipe/executor";
import type { Reporter } from "./reporter.ts";

export class NdjsonReporter implements Reporter {
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  event(event: ExecutorEvent): void {
    this.#print(JSON.stringify(event));
  }

  close(): void {}
}
