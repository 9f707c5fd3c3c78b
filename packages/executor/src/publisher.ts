import type { Publication, Store } from "@mlpipe/store";

/**
 * How long what was made may wait for what others are about to make: the disk syncs many about as fast as one, and the
 * pages of an index that rows fall into at random are written once for all of them.
 */
const gatheringMs = 250;

/**
 * Gathers what steps have made and gives it to the store in batches: steps that end together
 * share one sync of the disk. Nothing is reported before it is durable.
 */
export class Publisher {
  readonly #store: Store;
  readonly #isMoreToCome: () => boolean;
  #waiting: Waiting[] = [];
  #isFlushing = false;
  #isGathering = false;
  #later: NodeJS.Timeout | undefined;

  /** @param isMoreToCome whether steps are ready that need nothing of what waits here */
  constructor(store: Store, isMoreToCome: () => boolean) {
    this.#store = store;
    this.#isMoreToCome = isMoreToCome;
  }

  /** Resolves when everything of the publication is durable. */
  publish(publication: Publication): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ publication, done, failed });
      // After the events that are already there: other steps may have ended in this very turn.
      if (this.#isGathering) return;
      this.#isGathering = true;
      setImmediate(() => {
        this.#isGathering = false;
        this.#gather();
      });
    });
  }

  /** Asked anew each time: what was made last is waited for by nobody else. */
  #gather(): void {
    if (this.#isMoreToCome()) this.#later ??= setTimeout(() => this.#flush(), gatheringMs);
    else this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    // What comes meanwhile shares the next sync.
    if (this.#isFlushing || this.#waiting.length === 0) return;
    this.#isFlushing = true;
    const batch = this.#waiting;
    this.#waiting = [];
    void this.#publishAll(batch).finally(() => {
      this.#isFlushing = false;
      if (this.#waiting.length > 0) this.#gather();
    });
  }

  async #publishAll(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#store.publishSoon(batch.map(({ publication }) => publication));
    } catch (error) {
      if (batch.length === 1) {
        batch[0]?.failed(error);
        return;
      }
      // One of them is at fault; alone, each speaks for itself.
      for (const each of batch) await this.#publishAll([each]);
      return;
    }
    for (const { done } of batch) done();
  }
}

interface Waiting {
  readonly publication: Publication;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}
