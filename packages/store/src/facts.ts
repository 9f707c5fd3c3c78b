import { text, type Database, type Participant } from "./database.ts";
import { sealOf } from "./seal.ts";

/** What can be found out again and takes its time: JSON documents under keys that name everything they depend on. */
export interface Facts {
  /** `undefined` if there is none, or if the row is damaged. */
  get(key: string): unknown;
  /** Held back and written with the next transaction, or by `close`. */
  put(key: string, document: unknown): void;
}

/** More than any project has modules; the oldest go first, and what is missed is found out again. */
const kept = 20_000;

export class StoredFacts implements Facts, Participant {
  readonly #database: Database;
  readonly #held = new Map<string, string>();

  constructor(database: Database) {
    this.#database = database;
    database.join(this);
  }

  get(key: string): unknown {
    const held = this.#held.get(key);
    if (held !== undefined) return JSON.parse(held);
    const row = this.#database.get("SELECT document, seal FROM facts WHERE key = ?", key);
    if (row === undefined) return undefined;
    const document = text(row, "document");
    return row["seal"] === sealOf(key, document) ? JSON.parse(document) : undefined;
  }

  put(key: string, document: unknown): void {
    if (!this.#database.isReadonly) this.#held.set(key, JSON.stringify(document));
  }

  /** Losing them in a power cut costs the time to find them out again. */
  flush(): void {
    if (this.#held.size > 0) this.#database.transaction(() => {}, { durable: false });
  }

  afterBegin(): void {
    if (this.#held.size === 0) return;
    for (const [key, document] of this.#held) {
      this.#database.run(
        "INSERT OR REPLACE INTO facts (key, document, seal) VALUES (?, ?, ?)",
        key,
        document,
        sealOf(key, document),
      );
    }
    this.#database.run("DELETE FROM facts WHERE rowid <= (SELECT max(rowid) FROM facts) - ?", kept);
  }

  afterCommit(): void {
    this.#held.clear();
  }
}
