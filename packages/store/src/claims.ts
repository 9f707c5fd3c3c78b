import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { primaryCode, text, type Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import { StoreError, shown } from "./errors.ts";
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
  /** Gives back the claims of the run, then its lock. Without `enter` it does nothing. */
  leave(run: string): void;
  /** Whether some process, this one included, holds the lock of the run. */
  isAlive(run: string): boolean;
  /**
   * Claims a key for a run. A claim of a run that is no longer alive is taken over. The lock may be held by another
   * process than the one that claims: a supervisor, say.
   */
  claim(key: Digest, run: string): Claim;
  /** Gives a claim back; that of another run is left alone. */
  release(key: Digest, run: string): void;
}

export type Claim = { readonly mine: true } | { readonly mine: false; readonly by: string };

/** Long enough to outwait those who look whether a run is alive, which takes them microseconds. */
const enterPatienceMs = 1_000;

/**
 * The alive lock is an exclusive transaction on `runs/<id>/alive.db`, an empty SQLite file in rollback-journal mode:
 * in that mode the lock is one of the kernel on the file itself, which goes with the process. Such locks belong to the
 * process and vanish when it closes *any* descriptor of the file, so nothing but SQLite, which knows that, ever opens it.
 *
 * Whoever asks takes a shared lock. Several can ask at once without mistaking each other for the holder.
 */
export class StoredClaims implements Claims {
  readonly #database: Database;
  readonly #layout: Layout;
  readonly #held = new Map<string, DatabaseSync>();

  constructor(database: Database, layout: Layout) {
    this.#database = database;
    this.#layout = layout;
  }

  enter(run: string): void {
    if (this.#held.has(run)) return;
    makePrivate(runFolder(this.#layout, run));
    const path = this.#lockPath(run);
    let lock: DatabaseSync | undefined;
    try {
      lock = new DatabaseSync(path, { timeout: enterPatienceMs });
      lock.exec("BEGIN EXCLUSIVE");
      this.#held.set(run, lock);
    } catch (error) {
      lock?.close();
      if (primaryCode(error) === 5) {
        throw new StoreError("MLP4013", `run ${run} is executing in another process`, { path, cause: error });
      }
      throw new StoreError("MLP4005", `could not lock ${shown(path)}: ${messageOf(error)}`, {
        path,
        cause: error,
      });
    }
  }

  leave(run: string): void {
    const lock = this.#held.get(run);
    if (lock === undefined) return;
    // A supervisor that never claimed anything has no need of the state database, and at the end of a killed mlpipe it
    // should depend on as little as possible. Claims that stay behind are void the moment the lock is gone.
    try {
      if (this.#database.isOpen && !this.#database.isReadonly) {
        this.#write(() => this.#database.run("DELETE FROM claims WHERE run = ?", run));
      }
    } finally {
      this.#held.delete(run);
      lock.close();
      // Nobody can come to hold it again: the id of a run is used once.
      rmSync(this.#lockPath(run), { force: true });
    }
  }

  isAlive(run: string): boolean {
    if (this.#held.has(run)) return true;
    const path = this.#lockPath(run);
    if (!existsSync(path)) return false;
    let probe: DatabaseSync | undefined;
    try {
      probe = new DatabaseSync(path, { readOnly: true, timeout: 0 });
      probe.prepare("SELECT count(*) FROM sqlite_schema").get();
      return false;
    } catch (error) {
      const code = primaryCode(error);
      // Removed since we looked, by a run that left.
      if (code === 14 && !existsSync(path)) return false;
      if (code === 5) return true;
      throw new StoreError("MLP4005", `could not look at ${shown(path)}: ${messageOf(error)}`, {
        path,
        cause: error,
      });
    } finally {
      probe?.close();
    }
  }

  claim(key: Digest, run: string): Claim {
    runFolder(this.#layout, run);
    // Asking first without a write lock: most claims that are held stay held, and those who wait ask often.
    const holder = this.#holder(key);
    if (holder === run) return { mine: true };
    if (holder !== undefined && this.isAlive(holder)) return { mine: false, by: holder };
    return this.#write(() => {
      const now = this.#holder(key);
      if (now !== undefined && now !== run && this.isAlive(now)) return { mine: false, by: now };
      this.#database.run("INSERT OR REPLACE INTO claims (key, run) VALUES (?, ?)", key, run);
      return { mine: true };
    });
  }

  release(key: Digest, run: string): void {
    // Given back already, by the transaction that keeps the result: no need for another.
    if (this.#holder(key) !== run) return;
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

  #lockPath(run: string): string {
    return join(runFolder(this.#layout, run), "alive.db");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
