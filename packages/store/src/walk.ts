import { lstatSync, readdirSync, readlinkSync, type BigIntStats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createHash } from "node:crypto";
import { StoreError, shown, withPath } from "./errors.ts";
import { stampFields, writeStamp } from "./hash-job.ts";

/** Thrown inside this package when something moved under our eyes: the caller looks a second time. */
export class Unsteady extends Error {
  readonly path: string;
  constructor(path: string) {
    super(`${path} changed`);
    this.path = path;
  }
}

/**
 * What is in a folder and below, by names and stats alone. Arrays side by side instead of an object per file: a walk of
 * 100,000 files is on the path of a run that does nothing.
 */
export interface FolderWalk {
  readonly root: string;
  /** Relative paths of regular files, sorted by bytes. */
  readonly files: readonly string[];
  readonly executable: readonly boolean[];
  /** Four numbers per file: size, mtime, ctime (nanoseconds), inode. */
  readonly stamps: BigInt64Array;
  /** The file system of each file. */
  readonly devices: readonly bigint[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** The first link that leads out of the folder: what is there is no part of what was seen. */
  readonly leaving: string | undefined;
  readonly emptyFolders: readonly string[];
  /** Every folder with its mtime and ctime: an entry that came or went meanwhile shows there. */
  readonly folders: readonly { readonly path: string; readonly mtimeNs: bigint; readonly ctimeNs: bigint }[];
  /** How many files, folders and links were looked at. */
  readonly statted: number;
}

/** A folder of this name is a store, and a store inside of what it keeps would never hold still. */
const storeName = ".mlpipe";

/** A folder in the middle of being walked. */
interface Listing {
  readonly prefix: string;
  /** Sorted by bytes. */
  readonly names: readonly string[];
  next: number;
  /** Folders found in it, with a `/` at the end: what is in `d` comes after `d.csv`, because `.` sorts before `/`. */
  readonly waiting: string[];
}

/**
 * Walks a folder. Links are entries of their own and never followed.
 *
 * @param root an absolute path of a real folder, not a link to one
 * @throws StoreError `MLP4007` for what cannot be kept (a pipe, a socket, a device, a name that is not UTF-8, a store)
 * @throws Unsteady if an entry vanished between being listed and being looked at
 */
export function walkFolder(root: string): FolderWalk {
  const files: string[] = [];
  const executable: boolean[] = [];
  const devices: bigint[] = [];
  const links: { path: string; target: string }[] = [];
  let leaving: string | undefined;
  const emptyFolders: string[] = [];
  const folders: { path: string; mtimeNs: bigint; ctimeNs: bigint }[] = [];
  let stamps = new BigInt64Array(64 * stampFields);
  let statted = 0;

  const listed: Listing[] = [];
  const enter = (folder: string): void => {
    const absolute = folder === "" ? root : `${root}/${folder}`;
    const stats = lstatSync(absolute, { bigint: true, throwIfNoEntry: false });
    if (stats?.isDirectory() !== true) throw new Unsteady(absolute);
    folders.push({ path: absolute, mtimeNs: stats.mtimeNs, ctimeNs: stats.ctimeNs });
    const names = listNames(absolute);
    if (names.length === 0 && folder !== "") emptyFolders.push(folder);
    listed.push({ prefix: folder === "" ? "" : `${folder}/`, names, next: 0, waiting: [] });
  };
  enter("");
  for (let here = listed.at(-1); here !== undefined; here = listed.at(-1)) {
    const name = here.names[here.next];
    const [waiting] = here.waiting;
    if (waiting !== undefined && (name === undefined || compareBytes(waiting, name) < 0)) {
      here.waiting.shift();
      enter(`${here.prefix}${waiting.slice(0, -1)}`);
      continue;
    }
    if (name === undefined) {
      listed.pop();
      continue;
    }
    here.next++;
    const path = here.prefix + name;
    const at = `${root}/${path}`;
    const stats = lstatSync(at, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) throw new Unsteady(at);
    statted++;
    if (stats.isFile()) {
      if (stamps.length < (files.length + 1) * stampFields) {
        const grown = new BigInt64Array(stamps.length * 2);
        grown.set(stamps);
        stamps = grown;
      }
      writeStamp(stamps, files.length * stampFields, stats);
      files.push(path);
      executable.push((stats.mode & 0o100n) !== 0n);
      // One number for all, as a rule: equal ones are one object in memory.
      const before = devices.at(-1);
      devices.push(stats.dev === before ? before : stats.dev);
    } else if (stats.isDirectory()) {
      if (name === storeName) throw storeInside(at);
      here.waiting.push(`${name}/`);
      if (here.waiting.length > 1) here.waiting.sort(compareBytes);
    } else if (stats.isSymbolicLink()) {
      const target = targetOf(at);
      links.push({ path, target });
      if (leaving === undefined && !isBelow(root, resolve(dirname(at), target))) leaving = path;
    } else {
      throw specialFile(at, stats);
    }
  }
  return {
    root,
    files,
    executable,
    devices,
    links,
    leaving,
    emptyFolders,
    folders,
    stamps: stamps.subarray(0, files.length * stampFields),
    statted,
  };
}

/** One digest over everything the walk saw: equal fingerprints mean that nothing has to be looked at file by file. */
export function fingerprintOf(walk: FolderWalk): string {
  const state = createHash("sha256");
  // Names hold neither NUL nor `/` at the end, so no two walks join to the same text.
  const executable = walk.executable.map((flag) => (flag ? "x" : "-")).join("");
  state.update(`${walk.files.join("\0")}\0\0${executable}\0\0${walk.emptyFolders.join("\0")}\0\0`);
  for (const { path, target } of walk.links) state.update(`${path}\0${target}\0`);
  state.update(walk.stamps);
  return state.digest("hex");
}

/** Whether an entry was added, removed or renamed since the walk. */
export function hasMoved(walk: FolderWalk): boolean {
  return walk.folders.some(({ path, mtimeNs, ctimeNs }) => {
    const now = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    return now?.mtimeNs !== mtimeNs || now.ctimeNs !== ctimeNs;
  });
}

/** The error for a path that is neither a file, a folder nor a link. */
export function specialFile(path: string, stats: BigIntStats): StoreError {
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

function listNames(folder: string): readonly string[] {
  const names = withPath("list", folder, () => readdirSync(folder));
  // A name that is not UTF-8 arrives with replacement characters, which a valid name may hold as well.
  if (names.some((name) => name.includes("\uFFFD"))) {
    for (const name of readdirSync(folder, { encoding: "buffer" })) {
      if (!isUtf8(name)) throw notUtf8("a name", join(folder, escaped(name)));
    }
  }
  // As it happens they arrive sorted; nobody promises it.
  return names.sort(compareBytes);
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
