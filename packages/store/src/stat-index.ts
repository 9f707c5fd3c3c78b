import { statSync, utimesSync } from "node:fs";
import { dirname, sep } from "node:path";
import { type ChangeMark, isUnchangedSince, markOf, readFolder, type ReadFolder } from "./change-mark.ts";
import { text, unreadable, type Database, type Row } from "./database.ts";
import { asDigest, type Content, type Digest } from "./digest.ts";
import { type FileSystemClock, stampFields } from "./hash-job.ts";
import { lastChangeIn } from "./last-change.ts";
import type { Layout } from "./layout.ts";
import { type KnownTree, type Memory, readContents, type SeenFile, unchangedFiles } from "./reading.ts";
import { sealOf } from "./seal.ts";
import { commonDevice, fingerprintOf, type FolderWalk } from "./walk.ts";

/** Digests of inputs, without reading again what has not changed since it was last read. */
export interface StatIndex {
  /**
   * The content of a file or folder. A path that is itself a link stands for what it leads to.
   *
   * @throws StoreError `MLP4006` (missing), `MLP4007` (a pipe, socket, device, a name that is not UTF-8, or a store
   *   inside of a folder), `MLP4008` (changed while it was read, twice), `MLP4005` (unreadable)
   */
  contentOf(path: string): Content;
  /** Many at once: hashed together, on several threads when it pays. Errors as for `contentOf`. */
  contentsOf(paths: readonly string[]): readonly Content[];
  /** By path, the contents of those files that are as they were when they were last read: nothing is read. */
  unchanged(paths: readonly string[]): ReadonlyMap<string, Content>;
  /** Since the store was opened. */
  readonly counts: { readonly statted: number; readonly hashedFiles: number; readonly hashedBytes: number };
  /** How a source is before a step reads it; nothing where that cannot be told. */
  mark(path: string): ChangeMark | undefined;
  /**
   * Whether a source still has a content, and was not changed since its mark, not even for a while. Errors as for
   * `contentOf`, but for what is missing or changes: that has changed.
   */
  isUnchanged(path: string, content: Content, mark: ChangeMark): boolean;
  /** Writes what was learnt, in one transaction. Done by `close` as well. */
  flush(): void;
}

/** On other file systems than the store's there is no clock to ask: this covers their timestamps' coarseness (FAT: 2 s). */
const racyWindowNs = 3_000_000_000n;

/** From this many paths on their rows are fetched by one statement, at half the time. */
const worthOneQuestion = 64;

interface FileRow {
  readonly stamp: BigInt64Array;
  readonly digest: Digest;
}

interface TreeRow {
  readonly walk: FolderWalk;
  readonly fingerprint: string;
  readonly content: Content;
  readonly digests: readonly Digest[];
  readonly stamps: BigInt64Array;
}

/**
 * The index in `state.db`: (path, size, mtime, ctime, inode) → digest, and per folder one row with a fingerprint over
 * all of its stats, so that an unchanged folder of any size is one look-up.
 *
 * **When an entry can be trusted.** A file written twice within one tick of the file system's clock has the same stamp
 * for both contents (git calls it racily clean). The kernel sets ctime and no user can set it back, so it is enough to
 * know that the file was last changed before the clock tick in which it was read. That clock is asked itself: just
 * before reading, a file of the store is touched, and an entry is kept only if its ctime is *before* the ctime this
 * gave. Whatever changes the file later gets that time or a later one, so its stamp differs. This needs no guess about
 * the coarseness of timestamps (4 ms, 1 s, or the finer ones of newer kernels) and no agreement of clocks. A file on
 * another file system is compared with this machine's clock instead and has to be older than three seconds. What is
 * not trusted is hashed again the next time.
 *
 * mtime plays no part in that rule: it can be set at will, and setting it moves ctime.
 */
export class StoredStatIndex implements StatIndex, Memory {
  readonly #database: Database;
  readonly #clockFile: string;
  readonly #project: string;
  readonly #files = new Map<string, FileRow>();
  /** Rows of files that will be asked for, fetched together; nothing if each is to be fetched by itself. */
  #expected: ReadonlyMap<string, Row> | undefined;
  readonly #trees = new Map<string, TreeRow>();
  /** Folders that this process has read whole. */
  readonly #read = new Map<string, ReadFolder>();
  readonly #counts = { statted: 0, hashedFiles: 0, hashedBytes: 0 };
  #clock: (FileSystemClock & { readonly nowNs: bigint }) | undefined;

  constructor(database: Database, layout: Layout) {
    this.#database = database;
    this.#clockFile = layout.ignore;
    // Relative to the project, so that a project that was moved as a whole keeps its index.
    const project = dirname(layout.root);
    this.#project = project.endsWith(sep) ? project : project + sep;
  }

