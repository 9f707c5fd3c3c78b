import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "./canonical.ts";
import { json, text, textOrNull, type Database, type Participant, type Row } from "./database.ts";
import { asDigest, type Digest } from "./digest.ts";
import { StoreError } from "./errors.ts";
import { makePrivate, recordsPath, runFolder, type Layout } from "./layout.ts";
import { RecordLog, readRecords } from "./record-log.ts";

/** One invocation of a pipeline. */
export interface RunRow {
  readonly id: string;
  readonly pipeline: string;
  /** `running`, then what `end` was given; `crashed` if its process is gone without an end. */
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Digest of the last durable line of its records. */
  readonly head: Digest | null;
  /** What `begin` or, later, `end` was given. */
  readonly document: unknown;
}

/** One execution of a step. */
export interface StepRunRow {
  readonly id: string;
  readonly run: string;
  readonly pipeline: string;
  readonly step: string;
  readonly kind: string;
  /** `null` for a step that cannot be keyed. */
  readonly key: Digest | null;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string;
  /** The part that holds the preimage of the key. */
  readonly preimage: Digest | null;
  readonly document: unknown;
}

/** Runs, their step runs and their records. Ids are UUIDv7, so their order is that of time. */
export interface RunIndex {
  begin(run: {
    readonly id: string;
    readonly pipeline: string;
    readonly startedAt: string;
    readonly document: unknown;
  }): void;
  /** Makes the records of the run durable, and the end with them. */
  end(
    id: string,
    end: { readonly status: string; readonly endedAt: string; readonly document: unknown },
  ): void;
  addStepRun(row: StepRunRow): void;
  /**
   * A run by its id, a prefix of it (four characters or more), or `last`.
   *
   * @throws StoreError `MLP4011` if the prefix is too short or fits several runs
   */
  get(idOrPrefix: string): RunRow | undefined;
  /** Newest first. @param filter with `before`: those that began before the run of that id */
  list(filter?: {
    readonly pipeline?: string;
    readonly before?: string;
    readonly limit?: number;
  }): readonly RunRow[];
  /**
   * What the document of a pipeline's newest run says of one step: that of its `steps` with this `id`, or nothing. A
   * document names all steps of its run, and the others are not read.
   *
   * @param before leaves out this run and those that began after it
   */
  latestOutcome(
    pipeline: string,
    step: string,
    before?: string,
  ): { readonly run: string; readonly outcome: unknown } | undefined;
  /** The newest run that has ended, and the digest of its last record: the next one names it. */
  lastEnded(): { readonly run: string; readonly head: Digest } | undefined;
  /** In the order they were made. */
  stepRuns(run: string): readonly StepRunRow[];
  stepRun(id: string): StepRunRow | undefined;
  latestStepRun(pipeline: string, step: string, status?: string): StepRunRow | undefined;
  /** Whether any step of a pipeline ever ran. */
  hasStepRuns(pipeline: string): boolean;
  /** What is needed to find an execution of a run that succeeded, without its document. In the order they were made. */
  succeeded(run: string): readonly Pick<StepRunRow, "id" | "step" | "kind" | "preimage">[];
  /** How long steps took when they last succeeded, in ms; those that never did are left out. One query. */
  durations(pipeline: string, steps: readonly string[]): ReadonlyMap<string, number>;
  /**
   * Appends to `runs/<id>/records.jsonl` and returns the digest of the line. Parts that are new since the last record
   * are put before it, in a line of their own. Durable at the end of the run or of the
   * transaction that is open; a transaction that is rolled back takes its lines with it.
   */
  appendRecord(run: string, record: unknown): Digest;
  /**
   * The records of a run, `prev` included, the chain checked.
   *
   * @throws StoreError `MLP4012` if it does not hold
   */
  records(run: string): readonly unknown[];
  /** Where the log of a job slot goes. Makes the folder, not the file. */
  logPath(run: string, slot: string): string;
  /** The logs that a run has so far, absolute and sorted. Makes nothing. */
  logFiles(run: string): readonly string[];
}

const runColumns = "id, pipeline, status, started_at, ended_at, head, document";
const stepRunColumns = "id, run, pipeline, step, kind, key, status, started_at, ended_at, preimage, document";

