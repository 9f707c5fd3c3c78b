import { closeSync, existsSync, lstatSync, openSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { errnoOf, hintFor, StoreError, shown, withPath } from "./errors.ts";
import { lineageTables } from "./lineage-tables.ts";

/** One row, by column name. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** Marks the file as ours ("mlp1"), so that a foreign database at this place is refused instead of filled. */
const applicationId = 0x6d6c7031;

/**
 * The schema, as the steps that lead to it: entry n takes a database from version n to n + 1. Released entries never
 * change. `stat_trees` keeps its large columns last, so that reading the small ones does not touch their pages.
 */
const migrations: readonly string[] = [
  `CREATE TABLE cache_entries (key TEXT PRIMARY KEY, entry TEXT NOT NULL, seal INTEGER NOT NULL);
   CREATE TABLE parts (digest TEXT PRIMARY KEY, document TEXT NOT NULL);
   CREATE TABLE runs (
     id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, status TEXT NOT NULL,
     started_at TEXT NOT NULL, ended_at TEXT, head TEXT, document TEXT NOT NULL
   );
   CREATE INDEX runs_by_pipeline ON runs (pipeline, id);
   CREATE TABLE step_runs (
     id TEXT PRIMARY KEY, run TEXT NOT NULL, pipeline TEXT NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL,
     key TEXT, status TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT NOT NULL, preimage TEXT,
     document TEXT NOT NULL
   );
   CREATE INDEX step_runs_by_run ON step_runs (run, id);
   CREATE INDEX step_runs_by_step ON step_runs (pipeline, step, id);
   CREATE TABLE receipts (target TEXT PRIMARY KEY, receipt TEXT NOT NULL, seal INTEGER NOT NULL);
   CREATE TABLE claims (key TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE stat_files (
     path TEXT PRIMARY KEY, stamp BLOB NOT NULL, digest TEXT NOT NULL, seal INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE stat_trees (
     path TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL,
     entries INTEGER NOT NULL, seal INTEGER NOT NULL, stamps BLOB NOT NULL, names TEXT NOT NULL, digests BLOB NOT NULL
   );`,
  "CREATE TABLE facts (key TEXT PRIMARY KEY, document TEXT NOT NULL, seal INTEGER NOT NULL)",
  lineageTables,
];

/** The version that databases are brought to. */
export const schemaVersion = migrations.length;

/** How long to wait for another writer. Transactions of mlpipe take milliseconds, so this is for a machine in distress. */
const patienceMs = 20_000;

/**
 * Pages of the write-ahead log, of 4 KiB, after which it is folded into the database. Rows by digest fall on pages all over
 * the place, and the same ones again and again: four times SQLite's own number spares a run of 1,000 steps all but the last.
 */
const pagesToFold = 4_000;

/** Bytes of a write-ahead log that take a few milliseconds to read. */
const longLog = 2 << 20;

/** Something that has work to do whenever a transaction is written. */
export interface Participant {
  /** Inside the transaction, before the rows of whoever began it. */
  afterBegin?(): void;
  /** Inside the transaction, when all rows are written. */
  beforeCommit?(): void;
  afterCommit?(): void;
  afterRollback?(): void;
}

/**
 * `state.db`, opened when first asked for something.
 *
 * Write-ahead log, because readers and a writer then never wait for each other. `synchronous=FULL`, because a commit is
 * where mlpipe says "done": in WAL mode `NORMAL` would keep the database consistent over a power cut but may forget
 * acknowledged commits. What can be computed again (claims, the stat index) is written with `NORMAL`, which spares the
 * disk a sync (measured: 30 µs a commit instead of 300).
 */
export class Database {
  readonly #path: string;
  readonly #readonly: boolean;
  readonly #isLost: () => boolean;
  readonly #fill: (() => void) | undefined;
  readonly #statements = new Map<string, StatementSync>();
  readonly #participants: Participant[] = [];
  #database: DatabaseSync | undefined;
  #inode: number | undefined;
  #closed = false;
  #inside = false;

  /**
   * @param options.isLost whether rows were here once, asked only when there is no database
   * @param options.fill writes the rows of a new database, inside the transaction that makes it
   */
  constructor(
    path: string,
    options: {
      readonly readonly: boolean;
      readonly isLost?: () => boolean;
      readonly fill?: () => void;
    },
  ) {
    this.#path = path;
    this.#readonly = options.readonly;
    this.#isLost = options.isLost ?? (() => false);
    this.#fill = options.fill;
  }

  get isOpen(): boolean {
    return this.#database !== undefined;
  }

  get isReadonly(): boolean {
    return this.#readonly;
  }

  get insideTransaction(): boolean {
    return this.#inside;
  }

  join(participant: Participant): void {
    this.#participants.push(participant);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    // Asked thousands of times in a run: no closure for each.
    try {
      return this.#statement(sql).get(...values);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#attempt(() => this.#statement(sql).all(...values));
  }

  /** The rows as lists of text, in the order of the columns: read in half the time, which questions with many answers need. */
  texts(sql: string, ...values: SQLInputValue[]): readonly (readonly string[])[] {
    return this.#attempt(() => {
      const statement = this.#statement(sql);
      statement.setReturnArrays(true);
      const rows: readonly unknown[] = statement.all(...values);
      if (!areTexts(rows)) throw unreadable("a row");
      return rows;
    });
  }

  /** Keeps more of what was read in memory, for those who look at many places: 64 MiB. */
  rememberMore(): void {
    this.#execute("PRAGMA cache_size=-65536");
  }

  /**
   * Writes the file anew without what was deleted from it or written over, now or long ago. Takes the time of a copy, and
   * the database for itself: where that cannot be, or there is no room for a copy, nothing happens.
   */
  compact(): void {
    try {
      this.#execute("VACUUM");
    } catch (error) {
      if (!(error instanceof StoreError) || (error.code !== "MLP4004" && error.code !== "MLP4005"))
        throw error;
    }
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#attempt(() => Number(this.#statement(sql).run(...values).changes));
  }

  /**
   * Runs `work` in one write transaction; inside of one, as a part of it. Anything thrown rolls all of it back.
   *
   * @param options.durable whether it has to survive a power cut the moment this returns. @default true
   */
  transaction<T>(work: () => T, options: { readonly durable?: boolean } = {}): T {
    if (this.#inside) return work();
    if (this.#readonly) throw new Error("a store opened for reading cannot be written to");
    const relaxed = options.durable === false;
    if (relaxed) this.#execute("PRAGMA synchronous=NORMAL");
    try {
      return this.#transact(work);
    } finally {
      if (relaxed) this.#execute("PRAGMA synchronous=FULL");
    }
  }

  #transact<T>(work: () => T): T {
    this.#execute("BEGIN IMMEDIATE");
    this.#inside = true;
    let result: T;
    try {
      for (const participant of this.#participants) participant.afterBegin?.();
      result = work();
      for (const participant of this.#participants) participant.beforeCommit?.();
      this.#execute("COMMIT");
    } catch (error) {
      this.#inside = false;
      // A full disk ends the transaction by itself.
      if (this.#open().isTransaction) this.#execute("ROLLBACK");
      for (const participant of this.#participants) participant.afterRollback?.();
      throw error;
    }
    this.#inside = false;
    for (const participant of this.#participants) participant.afterCommit?.();
    return result;
  }

  /** Closing twice is fine; the last connection to close folds the write-ahead log into the database. */
  close(): void {
    this.#closed = true;
    this.#statements.clear();
    const database = this.#database;
    this.#database = undefined;
    if (database !== undefined) this.#attempt(() => database.close());
  }

  /**
   * For a process that is about to exit: closes only if the write-ahead log has become long. To fold a short one into
   * the database costs two syncs and a deletion; the next to open it reads it in no time.
   */
  leave(): void {
    const length = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (length > longLog) this.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#open().prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #execute(sql: string): void {
    this.#attempt(() => this.#open().exec(sql));
  }

  #open(): DatabaseSync {
    if (this.#database !== undefined) return this.#database;
    if (this.#closed) throw new Error("the store is closed");
    const database = this.#readonly ? this.#openForReading() : this.#openForWriting();
    this.#database = database;
    return database;
  }

  #openForWriting(): DatabaseSync {
    const database = new DatabaseSync(this.#path, { timeout: patienceMs });
    try {
      if (versionOf(database) !== migrations.length) this.#migrate(database);
      database.exec(`PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=${pagesToFold}`);
      this.#inode = statSync(this.#path, { throwIfNoEntry: false })?.ino;
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  #openForReading(): DatabaseSync {
    // A project that never ran has nothing to read, which is an answer and no error. A folder that is closed to us is one.
    const found = withPath("look at", this.#path, () => statSync(this.#path, { throwIfNoEntry: false }));
    if (found === undefined) {
      if (this.#isLost()) {
        if (leadsNowhere(this.#path)) throw this.#damaged("it is a link that leads nowhere");
        throw this.#lost();
      }
      const empty = new DatabaseSync(":memory:");
      for (const migration of migrations) empty.exec(migration);
      return empty;
    }
    const database = connectForReading(this.#path);
    const version = versionOf(database);
    if (version === migrations.length) return database;
    database.close();
    if (version > migrations.length) throw this.#tooNew(version);
    if (version > 0) {
      // Older, and it cannot be brought up to date by someone who only reads.
      const writer = new Database(this.#path, { readonly: false });
      writer.get("PRAGMA user_version");
      writer.close();
      return connectForReading(this.#path);
    }
    throw this.#damaged("it is not a state database of mlpipe");
  }

  #migrate(database: DatabaseSync): void {
    this.#checkOwner(database);
    // Changing the journal mode needs the file for itself for a moment, which the busy timeout does not wait for in
    // every case: several processes may be making the same new store.
    for (const deadline = Date.now() + patienceMs; ;) {
      try {
        database.exec("PRAGMA journal_mode=WAL");
        break;
      } catch (error) {
        if (primaryCode(error) !== 5 || Date.now() > deadline) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
    database.exec("BEGIN IMMEDIATE");
    try {
      // Again, now that nobody else can be making it.
      const version = this.#checkOwner(database);
      if (version === 0 && this.#fill === undefined && this.#isLost()) throw this.#lost();
      for (const migration of migrations.slice(version)) database.exec(migration);
      if (version === 0) this.#fillNew(database);
      database.exec(`PRAGMA application_id=${applicationId}; PRAGMA user_version=${migrations.length}`);
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  /** The transaction is open already, so whatever is written now becomes part of it. */
  #fillNew(database: DatabaseSync): void {
    if (this.#fill === undefined) return;
    this.#database = database;
    this.#inside = true;
    try {
      this.#fill();
    } finally {
      // Opened for everybody else only when the transaction is there.
      this.#inside = false;
      this.#database = undefined;
    }
  }

  /**
   * Makes sure that this is still the database of its place: one that was damaged may have been put aside since it was
   * opened, and what is written there now nobody will see.
   *
   * @throws StoreError `MLP4002`
   */
  assertInPlace(): void {
    if (this.#inode === undefined) return;
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) return;
    throw this.#damaged("it was replaced while it was open");
  }

  /** Returns the version, having made sure that the database is ours, or an empty one. */
  #checkOwner(database: DatabaseSync): number {
    const version = versionOf(database);
    if (version > migrations.length) throw this.#tooNew(version);
    // In this order: another process may be making the same database, and its tables come with their owner.
    const objects = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"];
    const owner = database.prepare("PRAGMA application_id").get()?.["application_id"];
    if (owner !== applicationId && objects !== 0) throw this.#damaged("it is a database of something else");
    return version;
  }

  /** What SQLite says, as an error a user can act on. */
  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#translated(error);
    }
  }

  #translated(error: unknown): unknown {
    const code = primaryCode(error);
    if (code === undefined || !(error instanceof Error)) return error;
    const path = this.#path;
    switch (code) {
      case 11: // SQLITE_CORRUPT
      case 19: // SQLITE_CONSTRAINT: ids are made once and entries replace each other, so an index does not fit its table
      case 26: // SQLITE_NOTADB
        return this.#damaged(error.message, error);
      case 10: // SQLITE_IOERR
      case 14: {
        // SQLITE_CANTOPEN
        const folder = folderInPlaceOf(path);
        if (folder !== undefined) return this.#damaged(folder, error);
        if (leadsNowhere(path)) return this.#damaged("it is a link that leads nowhere", error);
        return refusedBySystem(path, error) ?? error;
      }
      default:
        // The version says that the table is there, so somebody took it away.
        // Or that it is not there yet. And documents are written as JSON.
        return /^no such (table|column)|already exists$|^malformed JSON$/.test(error.message)
          ? this.#damaged(error.message, error)
          : (refusedBySystem(path, error) ?? error);
    }
  }

  #damaged(reason: string, cause?: unknown): StoreError {
    return new StoreError("MLP4002", `${shown(this.#path)} is damaged: ${reason}`, {
      path: this.#path,
      hint: rebuildHint,
      cause,
    });
  }

  #lost(): StoreError {
    return new StoreError("MLP4015", `${shown(this.#path)} is gone, and there are records of runs`, {
      path: this.#path,
      hint: rebuildHint,
    });
  }

  #tooNew(version: number): StoreError {
    return new StoreError(
      "MLP4003",
      `${shown(this.#path)} has version ${version}, this mlpipe knows versions up to ${migrations.length}`,
      { path: this.#path, hint: "Use the version of mlpipe that made it, or another store folder." },
    );
  }
}

/** Opens a database that nobody changes through this connection. @throws what SQLite throws */
export function connectForReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: patienceMs });
  try {
    versionOf(database);
    return database;
  } catch (error) {
    database.close();
    // In a folder that cannot be written to, a write-ahead log cannot be shared with others: there is none, and
    // nobody can change the file either.
    const code = primaryCode(error);
    if ((code !== readOnly && code !== cannotOpen) || existsSync(`${path}-wal`)) throw error;
    const url = pathToFileURL(path);
    url.searchParams.set("immutable", "1");
    return new DatabaseSync(url, { readOnly: true });
  }
}

/** SQLite's codes for a log that it cannot make: which of them depends on what it comes to first. */
const [readOnly, cannotOpen] = [8, 14];

/** Whether somebody has put a folder where SQLite has a file of a database; in words. */
export function folderInPlaceOf(path: string): string | undefined {
  const files = { "": "it is", "-wal": "its log is", "-shm": "the index of its log is" };
  const [, found] =
    Object.entries(files).find(([end]) => statSync(path + end, { throwIfNoEntry: false })?.isDirectory()) ??
    [];
  return found === undefined ? undefined : `${found} a folder`;
}

const rebuildHint =
  "mlpipe verify --repair rebuilds it from the records of the runs; so does the next mlpipe run.";

/** Whether there is a link at a path, and nothing where it leads. */
export function leadsNowhere(path: string): boolean {
  return !existsSync(path) && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

/** The result code of SQLite without its extension, or `undefined` for an error of something else. */
export function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  return error.errcode & 0xff;
}

function areTexts(rows: readonly unknown[]): rows is readonly (readonly string[])[] {
  for (const row of rows) {
    if (!Array.isArray(row)) return false;
    for (const value of row) if (typeof value !== "string") return false;
  }
  return true;
}

/** A text column that the schema says is never null. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw unreadable(column);
  return value;
}

/** A text column that may be null. */
export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

/** A column that holds a JSON document. */
export function json(row: Row, column: string): unknown {
  try {
    return JSON.parse(text(row, column));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw unreadable(column);
  }
}

/** SQLite does not notice a bit that flips inside of a value. */
export function unreadable(column: string): StoreError {
  return new StoreError("MLP4002", `the state database is damaged: a value of ${column} cannot be read`, {
    hint: rebuildHint,
  });
}

/** What the system, or somebody else, refuses to SQLite, as an error with the path; nothing if it was something else. */
export function refusedBySystem(path: string, error: unknown): StoreError | undefined {
  const code = primaryCode(error);
  if (!(error instanceof Error)) return undefined;
  // SQLITE_BUSY, SQLITE_LOCKED
  if (code === 5 || code === 6) {
    return new StoreError(
      "MLP4004",
      `${shown(path)} was locked by another process for ${patienceMs / 1000} s`,
      {
        path,
        hint:
          "Look for a database browser or a backup that holds it open.\n" +
          "On a network file system without locks it always looks so: have the store on a local disk (MLPIPE_STORE).",
        cause: error,
      },
    );
  }
  // SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
  if (code !== 8 && code !== 10 && code !== 13 && code !== 14) return undefined;
  const errno = errnoBehind(code, path);
  return new StoreError("MLP4005", `could not use ${shown(path)}: ${error.message} (${errno})`, {
    path,
    errno,
    hint: hintFor(errno),
    cause: error,
  });
}

/** SQLite opens no path of more than 512 bytes, those of the files beside a database included. */
const longestPath = 512 - "-journal".length;

/** What the system has said to SQLite, which tells only the sort of it. */
function errnoBehind(code: 8 | 10 | 13 | 14, path: string): string {
  if (code === 8) return "EROFS";
  if (code === 13) return "ENOSPC";
  if (code === 14 && Buffer.byteLength(path) > longestPath) return "ENAMETOOLONG";
  const opened: number[] = [];
  try {
    // As many as SQLite needs. Of a database that could not be opened nobody here holds a lock, which closing would drop.
    if (code === 14) for (let files = 0; files < 4; files++) opened.push(openSync(path, "r"));
    // Files beside the database are mapped into memory, and what has no room there is an error of reading or writing.
    const { bavail, files, ffree } = statfsSync(dirname(path));
    if (bavail === 0 || (files > 0 && ffree === 0)) return "ENOSPC";
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== undefined && errno !== "ENOENT") return errno;
  } finally {
    for (const file of opened) closeSync(file);
  }
  return code === 14 ? "EACCES" : "EIO";
}
