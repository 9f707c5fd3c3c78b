import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { asDigest, type Digest } from "./digest.ts";
import { StoreError, shown, withPath } from "./errors.ts";
import {
  BEAT,
  DONE,
  digestBytes,
  type FileSystemClock,
  type FilesBelow,
  type HashJob,
  notSeen,
  onlyStamp,
  outcomes,
  pathOf,
  type SharedJob,
  stampFields,
  work,
  workOn,
} from "./hash-job.ts";
import { Unsteady } from "./unsteady.ts";

/** A regular file, not a link, with the size its stat told. */
export interface FileToHash {
  readonly path: string;
  readonly size: number;
}

/** What reading gave, by the index of the file. */
export interface HashedFiles {
  /**
   * The digest of a file that looked the same before and after it was read; `undefined` for one that changed.
   *
   * @param stamps holds the stamp from before, four numbers from index `at` on
   */
  steadyDigest(file: number, stamps: BigInt64Array, at: number): Digest | undefined;
}

// Starting a thread costs some 25 ms of processor time, in which one thread hashes about 45 MiB or 8,000 small files.
const worthBytes = 64 * 1024 * 1024;
const worthFiles = 10_000;

/** Hashing is bound by memory bandwidth and the disk long before this many threads. */
const maxThreads = 8;

const chunkFiles = 64;
const chunkBytes = 4 * 1024 * 1024;

/** How long a helper may show no sign of life before its files are hashed again here. */
const patienceMs = 10_000;

// Shared by all stores of the process and never awaited: idle threads keep no process alive.
const helpers: Worker[] = [];

/** What files look like, side by side instead of in an object each. */
export interface FileStats {
  /** Four numbers per file: size, mtime, ctime (nanoseconds), inode. */
  readonly stamps: BigInt64Array;
  /** The number of each file's file system. */
  readonly devices: BigUint64Array;
  /** 1 for a file that its owner may execute, else 0. */
  readonly executable: Uint8Array;
}

/** What files look like, and what is in them: nothing for one that did not hold still. */
export interface FilesRead extends FileStats {
  readonly digests: readonly (Digest | undefined)[];
}

/**
 * Hashes files, on several threads when there is enough to do for starting them to pay. The caller waits and works
 * itself meanwhile, so threads that are slow to start, or cannot be started at all, cost nothing but their absence.
 *
 * @throws StoreError `MLP4006` or `MLP4005` for a file that cannot be read
 */
export function hashFiles(files: readonly FileToHash[]): HashedFiles {
  let bytes = 0;
  for (const file of files) bytes += file.size;
  const threads = threadsFor(files.length, bytes);

  const order = threads > 1 ? largestFirst(files) : undefined;
  const sizes = new Float64Array(files.length);
  const paths: string[] = [];
  for (let slot = 0; slot < files.length; slot++) {
    const file = files[order?.[slot] ?? slot];
    if (file === undefined) continue;
    paths.push(file.path);
    sizes[slot] = file.size;
  }
  const job = jobOf(sizes, threads > 1);
  doTogether(job, [{ root: "", files: paths }], threads);

  const slots = order === undefined ? undefined : inverse(order);
  const digests = Buffer.from(job.digests.buffer);
  return {
    steadyDigest(file, stamps, at) {
      const slot = slots?.[file] ?? file;
      if (job.outcomes[slot] !== outcomes.hashed) return undefined;
      for (let field = 0; field < stampFields; field++) {
        if (job.stamps[slot * stampFields + field] !== stamps[at + field]) return undefined;
      }
      return asDigest(digests.toString("hex", slot * digestBytes, (slot + 1) * digestBytes));
    },
  };
}

const nothingRead: FilesRead = {
  stamps: new BigInt64Array(),
  devices: new BigUint64Array(),
  executable: new Uint8Array(),
  digests: [],
};

/**
 * Looks at files and reads them, in as few calls as it takes: of what nothing is known yet, all has to be read.
 *
 * @param clock as it was before the files were listed
 * @throws StoreError as for `hashFiles`
 */
export function readFiles(places: readonly FilesBelow[], clock: FileSystemClock | undefined): FilesRead {
  // Most steps make files, and each is hashed by itself.
  if (places.length === 0) return nothingRead;
  const job = doAll(places, notSeen, clock);
  const large: number[] = [];
  job.outcomes.forEach((outcome, file) => outcome === outcomes.seen && large.push(file));
  const { stamps } = job;
  const hashed = hashFiles(
    large.map((file) => ({ path: pathOf(places, file), size: Number(stamps[file * stampFields]) })),
  );
  // One text for all, of which each digest is a part: to make as many texts takes ten times as long.
  const text = Buffer.from(job.digests.buffer).toString("hex");
  const digests: (Digest | undefined)[] = [];
  for (let file = 0; file < job.outcomes.length; file++) {
    const at = file * digestBytes * 2;
    const digest = asDigest(text.slice(at, at + digestBytes * 2));
    digests.push(job.outcomes[file] === outcomes.hashed ? digest : undefined);
  }
  for (const [i, file] of large.entries()) {
    digests[file] = hashed.steadyDigest(i, stamps, file * stampFields);
  }
  return { stamps, devices: job.devices, executable: job.executable, digests };
}

/**
 * Looks at files, on several threads when there are many.
 *
 * @throws Unsteady for one that is gone, or no file any more
 * @throws StoreError `MLP4005` for one that cannot be looked at
 */
export function lookAtFiles(place: FilesBelow): FileStats {
  const job = doAll([place], onlyStamp);
  const gone = job.outcomes.findIndex((outcome) => outcome !== outcomes.hashed);
  if (gone >= 0) throw new Unsteady(pathOf([place], gone));
  return job;
}

