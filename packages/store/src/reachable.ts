import { text, type Database, type Row } from "./database.ts";

// Whatever looks like a digest or an id in a document is taken for one. Fields are added to records over the years, and
// what is not known here must not be lost for that: at worst something is kept that nobody refers to.
const digests = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g;
const ids = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** What is reached from runs that are kept. */
export class Reachable {
  /** Of objects and documents alike. */
  readonly digests = new Set<string>();
  /** Step runs of kept runs, and those whose results they used, with what those were made of. */
  readonly stepRuns = new Set<string>();
  /** The runs that these step runs belong to: their records stay. */
  readonly runs = new Set<string>();
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** A run with all its step runs. */
  addRun(run: string): void {
    this.runs.add(run);
    const row = this.#database.get("SELECT document FROM runs WHERE id = ?", run);
    if (row !== undefined) this.addDocument(text(row, "document"));
    for (const each of this.#database.all("SELECT id, run, document FROM step_runs WHERE run = ?", run)) {
      this.#addStepRun(each);
    }
  }

  /** As it is now, to go back to. */
  copy(): Reachable {
    const copy = new Reachable(this.#database);
    for (const digest of this.digests) copy.digests.add(digest);
    for (const id of this.stepRuns) copy.stepRuns.add(id);
    for (const id of this.runs) copy.runs.add(id);
    return copy;
  }

  /** Something that is written down: an entry, a receipt, a record. */
  addDocument(document: string): void {
    const pending = [withoutReasons(document)];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const [digest] of next.matchAll(digests)) {
        if (this.digests.has(digest)) continue;
        this.digests.add(digest);
        // A document may name others: the preimage of a key names all its parts.
        const part = this.#database.get("SELECT document FROM parts WHERE digest = ?", digest);
        if (part !== undefined) pending.push(text(part, "document"));
      }
      for (const [id] of next.matchAll(ids)) {
        if (this.stepRuns.has(id)) continue;
        const row = this.#database.get("SELECT id, run, document FROM step_runs WHERE id = ?", id);
        if (row === undefined) continue;
        this.stepRuns.add(id);
        this.runs.add(text(row, "run"));
        pending.push(withoutReasons(text(row, "document")));
      }
    }
  }

  #addStepRun(row: Row): void {
    this.stepRuns.add(text(row, "id"));
    this.addDocument(text(row, "document"));
  }
}

/** Why a step ran names what it was before: that is a word about it, and no use of it. */
function withoutReasons(document: string): string {
  if (!document.includes('"reasons"')) return document;
  try {
    return JSON.stringify(
      JSON.parse(document, (key, value: unknown) => (key === "reasons" ? undefined : value)),
    );
  } catch {
    // Damaged: then for whatever can be read in it.
    return document;
  }
}
