import { canonicalJson } from "./canonical.ts";
import { text, type Database, type Participant } from "./database.ts";
import { digestOf, type Digest } from "./digest.ts";

/** JSON documents by digest: the parts that keys are made of, environments. What made a key can be read back from here. */
export interface Parts {
  get(digest: Digest): unknown;
  /**
   * Keeps a document. Outside of a transaction it is held back and written with the next one (of a run, a publication
   * or `close`), before the rows that may name it: thousands of parts cost one commit.
   */
  put(value: unknown): Digest;
  /** Whether this process has put a document more than once, for good: whoever knows its digest need not do so again. */
  isShared(digest: Digest): boolean;
}

export class StoredParts implements Parts, Participant {
  readonly #database: Database;
  readonly #held = new Map<Digest, string>();
  #fresh: string[] = [];
  /** Documents that were there when they were put: those that many steps have, and so few. */
  readonly #shared = new Set<Digest>();
  /** The same of the transaction that is open. */
  #again: Digest[] = [];

  constructor(database: Database) {
    this.#database = database;
    database.join(this);
  }

  get(digest: Digest): unknown {
    const held = this.#held.get(digest);
    if (held !== undefined) return JSON.parse(held);
    const row = this.#database.get("SELECT document FROM parts WHERE digest = ?", digest);
    if (row === undefined) return undefined;
    const document = text(row, "document");
    // A damaged document answers nothing; the digest is its own checksum.
    return digestOf(document) === digest ? JSON.parse(document) : undefined;
  }

  put(value: unknown): Digest {
    const document = canonicalJson(value);
    const digest = digestOf(document);
    if (this.#database.insideTransaction) this.#write(digest, document);
    else if (!this.#database.isReadonly) this.#held.set(digest, document);
    return digest;
  }

  isShared(digest: Digest): boolean {
    return this.#shared.has(digest);
  }

  /**
   * Documents that were new when they were written, each given out once: whoever appends to the records of a run
   * writes them there, so that a lost database takes none of them along.
   */
  takeFresh(): readonly string[] {
    if (this.#fresh.length === 0) return none;
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  flush(): void {
    if (this.#held.size > 0) this.#database.transaction(() => {});
  }

  afterBegin(): void {
    for (const [digest, document] of this.#held) this.#write(digest, document);
  }

  afterCommit(): void {
    this.#held.clear();
    for (const digest of this.#again) this.#shared.add(digest);
    this.#again = [];
  }

  afterRollback(): void {
    this.#fresh = [];
    this.#again = [];
  }

  #write(digest: Digest, document: string): void {
    // A row that is there already is left alone, unless it was damaged.
    const changes = this.#database.run(
      "INSERT INTO parts (digest, document) VALUES (?, ?) " +
        "ON CONFLICT (digest) DO UPDATE SET document = excluded.document WHERE document <> excluded.document",
      digest,
      document,
    );
    if (changes > 0) this.#fresh.push(document);
    else this.#again.push(digest);
  }
}

const none: readonly string[] = [];
