import { join } from "node:path";
import { Database, text } from "./database.ts";
import { layoutOf, type Layout } from "./layout.ts";
import { RecordLog, readChain } from "./record-log.ts";
import { sealOf } from "./seal.ts";

/** Something that somebody said of a run afterwards. Its records are closed by then, so it is said beside them. */
export type Annotation = {
  readonly run: string;
  /** ISO 8601. */
  readonly at: string;
  readonly by: string;
} & (
  | { readonly type: "tag" | "untag"; readonly tags: readonly string[] }
  | { readonly type: "note"; readonly text: string }
);

/** What was said of a run, all in all. */
export interface Annotations {
  /** In the order of the alphabet. */
  readonly tags: readonly string[];
  readonly notes: readonly { readonly text: string; readonly at: string; readonly by: string }[];
}

/** Adds an annotation, durable when it returns. A tag is taken off by another one: nothing is ever written over. */
export function annotate(root: string, annotation: Annotation): void {
  const layout = layoutOf(root);
  const database = new Database(layout.database, { readonly: false });
  try {
    // The transaction keeps others out who have something to say.
    database.transaction(
      () => {
        const log = new RecordLog(annotationsPath(layout));
        try {
          const head = log.append(annotation);
          log.settle();
          const document = JSON.stringify(head);
          database.run(
            "INSERT OR REPLACE INTO facts (key, document, seal) VALUES (?, ?, ?)",
            headKey,
            document,
            sealOf(headKey, document),
          );
        } finally {
          log.close();
        }
      },
      { durable: false },
    );
  } finally {
    database.close();
  }
}

/** Where the database keeps the digest of the last line, so that lines taken off the end are missed. */
const headKey = "annotations.head";

/** The digest of the last line, as far as the database knows it: a rebuilt one does not. */
export function annotationsHead(database: Database): string | null {
  const row = database.get("SELECT document, seal FROM facts WHERE key = ?", headKey);
  if (row === undefined) return null;
  const document = text(row, "document");
  if (row["seal"] !== sealOf(headKey, document)) return null;
  const head: unknown = JSON.parse(document);
  return typeof head === "string" ? head : null;
}

/** By run, what was said of it. */
export function annotationsIn(root: string): ReadonlyMap<string, Annotations> {
  const tags = new Map<string, Set<string>>();
  const notes = new Map<string, Annotations["notes"][number][]>();
  for (const record of readChain(annotationsPath(layoutOf(root))).records) {
    // Written by `annotate` alone, and the chain holds.
    const annotation = record as unknown as Annotation;
    const { run } = annotation;
    const ofRun = tags.get(run) ?? new Set<string>();
    tags.set(run, ofRun);
    if (annotation.type === "note") {
      const { text, at, by } = annotation;
      notes.set(run, [...(notes.get(run) ?? []), { text, at, by }]);
    } else if (annotation.type === "tag") for (const tag of annotation.tags) ofRun.add(tag);
    else for (const tag of annotation.tags) ofRun.delete(tag);
  }
  return new Map(
    [...tags].map(([run, all]) => [run, { tags: [...all].toSorted(), notes: notes.get(run) ?? [] }]),
  );
}

/** Where they lie. */
export function annotationsPath(layout: Layout): string {
  return join(layout.runs, "annotations.jsonl");
}
