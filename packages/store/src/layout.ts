import { randomUUID } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { StoreError, errnoOf, withPath } from "./errors.ts";
import { isUuid } from "./uuid7.ts";

/** Where things lie in a store. */
export interface Layout {
  readonly root: string;
  readonly objects: string;
  readonly runs: string;
  readonly attempts: string;
  readonly checkpoints: string;
  readonly database: string;
  readonly ignore: string;
  /** Its mtime says when gc last dropped cache entries. */
  readonly stamp: string;
}

export function layoutOf(root: string): Layout {
  return {
    root,
    objects: join(root, "objects"),
    runs: join(root, "runs"),
    attempts: join(root, "attempts"),
    checkpoints: join(root, "checkpoints"),
    database: join(root, "state.db"),
    ignore: join(root, ".gitignore"),
    stamp: join(root, "gc.stamp"),
  };
}

/** Makes what is missing of a store. Cheap when nothing is: three stats and one for the ignore file. */
export function makeLayout(layout: Layout): void {
  for (const folder of [layout.root, layout.objects, layout.runs]) makePrivate(folder);
  makeAttempts(layout.attempts);
  if (lstatSync(layout.ignore, { throwIfNoEntry: false }) !== undefined) return;
  withPath("write", layout.ignore, () => {
    try {
      writeFileSync(layout.ignore, "*\n", { flag: "wx", mode: 0o600 });
    } catch (error) {
      // Another process was faster.
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  });
}

/**
 * Makes the folder of attempts. A link in its place leads to the folder of another store, where others make and delete
 * what they like, or nowhere: earlier versions left one in a project that had used a store elsewhere. Only the link goes.
 */
export function makeAttempts(folder: string): void {
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink() !== true) {
    makePrivate(folder, stats);
    return;
  }
  withPath("remove the link", folder, () => {
    try {
      unlinkSync(folder);
    } catch (error) {
      // Another process was faster, and may have made the folder too: this never removes one.
      if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() === true) throw error;
    }
  });
  makePrivate(folder);
}

/** Makes a folder that only its owner may enter, whatever the umask. Returns whether it was made. */
export function makePrivate(folder: string, known?: Stats): boolean {
  return withPath("make the folder", folder, () => {
    const stats = known ?? lstatSync(folder, { throwIfNoEntry: false });
    if (stats !== undefined) {
      // A link is the user's choice of another place for it; what lies there has its own permissions.
      if (stats.isDirectory() && (stats.mode & 0o022) !== 0) chmodSync(folder, 0o700);
      return false;
    }
    const made = mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined;
    // A umask can only take permissions away, so this is for umasks that take the owner's.
    if (made) chmodSync(folder, 0o700);
    return made;
  });
}

/** The folder of a run. @throws StoreError `MLP4011` for what is not an id, before a path is made of it */
export function runFolder(layout: Layout, run: string): string {
  if (isUuid(run)) return join(layout.runs, run);
  throw new StoreError("MLP4011", `expected the id of a run, got ${JSON.stringify(run)}`, { exit: 2 });
}

/** Where the records of a run lie. */
export function recordsPath(layout: Layout, run: string): string {
  return join(runFolder(layout, run), "records.jsonl");
}

/** The runs that have a folder, oldest first. */
export function runsOnDisk(layout: Layout): readonly string[] {
  if (!existsSync(layout.runs)) return [];
  return withPath("list", layout.runs, () => readdirSync(layout.runs).filter(isUuid).toSorted());
}

/** Whether any run has written records here. */
export function hasRecords(layout: Layout): boolean {
  return runsOnDisk(layout).some(
    (run) => (lstatSync(recordsPath(layout, run), { throwIfNoEntry: false })?.size ?? 0) > 0,
  );
}

/** A new path for something unfinished, on the file system of the store. */
export function temporaryPath(layout: Layout): string {
  return join(layout.attempts, `.tmp-${randomUUID()}`);
}

/** Takes something out of its place in one step, then deletes it: nobody ever sees half of it under its name. */
export function discard(layout: Layout, path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  const aside = temporaryPath(layout);
  withPath("remove", path, () => {
    // Moving a folder elsewhere changes its `..`, for which it has to be writable.
    if (stats.isDirectory()) chmodSync(path, 0o700);
    try {
      renameSync(path, aside);
    } catch (error) {
      if (errnoOf(error) !== "EXDEV") throw error;
      // A folder of a container's image, which its file system (overlayfs) can delete and never move.
      removeAll(path);
    }
    removeAll(aside);
  });
}

/** Deletes a file, a link, or a folder with read-only folders in it. Links are not followed; what is not there is no error. */
export function removeAll(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) unlock(path);
  rmSync(path, { recursive: true, force: true });
}

function unlock(folder: string): void {
  // Bytes, because a step may have left names that are not UTF-8.
  const pending = [Buffer.from(folder)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    // One that is open may belong to somebody else, who alone could change it.
    if ((lstatSync(path).mode & 0o700) !== 0o700) chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true, encoding: "buffer" })) {
      if (entry.isDirectory()) pending.push(Buffer.concat([path, Buffer.from("/"), entry.name]));
    }
  }
}
