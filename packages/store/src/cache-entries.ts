import { canonicalJson } from "./canonical.ts";
import { text, type Database, type Row } from "./database.ts";
import type { Content, Digest } from "./digest.ts";
import { sealOf } from "./seal.ts";

/** What a step once made, found again by its key. */
export interface CacheEntry {
  /** The execution that made it. */
  readonly stepRun: string;
  readonly run: string;
  /** By output port. */
  readonly outputs: Readonly<Record<string, Content>>;
  readonly metrics?: Readonly<Record<string, number>>;
  /** ISO 8601. */
  readonly createdAt: string;
  /** How long the execution took, which is what a hit saves. */
  readonly durationMs: number;
}

/** Results by key. An entry promises that its outputs were durable before it was. */
export interface CacheEntries {
  /** `undefined` if there is none, or if the row is damaged. */
  get(key: Digest): CacheEntry | undefined;
  /** Says that these keys will be asked for, once each: their rows are fetched together. */
  expect(keys: readonly Digest[]): void;
  /** Replaces an entry of the same key. Inside `publish` it is part of that transaction, else durable when it returns. */
  put(key: Digest, entry: CacheEntry): void;
  drop(key: Digest): void;
}

export class StoredCacheEntries implements CacheEntries {
  readonly #database: Database;
  readonly #expected = new Map<string, Row>();

  constructor(database: Database) {
    this.#database = database;
  }

  expect(keys: readonly Digest[]): void {
    // Key by key: for IN (…) SQLite would sort the keys first, which takes as long again.
    const rows = this.#database.all(
      `SELECT cache_entries.key, entry, seal FROM json_each(?) AS asked
       CROSS JOIN cache_entries ON cache_entries.key = asked.value`,
      JSON.stringify(keys),
    );
    for (const row of rows) this.#expected.set(text(row, "key"), row);
  }

  get(key: Digest): CacheEntry | undefined {
    const expected = this.#expected.get(key);
    // Whoever asks again wants to know what has happened since.
    if (expected !== undefined) this.#expected.delete(key);
    const row = expected ?? this.#database.get("SELECT entry, seal FROM cache_entries WHERE key = ?", key);
    if (row === undefined) return undefined;
    const entry = text(row, "entry");
    if (row["seal"] !== sealOf(key, entry)) return undefined;
    // The seal says that this is what `put` wrote, and `put` takes nothing but a CacheEntry.
    return JSON.parse(entry) as CacheEntry;
  }

  put(key: Digest, entry: CacheEntry): void {
    const json = canonicalJson(entry);
    this.#expected.delete(key);
    this.#database.transaction(() =>
      this.#database.run(
        "INSERT OR REPLACE INTO cache_entries (key, entry, seal) VALUES (?, ?, ?)",
        key,
        json,
        sealOf(key, json),
      ),
    );
  }

  drop(key: Digest): void {
    this.#expected.delete(key);
    this.#database.transaction(() => this.#database.run("DELETE FROM cache_entries WHERE key = ?", key));
  }
}
