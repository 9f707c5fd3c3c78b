import { type Dirent, lstatSync, readdirSync, readlinkSync, type BigIntStats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createHash } from "node:crypto";
import { StoreError, shown, withPath } from "./errors.ts";
import { type FileStats, lookAtFiles } from "./hash-pool.ts";
import { Unsteady } from "./unsteady.ts";

/** What is in a folder and below, by names alone. */
export interface FolderListing {
  readonly root: string;
  /** Relative paths of regular files, sorted by bytes. */
  readonly files: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** The first link that leads out of the folder: what is there is no part of what was seen. */
  readonly leaving: string | undefined;
  readonly emptyFolders: readonly string[];
  /** Every folder with its mtime and ctime from before it was listed: an entry that came or went meanwhile shows there. */
  readonly folders: readonly ListedFolder[];
  /** How many files, folders and links there are. */
  readonly entries: number;
}

interface ListedFolder {
  readonly path: string;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly device: bigint;
}

/**
 * What is in a folder and below, by names and stats alone. Arrays side by side instead of an object per file: a walk of
 * 100,000 files is on the path of a run that does nothing.
 */
export interface FolderWalk extends FolderListing, FileStats {}

/** A folder of this name is a store, and a store inside of what it keeps would never hold still. */
const storeName = ".mlpipe";

/** A folder in the middle of being listed. */
interface Level {
  readonly prefix: string;
  /** Sorted by bytes, folders with a `/` at the end: what is in `d` comes after `d.csv`, because `.` sorts before `/`. */
  readonly names: readonly string[];
  /** Those that are neither files nor folders. */
  readonly others: ReadonlyMap<string, Dirent>;
  next: number;
}

/**
 * Lists a folder. Links are entries of their own and never followed.
 *
 * @param root an absolute path of a real folder, not a link to one
 * @throws StoreError `MLP4007` for what cannot be kept (a pipe, a socket, a device, a name that is not UTF-8, a store)
 * @throws Unsteady if an entry vanished between being listed and being looked at
 */
export function listFolder(root: string): FolderListing {
  const files: string[] = [];
  const links: { path: string; target: string }[] = [];
  let leaving: string | undefined;
  const emptyFolders: string[] = [];
  const folders: ListedFolder[] = [];
  let entries = 0;

  const levels: Level[] = [];
  const enter = (folder: string): void => {
    const absolute = folder === "" ? root : `${root}/${folder}`;
    const stats = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    if (stats?.isDirectory() !== true) throw new Unsteady(absolute);
    folders.push({ path: absolute, mtimeNs: stats.mtimeNs, ctimeNs: stats.ctimeNs, device: stats.dev });
    const level = levelOf(absolute, folder);
    entries += level.names.length;
    if (level.names.length === 0 && folder !== "") emptyFolders.push(folder);
    levels.push(level);
  };
  enter("");
  for (let here = levels.at(-1); here !== undefined; here = levels.at(-1)) {
    const name = here.names[here.next++];
    if (name === undefined) {
      levels.pop();
      continue;
    }
    const path = here.prefix + name;
    if (name.endsWith("/")) {
      if (name === `${storeName}/`) throw storeInside(`${root}/${here.prefix}${storeName}`);
      enter(path.slice(0, -1));
      continue;
    }
    const other = here.others.size === 0 ? undefined : here.others.get(name);
    if (other === undefined) {
      files.push(path);
      continue;
    }
    const at = `${root}/${path}`;
    if (!other.isSymbolicLink()) throw specialFile(at, other);
    const target = targetOf(at);
    links.push({ path, target });
    if (leaving === undefined && !isBelow(root, resolve(dirname(at), target))) leaving = path;
  }
  return { root, files, links, leaving, emptyFolders, folders, entries };
}

/** Lists a folder and looks at its files. Throws as `listFolder` does. */
export function walkFolder(root: string): FolderWalk {
  return lookedAt(listFolder(root));
}

/** What was listed, with what its files look like now. Throws as `listFolder` does. */
export function lookedAt(listing: FolderListing): FolderWalk {
  const { stamps, devices, executable } = lookAtFiles(listing);
  return { ...listing, stamps, devices, executable };
}

