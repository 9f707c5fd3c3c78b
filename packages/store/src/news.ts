import { text, type Database, type Row } from "./database.ts";
import type { Reachable } from "./reachable.ts";

/** Tables whose new rows have a higher rowid than all before. */
const tables = {
  runs: "document",
  step_runs: "document",
  cache_entries: "entry",
  receipts: "receipt",
} as const;

/** What was written to the database since a moment, for whoever decided by what was there at that moment. */
export class News {
  readonly #database: Database;
  readonly #seen = new Map<string, number>();
  /** Runs that had not ended: the row of one is written over when it does. */
  readonly #unended: readonly string[];
  #version: unknown;

  /** Begins now. Inside of the transaction that decides. */
  constructor(database: Database) {
    this.#database = database;
    for (const table of Object.keys(tables)) this.#seen.set(table, this.#last(table));
    this.#unended = database.all("SELECT id FROM runs WHERE ended_at IS NULL").map((row) => text(row, "id"));
    this.#version = this.#dataVersion();
  }

  /** Adds what new rows name. Inside of a transaction, or more may be written meanwhile. */
  addTo(reached: Reachable): void {
    const version = this.#dataVersion();
    if (version === this.#version) return;
    this.#version = version;
    for (const [table, column] of Object.entries(tables)) {
      const rows: readonly Row[] = this.#database.all(
        `SELECT ${column} AS document FROM ${table} WHERE rowid > ?`,
        this.#seen.get(table) ?? 0,
      );
      for (const row of rows) reached.addDocument(text(row, "document"));
      this.#seen.set(table, this.#last(table));
    }
    for (const run of this.#unended) {
      const row = this.#database.get("SELECT document FROM runs WHERE id = ?", run);
      if (row !== undefined) reached.addDocument(text(row, "document"));
    }
  }

  #last(table: string): number {
    return Number(this.#database.get(`SELECT max(rowid) AS last FROM ${table}`)?.["last"] ?? 0);
  }

  /** Changes when another connection has committed something. */
  #dataVersion(): unknown {
    return this.#database.get("PRAGMA data_version")?.["data_version"];
  }
}
