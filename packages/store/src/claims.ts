import { lstatSync } from "node:fs";
import { join } from "node:path";
import { AliveLock, aliveLocks, isRunAlive } from "./alive-lock.ts";
import { type Database, refusedBySystem, text } from "./database.ts";
import type { Digest } from "./digest.ts";
import { StoreError, shown } from "./errors.ts";
import { isUuid } from "./uuid7.ts";
import { makePrivate, runFolder, type Layout } from "./layout.ts";

/**
 * Who is running, and who executes which key. A key is executed once over concurrent runs, and nothing of a process
 * that died needs to be unlocked.
 */
export interface Claims {
  /**
   * Takes the alive lock of a run, until `leave`, `close` or the end of this process, however it ends.
   *
   * @throws StoreError `MLP4013` if another process holds it
   */
  enter(run: string): void;
  /**
   * Where the alive lock of a run is, for another process to take it in its name. This one takes a lock of its own beside
   * that, until `leave`, `close` or its end: the run is alive as long as one of the two is held.
   *
   * @throws StoreError `MLP4013` if another process has that place
   */
  enterBeside(run: string): string;
  /**
   * Asked when the lock of a run is held, by whichever process, and before anything is executed: from then on nobody
   * replaces the database, and nobody collects what the run takes from the cache.
   *
   * @returns whether entries may have been dropped since this process began: what it took from the cache before the
   *   lock was held then has to be looked up once more
   * @throws StoreError `MLP4002` if the database was put aside meanwhile
   */
  entered(): boolean;
  /** Gives back the claims of the run, then its lock if this process holds it. */
  leave(run: string): void;
  /** Whether some process, this one included, holds a lock of the run. */
  isAlive(run: string): boolean;
  /**
   * Claims a key for a run. A claim of a run that is no longer alive is taken over. The lock may be held by another
   * process than the one that claims: a supervisor, say.
   */
  claim(key: Digest, run: string): Claim;
  /** Claims those of several keys that no other living run has, in one transaction. @returns the keys that are the run's */
  claimAll(keys: readonly Digest[], run: string): ReadonlySet<Digest>;
  /** Gives a claim back; that of another run is left alone. */
  release(key: Digest, run: string): void;
}

export type Claim = { readonly mine: true } | { readonly mine: false; readonly by: string };

export class StoredClaims implements Claims {
  readonly #database: Database;
  readonly #layout: Layout;
  readonly #held = new Map<string, AliveLock>();
  /** Keys that another run had when they were asked for. */
  readonly #refused = new Set<Digest>();

  constructor(database: Database, layout: Layout) {
    this.#database = database;
    this.#layout = layout;
  }

  enter(run: string): void {
    this.#lock(run, join(this.#folderOf(run), aliveLocks.supervisor));
  }

  enterBeside(run: string): string {
    const folder = this.#folderOf(run);
    this.#lock(run, join(folder, aliveLocks.beside));
    return join(folder, aliveLocks.supervisor);
  }

  #lock(run: string, path: string): void {
    if (this.#held.has(run)) return;
    const lock = this.#translating("lock", path, () => AliveLock.take(path));
    if (lock === undefined) {
      throw new StoreError("MLP4013", `run ${run} is executing in another process`, { path });
    }
    this.#held.set(run, lock);
  }

  entered(): boolean {
    this.#database.assertInPlace();
    const stamp = lstatSync(this.#layout.stamp, { throwIfNoEntry: false });
    return stamp !== undefined && stamp.mtimeMs > performance.timeOrigin - clockToleranceMs;
  }

  leave(run: string): void {
    // Claims that stay behind are void the moment the lock is gone, so a store that cannot be written to is no obstacle.
    try {
      if (this.#database.isOpen && !this.#database.isReadonly) {
        this.#write(() => this.#database.run("DELETE FROM claims WHERE run = ?", run));
      }
    } finally {
      this.#held.get(run)?.release();
      this.#held.delete(run);
    }
  }

  isAlive(run: string): boolean {
    if (this.#held.has(run)) return true;
    // A claim in a damaged row: whoever that was cannot be asked.
    if (!isUuid(run)) return false;
    const folder = runFolder(this.#layout, run);
    return this.#translating("look at", folder, () => isRunAlive(folder));
  }

  claim(key: Digest, run: string): Claim {
    runFolder(this.#layout, run);
    // Most keys are free. Of one that was not, those who wait ask often, and most such claims stay held: then without a
    // write lock first.
    const holder = this.#refused.has(key) ? this.#holder(key) : undefined;
    if (holder !== undefined && holder !== run && this.isAlive(holder)) return { mine: false, by: holder };
    return this.#write(() => this.#claim(key, run));
  }

  claimAll(keys: readonly Digest[], run: string): ReadonlySet<Digest> {
    runFolder(this.#layout, run);
    return this.#write(() => new Set(keys.filter((key) => this.#claim(key, run).mine)));
  }

  /** Inside a transaction. */
  #claim(key: Digest, run: string): Claim {
    // Most keys are free: one statement and no question.
    const isFree =
      this.#database.run("INSERT OR IGNORE INTO claims (key, run) VALUES (?, ?)", key, run) === 1;
    const holder = isFree ? run : this.#holder(key);
    if (holder !== undefined && holder !== run && this.isAlive(holder)) {
      this.#refused.add(key);
      return { mine: false, by: holder };
    }
    this.#refused.delete(key);
    if (holder !== run)
      this.#database.run("INSERT OR REPLACE INTO claims (key, run) VALUES (?, ?)", key, run);
    return { mine: true };
  }

  release(key: Digest, run: string): void {
    // Given back already, by the transaction that keeps the result: no need for another.
    if (!this.#database.insideTransaction && this.#holder(key) !== run) return;
    this.#write(() => this.#database.run("DELETE FROM claims WHERE key = ? AND run = ?", key, run));
  }

  close(): void {
    for (const run of this.#held.keys()) this.leave(run);
  }

  /** Claims mean nothing after a power cut, so they need not survive one. */
  #write<T>(work: () => T): T {
    return this.#database.transaction(work, { durable: false });
  }

  #holder(key: Digest): string | undefined {
    const row = this.#database.get("SELECT run FROM claims WHERE key = ?", key);
    return row === undefined ? undefined : text(row, "run");
  }

  #folderOf(run: string): string {
    const folder = runFolder(this.#layout, run);
    makePrivate(folder);
    return folder;
  }

  #translating<T>(what: string, path: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const message = `could not ${what} ${shown(path)}: ${messageOf(error)}`;
      throw refusedBySystem(path, error) ?? new StoreError("MLP4005", message, { path, cause: error });
    }
  }
}

/** The file system's clock is not the process's own, and to look twice costs little. */
const clockToleranceMs = 2_000;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
