import { lstatSync, readFileSync, readdirSync, type Stats } from "node:fs";
import { join, relative } from "node:path";
import { canonicalJson } from "./canonical.ts";
import { Database, text, type Row } from "./database.ts";
import { asDigest, digestOf, isDigest, type Content } from "./digest.ts";
import { StoreError, errnoOf } from "./errors.ts";
import { foreignRows, takeIn } from "./foreign-runs.ts";
import { databaseDamage, healDatabase } from "./heal.ts";
import { discard, layoutOf, makeAttempts, recordsPath, runsOnDisk, type Layout } from "./layout.ts";
import { leftovers, removeLeftovers } from "./leftovers.ts";
import { makeRoomAfter } from "./make-room.ts";
import { StoredObjects } from "./objects.ts";
import { hashPath, readContents } from "./reading.ts";
import { addRows } from "./rebuild.ts";
import { readChain, readRecords } from "./record-log.ts";
import { rowsOf } from "./record-rows.ts";
import { sealOf } from "./seal.ts";
import { runsAlive } from "./tending.ts";
import { brokenChains, damagedLineage, missingRuns, repairLineage } from "./verify-history.ts";

/** One thing that is not as it should be. */
export interface Finding {
  readonly about:
    | "database"
    | "object"
    | "entry"
    | "receipt"
    | "part"
    | "records"
    | "row"
    | "log"
    | "leftover";
  /** Relative to the store. */
  readonly path: string;
  readonly message: string;
  /** A leftover of something that was killed is none: it harms nobody. */
  readonly isDamage: boolean;
  readonly isRepaired: boolean;
}

/** What was looked at, and what was found. */
export interface Verified {
  readonly findings: readonly Finding[];
  readonly checked: {
    readonly objects: number;
    readonly bytes: number;
    readonly entries: number;
    readonly receipts: number;
    readonly parts: number;
    readonly runs: number;
  };
}

/** Whether all damage that was found is repaired. */
export function isWhole({ findings }: Verified): boolean {
  return findings.every(({ isDamage, isRepaired }) => !isDamage || isRepaired);
}

/**
 * Looks at everything that is kept: every byte of every object, every row against the objects and records it speaks of,
 * every line of the records, and the database as such. Beside a running run this is safe, repairing too: an object
 * that is damaged is of no use to anybody, and whoever needs it makes it anew.
 *
 * @param options.repair drops what is damaged, rebuilds what can be rebuilt, removes what killed runs left
 * @throws StoreError `MLP4016` if a database would have to be replaced under a run that is executing
 */
export async function verifyStore(
  root: string,
  options: { readonly repair?: boolean } = {},
): Promise<Verified> {
  return new Verification(layoutOf(root), options.repair === true).run();
}

/** How many objects are hashed together: enough for all threads, few enough that their names take no memory. */
const together = 5_000;

class Verification {
  readonly #layout: Layout;
  readonly #repair: boolean;
  readonly #objects: StoredObjects;
  readonly #findings: Finding[] = [];
  readonly #checked = { objects: 0, bytes: 0, entries: 0, receipts: 0, parts: 0, runs: 0 };
  /** Objects that are damaged, by path: for a row that speaks of one it is as good as gone. */
  readonly #damaged = new Set<string>();

  constructor(layout: Layout, repair: boolean) {
    this.#layout = layout;
    this.#repair = repair;
    this.#objects = new StoredObjects(layout);
  }

