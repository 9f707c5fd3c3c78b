import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { createHash, hash } from "node:crypto";

/**
 * Files to look at or to hash, in a form that threads can share: whoever works on it takes the next chunk and writes what
 * it found into the record of each file. Nothing here knows whether one thread works on it or several.
 */
export interface HashJob {
  /**
   * Sizes as of the stat that decided to hash; a file of another length has changed. `onlyStamp` for a file that is to be
   * looked at and not read, `notSeen` for one that nobody has looked at yet.
   */
  readonly sizes: Float64Array;
  /** Chunk c holds the files `starts[c]` up to `starts[c + 1]`. */
  readonly starts: Uint32Array;
  /** `[next chunk, chunks done, heartbeat]`. */
  readonly control: Int32Array;
  /** One of `outcomes` per file. */
  readonly outcomes: Uint8Array;
  /** Per file the stamp of a stat taken after the last byte was read. */
  readonly stamps: BigInt64Array;
  /** Per file the number of its file system. */
  readonly devices: BigUint64Array;
  /** 1 for a file that its owner may execute. */
  readonly executable: Uint8Array;
  /** 32 bytes per file. */
  readonly digests: Uint8Array;
  /** What the clock of their file system was before the first file was listed; nothing where it cannot be asked. */
  readonly clock: FileSystemClock | undefined;
}

/** A file system, and a time of its clock. */
export interface FileSystemClock {
  /** Nothing where no file can be touched. */
  readonly device: bigint | undefined;
  readonly ctimeNs: bigint;
}

/** Files below one folder: no thread has to hold the whole path of each. */
export interface FilesBelow {
  /** Nothing before absolute paths. */
  readonly root: string;
  readonly files: readonly string[];
}

/** What a thread is sent. One text crosses in a fraction of the time that as many paths take. */
export interface SharedJob {
  readonly job: HashJob;
  readonly places: readonly {
    readonly root: string;
    /** With NUL between them. */
    readonly files: string;
  }[];
}

/** The places of a job that was sent. */
export function placesOf({ places }: SharedJob): readonly FilesBelow[] {
  return places.map(({ root, files }) => ({ root, files: files === "" ? [] : files.split("\0") }));
}

/** In the place of a size: the stamp alone is wanted. */
export const onlyStamp = -1;

/** In the place of a size: to be looked at, and read if it is small. */
export const notSeen = -2;

const NEXT = 0;
export const DONE = 1;
/** Counts up while a thread reads, so that a thread that waits can tell a slow disk from a thread that died. */
export const BEAT = 2;

export const digestBytes = 32;

export const outcomes = {
  /** Not done, or failed: do it again on the thread that asked, where the error can be reported. */
  open: 0,
  hashed: 1,
  /** The file is longer or shorter than its stat said, or no file any more. */
  changed: 2,
  /** Seen, and too large to be read without knowing how much there is of others. */
  seen: 3,
} as const;

/** What is read at first sight. So few bytes that it does not matter in which order, or by which thread. */
const smallBytes = 16 * 1024;

// Beyond the caches of the processor a larger buffer is slower again (measured: 700 ms for 1 GiB up to 1 MiB, 735 at 4 MiB).
const bufferBytes = 512 * 1024;
let buffer: Buffer | undefined;

