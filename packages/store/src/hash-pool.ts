import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { asDigest, type Digest } from "./digest.ts";
import { StoreError, shown, withPath } from "./errors.ts";
import {
  BEAT,
  DONE,
  digestBytes,
  hashInto,
  onlyStamp,
  outcomes,
  stampFields,
  work,
  type HashJob,
} from "./hash-job.ts";

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

/**
 * Hashes files, on several threads when there is enough to do for starting them to pay. The caller waits and works
 * itself meanwhile, so threads that are slow to start, or cannot be started at all, cost nothing but their absence.
 *
 * @throws StoreError `MLP4006` or `MLP4005` for a file that cannot be read
 */
export function hashFiles(files: readonly FileToHash[]): HashedFiles {
  let bytes = 0;
  for (const file of files) bytes += file.size;
  // Asked only when it counts: to count the processors reads files of the system.
  const isMuch = files.length > 1 && (bytes >= worthBytes || files.length >= worthFiles);
  const threads = isMuch ? Math.min(availableParallelism(), maxThreads, files.length) : 1;
  const shared = threads > 1;

  const order = shared ? largestFirst(files) : undefined;
  const job = jobOf(files, order, shared);
  if (shared) ask(job, threads - 1);
  work(job);
  if (shared) awaitHelpers(job);
  for (let slot = 0; slot < files.length; slot++)
    if (job.outcomes[slot] === outcomes.open) tryAgain(job, slot);

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

/**
 * Whether files still look as they did, on several threads when there are many; one that cannot be looked at does not.
 *
 * @param before four numbers per file
 */
export function haveStamps(paths: readonly string[], before: BigInt64Array): boolean {
  const threads = Math.min(availableParallelism(), maxThreads);
  const shared = threads > 1 && paths.length >= worthFiles;
  const files = paths.map((path) => ({ path, size: onlyStamp }));
  const job = jobOf(files, undefined, shared);
  if (shared) ask(job, threads - 1);
  if (work(job) !== undefined) return false;
  if (shared) awaitHelpers(job);
  return (
    job.outcomes.every((outcome) => outcome === outcomes.hashed) &&
    Buffer.from(job.stamps.buffer).equals(Buffer.from(before.buffer, before.byteOffset, before.byteLength))
  );
}

/** A large file that comes last would keep one thread busy while the others have nothing left to do. */
function largestFirst(files: readonly FileToHash[]): Uint32Array {
  const large: number[] = [];
  const small: number[] = [];
  files.forEach((file, index) => (file.size >= chunkBytes ? large : small).push(index));
  large.sort((a, b) => (files[b]?.size ?? 0) - (files[a]?.size ?? 0));
  return Uint32Array.from([...large, ...small]);
}

function jobOf(files: readonly FileToHash[], order: Uint32Array | undefined, shared: boolean): HashJob {
  const paths: string[] = [];
  const sizes = new Float64Array(files.length);
  const starts = [0];
  let filled = 0;
  for (let slot = 0; slot < files.length; slot++) {
    const file = files[order?.[slot] ?? slot];
    if (file === undefined) continue;
    paths.push(file.path);
    sizes[slot] = file.size;
    filled += file.size;
    if (filled >= chunkBytes || slot + 1 - (starts.at(-1) ?? 0) >= chunkFiles) {
      starts.push(slot + 1);
      filled = 0;
    }
  }
  if (starts.at(-1) !== files.length) starts.push(files.length);
  const memory = (length: number) => (shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length));
  return {
    paths,
    sizes,
    starts: Uint32Array.from(starts),
    control: new Int32Array(memory(12)),
    outcomes: new Uint8Array(memory(files.length)),
    stamps: new BigInt64Array(memory(files.length * stampFields * 8)),
    digests: new Uint8Array(memory(files.length * digestBytes)),
  };
}

function ask(job: HashJob, wanted: number): void {
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
  for (const helper of helpers.slice(0, wanted)) helper.postMessage(job);
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

/** For a file whose first reading failed, in whichever thread: here the error can be told. */
function tryAgain(job: HashJob, slot: number): void {
  try {
    withPath("read", job.paths[slot] ?? "", () => hashInto(job, slot));
  } catch (error) {
    // Gone, or a link where the stat saw a file: that is a change, and the caller looks again.
    if (!(error instanceof StoreError) || (error.errno !== "ELOOP" && error.errno !== "ENOENT")) throw error;
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