  async run(): Promise<Verified> {
    if (lstatSync(this.#layout.root, { throwIfNoEntry: false }) === undefined) return this.#result();
    if (this.#repair) makeAttempts(this.#layout.attempts);
    const isReadable = await this.#withRoom(() => this.#verifyDatabase());
    this.#verifyObjects();
    if (isReadable) this.#verifyRows();
    this.#noteLeftovers(this.#repair ? removeLeftovers(this.#layout) : leftovers(this.#layout));
    return this.#result();
  }

  /** What comes first meets a disk that is full: what may be removed makes the room for it. */
  async #withRoom<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!this.#repair) throw error;
      this.#noteLeftovers(makeRoomAfter(error, this.#layout));
      return await work();
    }
  }

  #noteLeftovers(paths: readonly string[]): void {
    for (const path of paths) {
      this.#note({
        about: "leftover",
        path: this.#inner(path),
        message: "was left by a run that was killed",
        isDamage: false,
        isRepaired: this.#repair,
      });
    }
  }

  #result(): Verified {
    return { findings: this.#findings, checked: this.#checked };
  }

  /** Whether its rows can be looked at. */
  async #verifyDatabase(): Promise<boolean> {
    const damage = databaseDamage(this.#layout);
    if (damage === undefined)
      return lstatSync(this.#layout.database, { throwIfNoEntry: false }) !== undefined;
    const healed = this.#repair ? await healDatabase(this.#layout.root) : undefined;
    const how = healed === undefined ? "" : `; rebuilt: ${healed.runs} runs, ${healed.entries} kept results`;
    this.#note({
      about: "database",
      path: this.#inner(this.#layout.database),
      message: `${damage}${how}`,
      isDamage: true,
      isRepaired: this.#repair,
    });
    return this.#repair;
  }

  #verifyObjects(): void {
    const found: { readonly path: string; readonly content: Content }[] = [];
    for (const folder of namesIn(this.#layout.objects)) {
      const path = join(this.#layout.objects, folder);
      if (!/^[0-9a-f]{2}$/.test(folder) || look(path)?.isDirectory() !== true) {
        this.#stray(path);
        continue;
      }
      for (const name of namesIn(path)) {
        const content = contentNamed(folder + name);
        if (content !== undefined) found.push({ path: join(path, name), content });
        else if (!isManifest(folder + name)) this.#stray(join(path, name));
        else if (look(join(path, name.slice(0, -".json".length))) === undefined) {
          // Renamed before its folder: what was published when the machine went down.
          this.#found("leftover", join(path, name), "belongs to a folder that is not there", {
            isDamage: false,
            repair: () => discard(this.#layout, join(path, name)),
          });
        }
      }
    }
    for (let first = 0; first < found.length; first += together) {
      this.#verifyTogether(found.slice(first, first + together));
    }
  }

  /** Something among the objects that is none. */
  #stray(path: string): void {
    this.#found("object", path, "is no object", {
      isDamage: true,
      repair: () => discard(this.#layout, path),
    });
  }

  #verifyTogether(group: readonly { readonly path: string; readonly content: Content }[]): void {
    // A link or a pipe under the name of an object is damage, whatever it leads to.
    const proper = group.filter(({ path, content }) => {
      const stats = look(path);
      const isProper = content.type === "file" ? stats?.isFile() : stats?.isDirectory();
      if (stats !== undefined && isProper !== true) this.#damagedObject(content, "is of another type");
      return stats !== undefined && isProper === true;
    });
    let contents: readonly Content[] | undefined;
    try {
      contents = readContents(proper.map(({ path }) => path));
    } catch (error) {
      // One of them cannot be read; by themselves the others can.
      if (!(error instanceof StoreError)) throw error;
    }
    proper.forEach(({ path, content }, index) => {
      this.#judge(path, content, contents?.[index]);
    });
  }

  #judge(path: string, content: Content, known: Content | undefined): void {
    let found = known;
    try {
      found ??= readContents([path])[0];
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // Collected, or dropped by a run, since it was listed.
      if (look(path) === undefined) return;
      this.#damagedObject(content, `cannot be read (${error.errno ?? error.code})`);
      return;
    }
    this.#checked.objects++;
    this.#checked.bytes += found?.size ?? 0;
    if (found?.digest !== content.digest) {
      if (look(path) !== undefined) this.#damagedObject(content, "has another digest than its name says");
      return;
    }
    if (content.type === "tree") this.#verifyManifest(content);
  }

  #verifyManifest(content: Content): void {
    const path = this.#objects.manifestPath(content);
    try {
      if (look(path)?.isFile() === true && digestOf(readFileSync(path)) === content.digest) return;
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
    this.#damagedObject(content, "has no manifest, or a damaged one");
  }

  #damagedObject(content: Content, how: string): void {
    const path = this.#objects.pathOf(content);
    this.#damaged.add(path);
    this.#found("object", path, how, { isDamage: true, repair: () => this.#objects.remove(content) });
  }

  #verifyRows(): void {
    const database = new Database(this.#layout.database, { readonly: !this.#repair });
    try {
      this.#verifyRuns(database);
      this.#verifyHistory(database);
      for (const row of database.all("SELECT key, entry, seal FROM cache_entries")) {
        this.#checked.entries++;
        const key = text(row, "key");
        this.#verifyOutputs("entry", row, { name: key, document: "entry" }, () =>
          database.transaction(() => database.run("DELETE FROM cache_entries WHERE key = ?", key)),
        );
      }
      for (const row of database.all("SELECT target, receipt, seal FROM receipts")) {
        this.#checked.receipts++;
        const target = text(row, "target");
        this.#verifyOutputs("receipt", row, { name: target, document: "receipt" }, () =>
          database.transaction(() => database.run("DELETE FROM receipts WHERE target = ?", target)),
        );
      }
      for (const row of database.all("SELECT rowid, digest, document FROM parts")) {
        this.#checked.parts++;
        if (digestOf(text(row, "document")) === row["digest"]) continue;
        this.#found("part", this.#layout.database, `the document ${text(row, "digest")} has another digest`, {
          isDamage: true,
          repair: () =>
            database.transaction(() =>
              database.run("DELETE FROM parts WHERE rowid = ?", row["rowid"] ?? null),
            ),
        });
      }
    } finally {
      database.close();
    }
  }

  /** An entry or a receipt: its seal, and the objects that it promises. */
  #verifyOutputs(
    about: "entry" | "receipt",
    row: Row,
    { name, document }: { readonly name: string; readonly document: string },
    drop: () => void,
  ): void {
    const json = text(row, document);
    const damage =
      row["seal"] === sealOf(name, json)
        ? // The seal says that this is what `put` wrote.
          this.#missingOf(JSON.parse(json) as { readonly outputs: Readonly<Record<string, Content>> })
        : "was altered";
    if (damage === undefined) return;
    const shown = about === "entry" ? `the kept result of ${name}` : `the receipt of ${name}`;
    this.#found(about, this.#layout.database, `${shown} ${damage}`, { isDamage: true, repair: drop });
  }

  #missingOf({ outputs }: { readonly outputs: Readonly<Record<string, Content>> }): string | undefined {
    const gone = Object.entries(outputs).find(
      ([, content]) => !this.#objects.has(content) || this.#damaged.has(this.#objects.pathOf(content)),
    );
    if (gone === undefined) return undefined;
    const [port, content] = gone;
    return `has lost its output ${port} (${this.#inner(this.#objects.pathOf(content))})`;
  }

  #verifyRuns(database: Database): void {
    // In this order: of a run that begins meanwhile nothing is known, and one that ends meanwhile has all its records.
    const onDisk = runsOnDisk(this.#layout);
    const rows = database.all("SELECT id, head FROM runs ORDER BY id");
    const alive = new Set(runsAlive(this.#layout));
    const known = new Set<string>();
    for (const row of rows) {
      const run = text(row, "id");
      known.add(run);
      this.#checked.runs++;
      const head = row["head"] === null ? null : text(row, "head");
      const path = recordsPath(this.#layout, run);
      try {
        readRecords(path, head);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // Between the row and the line of a run that goes on, nothing is wrong yet.
        if (alive.has(run)) continue;
        this.#found("records", path, error.message.replace(/^.* is damaged: /, ""), { isDamage: true });
        continue;
      }
      if (!alive.has(run)) this.#compareRows(database, run);
    }
    for (const run of onDisk) {
      if (known.has(run) || alive.has(run)) continue;
      this.#foreignRecords(database, run);
    }
  }

  #verifyHistory(database: Database): void {
    for (const { path, error } of brokenChains(database, this.#layout)) {
      this.#found("records", path, error.message.replace(/^.* is damaged: /, ""), { isDamage: true });
    }
    for (const { run, namedBy, isThere } of missingRuns(database, this.#layout)) {
      const what = isThere ? "has another end than it had:" : "is gone, and gc did not take it:";
      this.#found("records", recordsPath(this.#layout, run), `run ${run} ${what} run ${namedBy} names it`, {
        isDamage: true,
      });
    }
    const damaged = damagedLineage(database);
    if (damaged === undefined) return;
    this.#found("row", this.#layout.database, `the lineage of ${damaged} is not what its record says`, {
      isDamage: true,
      repair: () => repairLineage(database),
    });
  }

  /** The rows of a run against its records, whose chain holds. */
  #compareRows(database: Database, run: string): void {
    const rows = rowsOf(readChain(recordsPath(this.#layout, run)));
    if (rows === undefined) return;
    for (const { document } of rows.stepRuns) this.#verifyLogs(document);
    const recorded = new Map(rows.stepRuns.map(({ id, document }) => [id, canonicalJson(document)]));
    recorded.set(run, canonicalJson(rows.run.document));
    const kept = database.all(
      // Killed between the last line and the row of the end: the row is still that of the beginning.
      "SELECT id, document FROM runs WHERE id = ? AND ended_at IS NOT NULL UNION ALL SELECT id, document FROM step_runs WHERE run = ?",
      run,
      run,
    );
    const altered = kept.find((row) => {
      const line = recorded.get(text(row, "id"));
      return line !== undefined && line !== text(row, "document");
    });
    // Of a run that was killed, the last line may have come without its row.
    const ids = new Set(kept.map((row) => text(row, "id")));
    const missing = ids.has(run) ? rows.stepRuns.find(({ id }) => !ids.has(id)) : undefined;
    const id = altered === undefined ? missing?.id : text(altered, "id");
    if (id === undefined) return;
    this.#found(
      "row",
      this.#layout.database,
      altered === undefined
        ? `it knows nothing of ${id}`
        : `what it says of ${id} is not what the records say`,
      {
        isDamage: true,
        repair: () => database.transaction(() => addRows(database, rows)),
      },
    );
  }

  /** Logs against what their record says of them. Written without waiting for the disk, their end may be lost in a power cut. */
  #verifyLogs(document: unknown): void {
    for (const { path, size, digest } of logsIn(document)) {
      const file = join(this.#layout.root, path);
      const stats = lstatSync(file, { throwIfNoEntry: false });
      const isWhole = stats?.isFile() === true && stats.size >= size;
      if (!isWhole) {
        const what = stats === undefined ? "is gone" : `has ${stats.size} bytes, and had ${size}`;
        this.#found("log", file, `the log ${what}`, { isDamage: false });
      } else {
        const problem = stats.size > size ? alteredLog : digest && logProblem(file, digest);
        if (problem !== undefined) this.#found("log", file, problem, { isDamage: true });
      }
    }
  }

  /** Records that the database does not know: it was replaced, or lost its last rows in a power cut. */
  #foreignRecords(database: Database, run: string): void {
    const path = recordsPath(this.#layout, run);
    const rows = foreignRows(this.#layout, run);
    if (rows === undefined) return;
    this.#found("records", path, "the database knows nothing of this run; --repair takes it in", {
      isDamage: false,
      repair: () => {
        takeIn(database, this.#layout, rows);
      },
    });
  }

  #found(
    about: Finding["about"],
    path: string,
    message: string,
    { isDamage, repair }: { readonly isDamage: boolean; readonly repair?: () => void },
  ): void {
    const isRepaired = this.#repair && repair !== undefined;
    if (isRepaired) repair();
    this.#note({ about, path: this.#inner(path), message, isDamage, isRepaired });
  }

  #note(finding: Finding): void {
    this.#findings.push(finding);
  }

  #inner(path: string): string {
    return relative(this.#layout.root, path);
  }
}