// Non-blocking: should a pipe have taken the place of the file, opening it must not wait for a writer.
const forReading = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Takes chunks until none is left. Returns the first error met; its file stays `open`. */
export function work(job: HashJob, places: readonly FilesBelow[]): unknown {
  let failure: unknown;
  const { control, starts } = job;
  const chunks = starts.length - 1;
  for (let chunk = Atomics.add(control, NEXT, 1); chunk < chunks; chunk = Atomics.add(control, NEXT, 1)) {
    const start = starts[chunk] ?? 0;
    eachFile(places, start, starts[chunk + 1] ?? 0, (file, path) => {
      try {
        workOn(job, file, path);
      } catch (error) {
        failure ??= error;
      }
    });
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
  return failure;
}

/** The files of some places from one number up to another, as they are counted through all. */
function eachFile(
  places: readonly FilesBelow[],
  from: number,
  to: number,
  visit: (file: number, path: string) => void,
): void {
  let first = 0;
  for (const { root, files } of places) {
    const end = Math.min(to, first + files.length);
    for (let file = Math.max(from, first); file < end; file++) {
      const name = files[file - first] ?? "";
      visit(file, root === "" ? name : `${root}/${name}`);
    }
    first += files.length;
    if (first >= to) return;
  }
}

/** The path of a file by its number. */
export function pathOf(places: readonly FilesBelow[], number: number): string {
  let found = "";
  eachFile(places, number, number + 1, (_, path) => (found = path));
  return found;
}

/** Does what a job asks of one file, and writes it into its record. */
export function workOn(job: HashJob, file: number, path: string): void {
  const size = job.sizes[file] ?? 0;
  if (size === notSeen) {
    readAtSight(job, file, path);
    return;
  }
  if (size !== onlyStamp) {
    const digest = hashFile(path, size, job.control);
    if (digest === undefined) {
      job.outcomes[file] = outcomes.changed;
      return;
    }
    job.digests.set(digest, file * digestBytes);
  }
  // By name and not by descriptor: a file that was replaced while its old self was read has changed as well.
  const stats = lstatSync(path, { bigint: true });
  writeStats(job, file, stats);
  // Last, because it says that the rest is there.
  job.outcomes[file] = stats.isFile() ? outcomes.hashed : outcomes.changed;
}

/**
 * Looks at a file and reads it, if it is small, by one descriptor: no name is looked up again, which is half the time.
 * That its name was given to another file meanwhile shows in its folder, at which whoever asks looks again afterwards.
 *
 * One whose last change is older than the clock was changed neither while it was read nor since it was listed, and that
 * one look tells. Where there is no clock to ask, or it is younger, two are compared.
 */
function readAtSight(job: HashJob, file: number, path: string): void {
  const bytes = (buffer ??= Buffer.allocUnsafeSlow(bufferBytes));
  const descriptor = openSync(path, forReading);
  try {
    let before = job.clock === undefined ? fstatSync(descriptor, { bigint: true }) : undefined;
    // A byte more than is read at sight, to see whether there is more.
    let length = readSync(descriptor, bytes, 0, smallBytes + 1, null);
    let after = fstatSync(descriptor, { bigint: true });
    if (before === undefined && !isOlder(after, job.clock) && after.isFile()) {
      before = after;
      length = readSync(descriptor, bytes, 0, smallBytes + 1, 0);
      after = fstatSync(descriptor, { bigint: true });
    }
    writeStats(job, file, after);
    if (!after.isFile() || (before !== undefined && !looksAs(after, before))) {
      job.outcomes[file] = outcomes.changed;
    } else if (length > smallBytes || length !== Number(after.size)) {
      job.outcomes[file] = outcomes.seen;
    } else {
      // Into the shared bytes as they are: an array of a digest's own takes longer to make than the digest.
      const digest = hash("sha256", bytes.subarray(0, length), "hex");
      digestsOf(job).write(digest, file * digestBytes, "hex");
      job.outcomes[file] = outcomes.hashed;
    }
  } finally {
    closeSync(descriptor);
  }
}

function isOlder(stats: BigIntStats, clock: FileSystemClock | undefined): boolean {
  return stats.dev === clock?.device && stats.ctimeNs < clock.ctimeNs;
}

function looksAs(after: BigIntStats, before: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
}

const buffers = new WeakMap<HashJob, Buffer>();

function digestsOf(job: HashJob): Buffer {
  let digests = buffers.get(job);
  if (digests === undefined) {
    digests = Buffer.from(job.digests.buffer);
    buffers.set(job, digests);
  }
  return digests;
}

function writeStats(job: HashJob, file: number, stats: BigIntStats): void {
  writeStamp(job.stamps, file * stampFields, stats);
  job.devices[file] = stats.dev;
  job.executable[file] = isExecutable(stats) ? 1 : 0;
}

/** Whether the owner may execute a file: all of its permissions that is content. */
export function isExecutable(stats: BigIntStats): boolean {
  return (stats.mode & 0o100n) !== 0n;
}

export const stampFields = 4;

/** What tells a file from its later self: size, mtime and ctime in nanoseconds, inode. */
export function writeStamp(fields: BigInt64Array, at: number, stats: BigIntStats): void {
  fields[at] = stats.size;
  fields[at + 1] = stats.mtimeNs;
  fields[at + 2] = stats.ctimeNs;
  // Inodes are unsigned and may use all 64 bits; the array keeps the low 64 of whatever it is given.
  fields[at + 3] = stats.ino;
}

/** The sha256 of a regular file, or `undefined` if it does not have the expected length. */
function hashFile(path: string, size: number, control: Int32Array): Uint8Array | undefined {
  buffer ??= Buffer.allocUnsafeSlow(bufferBytes);
  const descriptor = openSync(path, forReading);
  try {
    let length = readSync(descriptor, buffer, 0, bufferBytes, null);
    // One read got it all. The stat after reading notices a file that grew in between.
    if (length === size && length < bufferBytes) return hash("sha256", buffer.subarray(0, length), "buffer");
    const state = createHash("sha256");
    let total = 0;
    while (length > 0) {
      total += length;
      if (total > size) return undefined;
      state.update(length === bufferBytes ? buffer : buffer.subarray(0, length));
      Atomics.add(control, BEAT, 1);
      length = readSync(descriptor, buffer, 0, bufferBytes, null);
    }
    return total === size ? state.digest() : undefined;
  } finally {
    closeSync(descriptor);
  }
}