/** One digest over everything the walk saw: equal fingerprints mean that nothing has to be looked at file by file. */
export function fingerprintOf(walk: FolderWalk): string {
  const state = createHash("sha256");
  // Names hold neither NUL nor `/` at the end, so no two walks join to the same text.
  const executable = walk.executable.map((flag) => (flag === 1 ? 0x78 : 0x2d));
  state.update(`${walk.files.join("\0")}\0\0`).update(executable);
  state.update(`\0\0${walk.emptyFolders.join("\0")}\0\0`);
  for (const { path, target } of walk.links) state.update(`${path}\0${target}\0`);
  state.update(walk.stamps);
  return state.digest("hex");
}

/** The file system of all files; nothing if there are several, or no files. */
export function commonDevice({ devices }: FolderWalk): bigint | undefined {
  // Every number is its neighbour's: compared as bytes, without a bigint for each.
  const numbers = Buffer.from(devices.buffer, devices.byteOffset, devices.byteLength);
  const width = devices.BYTES_PER_ELEMENT;
  return numbers.subarray(width).equals(numbers.subarray(0, -width)) ? devices[0] : undefined;
}

/** Whether an entry was added, removed or renamed since the listing. */
export function hasMoved({ folders }: FolderListing): boolean {
  return folders.some(({ path, mtimeNs, ctimeNs }) => {
    const now = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return now?.mtimeNs !== mtimeNs || now.ctimeNs !== ctimeNs;
  });
}

/** The error for a path that is neither a file, a folder nor a link. */
export function specialFile(path: string, stats: BigIntStats | Dirent): StoreError {
  const kind = stats.isFIFO()
    ? "a pipe (FIFO)"
    : stats.isSocket()
      ? "a socket"
      : stats.isBlockDevice() || stats.isCharacterDevice()
        ? "a device"
        : "a special file";
  return new StoreError("MLP4007", `expected a file or a folder, got ${kind}: ${shown(path)}`, {
    exit: 2,
    path,
    hint: "Only files, folders and links have a content that can be kept. Move it elsewhere.",
  });
}

function isBelow(root: string, path: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

function levelOf(absolute: string, folder: string): Level {
  const entries = withPath("list", absolute, () => readdirSync(absolute, { withFileTypes: true }));
  const others = new Map<string, Dirent>();
  let isDoubtful = false;
  const names = entries.map((entry) => {
    const { name } = entry;
    // A name that is not UTF-8 arrives with replacement characters, which a valid name may hold as well.
    isDoubtful ||= name.includes("\uFFFD");
    if (entry.isFile()) return name;
    if (entry.isDirectory()) return `${name}/`;
    others.set(name, entry);
    return name;
  });
  if (isDoubtful) {
    for (const name of readdirSync(absolute, { encoding: "buffer" })) {
      if (!isUtf8(name)) throw notUtf8("a name", join(absolute, escaped(name)));
    }
  }
  // As it happens they arrive sorted but for the folders; nobody promises it.
  names.sort(compareBytes);
  return { prefix: folder === "" ? "" : `${folder}/`, names, others, next: 0 };
}

/** Orders strings by their UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  // UTF-16 and UTF-8 sort alike except where surrogate pairs meet the units above them, U+E000 to U+FFFF.
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  const left = a.charCodeAt(i);
  const right = b.charCodeAt(i);
  if (left >= 0xd800 && right >= 0xd800) {
    const leftPair = left <= 0xdfff;
    if (leftPair !== right <= 0xdfff) return leftPair ? 1 : -1;
  }
  return left - right;
}

function targetOf(link: string): string {
  const target = withPath("read the link", link, () => readlinkSync(link));
  if (target.includes("\uFFFD") && !isUtf8(readlinkSync(link, { encoding: "buffer" }))) {
    throw notUtf8("a link whose target", link);
  }
  return target;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Bytes as text one can read and tell apart. */
function escaped(bytes: Uint8Array): string {
  return [...bytes]
    .map((byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
    )
    .join("");
}

function notUtf8(what: string, path: string): StoreError {
  return new StoreError("MLP4007", `${what} is not valid UTF-8: ${path}`, {
    exit: 2,
    path,
    hint: "Rename it: names are part of a folder's digest and of records, which are UTF-8.",
  });
}

function storeInside(path: string): StoreError {
  return new StoreError(
    "MLP4007",
    `a folder with a store in it cannot be an input or an output: ${shown(path)}`,
    {
      exit: 2,
      path,
      hint: "Name the folder with the data in it, not one above the store.",
    },
  );
}
