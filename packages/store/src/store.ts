import { resolve } from "node:path";
import { StoredCacheEntries, type CacheEntries } from "./cache-entries.ts";
import { StoredCheckpoints, type Checkpoints } from "./checkpoints.ts";
import { StoredClaims, type Claims } from "./claims.ts";
import { Database } from "./database.ts";
import { StoredFacts, type Facts } from "./facts.ts";
import { hasRecords, layoutOf, makeLayout, type Layout } from "./layout.ts";
import { StoredObjects, type Objects } from "./objects.ts";
import { StoredParts, type Parts } from "./parts.ts";
import { publishBatch, publishBatchSoon, type Publication } from "./publish.ts";
import { StoredReceipts, type Receipts } from "./receipts.ts";
import { StoredRuns, type RunIndex } from "./runs.ts";
import { StoredStatIndex, type StatIndex } from "./stat-index.ts";

/** Everything that is kept, below one folder. Any number of processes may have it open. */
export interface Store extends Disposable {
  /** Absolute. */
  readonly root: string;
  readonly objects: Objects;
  readonly index: StatIndex;
  readonly cache: CacheEntries;
  readonly parts: Parts;
  readonly facts: Facts;
  readonly runs: RunIndex;
  readonly receipts: Receipts;
  readonly claims: Claims;
  readonly checkpoints: Checkpoints;
  /**
   * Keeps what steps made: first the objects, made durable together, then the rows of all publications in one
   * transaction. If anything throws, no row is written; objects that were moved already stay, and harm nobody.
   *
   * @throws StoreError `MLP4010` for an object that is not what was hashed, `MLP4005` if the file system refuses, and
   *   whatever `rows` throws
   */
  publish(batch: readonly Publication[]): void;
  /** The same without waiting for the disk: resolves when all is durable, rejects where `publish` throws. */
  publishSoon(batch: readonly Publication[]): Promise<void>;
  /** Writes what is held back, leaves all runs and closes the database. Closing twice is fine. */
  close(): void;
  /** The same for a process that exits now: what the system closes anyway is left to it. */
  leave(): void;
}

/** How to open a store. */
export interface StoreOptions {
  /**
   * Opens it for looking only: nothing is made or written, and a store that does not exist reads as an empty one.
   *
   * @default false
   */
  readonly readonly?: boolean;
}

/**
 * Opens the store at `root`, making what is missing of it. Cheap: the database is opened by the first question to it.
 *
 * @param root absolute path of the store, usually `<project>/.mlpipe`
 * @throws StoreError `MLP4005` if the folders cannot be made; the database's errors (`MLP4002` damaged, `MLP4003` newer
 *   than this mlpipe, `MLP4004` locked, `MLP4015` gone) come with the first use of it
 */
export function openStore(root: string, options: StoreOptions = {}): Store {
  const layout = layoutOf(resolve(root));
  const readonly = options.readonly ?? false;
  if (!readonly) makeLayout(layout);
  return new LocalStore(layout, readonly);
}

class LocalStore implements Store {
  readonly root: string;
  readonly objects: StoredObjects;
  readonly index: StoredStatIndex;
  readonly cache: StoredCacheEntries;
  readonly parts: StoredParts;
  readonly facts: StoredFacts;
  readonly runs: StoredRuns;
  readonly receipts: StoredReceipts;
  readonly claims: StoredClaims;
  readonly checkpoints: StoredCheckpoints;
  readonly #layout: Layout;
  readonly #database: Database;
  #closed = false;

  constructor(layout: Layout, readonly: boolean) {
    this.#layout = layout;
    this.#database = new Database(layout.database, { readonly, isLost: () => hasRecords(layout) });
    this.root = layout.root;
    this.objects = new StoredObjects(layout);
    this.index = new StoredStatIndex(this.#database, layout);
    this.cache = new StoredCacheEntries(this.#database);
    // Before the runs: the parts that rows name are written first.
    this.parts = new StoredParts(this.#database);
    this.facts = new StoredFacts(this.#database);
    this.claims = new StoredClaims(this.#database, layout);
    this.runs = new StoredRuns(
      this.#database,
      layout,
      (run) => this.claims.isAlive(run),
      () => this.parts.takeFresh(),
    );
    this.receipts = new StoredReceipts(this.#database, layout);
    this.checkpoints = new StoredCheckpoints(layout);
  }

  publish(batch: readonly Publication[]): void {
    publishBatch(batch, this.#layout, this.objects, this.#database);
  }

  publishSoon(batch: readonly Publication[]): Promise<void> {
    return publishBatchSoon(batch, this.#layout, this.objects, this.#database);
  }

  close(): void {
    this.#end(() => {
      this.#database.close();
    });
  }

  leave(): void {
    this.#end(() => {
      this.#database.leave();
    });
  }

  #end(close: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.parts.flush();
      this.facts.flush();
      this.runs.flush();
      this.index.flush();
    } finally {
      this.runs.close();
      this.claims.close();
      close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