function contentNamed(name: string): Content | undefined {
  const digest = name.endsWith(".tree") ? name.slice(0, -".tree".length) : name;
  if (!isDigest(digest)) return undefined;
  // The length is that of what is there: it is the digest that tells.
  return { type: digest === name ? "file" : "tree", digest: asDigest(digest), size: 0 };
}

function isManifest(name: string): boolean {
  return name.endsWith(".tree.json") && isDigest(name.slice(0, -".tree.json".length));
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

interface RecordedLog {
  readonly path: string;
  readonly size: number;
  readonly digest: string | undefined;
}

const alteredLog = "the log is not what its step had said";

/** What is wrong with a log, of whatever size, that should have this digest. */
function logProblem(path: string, digest: string): string | undefined {
  try {
    return hashPath(path).digest === digest ? undefined : alteredLog;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return `the log cannot be read (${error.errno ?? error.code})`;
  }
}

/** The logs that the document of a step run names. */
function logsIn(document: unknown): readonly RecordedLog[] {
  const attempts = fieldOf(document, "attempts");
  return (Array.isArray(attempts) ? attempts : []).flatMap((attempt: unknown) =>
    ["stdout", "stderr"].flatMap((stream) => {
      const log = fieldOf(attempt, stream);
      const [path, size, digest] = ["path", "size", "digest"].map((name) => fieldOf(log, name));
      if (typeof path !== "string" || typeof size !== "number") return [];
      return [{ path, size, digest: typeof digest === "string" ? digest : undefined }];
    }),
  );
}

function fieldOf(document: unknown, name: string): unknown {
  return typeof document === "object" && document !== null ? Reflect.get(document, name) : undefined;
}
