/** What an import has to say of a DVC project: nothing is dropped in silence. */
import type { Site } from "@mlpipe/dsl";

/** Something of `dvc.yaml` that the pipeline has otherwise, or does not have. */
export interface Remark {
  /** `lost`: the pipeline does not have it. `changed`: it has it in another way. */
  readonly kind: "lost" | "changed";
  /** The construct: `stages.train.outs.persist`. */
  readonly what: string;
  /** What that means, as one sentence. */
  readonly message: string;
  readonly at: Site;
}

/** Gathers remarks; the same one at the same place counts once. */
export class Remarks {
  readonly #found = new Map<string, Remark>();

  lost(what: string, message: string, at: Site): void {
    this.#add({ kind: "lost", what, message, at });
  }

  changed(what: string, message: string, at: Site): void {
    this.#add({ kind: "changed", what, message, at });
  }

  /** Those that are lost first, then by file, line and column. */
  sorted(): readonly Remark[] {
    return [...this.#found.values()].toSorted(
      (a, b) =>
        Number(a.kind === "changed") - Number(b.kind === "changed") ||
        compare(a.at.file, b.at.file) ||
        a.at.line - b.at.line ||
        a.at.column - b.at.column,
    );
  }

  #add(remark: Remark): void {
    const key = JSON.stringify([remark.kind, remark.message, remark.at]);
    if (!this.#found.has(key)) this.#found.set(key, remark);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
