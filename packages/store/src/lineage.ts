import { Database } from "./database.ts";
import { layoutOf } from "./layout.ts";

/** Bytes, by the place where they were made; those that came from outside have a digest alone, the rest is empty. */
export interface ArtifactPlace {
  readonly digest: string;
  readonly pipeline: string;
  /** The step that made them. */
  readonly maker: string;
  /** Its port. */
  readonly output: string;
}

/** That a step run took, made or deployed an artifact. */
export interface LineageLink {
  readonly stepRun: string;
  /** `target`: a deploy left these bytes at the place that `port` names. */
  readonly role: "in" | "out" | "target";
  readonly port: string;
  /** Of an input with many items, which; else empty. */
  readonly item: string;
  readonly artifact: ArtifactPlace;
}

/** A step run, without its document. */
export interface LineageStep {
  readonly id: string;
  readonly run: string;
  readonly pipeline: string;
  readonly step: string;
  readonly kind: string;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string;
}

/** What is known of who made and who took which bytes. Every question takes many things at once: histories are long. */
export interface LineageIndex {
  /** The links of step runs: all, or only to what they made and deployed. */
  linksOf(stepRuns: readonly string[], which: "all" | "made"): readonly LineageLink[];
  /** The step runs that made (`out`) or took (`in`) these very artifacts. */
  stepRunsAt(role: "in" | "out", artifacts: readonly ArtifactPlace[]): readonly string[];
  /** All links to these bytes, wherever they were made. */
  linksToBytes(digests: readonly string[]): readonly LineageLink[];
  /** The links of those that took these bytes from outside. */
  linksTakenOutside(digests: readonly string[]): readonly LineageLink[];
  /** Those of the ids that are there. */
  steps(ids: readonly string[]): ReadonlyMap<string, LineageStep>;
  /** Digests that begin so, at most `limit`. */
  digestsFrom(prefix: string, limit: number): readonly string[];
}

/** Opens the lineage of a store for reading. */
export function openLineage(root: string): LineageIndex & Disposable {
  return new StoredLineage(new Database(layoutOf(root).database, { readonly: true }));
}

const columns = "l.step_run, l.role, l.port, l.item, l.digest, l.pipeline, l.maker, l.output";

class StoredLineage implements LineageIndex, Disposable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.rememberMore();
  }

  linksOf(stepRuns: readonly string[], which: "all" | "made"): readonly LineageLink[] {
    const roles = which === "all" ? "" : "AND l.role IN ('out', 'target')";
    return this.#links(
      `SELECT ${columns} FROM json_each(?) AS asked CROSS JOIN lineage AS l ON l.step_run = asked.value ${roles}`,
      JSON.stringify(stepRuns),
    );
  }

  stepRunsAt(role: "in" | "out", artifacts: readonly ArtifactPlace[]): readonly string[] {
    // By output: a list of digests is read far faster than one of lists.
    const outputs = new Map<string, { readonly place: ArtifactPlace; readonly digests: string[] }>();
    for (const place of artifacts) {
      const name = [place.pipeline, place.maker, place.output].join("\n");
      const known = outputs.get(name);
      if (known === undefined) outputs.set(name, { place, digests: [place.digest] });
      else known.digests.push(place.digest);
    }
    const found = [...outputs.values()].flatMap(({ place: { pipeline, maker, output }, digests }) =>
      this.#database.texts(
        `SELECT DISTINCT l.step_run FROM json_each(?) AS asked CROSS JOIN lineage AS l
           ON l.digest = asked.value AND l.role = ? AND l.pipeline = ? AND l.maker = ? AND l.output = ?`,
        JSON.stringify(digests),
        role,
        pipeline,
        maker,
        output,
      ),
    );
    return [...new Set(found.flat())];
  }

  linksToBytes(digests: readonly string[]): readonly LineageLink[] {
    return this.#links(
      `SELECT ${columns} FROM json_each(?) AS asked CROSS JOIN lineage AS l ON l.digest = asked.value`,
      JSON.stringify(digests),
    );
  }

  linksTakenOutside(digests: readonly string[]): readonly LineageLink[] {
    return this.#links(
      `SELECT ${columns} FROM json_each(?) AS asked CROSS JOIN lineage AS l INDEXED BY lineage_from_outside
         ON l.digest = asked.value AND l.role = 'in' AND l.maker = ''`,
      JSON.stringify(digests),
    );
  }

  steps(ids: readonly string[]): ReadonlyMap<string, LineageStep> {
    const rows = this.#database.texts(
      `SELECT s.id, s.run, s.pipeline, s.step, s.kind, s.status, s.started_at, s.ended_at
         FROM json_each(?) AS asked CROSS JOIN step_runs AS s ON s.id = asked.value`,
      JSON.stringify(ids),
    );
    const steps = rows.map(stepOf);
    return new Map(steps.map((step) => [step.id, step]));
  }

  digestsFrom(prefix: string, limit: number): readonly string[] {
    // Every digest that begins so sorts below the prefix with something above all hex digits.
    return this.#database
      .texts(
        "SELECT DISTINCT digest FROM lineage WHERE digest >= ? AND digest < ? ORDER BY digest LIMIT ?",
        prefix,
        `${prefix}~`,
        limit,
      )
      .flat();
  }

  #links(sql: string, ...values: readonly string[]): readonly LineageLink[] {
    return this.#database.texts(sql, ...values).map(linkOf);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

function linkOf(row: readonly string[]): LineageLink {
  const [stepRun = "", role = "", port = "", item = "", digest = "", pipeline = "", maker = "", output = ""] =
    row;
  // The role was written by the index's own statement alone.
  return {
    stepRun,
    role: role as LineageLink["role"],
    port,
    item,
    artifact: { digest, pipeline, maker, output },
  };
}

function stepOf(row: readonly string[]): LineageStep {
  const [id = "", run = "", pipeline = "", step = "", kind = "", status = "", startedAt = "", endedAt = ""] =
    row;
  return { id, run, pipeline, step, kind, status, startedAt, endedAt };
}
