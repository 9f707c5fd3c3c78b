/**
 * The folders that attempts work in. To make and delete three folders for every step is most of what a short step
 * costs on a journalling file system, so one that was left clean is given to the next attempt under its own name.
 */
import { randomUUID } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rm,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { join, sep } from "node:path";
import { promisify } from "node:util";
import { removeAll } from "@mlpipe/store";
import { endMarked } from "./supervisor/strays.ts";

// `node:fs/promises` takes as long to load as ten such folders to delete.
const remove = promisify(rm);

/** The places inside of one. */
const inside = ["in", "out"] as const;

/** More than are ever at work or ahead at once on a machine of usual size. */
const mostSpare = 64;

/** The work folders of one run. */
export class WorkFolders {
  /**
   * Clean ones, the last one that was left last. Each keeps its name until somebody else may want that: the next attempt
   * renames it anyway.
   */
  readonly #spare = new Set<string>();
  readonly #deleting = new Set<Promise<void>>();

  /** Makes an empty folder at a path. What a killed run left there is removed: its claim died with it. */
  make(path: string): void {
    if (this.#spare.delete(path)) return;
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      // They may still write here.
      endMarked(path);
      // A link that leads somewhere was made a moment ago, for a run on another store: that is refused below.
      if (!isLiveLink(path)) removeAll(path);
    }
    const spare = [...this.#spare].at(-1);
    if (spare !== undefined) {
      this.#spare.delete(spare);
      renameSync(spare, path);
      return;
    }
    for (const folder of [path, ...inside.map((name) => join(path, name))])
      mkdirSync(folder, { mode: 0o700 });
  }

  /** A new path beside a work folder, for a file that is to outlast it. */
  aside(path: string): string {
    // Put together by hand: every step asks.
    return `${path.slice(0, path.lastIndexOf(sep))}${sep}.tmp-${randomUUID()}`;
  }

  /** An attempt is over: its folder is for the next one, or deleted while other work goes on. */
  discard(path: string): void {
    try {
      if (this.#spare.size < mostSpare && isClean(path)) {
        this.#spare.add(path);
        return;
      }
    } catch {
      // A folder among the links, say.
    }
    const aside = this.aside(path);
    try {
      renameSync(path, aside);
    } catch {
      // It is not there any more.
      return;
    }
    this.#delete(aside);
  }

  /**
   * Gives the place of a folder that was discarded free: to be done before the claim of its key is given back, for then
   * another run may want it.
   */
  leave(path: string): void {
    if (!this.#spare.delete(path)) return;
    const aside = this.aside(path);
    try {
      renameSync(path, aside);
      this.#spare.add(aside);
    } catch {
      // Whoever wants the place removes what is there.
    }
  }

  /** Resolves when nothing is left to be tidied up. */
  async settle(): Promise<void> {
    const spares = [...this.#spare];
    this.#spare.clear();
    for (const spare of spares) {
      try {
        for (const name of inside) rmdirSync(join(spare, name));
        rmdirSync(spare);
      } catch {
        // Somebody whom nobody could find has written to it since.
        this.#delete(spare);
      }
    }
    await Promise.all(this.#deleting);
  }

  #delete(path: string): void {
    const deleting = remove(path, { recursive: true, force: true })
      .catch(() => {
        removeClosed(path);
      })
      .finally(() => this.#deleting.delete(deleting));
    this.#deleting.add(deleting);
  }
}

/** Deletes a folder in which a step has closed folders; what cannot be deleted is left to `mlpipe gc`, which says so. */
function removeClosed(path: string): void {
  try {
    removeAll(path);
  } catch {
    // Not even by its owner: something is mounted in it, say.
  }
}

function isLiveLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true && existsSync(path);
}

/** Whether nothing is left in a folder but links to inputs, which are taken out. Throws where that cannot be. */
function isClean(folder: string): boolean {
  const entries = readdirSync(folder);
  if (entries.length !== inside.length || !inside.every((name) => entries.includes(name))) return false;
  const [inputs, outputs] = inside.map((name) => `${folder}${sep}${name}`);
  if (inputs === undefined || outputs === undefined || readdirSync(outputs).length > 0) return false;
  // A step may have locked its folder, or opened it to others.
  for (const each of [folder, inputs, outputs]) if ((lstatSync(each).mode & 0o7777) !== 0o700) return false;
  // Whatever is no folder goes like a link; for a folder this throws, and all of it is deleted.
  for (const name of readdirSync(inputs)) unlinkSync(`${inputs}/${name}`);
  return true;
}
