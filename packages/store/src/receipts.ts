import { canonicalJson } from "./canonical.ts";
import { text, type Database } from "./database.ts";
import type { Content, Digest } from "./digest.ts";
import { sealOf } from "./seal.ts";

/** What a deploy step last wrote to its target. */
export interface Receipt {
  /** Relative to the project. */
  readonly target: string;
  readonly step: string;
  readonly key: Digest;
  readonly stepRun: string;
  readonly run: string;
  /** What the target held afterwards; `null` for a target that is no file or folder. */
  readonly content: Content | null;
  /** The outputs of the deploy, by port: it has no cache entry that would hold them. */
  readonly outputs: Readonly<Record<string, Content>>;
  /** ISO 8601. */
  readonly at: string;
}

/** The last deployment of each target. */
export interface Receipts {
  get(target: string): Receipt | undefined;
  /** Replaces the receipt of the same target. */
  put(receipt: Receipt): void;
}

export class StoredReceipts implements Receipts {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(target: string): Receipt | undefined {
    const row = this.#database.get("SELECT receipt, seal FROM receipts WHERE target = ?", target);
    if (row === undefined) return undefined;
    const receipt = text(row, "receipt");
    if (row["seal"] !== sealOf(target, receipt)) return undefined;
    // The seal says that this is what `put` wrote, and `put` takes nothing but a Receipt.
    return JSON.parse(receipt) as Receipt;
  }

  put(receipt: Receipt): void {
    const json = canonicalJson(receipt);
    this.#database.transaction(() =>
      this.#database.run(
        "INSERT OR REPLACE INTO receipts (target, receipt, seal) VALUES (?, ?, ?)",
        receipt.target,
        json,
        sealOf(receipt.target, json),
      ),
    );
  }
}
