import { readdirSync, readlinkSync } from "node:fs";
import { lastChangeIn, lastChangeOf } from "./last-change.ts";
import { StoreError } from "./errors.ts";
import type { Content, Digest } from "./digest.ts";
import { knownAt, type Memory } from "./reading.ts";
import type { FileSystemClock } from "./hash-job.ts";
import { haveStamps } from "./hash-pool.ts";
import { commonDevice, type FolderWalk, hasMoved } from "./walk.ts";

/**
 * How a source was when a step began to read it, to be held against how it is when the step has ended. Nobody can set the
 * time of a change, so one that was taken back shows as well.
 */
export type ChangeMark =
  /** When it was last changed. */
  | { readonly lastChange: bigint }
  /** A time of its file system that came after its last change: whatever changes it from now on has that time or a later one. */
  | { readonly now: bigint };

/** What was seen of a folder when all of it was read. */
export interface ReadFolder {
  readonly walk: FolderWalk;
  readonly content: Content;
  readonly lastChange: bigint;
  /** The file system of all its files; nothing if there are several, or no files. */
  readonly device: bigint | undefined;
  /** Whether every entry that came or went since it was listed is bound to show in the times of its folders. */
  readonly showsEntries: boolean;
}

/** What a walk of a folder says of the time in which it was read. */
export function readFolder(walk: FolderWalk, content: Content, showsEntries: boolean): ReadFolder {
  return { walk, content, lastChange: lastChangeIn(walk), device: commonDevice(walk), showsEntries };
}

/**
 * The mark of a source. A folder that this process has read before the present tick of the clock needs no second look: what
 * was changed since, and before this moment, shows in its content or does not matter.
 *
 * @returns nothing where it cannot be told, because the source is not there, say
 */
export function markOf(
  path: string,
  read: ReadFolder | undefined,
  clock: () => FileSystemClock,
): ChangeMark | undefined {
  if (read?.device !== undefined) {
    const { device, ctimeNs } = clock();
    if (device === read.device && read.lastChange < ctimeNs) return { now: ctimeNs };
  }
  try {
    return { lastChange: lastChangeOf(path) };
  } catch {
    return undefined;
  }
}

/** Whether a source has a content, and was not changed since a mark. */
export function isUnchangedSince(
  path: string,
  digest: Digest,
  mark: ChangeMark,
  index: Memory & { contentOf(path: string): Content },
  read: ReadFolder | undefined,
): boolean {
  const seen = read !== undefined && looksAsRead(read) ? read : seenAgain(path, index);
  if (seen?.content.digest !== digest) return false;
  return "now" in mark ? seen.lastChange < mark.now : seen.lastChange === mark.lastChange;
}

/**
 * Whether all that a walk saw is there as it was, and nothing else: as good as a second walk, without names to sort and
 * with the files looked at by several threads. Entries are counted where one could have come in the very tick in which its
 * folder was listed, which does not show in the folder's times.
 */
function looksAsRead({ walk, showsEntries }: ReadFolder): boolean {
  try {
    if (hasMoved(walk)) return false;
    return (
      (showsEntries || entriesIn(walk) === walk.entries) &&
      walk.links.every(({ path, target }) => readlinkSync(`${walk.root}/${path}`) === target) &&
      haveStamps(walk, walk.stamps)
    );
  } catch {
    // Whatever it is, whoever looks closely will tell.
    return false;
  }
}

function entriesIn({ folders }: FolderWalk): number {
  return folders.reduce((sum, { path }) => sum + readdirSync(path).length, 0);
}

function seenAgain(
  path: string,
  index: Memory & { contentOf(path: string): Content },
): { readonly content: Content; readonly lastChange: bigint } | undefined {
  try {
    const known = knownAt(path, index);
    if (known !== undefined) return known;
    // The time last: what was read here is then what was there all the while.
    const content = index.contentOf(path);
    return { content, lastChange: lastChangeOf(path) };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === "MLP4006" || error.code === "MLP4008") return undefined;
    throw error;
  }
}
