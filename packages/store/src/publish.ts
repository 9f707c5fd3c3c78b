import { chmodSync, constants, copyFileSync, lstatSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Database } from "./database.ts";
import type { Content, Digest } from "./digest.ts";
import { makeDurable, makeDurableSoon } from "./durability.ts";
import { StoreError, errnoOf, shown, withPath } from "./errors.ts";
import { discard, temporaryPath, type Layout } from "./layout.ts";
import type { StoredObjects } from "./objects.ts";
import { hashPath } from "./reading.ts";
import { manifestIf, rememberedDigests } from "./tree.ts";
import { Unsteady } from "./unsteady.ts";
import { type FolderWalk, walkFolder } from "./walk.ts";

/** What one step leaves behind: files and folders, and the rows that speak of them. */
export interface Publication {
  /** Each path lies in `attempts/` and holds the content; it is moved away, or deleted if the object exists. */
  readonly objects: readonly { readonly path: string; readonly content: Content }[];
  /** Puts cache entries, step runs, records, parts, receipts. Called once, when all objects of the batch are durable. */
  rows(): void;
}

/** A finished file or folder and its place. */
interface Move {
  readonly from: string;
  readonly to: string;
  readonly isFolder: boolean;
}

/**
 * Group commit: (1) every object of the batch is checked and made read-only, (2) one sync makes all of them durable,
 * (3) they are renamed to their digests, (4) one sync makes the names durable, (5) the rows of all publications are
 * written in one transaction. A crash at any point leaves objects without rows at worst, which harm nobody, and never
 * a row without its objects.
 */
export function publishBatch(...what: Parameters<typeof publishing>): void {
  for (const paths of publishing(...what)) makeDurable(paths);
}

/** The same, and while the disk is at work others may be. */
export async function publishBatchSoon(...what: Parameters<typeof publishing>): Promise<void> {
  for (const paths of publishing(...what)) await makeDurableSoon(paths);
}

/** The steps of a group commit. What it yields has to be durable before it goes on. */
function* publishing(
  batch: readonly Publication[],
  layout: Layout,
  objects: StoredObjects,
  database: Database,
): Generator<readonly string[], void, void> {
  const made = batch.flatMap((publication) => publication.objects);
  const twins = yield* keeping(made, layout, objects);
  database.transaction(() => {
    // What was there a moment ago may have been collected since. From here on it cannot be: that takes this lock.
    const gone = twins.filter(({ content }) => !objects.has(content));
    for (const paths of keeping(gone, layout, objects)) makeDurable(paths);
    for (const publication of batch) publication.rows();
  });
  for (const { path } of twins) discard(layout, path);
}

/** Steps 1 to 4. Returns those that are objects already; they stay where they are. */
function* keeping(
  made: Publication["objects"],
  layout: Layout,
  objects: StoredObjects,
): Generator<readonly string[], Publication["objects"], void> {
  const moves: Move[] = [];
  const unsynced: string[] = [];
  const twins: { readonly path: string; readonly content: Content }[] = [];
  const folders = new Set<string>();
  for (const { path, content } of made) {
    const to = objects.pathOf(content);
    if (objects.has(content)) {
      // Somebody may have renamed it a moment ago and not have come to the sync of its folder yet.
      folders.add(dirname(to));
      twins.push({ path, content });
      continue;
    }
    withPath("keep", path, () => {
      if (content.type === "file") unsynced.push(sealFile(path, content, layout));
      else {
        const manifest = sealTree(path, content, layout, unsynced);
        moves.push({ from: manifest, to: objects.manifestPath(content), isFolder: false });
      }
    });
    moves.push({ from: path, to, isFolder: content.type === "tree" });
  }
  if (unsynced.length > 0) yield unsynced;
  for (const move of moves) {
    for (const folder of placeOrDrop(move, layout, objects)) folders.add(folder);
  }
  if (folders.size > 0) yield [...folders];
  return twins;
}

