import { type BigIntStats, lstatSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { Content, Digest } from "./digest.ts";
import { StoreError, errnoOf, shown, withPath } from "./errors.ts";
import { type FileSystemClock, stampFields, writeStamp } from "./hash-job.ts";
import {
  changedError,
  type FilesRead,
  type FileToHash,
  type HashedFiles,
  hashFiles,
  readFiles,
} from "./hash-pool.ts";
import { lastChangeIn } from "./last-change.ts";
import { parseManifest, rememberedManifest, type Tree, treeContent } from "./tree.ts";
import { Unsteady } from "./unsteady.ts";
import { type FolderListing, type FolderWalk, hasMoved, listFolder, lookedAt, specialFile } from "./walk.ts";

/** A regular file as its stat told it. */
export interface SeenFile {
  /** The name it was asked for by. */
  readonly path: string;
  /** The file itself, when the name leads there through a link. */
  readonly real: string;
  readonly stamp: BigInt64Array;
  readonly device: bigint;
}

/** What is known from earlier readings. Without one everything is hashed. */
export interface Memory {
  /** Called first, with all that will be asked for. */
  expect(paths: ReadonlySet<string>): void;
  file(seen: SeenFile): Digest | undefined;
  /** Nothing for a folder that was never read: then there is no need to look at its files before they are read. */
  tree(path: string, look: () => FolderWalk): KnownTree | undefined;
  /** Called before the first byte is read, and before the folder is listed that it is in. Tells what time it is. */
  beforeReading(): FileSystemClock;
  keepFile(seen: SeenFile, digest: Digest): void;
  /** @param listedAfter whether the folder was listed after `beforeReading` was called */
  keepTree(
    path: string,
    walk: FolderWalk,
    digests: readonly Digest[],
    content: Content,
    listedAfter: boolean,
  ): void;
  count(what: { statted: number; hashedFiles: number; hashedBytes: number }): void;
}

/** A folder that was read before, as it looks now: as it did, or with the digests of those files that do. */
export type KnownTree = { readonly walk: FolderWalk } & (
  | { readonly content: Content }
  | { readonly digests: readonly (Digest | undefined)[] }
);

/**
 * The content of a file or folder by reading all of it, without an index.
 *
 * @throws StoreError `MLP4006` (missing), `MLP4007` (cannot be kept), `MLP4008` (changed while it was read, twice) or
 *   `MLP4005` (unreadable)
 */
export function hashPath(path: string): Content {
  const [content] = readContents([path]);
  if (content === undefined) throw new Error("a path without a content");
  return content;
}

/** What is in a folder, by reading all of it. Errors as for `hashPath`. */
export function treeAt(path: string): Tree {
  const manifest = rememberedManifest(hashPath(path));
  if (manifest === undefined) throw new StoreError("MLP4007", `${shown(path)} is not a folder`, { path });
  return parseManifest(manifest, path);
}

/** The contents of several files and folders; what has to be hashed is hashed together. Errors as for `hashPath`. */
export function readContents(paths: readonly string[], memory?: Memory): readonly Content[] {
  // Almost all are absolute and plain already, and to find that out again takes as long as to look at the file.
  const absolute = paths.map((path) => (isPlain(path) ? path : resolve(path)));
  const results = new Map<string, Content>();
  let open = new Set(absolute);
  memory?.expect(open);
  for (let attempt = 0; open.size > 0; attempt++) {
    const unsteady = readOnce(open, memory, results);
    const [first] = unsteady;
    if (first !== undefined && attempt > 0) throw changedError(first[1]);
    open = new Set(unsteady.keys());
  }
  return absolute.map((path) => {
    const content = results.get(path);
    if (content === undefined) throw new Error(`no content for ${path}`);
    return content;
  });
}

/**
 * A file or folder that looks as an index knows it, and when it was last changed, by that very look; nothing for one that
 * does not, or for a link. Throws for what is not there, or cannot be kept, as for `hashPath`.
 */
export function knownAt(
  path: string,
  memory: Pick<Memory, "file" | "tree">,
): { readonly content: Content; readonly lastChange: bigint } | undefined {
  try {
    const seen = look(path);
    if ("folder" in seen) {
      if (seen.folder !== path) return undefined;
      const known = memory.tree(path, () => walked(path, path));
      return known !== undefined && "content" in known
        ? { content: known.content, lastChange: lastChangeIn(known.walk) }
        : undefined;
    }
    if (seen.real !== path) return undefined;
    const digest = memory.file(seen);
    return digest && { content: fileContent(seen, digest), lastChange: seen.stamp[2] ?? 0n };
  } catch (error) {
    if (error instanceof Unsteady) return undefined;
    throw error;
  }
}

/** By path, those of some absolute paths that are files and as they were when they were last read. */
export function unchangedFiles(paths: readonly string[], memory: Memory): ReadonlyMap<string, Content> {
  const found = new Map<string, Content>();
  const plain = paths.filter(isPlain);
  memory.expect(new Set(plain));
  for (const path of plain) {
    const stats = withPath("look at", path, () => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
    if (stats?.isFile() !== true) continue;
    const seen = seenFile(path, path, stats);
    const digest = memory.file(seen);
    if (digest !== undefined) found.set(path, fileContent(seen, digest));
  }
  memory.count({ statted: plain.length, hashedFiles: 0, hashedBytes: 0 });
  return found;
}

function isPlain(path: string): boolean {
  return path.startsWith("/") && !/\/\.{0,2}(?:\/|$)/.test(path);
}

/** One attempt: fills in what held still, and returns what did not, with the file that gave it away. */
function readOnce(
  paths: Iterable<string>,
  memory: Memory | undefined,
  results: Map<string, Content>,
): Map<string, string> {
  const unsteady = new Map<string, string>();
  const unread: Unread[] = [];
  const tasks: FileToHash[] = [];
  const unseen: FolderListing[] = [];
  let unseenFiles = 0;
  let statted = 0;
  let clock: FileSystemClock | undefined;
  const beforeReading = (): void => {
    clock ??= memory?.beforeReading();
  };
  for (const path of paths) {
    try {
      const seen = look(path);
      statted++;
      if ("folder" in seen) {
        const known = memory?.tree(path, () => walked(path, seen.folder));
        if (known === undefined) {
          beforeReading();
          const listing = listed(path, seen.folder);
          statted += listing.entries;
          unread.push({ path, listing, first: unseenFiles });
          unseen.push(listing);
          unseenFiles += listing.files.length;
          continue;
        }
        const { walk } = known;
        statted += walk.entries;
        if ("content" in known) {
          results.set(
            path,
            walk.leaving === undefined ? known.content : { ...known.content, leaves: walk.leaving },
          );
          continue;
        }
        beforeReading();
        unread.push({ path, walk, digests: known.digests, first: tasks.length });
        addTasks(walk, known.digests, tasks);
      } else {
        const digest = memory?.file(seen);
        if (digest !== undefined) {
          results.set(path, fileContent(seen, digest));
          continue;
        }
        beforeReading();
        unread.push({ path, file: seen, first: tasks.length });
        tasks.push({ path: seen.real, size: Number(seen.stamp[0]) });
      }
    } catch (error) {
      if (!(error instanceof Unsteady)) throw error;
      unsteady.set(path, error.path);
    }
  }
  // Of no use for files that lie elsewhere.
  const isTheirs = unseen.every(({ folders }) => folders[0]?.device === clock?.device);
  const read = readFiles(unseen, isTheirs ? clock : undefined);
  const hashed = hashFiles(tasks);
  let hashedBytes = tasks.reduce((sum, { size }) => sum + size, 0);
  for (let i = 0; i < unseenFiles; i++) hashedBytes += Number(read.stamps[i * stampFields]);
  memory?.count({ statted, hashedFiles: tasks.length + unseenFiles, hashedBytes });
  for (const item of unread) {
    try {
      const content = "listing" in item ? settleRead(item, read, memory) : settle(item, hashed, memory);
      results.set(item.path, content);
    } catch (error) {
      if (!(error instanceof Unsteady)) throw error;
      unsteady.set(item.path, error.path);
    }
  }
  return unsteady;
}

/** What has to be read: its tasks, or its files among those that nobody has seen, begin at `first`, in order. */
type Unread = { readonly path: string; readonly first: number } & (
  | { readonly file: SeenFile }
  | { readonly walk: FolderWalk; readonly digests: readonly (Digest | undefined)[] }
  | { readonly listing: FolderListing }
);

/** A file, or where the folder really is. */
function look(path: string): SeenFile | { readonly folder: string } {
  let real = path;
  let stats = withPath("read", path, () => lstatSync(path, { bigint: true }));
  if (stats.isSymbolicLink()) {
    // A name that is a link stands for what it leads to; only links inside a folder are content themselves.
    real = follow(path);
    stats = withPath("read", path, () => lstatSync(real, { bigint: true }));
  }
  if (stats.isDirectory()) return { folder: real };
  if (!stats.isFile()) throw specialFile(path, stats);
  return seenFile(path, real, stats);
}

function listed(path: string, folder: string): FolderListing {
  return withPath("read", path, () => listFolder(folder));
}

function walked(path: string, folder: string): FolderWalk {
  return withPath("read", path, () => lookedAt(listFolder(folder)));
}

function seenFile(path: string, real: string, stats: BigIntStats): SeenFile {
  const stamp = new BigInt64Array(stampFields);
  writeStamp(stamp, 0, stats);
  return { path, real, stamp, device: stats.dev };
}

function follow(link: string): string {
  try {
    return realpathSync(link);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ELOOP") {
      throw new StoreError("MLP4006", `${shown(link)} is a link that leads nowhere`, {
        path: link,
        errno: errnoOf(error),
        cause: error,
      });
    }
    return withPath("follow the link", link, () => {
      throw error;
    });
  }
}

function addTasks(walk: FolderWalk, known: readonly (Digest | undefined)[], tasks: FileToHash[]): void {
  walk.files.forEach((file, i) => {
    if (known[i] !== undefined) return;
    tasks.push({ path: `${walk.root}/${file}`, size: Number(walk.stamps[i * stampFields]) });
  });
}

/** The content of a folder whose files were read at sight, from `first` on. */
function settleRead(
  { path, listing, first }: Extract<Unread, { readonly listing: FolderListing }>,
  { stamps, devices, executable, digests }: FilesRead,
  memory: Memory | undefined,
): Content {
  const end = first + listing.files.length;
  const walk: FolderWalk = {
    ...listing,
    stamps: stamps.subarray(first * stampFields, end * stampFields),
    devices: devices.subarray(first, end),
    executable: executable.subarray(first, end),
  };
  const found = digests.slice(first, end);
  if (!areAll(found)) throw new Unsteady(`${walk.root}/${walk.files[found.indexOf(undefined)] ?? ""}`);
  return settledTree(path, walk, found, memory, true);
}

function areAll(digests: readonly (Digest | undefined)[]): digests is readonly Digest[] {
  return !digests.includes(undefined);
}

function settledTree(
  path: string,
  walk: FolderWalk,
  digests: readonly Digest[],
  memory: Memory | undefined,
  listedAfter: boolean,
): Content {
  if (hasMoved(walk)) throw new Unsteady(walk.root);
  const content = treeContent(walk, digests);
  memory?.keepTree(path, walk, digests, content, listedAfter);
  return content;
}

function settle(
  item: Exclude<Unread, { readonly listing: FolderListing }>,
  hashed: HashedFiles,
  memory: Memory | undefined,
): Content {
  if ("file" in item) {
    const digest = steadyDigest(hashed, item.first, item.file.stamp, 0, item.path);
    memory?.keepFile(item.file, digest);
    return fileContent(item.file, digest);
  }
  const { walk, path } = item;
  let next = item.first;
  const digests = walk.files.map(
    (file, i) =>
      item.digests[i] ?? steadyDigest(hashed, next++, walk.stamps, i * stampFields, `${walk.root}/${file}`),
  );
  return settledTree(path, walk, digests, memory, false);
}

function steadyDigest(
  hashed: HashedFiles,
  file: number,
  stamps: BigInt64Array,
  at: number,
  path: string,
): Digest {
  const digest = hashed.steadyDigest(file, stamps, at);
  if (digest === undefined) throw new Unsteady(path);
  return digest;
}

function fileContent(seen: SeenFile, digest: Digest): Content {
  return { type: "file", digest, size: Number(seen.stamp[0]) };
}
