import type { CacheEntry } from "./cache-entries.ts";
import { isDigest, type Content, type Digest } from "./digest.ts";
import type { Receipt } from "./receipts.ts";
import type { Chain } from "./record-log.ts";
import type { RunRow, StepRunRow } from "./runs.ts";

/** What the database holds of a run, as its records tell it. */
export interface RecordedRows {
  readonly run: RunRow;
  readonly stepRuns: readonly StepRunRow[];
  /** In the order they were made; a later one of the same key replaces an earlier one. */
  readonly entries: readonly { readonly key: Digest; readonly entry: CacheEntry }[];
  /** With absolute targets. */
  readonly receipts: readonly Receipt[];
  /** Documents that this run was the first to have. */
  readonly parts: readonly unknown[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The rows of a run from its records. The shapes of records are provenance's (`records.ts`), which only ever adds
 * fields; what is read here is read with suspicion, and what does not fit gives no row. Two things make a cache entry:
 * the record says that its result was kept, and a later line vouches for it by digest. So neither a record of before
 * that was said nor a damaged last line can give a wrong hit.
 */
export function rowsOf(chain: Chain): RecordedRows | undefined {
  let run: RunRow | undefined;
  let project = "";
  const stepRuns: StepRunRow[] = [];
  const entries: { key: Digest; entry: CacheEntry }[] = [];
  const receipts: Receipt[] = [];
  const parts: unknown[] = [];
  chain.records.forEach((record, line) => {
    const { type } = record;
    if (type === "run-started" || type === "run") {
      const row = runRow(fields(record["run"]), type === "run", chain.head);
      if (row === undefined) return;
      run = row;
      project = string(fields(fields(row.document)["by"])["cwd"]) ?? "";
      return;
    }
    if (type === "parts") parts.push(...list(record["documents"]));
    if (type !== "step-run") return;
    const document = fields(record["stepRun"]);
    const row = stepRunRow(document);
    if (row === undefined) return;
    stepRuns.push(row);
    if (line >= chain.vouched || row.key === null || row.status !== "ran") return;
    const outputs = contentsOf(fields(document["outputs"]));
    if (outputs === undefined) return;
    if (fields(document["cache"])["kept"] === true) {
      entries.push({ key: row.key, entry: entryOf(row, outputs, document) });
    }
    const receipt = receiptOf(row, row.key, outputs, fields(document["target"]), project);
    if (receipt !== undefined) receipts.push(receipt);
  });
  return run === undefined ? undefined : { run, stepRuns, entries, receipts, parts };
}

function runRow(document: Fields, ended: boolean, head: Digest | null): RunRow | undefined {
  const id = string(document["id"]);
  const pipeline = string(fields(document["pipeline"])["name"]);
  const status = string(document["status"]);
  const startedAt = string(document["startedAt"]);
  const endedAt = ended ? string(document["endedAt"]) : null;
  if (id === undefined || pipeline === undefined || status === undefined) return undefined;
  if (startedAt === undefined || endedAt === undefined) return undefined;
  return { id, pipeline, status, startedAt, endedAt, head, document };
}

function stepRunRow(document: Fields): StepRunRow | undefined {
  const step = fields(document["step"]);
  const texts = {
    id: string(document["id"]),
    run: string(document["run"]),
    pipeline: string(document["pipeline"]),
    step: string(step["id"]),
    kind: string(step["kind"]),
    status: string(document["status"]),
    startedAt: string(document["startedAt"]),
    endedAt: string(document["endedAt"]),
  };
  if (!isComplete(texts)) return undefined;
  return { ...texts, key: digest(document["key"]), preimage: digest(document["preimage"]), document };
}

function entryOf(row: StepRunRow, outputs: Readonly<Record<string, Content>>, document: Fields): CacheEntry {
  const metrics = Object.fromEntries(
    list(document["metrics"]).flatMap((metric): [string, number][] => {
      const { name, value } = fields(metric);
      return typeof name === "string" && typeof value === "number" ? [[name, value]] : [];
    }),
  );
  return {
    stepRun: row.id,
    run: row.run,
    outputs,
    createdAt: row.endedAt,
    durationMs: Math.max(0, Date.parse(row.endedAt) - Date.parse(row.startedAt)) || 0,
    ...(Object.keys(metrics).length > 0 && { metrics }),
  };
}

function receiptOf(
  row: StepRunRow,
  key: Digest,
  outputs: Readonly<Record<string, Content>>,
  target: Fields,
  project: string,
): Receipt | undefined {
  const path = string(target["path"]);
  const content = contentOf(target);
  // Without what the target held nobody could tell later whether it still does.
  if (path === undefined || content === undefined || project === "") return undefined;
  const place = path.startsWith("/") ? path : `${project}/${path}`;
  const { id: stepRun, run, step, endedAt: at } = row;
  return { target: place, step, key, stepRun, run, content, outputs, at };
}

/** All of them, or nothing. */
function contentsOf(refs: Fields): Readonly<Record<string, Content>> | undefined {
  const contents: Record<string, Content> = {};
  for (const [port, ref] of Object.entries(refs)) {
    const content = contentOf(fields(ref));
    if (content === undefined) return undefined;
    contents[port] = content;
  }
  return contents;
}

function contentOf({ type, digest: of, size, entries }: Fields): Content | undefined {
  if (type !== "file" && type !== "tree") return undefined;
  if (typeof of !== "string" || !isDigest(of) || typeof size !== "number") return undefined;
  return { type, digest: of, size, ...(typeof entries === "number" && { entries }) };
}

function fields(value: unknown): Fields {
  // Whatever it is: its properties are looked at as unknown.
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function string(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function digest(value: unknown): Digest | null {
  return typeof value === "string" && isDigest(value) ? value : null;
}

function isComplete<Name extends string>(
  texts: Readonly<Record<Name, string | undefined>>,
): texts is Readonly<Record<Name, string>> {
  return Object.values(texts).every((text) => text !== undefined);
}
