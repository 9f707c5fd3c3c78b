/** Every event as a line of JSON. */
import type { ExecutorEvent } from "@mlpipe/executor";
import { LineBatch } from "./line-batch.ts";
import type { Reporter } from "./reporter.ts";

export class NdjsonReporter implements Reporter {
  readonly #lines: LineBatch;

  constructor(write: (text: string) => void) {
    this.#lines = new LineBatch(write);
  }

  event(event: ExecutorEvent): void {
    this.#lines.add(JSON.stringify(event));
  }

  close(): void {
    this.#lines.flush();
  }
}
