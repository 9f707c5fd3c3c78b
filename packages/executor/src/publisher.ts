import type { Publication, Store } from "@mlpipe/store";

/**
 * Gathers what steps have made and gives it to the store in batches: steps that end together
 * share one sync of the disk.
 */
export class Publisher {
  readonly #store: Store;
  #waiting: {
    readonly publication: Publication;
    readonly done: () => void;
    readonly failed: (error: unknown) => void;
  }[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Resolves when everything of the publication is durable. */
  publish(publication: Publication): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ publication, done, failed });
      // After the events that are already there: other steps may have ended in this very turn.
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    try {
      this.#store.publish(batch.map(({ publication }) => publication));
    } catch (error) {
      if (batch.length === 1) {
        batch[0]?.failed(error);
        return;
      }
      // One of them is at fault; alone, each speaks for itself.
      for (const { publication, done, failed } of batch) {
        try {
          this.#store.publish([publication]);
          done();
        } catch (alone) {
          failed(alone);
        }
      }
      return;
    }
    for (const { done } of batch) done();
  }
}