/**
 * Whether files still look as they did. Throws as `lookAtFiles` does.
 *
 * @param before four numbers per file
 */
export function haveStamps(place: FilesBelow, before: BigInt64Array): boolean {
  const { stamps } = lookAtFiles(place);
  return Buffer.from(stamps.buffer).equals(Buffer.from(before.buffer, before.byteOffset, before.byteLength));
}

/** Does the same with all files, on several threads if there are many. */
function doAll(
  places: readonly FilesBelow[],
  what: typeof notSeen | typeof onlyStamp,
  clock?: FileSystemClock,
): HashJob {
  const count = places.reduce((sum, { files }) => sum + files.length, 0);
  const threads = threadsFor(count);
  const job = jobOf(new Float64Array(count).fill(what), threads > 1, clock);
  doTogether(job, places, threads);
  return job;
}

/** How many threads are to work on so much. */
function threadsFor(files: number, bytes = 0): number {
  const isMuch = files > 1 && (bytes >= worthBytes || files >= worthFiles);
  // Asked only when it counts: to count the processors reads files of the system.
  return isMuch ? Math.min(availableParallelism(), maxThreads, files) : 1;
}

/** Does a job; what failed in it is done again here, where the error can be told. */
function doTogether(job: HashJob, places: readonly FilesBelow[], threads: number): void {
  if (threads > 1) {
    ask({ job, places: places.map(({ root, files }) => ({ root, files: files.join("\0") })) }, threads - 1);
  }
  work(job, places);
  if (threads > 1) awaitHelpers(job);
  job.outcomes.forEach((outcome, file) => {
    if (outcome === outcomes.open) tryAgain(job, file, pathOf(places, file));
  });
}

/** A large file that comes last would keep one thread busy while the others have nothing left to do. */
function largestFirst(files: readonly FileToHash[]): Uint32Array {
  const large: number[] = [];
  const small: number[] = [];
  files.forEach((file, index) => (file.size >= chunkBytes ? large : small).push(index));
  large.sort((a, b) => (files[b]?.size ?? 0) - (files[a]?.size ?? 0));
  return Uint32Array.from([...large, ...small]);
}

function jobOf(sizes: Float64Array, shared: boolean, clock?: FileSystemClock): HashJob {
  const files = sizes.length;
  const starts = [0];
  let filled = 0;
  for (let slot = 0; slot < files; slot++) {
    filled += Math.max(0, sizes[slot] ?? 0);
    if (filled >= chunkBytes || slot + 1 - (starts.at(-1) ?? 0) >= chunkFiles) {
      starts.push(slot + 1);
      filled = 0;
    }
  }
  if (starts.at(-1) !== files) starts.push(files);
  const memory = (length: number) => (shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length));
  return {
    sizes,
    starts: Uint32Array.from(starts),
    control: new Int32Array(memory(12)),
    outcomes: new Uint8Array(memory(files)),
    stamps: new BigInt64Array(memory(files * stampFields * 8)),
    devices: new BigUint64Array(memory(files * 8)),
    executable: new Uint8Array(memory(files)),
    digests: new Uint8Array(memory(files * digestBytes)),
    clock,
  };
}

function ask(shared: SharedJob, wanted: number): void {
  while (helpers.length < wanted) {
    // Under type stripping the source runs as it is, in a build as JavaScript.
    const script = import.meta.url.endsWith(".ts")
      ? new URL("./hash-worker.ts", import.meta.url)
      : new URL("./hash-worker.js", import.meta.url);
    try {
      // Loaders that the main thread was started with are no business of this thread and slow to start.
      const helper = new Worker(script, { execArgv: [], name: "mlpipe-hash" });
      helper.unref();
      const forget = (): void => {
        const index = helpers.indexOf(helper);
        if (index >= 0) helpers.splice(index, 1);
      };
      helper.on("error", forget);
      helper.on("exit", forget);
      helpers.push(helper);
    } catch {
      // No thread to be had (a limit on processes): the work is done here instead.
      break;
    }
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: it has no origin
  for (const helper of helpers.slice(0, wanted)) helper.postMessage(shared);
}

/** Waits for chunks that helpers took. A helper that died holds on to its chunk for ever, hence the patience. */
function awaitHelpers(job: HashJob): void {
  const { control, starts } = job;
  const chunks = starts.length - 1;
  let beat = Atomics.load(control, BEAT);
  let quietSince = performance.now();
  for (let done = Atomics.load(control, DONE); done < chunks; done = Atomics.load(control, DONE)) {
    Atomics.wait(control, DONE, done, 100);
    const now = Atomics.load(control, BEAT) + Atomics.load(control, DONE);
    if (now !== beat) {
      beat = now;
      quietSince = performance.now();
    } else if (performance.now() - quietSince > patienceMs) {
      return;
    }
  }
}

/** What the system says where a file is no longer, or is a link, a folder, a socket or a pipe now. */
const somethingElse = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "ENXIO", "EAGAIN"]);

/** For a file whose first reading failed, in whichever thread: here the error can be told. */
function tryAgain(job: HashJob, slot: number, path: string): void {
  try {
    withPath("read", path, () => workOn(job, slot, path));
  } catch (error) {
    // That is a change, and the caller looks again.
    if (!(error instanceof StoreError) || !somethingElse.has(error.errno ?? "")) throw error;
    job.outcomes[slot] = outcomes.changed;
  }
}

function inverse(order: Uint32Array): Uint32Array {
  const places = new Uint32Array(order.length);
  order.forEach((file, slot) => (places[file] = slot));
  return places;
}

/** The error for a file that did not hold still, after the second try. */
export function changedError(path: string): StoreError {
  return new StoreError("MLP4008", `${shown(path)} changed while it was read, twice`, {
    path,
    hint: "Wait until whatever writes it is done, and run again.",
  });
}
