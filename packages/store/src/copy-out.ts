import { randomUUID } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import type { Content } from "./digest.ts";
import { makeDurable } from "./durability.ts";
import { errnoOf, StoreError, shown, withPath } from "./errors.ts";
import { removeAll } from "./layout.ts";
import { hashPath } from "./reading.ts";
import type { Tree } from "./tree.ts";

/** An object and where a copy of it should go. */
export interface Copy {
  readonly from: string;
  readonly content: Content;
  /** For a folder: what of it to copy. */
  readonly tree: Tree | undefined;
  /** Absolute. */
  readonly to: string;
  /** The folder of all objects, into which no copy may go. */
  readonly objects: string;
}

/**
 * Makes the copy beside its destination, verifies it, and moves it there. Until the last moment the destination is
 * what it was; only a folder that replaces something else leaves an instant in which neither is there.
 */
export function copyObject({ from, content, tree, to, objects }: Copy): void {
  withPath("write", to, () => {
    mkdirSync(dirname(to), { recursive: true });
    const folder = realpathSync(dirname(to));
    if (`${folder}${sep}`.startsWith(realpathSync(objects) + sep)) {
      throw new StoreError("MLP4014", `${shown(to)} leads to the objects of a store`, { exit: 2, path: to });
    }
    const destination = join(folder, basename(to));
    const temporary = join(folder, `.mlpipe-${randomUUID()}`);
    try {
      const written =
        tree === undefined ? [copyFile(from, temporary, false)] : copyTree(from, temporary, tree);
      if (hashPath(temporary).digest !== content.digest) {
        throw new StoreError("MLP4009", `${shown(from)} is damaged: it has another digest`, {
          path: from,
          hint: "mlpipe verify --repair drops it, and the next run makes it anew.",
        });
      }
      makeDurable(written);
      moveOver(temporary, destination);
      makeDurable([folder]);
    } catch (error) {
      removeAll(temporary);
      throw error;
    }
  });
}

/** Copies one file, sharing its blocks where the file system can. Never a hard link: writing to it would change the object. */
function copyFile(from: string, to: string, executable: boolean): string {
  // Made first, so that the mode is what the umask of the user says, and exclusively, so that nothing is written through.
  const descriptor = openSync(to, "wx", 0o666);
  const mode = fstatSync(descriptor).mode & 0o777;
  closeSync(descriptor);
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  // Copying took the mode of the object along. Whoever may read it may execute it.
  chmodSync(to, executable ? mode | ((mode & 0o444) >> 2) : mode);
  return to;
}

/** The manifest has been checked: its paths stay inside, and nothing lies below a link. */
function copyTree(from: string, to: string, tree: Tree): readonly string[] {
  const written = [to];
  mkdirSync(to);
  const made = new Set([""]);
  const makeFolder = (path: string): void => {
    if (made.has(path)) return;
    const slash = path.lastIndexOf("/");
    makeFolder(slash < 0 ? "" : path.slice(0, slash));
    mkdirSync(`${to}/${path}`);
    made.add(path);
    written.push(`${to}/${path}`);
  };
  for (const entry of tree.entries) {
    const slash = entry.path.lastIndexOf("/");
    if (entry.type === "folder") {
      makeFolder(entry.path);
      continue;
    }
    makeFolder(slash < 0 ? "" : entry.path.slice(0, slash));
    const target = `${to}/${entry.path}`;
    if (entry.type === "link") symlinkSync(entry.target, target);
    else written.push(copyFile(`${from}/${entry.path}`, target, entry.mode === "x"));
  }
  return written;
}

/** So often somebody else may come first, before it is no coincidence. */
const tries = 100;

/**
 * A file or link takes the place of a file or link in one step. Folders cannot: what they replace moves aside first. Others may
 * do the same in this moment, and the last of them stays.
 */
function moveOver(from: string, to: string): void {
  for (let left = tries; !isMoved(from, to, left === 0); left--) {
    const aside = join(dirname(to), `.mlpipe-${randomUUID()}`);
    if (!isSetAside(to, aside)) continue;
    try {
      if (isMoved(from, to)) return;
    } catch (error) {
      renameSync(aside, to);
      throw error;
    } finally {
      removeAll(aside);
    }
  }
}

/** Takes what is at a place out of it. False if nothing is aside that could be put back. */
function isSetAside(place: string, aside: string): boolean {
  try {
    return isMoved(place, aside);
  } catch (error) {
    if (errnoOf(error) !== "EXDEV") throw error;
    // A folder of a container's image, which overlayfs cannot move. What takes its place is whole already.
    removeAll(place);
    return false;
  }
}

const inTheWay = new Set(["ENOTEMPTY", "EEXIST", "EISDIR", "ENOTDIR"]);

/** Renames; false if something of another sort is in the way, or what is to be moved has gone. */
function isMoved(from: string, to: string, isLast = false): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (isLast || code === undefined || (code !== "ENOENT" && !inTheWay.has(code))) throw error;
    return false;
  }
}