  get counts(): StatIndex["counts"] {
    return { ...this.#counts };
  }

  contentOf(path: string): Content {
    const [content] = this.contentsOf([path]);
    if (content === undefined) throw new Error("a path without a content");
    return content;
  }

  contentsOf(paths: readonly string[]): readonly Content[] {
    try {
      return readContents(paths, this);
    } finally {
      this.#expected = undefined;
    }
  }

  unchanged(paths: readonly string[]): ReadonlyMap<string, Content> {
    try {
      return unchangedFiles(paths, this);
    } finally {
      this.#expected = undefined;
    }
  }

  flush(): void {
    if (this.#database.isReadonly || this.#files.size + this.#trees.size === 0) return;
    const write = (): void => {
      for (const [path, row] of this.#files) this.#writeFile(path, row);
      for (const [path, row] of this.#trees) this.#writeTree(path, row);
    };
    // Losing it in a power cut costs a few digests computed again.
    this.#database.transaction(write, { durable: false });
    this.#files.clear();
    this.#trees.clear();
  }

  expect(paths: ReadonlySet<string>): void {
    if (paths.size < worthOneQuestion) return;
    const rows = this.#database.all(
      "SELECT path, stamp, digest, seal FROM stat_files WHERE path IN (SELECT value FROM json_each(?))",
      JSON.stringify(Array.from(paths, (path) => this.#name(path))),
    );
    this.#expected = new Map(rows.map((row) => [text(row, "path"), row]));
  }

  file(seen: SeenFile): Digest | undefined {
    const path = this.#name(seen.path);
    const held = this.#files.get(path);
    if (held !== undefined) return sameStamp(held.stamp, 0, seen.stamp, 0) ? held.digest : undefined;
    const row =
      this.#expected === undefined
        ? this.#database.get("SELECT stamp, digest, seal FROM stat_files WHERE path = ?", path)
        : this.#expected.get(path);
    if (row === undefined) return undefined;
    const digest = text(row, "digest");
    const stamp = bytesOf(row["stamp"]);
    if (!sameBytes(stamp, bytesOf(seen.stamp)) || row["seal"] !== sealOf(path, stamp, digest)) {
      return undefined;
    }
    return asDigest(digest);
  }

  tree(path: string, look: () => FolderWalk): KnownTree | undefined {
    const name = this.#name(path);
    const held = this.#trees.get(name);
    if (held !== undefined) {
      const walk = look();
      if (held.fingerprint === fingerprintOf(walk)) return { walk, content: held.content };
      return { walk, digests: digestsBefore(walk, held.walk.files, held.stamps, held.digests) };
    }
    const row = this.#database.get(
      "SELECT fingerprint, digest, size, entries, seal FROM stat_trees WHERE path = ?",
      name,
    );
    if (row === undefined) return undefined;
    const walk = look();
    const fingerprint = fingerprintOf(walk);
    const digest = text(row, "digest");
    const size = Number(row["size"]);
    const entries = Number(row["entries"]);
    if (
      row["fingerprint"] === fingerprint &&
      row["seal"] === sealOf(name, fingerprint, digest, `${size} ${entries}`)
    ) {
      return { walk, content: { type: "tree", digest: asDigest(digest), size, entries } };
    }
    return { walk, digests: this.#digestsKept(name, walk) };
  }

  mark(path: string): ChangeMark | undefined {
    return markOf(path, this.#read.get(path), () => this.#askClock());
  }

  isUnchanged(path: string, { digest }: Content, mark: ChangeMark): boolean {
    return isUnchangedSince(path, digest, mark, this, this.#read.get(path));
  }

  beforeReading(): FileSystemClock {
    this.#clock = undefined;
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    this.#clock = { ...this.#askClock(), nowNs };
    return this.#clock;
  }

  /** The clock of the store's file system, asked by touching a file there. */

  #askClock(): FileSystemClock {
    try {
      if (this.#database.isReadonly) throw new Error("nothing may be touched");
      const now = new Date();
      utimesSync(this.#clockFile, now, now);
      const { dev, ctimeNs } = statSync(this.#clockFile, { bigint: true });
      return { device: dev, ctimeNs };
    } catch {
      // Without the file system's clock the window of the others has to do.
      return { device: undefined, ctimeNs: 0n };
    }
  }

  keepFile(seen: SeenFile, digest: Digest): void {
    if (this.#isSettled(seen.stamp[2] ?? 0n, seen.device)) {
      this.#files.set(this.#name(seen.path), { stamp: seen.stamp, digest });
    }
  }

  keepTree(
    path: string,
    walk: FolderWalk,
    digests: readonly Digest[],
    content: Content,
    listedAfter: boolean,
  ): void {
    const racy = this.#racyFiles(walk);
    // A copy of its own: threads may have written the other.
    const stamps = walk.stamps.slice();
    // No file has an inode, size and times of -1: these are read again, the others need not be.
    for (const i of racy) stamps.fill(-1n, i * stampFields, (i + 1) * stampFields);
    const fingerprint = racy.length === 0 ? fingerprintOf(walk) : "";
    // What was written in the tick in which it was read may have been written to since, and look the same.
    if (walk.root === path && racy.length === 0) {
      const showsEntries =
        listedAfter && walk.folders.every((folder) => this.#isSettled(folder.ctimeNs, folder.device));
      this.#read.set(path, readFolder(walk, content, showsEntries));
    } else this.#read.delete(path);
    this.#trees.set(this.#name(path), { walk, fingerprint, content, digests, stamps });
  }

  /** The files of a folder that might be changed and look the same. */
  #racyFiles(walk: FolderWalk): readonly number[] {
    // As a rule one question answers for all.
    const device = commonDevice(walk);
    if (device !== undefined && this.#isSettled(lastChangeIn(walk), device)) return [];
    const racy: number[] = [];
    walk.devices.forEach((own, i) => {
      if (!this.#isSettled(walk.stamps[i * stampFields + 2] ?? 0n, own)) racy.push(i);
    });
    return racy;
  }

  count(what: StatIndex["counts"]): void {
    this.#counts.statted += what.statted;
    this.#counts.hashedFiles += what.hashedFiles;
    this.#counts.hashedBytes += what.hashedBytes;
  }

  /** Whether any later change is bound to show in the stamp. */
  #isSettled(ctimeNs: bigint, device: bigint): boolean {
    const clock = this.#clock;
    if (clock === undefined) return false;
    return device === clock.device ? ctimeNs < clock.ctimeNs : ctimeNs < clock.nowNs - racyWindowNs;
  }

  #name(absolute: string): string {
    return absolute.startsWith(this.#project) ? absolute.slice(this.#project.length) : absolute;
  }

  #digestsKept(name: string, walk: FolderWalk): (Digest | undefined)[] {
    const row = this.#database.get(
      "SELECT names, stamps, digests, seal FROM stat_trees WHERE path = ?",
      name,
    );
    if (row === undefined) return [];
    const names = text(row, "names");
    const files = names === "" ? [] : names.split("\0");
    const stamps = bytesOf(row["stamps"]);
    const packed = Buffer.from(bytesOf(row["digests"]));
    const sum = packed.subarray(files.length * 32);
    const body = packed.subarray(0, files.length * 32);
    if (stamps.length !== files.length * stampFields * 8 || sum.length !== 4) return [];
    if (sum.readUInt32LE(0) !== sealOf(name, names, stamps, body)) return [];
    const digests = files.map((_, i) => asDigest(body.toString("hex", i * 32, (i + 1) * 32)));
    const aligned = stamps.slice();
    return digestsBefore(walk, files, new BigInt64Array(aligned.buffer), digests);
  }

  #writeFile(path: string, { stamp, digest }: FileRow): void {
    const bytes = bytesOf(stamp);
    this.#database.run(
      "INSERT OR REPLACE INTO stat_files (path, stamp, digest, seal) VALUES (?, ?, ?, ?)",
      path,
      bytes,
      digest,
      sealOf(path, bytes, digest),
    );
  }

  #writeTree(path: string, { walk, fingerprint, content, digests, stamps }: TreeRow): void {
    const names = walk.files.join("\0");
    const packed = Buffer.allocUnsafe(digests.length * 32 + 4);
    digests.forEach((digest, i) => packed.write(digest, i * 32, 32, "hex"));
    const body = packed.subarray(0, digests.length * 32);
    packed.writeUInt32LE(sealOf(path, names, bytesOf(stamps), body), digests.length * 32);
    const entries = content.entries ?? 0;
    this.#database.run(
      "INSERT OR REPLACE INTO stat_trees (path, fingerprint, digest, size, entries, seal, stamps, names, digests) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      path,
      fingerprint,
      content.digest,
      content.size,
      entries,
      sealOf(path, fingerprint, content.digest, `${content.size} ${entries}`),
      bytesOf(stamps),
      names,
      packed,
    );
  }
}

/** The digests of those files of a walk that look as they did before. */
function digestsBefore(
  walk: FolderWalk,
  files: readonly string[],
  stamps: BigInt64Array,
  digests: readonly Digest[],
): (Digest | undefined)[] {
  const places = new Map<string, number>();
  files.forEach((file, i) => places.set(file, i));
  return walk.files.map((file, i) => {
    const place = places.get(file);
    if (place === undefined || !sameStamp(walk.stamps, i * stampFields, stamps, place * stampFields))
      return undefined;
    return digests[place];
  });
}

function sameStamp(a: BigInt64Array, i: number, b: BigInt64Array, j: number): boolean {
  for (let field = 0; field < stampFields; field++) if (a[i + field] !== b[j + field]) return false;
  return true;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof BigInt64Array) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw unreadable("the stat index");
}
