/**
 * The keys of a pipeline's last run. Almost all of them are asked for again by the next one, and one question for a
 * thousand cache entries takes a third of the time that a thousand questions take. A hint and no more: what is not
 * expected is looked up by itself.
 */
import type { Digest, Store } from "@mlpipe/store";

export class ExpectedKeys {
  readonly #store: Store;
  readonly #fact: string;
  readonly #decided: Digest[] = [];
  #before: string | undefined;

  /** @param pipeline the pipeline's module: its name may be that of another one too */
  constructor(store: Store, pipeline: string) {
    this.#store = store;
    this.#fact = `keys of ${pipeline}`;
  }

  /** Notes that a step has this key, and has the cache read what the last run had when it is the first. */
  note(key: Digest): void {
    if (this.#before === undefined) {
      const keys = this.#store.facts.get(this.#fact);
      // Written by `keep` below, and sealed.
      this.#before = typeof keys === "string" ? keys : "";
      if (this.#before !== "") this.#store.cache.expect(this.#before.split(" ") as Digest[]);
    }
    this.#decided.push(key);
  }

  /** Keeps the keys of this session for the next one. Written with the next transaction, and only if they differ. */
  keep(): void {
    const keys = this.#decided.join(" ");
    if (this.#before === undefined || keys === this.#before) return;
    this.#store.facts.put(this.#fact, keys);
  }
}