/** Nothing sorts after this, and ids are those of time. */
const afterAll = "~";

/** How many candidates an ambiguous prefix is answered with. */
const shownCandidates = 5;

export class StoredRuns implements RunIndex, Participant {
  readonly #database: Database;
  readonly #layout: Layout;
  readonly #isAlive: (run: string) => boolean;
  readonly #freshParts: () => readonly string[];
  readonly #logs = new Map<string, RecordLog>();
  /** The head that the database holds of each open log. */
  readonly #heads = new Map<RecordLog, Digest | null>();
  readonly #folders = new Set<string>();
  /** Runs that end with the transaction that is open. */
  readonly #ended = new Set<string>();
  /** The last document encoded: a row and a line of the records hold the same one. */
  #encoded: { readonly document: unknown; readonly json: string } | undefined;
  #marks = new Map<RecordLog, ReturnType<RecordLog["mark"]>>();

  constructor(
    database: Database,
    layout: Layout,
    isAlive: (run: string) => boolean,
    freshParts: () => readonly string[],
  ) {
    this.#freshParts = freshParts;
    this.#database = database;
    this.#layout = layout;
    this.#isAlive = isAlive;
    database.join(this);
  }

  begin(run: Parameters<RunIndex["begin"]>[0]): void {
    runFolder(this.#layout, run.id);
    // Not durable at once: a run that a power cut erases before it did anything has left nothing to be explained.
    this.#database.transaction(
      () =>
        this.#database.run(
          "INSERT INTO runs (id, pipeline, status, started_at, document) VALUES (?, ?, 'running', ?, ?)",
          run.id,
          run.pipeline,
          run.startedAt,
          this.#encode(run.document),
        ),
      { durable: false },
    );
  }

  end(id: string, end: Parameters<RunIndex["end"]>[1]): void {
    this.#database.transaction(() => {
      const log = this.#logs.get(id);
      log?.settle();
      // The head with the rest: the document may have megabytes, and every update writes the whole row.
      const changed = this.#database.run(
        "UPDATE runs SET status = ?, ended_at = ?, head = coalesce(?, head), document = ? WHERE id = ?",
        end.status,
        end.endedAt,
        log?.head ?? null,
        this.#encode(end.document),
        id,
      );
      if (changed !== 1) throw new Error(`run ${id} was never begun`);
      if (log !== undefined) this.#heads.set(log, log.head);
      // With all its steps, and nobody asks for it again.
      this.#encoded = undefined;
      this.#ended.add(id);
    });
  }

  addStepRun(row: StepRunRow): void {
    this.#database.transaction(() =>
      this.#database.run(
        `INSERT INTO step_runs (${stepRunColumns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.id,
        row.run,
        row.pipeline,
        row.step,
        row.kind,
        row.key,
        row.status,
        row.startedAt,
        row.endedAt,
        row.preimage,
        this.#encode(row.document),
      ),
    );
  }

  get(idOrPrefix: string): RunRow | undefined {
    if (idOrPrefix === "last") return this.list({ limit: 1 })[0];
    const prefix = idOrPrefix.toLowerCase();
    if (!/^[0-9a-f-]{4,36}$/.test(prefix)) {
      throw new StoreError("MLP4011", `expected the id of a run, got ${JSON.stringify(idOrPrefix)}`, {
        exit: 2,
        hint: "Give the id, at least its first four characters, or `last`.",
      });
    }
    // Every id that begins so sorts from the prefix itself up to the prefix with something above all digits.
    const rows = this.#database.all(
      `SELECT ${runColumns} FROM runs WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT ?`,
      prefix,
      `${prefix}~`,
      shownCandidates + 1,
    );
    const [row] = rows;
    if (rows.length > 1) {
      const ids = rows.slice(0, shownCandidates).map((candidate) => text(candidate, "id"));
      throw new StoreError(
        "MLP4011",
        `${JSON.stringify(idOrPrefix)} is the beginning of several runs: ${ids.join(", ")}${rows.length > shownCandidates ? ", …" : ""}`,
        { exit: 2, hint: "Give more of the id." },
      );
    }
    return row === undefined ? undefined : this.#runOf(row);
  }

  list(filter: Parameters<RunIndex["list"]>[0] = {}): readonly RunRow[] {
    const limit = filter.limit ?? -1;
    const before = filter.before ?? afterAll;
    const rows =
      filter.pipeline === undefined
        ? this.#database.all(
            `SELECT ${runColumns} FROM runs WHERE id < ? ORDER BY id DESC LIMIT ?`,
            before,
            limit,
          )
        : this.#database.all(
            `SELECT ${runColumns} FROM runs WHERE pipeline = ? AND id < ? ORDER BY id DESC LIMIT ?`,
            filter.pipeline,
            before,
            limit,
          );
    return rows.map((row) => this.#runOf(row));
  }

  latestOutcome(
    pipeline: string,
    step: string,
    before = afterAll,
  ): { readonly run: string; readonly outcome: unknown } | undefined {
    const row = this.#database.get(
      `SELECT id, (
         SELECT each.value FROM json_each(document, '$.steps') AS each WHERE each.value ->> 'id' = ?
       ) AS outcome FROM runs WHERE pipeline = ? AND id < ? ORDER BY id DESC LIMIT 1`,
      step,
      pipeline,
      before,
    );
    if (row === undefined) return undefined;
    return { run: text(row, "id"), outcome: row["outcome"] === null ? undefined : json(row, "outcome") };
  }

  lastEnded(): { readonly run: string; readonly head: Digest } | undefined {
    const row = this.#database.get(
      "SELECT id, head FROM runs WHERE ended_at IS NOT NULL AND head IS NOT NULL ORDER BY id DESC LIMIT 1",
    );
    return row === undefined ? undefined : { run: text(row, "id"), head: asDigest(text(row, "head")) };
  }

  stepRuns(run: string): readonly StepRunRow[] {
    return this.#database
      .all(`SELECT ${stepRunColumns} FROM step_runs WHERE run = ? ORDER BY id`, run)
      .map((row) => stepRunOf(row));
  }

  stepRun(id: string): StepRunRow | undefined {
    const row = this.#database.get(`SELECT ${stepRunColumns} FROM step_runs WHERE id = ?`, id);
    return row === undefined ? undefined : stepRunOf(row);
  }

  latestStepRun(pipeline: string, step: string, status?: string): StepRunRow | undefined {
    const row = this.#database.get(
      `SELECT ${stepRunColumns} FROM step_runs WHERE pipeline = ? AND step = ? AND (? IS NULL OR status = ?) ` +
        "ORDER BY id DESC LIMIT 1",
      pipeline,
      step,
      status ?? null,
      status ?? null,
    );
    return row === undefined ? undefined : stepRunOf(row);
  }

  hasStepRuns(pipeline: string): boolean {
    return this.#database.get("SELECT 1 FROM step_runs WHERE pipeline = ? LIMIT 1", pipeline) !== undefined;
  }

  succeeded(run: string): readonly Pick<StepRunRow, "id" | "step" | "kind" | "preimage">[] {
    return this.#database
      .all("SELECT id, step, kind, preimage FROM step_runs WHERE run = ? AND status = 'ran' ORDER BY id", run)
      .map((row) => {
        const preimage = textOrNull(row, "preimage");
        return {
          id: text(row, "id"),
          step: text(row, "step"),
          kind: text(row, "kind"),
          preimage: preimage === null ? null : asDigest(preimage),
        };
      });
  }

  durations(pipeline: string, steps: readonly string[]): ReadonlyMap<string, number> {
    // The last success of each by the index: what lies before it in the history is never looked at.
    const rows = this.#database.all(
      `SELECT last.step, last.started_at, last.ended_at FROM json_each(?) AS asked JOIN step_runs AS last ON last.id = (
         SELECT made.id FROM step_runs AS made WHERE made.pipeline = ? AND made.step = asked.value AND made.status = 'ran'
         ORDER BY made.id DESC LIMIT 1
       )`,
      JSON.stringify(steps),
      pipeline,
    );
    return new Map(
      rows.map((row) => [
        text(row, "step"),
        Date.parse(text(row, "ended_at")) - Date.parse(text(row, "started_at")),
      ]),
    );
  }

  appendRecord(run: string, record: unknown): Digest {
    const log = this.#log(run);
    // The lines of a transaction are settled before it is: until then nobody has to see them.
    const isHeld = this.#database.insideTransaction;
    const documents = this.#freshParts();
    if (documents.length > 0) {
      log.append(
        { type: "parts", documents },
        (value) => (value === documents ? `[${documents.join(",")}]` : canonicalJson(value)),
        isHeld,
      );
    }
    return log.append(record, (value) => this.#encode(value), isHeld);
  }

  records(run: string): readonly unknown[] {
    const row = this.#database.get("SELECT head FROM runs WHERE id = ?", run);
    const head = row === undefined ? null : textOrNull(row, "head");
    return readRecords(recordsPath(this.#layout, run), head);
  }

  logPath(run: string, slot: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(slot)) throw new Error(`not a name of a job slot: ${slot}`);
    return join(this.#folder(run), `${slot}.log`);
  }

  logFiles(run: string): readonly string[] {
    const folder = runFolder(this.#layout, run);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(".log"))
      .toSorted()
      .map((name) => join(folder, name));
  }

  /** Writes what is not durable yet: lines of runs that did not end. */
  flush(): void {
    if (this.#unsettled().length > 0) this.#database.transaction(() => {});
  }

  close(): void {
    for (const log of this.#logs.values()) log.close();
    this.#logs.clear();
  }

  // Participant: the head in the database never names a line that a power cut could still take.

  beforeCommit(): void {
    for (const [run, log] of this.#unsettled()) {
      log.settle();
      this.#database.run("UPDATE runs SET head = ? WHERE id = ?", log.head, run);
    }
  }

  afterCommit(): void {
    for (const log of this.#logs.values()) this.#heads.set(log, log.head);
    this.#marks = new Map();
    for (const id of this.#ended) this.#close(id);
    this.#ended.clear();
  }

  /** Nothing is added to the records of a run that has ended. */
  #close(id: string): void {
    this.#encoded = undefined;
    const log = this.#logs.get(id);
    if (log === undefined) return;
    log.close();
    this.#heads.delete(log);
    this.#logs.delete(id);
  }

  afterRollback(): void {
    this.#ended.clear();
    for (const [log, mark] of this.#marks) log.rewind(mark);
    this.#marks = new Map();
  }

  #encode(document: unknown): string {
    if (typeof document !== "object" || document === null) return canonicalJson(document);
    if (this.#encoded?.document !== document) this.#encoded = { document, json: canonicalJson(document) };
    return this.#encoded.json;
  }

  #unsettled(): readonly (readonly [string, RecordLog])[] {
    return [...this.#logs].filter(([, log]) => this.#heads.get(log) !== log.head);
  }

  #log(run: string): RecordLog {
    let log = this.#logs.get(run);
    if (log === undefined) {
      this.#folder(run);
      log = new RecordLog(recordsPath(this.#layout, run));
      this.#logs.set(run, log);
    }
    if (this.#database.insideTransaction && !this.#marks.has(log)) this.#marks.set(log, log.mark());
    return log;
  }

  #folder(run: string): string {
    const folder = runFolder(this.#layout, run);
    if (!this.#folders.has(folder)) {
      makePrivate(folder);
      this.#folders.add(folder);
    }
    return folder;
  }

  #runOf(row: Row): RunRow {
    const id = text(row, "id");
    const endedAt = textOrNull(row, "ended_at");
    const head = textOrNull(row, "head");
    return {
      id,
      pipeline: text(row, "pipeline"),
      status: endedAt === null && !this.#isAlive(id) ? "crashed" : text(row, "status"),
      startedAt: text(row, "started_at"),
      endedAt,
      head: head === null ? null : asDigest(head),
      document: json(row, "document"),
    };
  }
}

function stepRunOf(row: Row): StepRunRow {
  const key = textOrNull(row, "key");
  const preimage = textOrNull(row, "preimage");
  return {
    id: text(row, "id"),
    run: text(row, "run"),
    pipeline: text(row, "pipeline"),
    step: text(row, "step"),
    kind: text(row, "kind"),
    key: key === null ? null : asDigest(key),
    status: text(row, "status"),
    startedAt: text(row, "started_at"),
    endedAt: text(row, "ended_at"),
    preimage: preimage === null ? null : asDigest(preimage),
    document: json(row, "document"),
  };
}
