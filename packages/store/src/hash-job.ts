import { closeSync, constants, lstatSync, openSync, readSync, type BigIntStats } from "node:fs";
import { createHash, hash } from "node:crypto";

/**
 * Files to hash, in a form that threads can share: whoever works on it takes the next chunk and writes what it found
 * into the record of each file. Nothing here knows whether one thread works on it or several.
 */
export interface HashJob {
  readonly paths: readonly string[];
  /**
   * Sizes as of the stat that decided to hash; a file of another length has changed. `onlyStamp` for a file that is to be
   * looked at and not read.
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
  /** 32 bytes per file. */
  readonly digests: Uint8Array;
}

/** In the place of a size: the stamp alone is wanted. */
export const onlyStamp = -1;

const NEXT = 0;
export const DONE = 1;
/** Counts up while a thread reads, so that a thread that waits can tell a slow disk from a thread that died. */
export const BEAT = 2;

export const digestBytes = 32;

export const outcomes = {
  /** Not done, or failed: do it again on the thread that asked, where the error can be reported. */
  open: 0,
  hashed: 1,
  /** The file is longer or shorter than its stat said. */
  changed: 2,
} as const;

// Beyond the caches of the processor a larger buffer is slower again (measured: 700 ms for 1 GiB up to 1 MiB, 735 at 4 MiB).
const bufferBytes = 512 * 1024;
let buffer: Buffer | undefined;

/** Takes chunks until none is left. Returns the first error met; its file stays `open`. */
export function work(job: HashJob): unknown {
  let failure: unknown;
  const { control, starts } = job;
  const chunks = starts.length - 1;
  for (let chunk = Atomics.add(control, NEXT, 1); chunk < chunks; chunk = Atomics.add(control, NEXT, 1)) {
    const end = starts[chunk + 1] ?? 0;
    for (let file = starts[chunk] ?? 0; file < end; file++) {
      try {
        hashInto(job, file);
      } catch (error) {
        failure ??= error;
      }
    }
    Atomics.add(control, DONE, 1);
    Atomics.notify(control, DONE);
  }
  return failure;
}

/** Hashes one file of a job into its record. */
export function hashInto(job: HashJob, file: number): void {
  const path = job.paths[file] ?? "";
  const size = job.sizes[file] ?? 0;
  if (size === onlyStamp) {
    writeStamp(job.stamps, file * stampFields, lstatSync(path, { bigint: true }));
    job.outcomes[file] = outcomes.hashed;
    return;
  }
  const digest = hashFile(path, size, job.control);
  if (digest === undefined) {
    job.outcomes[file] = outcomes.changed;
    return;
  }
  // By name and not by descriptor: a file that was replaced while its old self was read has changed as well.
  writeStamp(job.stamps, file * stampFields, lstatSync(path, { bigint: true }));
  job.digests.set(digest, file * digestBytes);
  // Last, because it says that the rest is there.
  job.outcomes[file] = outcomes.hashed;
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
  // Non-blocking: should a pipe have taken the place of the file, opening it must not wait for a writer.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
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