/** Renames to the final place. What is there already stays, and ours goes: equal digests are equal contents. */
function placeOrDrop(
  { from, to, isFolder }: Move,
  layout: Layout,
  objects: StoredObjects,
): readonly string[] {
  return withPath("keep", to, () => {
    try {
      const folders = objects.place(from, to);
      // Only now: a folder that moves has to be writable, because its `..` changes.
      if (isFolder) chmodSync(to, 0o555);
      return folders;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "ENOTEMPTY" && errno !== "EEXIST" && errno !== "EISDIR" && errno !== "ENOTDIR")
        throw error;
    }
    const there = lstatSync(to, { throwIfNoEntry: false });
    if (isFolder && there?.isDirectory() === true) {
      // Another process, or an earlier publication of this batch, was faster.
      discard(layout, from);
      return [dirname(to)];
    }
    // Something of another type under this name is no object at all.
    discard(layout, to);
    const folders = objects.place(from, to);
    if (isFolder) chmodSync(to, 0o555);
    return folders;
  });
}

/** Checks a file and makes it read-only. Returns its path, to be made durable. */
function sealFile(path: string, content: Content, layout: Layout): string {
  const stats = lstatSync(path);
  if (!stats.isFile()) throw differs(path, "it is no longer a file");
  if (stats.size !== content.size)
    throw differs(path, `it has ${stats.size} bytes instead of ${content.size}`);
  if (stats.nlink > 1) separate(path, content.digest, layout);
  chmodSync(path, 0o444);
  return path;
}

/**
 * Checks a folder against its manifest, makes everything in it read-only, and writes the manifest. Returns the path of
 * that; adds what has to be made durable.
 */
function sealTree(path: string, content: Content, layout: Layout, unsynced: string[]): string {
  if (!lstatSync(path).isDirectory()) throw differs(path, "it is no longer a folder");
  const walk = walkSteadily(path);
  const digests = rememberedDigests(content) ?? readAgain(path, content);
  const manifest = manifestIf(walk, digests, content);
  if (manifest === undefined) throw differs(path, "other entries, lengths or modes are in it");
  walk.files.forEach((name, i) => {
    const file = `${path}/${name}`;
    const digest = digests[i];
    if (digest !== undefined && lstatSync(file).nlink > 1) separate(file, digest, layout);
    chmodSync(file, walk.executable[i] === 1 ? 0o555 : 0o444);
    unsynced.push(file);
  });
  for (const folder of walk.folders) {
    chmodSync(folder.path, folder.path === path ? 0o700 : 0o555);
    unsynced.push(folder.path);
  }
  const written = temporaryPath(layout);
  writeFileSync(written, manifest, { flag: "wx", mode: 0o600 });
  chmodSync(written, 0o444);
  unsynced.push(written);
  return written;
}

/** Hashes a folder again, for a content that came from another process and so without what it was made of. */
function readAgain(path: string, content: Content): readonly Digest[] {
  const again = hashPath(path);
  const digests = rememberedDigests(again);
  if (again.digest !== content.digest || digests === undefined) throw differs(path, "it has another digest");
  return digests;
}

function walkSteadily(path: string): FolderWalk {
  try {
    return walkFolder(path);
  } catch (error) {
    if (error instanceof Unsteady) throw differs(error.path, "it is being changed");
    throw error;
  }
}

/**
 * Replaces a file that has a second name by a copy. A step may well have linked its input to its output, and whoever
 * writes to the other name would write into the object.
 */
function separate(path: string, digest: string, layout: Layout): void {
  const copy = temporaryPath(layout);
  try {
    const { mode } = lstatSync(path);
    copyFileSync(path, copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    chmodSync(copy, mode & 0o777);
    if (hashPath(copy).digest !== digest) throw differs(path, "it has another digest");
    renameSync(copy, path);
  } catch (error) {
    discard(layout, copy);
    throw error;
  }
}

function differs(path: string, how: string): StoreError {
  return new StoreError("MLP4010", `${shown(path)} is not what was hashed: ${how}`, {
    path,
    hint: "Something wrote to it after its step had ended. Make the step wait for the processes it starts.",
  });
}
