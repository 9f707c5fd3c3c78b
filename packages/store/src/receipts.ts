import { dirname, join } from "node:path";
import { canonicalJson } from "./canonical.ts";
import { text, type Database } from "./database.ts";
import type { Content, Digest } from "./digest.ts";
import type { Layout } from "./layout.ts";
import { sealOf } from "./seal.ts";

/** What a deploy step last wrote to its target. */
export interface Receipt {
  /** Relative to the folder that the store lies in, absolute if it is outside of that. */
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
  /** @param target absolute: projects that share a store may well have targets of the same name */
  get(target: string): Receipt | undefined;
  /** Replaces the receipt of the same target. */
  put(receipt: Receipt): void;
}

export class StoredReceipts implements Receipts {
  readonly #database: Database;
  readonly #project: string;

  constructor(database: Database, layout: Layout) {
    this.#database = database;
    // As in the stat index: a project that was moved as a whole keeps its receipts.
    this.#project = join(dirname(layout.root), "/");
  }

  get(target: string): Receipt | undefined {
    const name = this.#name(target);
    const row = this.#database.get("SELECT receipt, seal FROM receipts WHERE target = ?", name);
    if (row === undefined) return undefined;
    const receipt = text(row, "receipt");
    if (row["seal"] !== sealOf(name, receipt)) return undefined;
    // The seal says that this is what `put` wrote, and `put` takes nothing but a Receipt.
    return JSON.parse(receipt) as Receipt;
  }

  put(receipt: Receipt): void {
    const target = this.#name(receipt.target);
    const json = canonicalJson({ ...receipt, target });
    this.#database.transaction(() =>
      this.#database.run(
        "INSERT OR REPLACE INTO receipts (target, receipt, seal) VALUES (?, ?, ?)",
        target,
        json,
        sealOf(target, json),
      ),
    );
  }

  #name(target: string): string {
    return target.startsWith(this.#project) ? target.slice(this.#project.length) : target;
  }
}
