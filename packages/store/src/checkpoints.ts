import { lstatSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Digest } from "./digest.ts";
import { discard, makePrivate, type Layout } from "./layout.ts";

/** A folder in which a step that has not succeeded yet keeps what it wants to go on from. */
export interface Checkpoint {
  /** `<step>-<the beginning of its key>`. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** The first 16 digits of the key: the folder serves the attempts of this key alone. */
  readonly key: string;
  /** Bytes of all files. */
  readonly size: number;
  /** When something in it was last written, in ms since 1970. */
  readonly modifiedAt: number;
}

/** The folders that survive attempts. Whoever holds the claim of a key may use the folder of that key. */
export interface Checkpoints {
  /**
   * The folder of a step and key, made if it is not there.
   * @param step as a file name
   */
  open(step: string, key: Digest): string;
  /** Removes the folder of a step and key, if there is one. */
  remove(step: string, key: Digest): void;
  /** All there are, with their sizes, for whoever cleans up. */
  list(): readonly Checkpoint[];
  /** Removes one that `list` named. */
  discard(checkpoint: Pick<Checkpoint, "path">): void;
}

const keyDigits = 16;

export class StoredCheckpoints implements Checkpoints {
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  open(step: string, key: Digest): string {
    const path = this.#pathOf(step, key);
    makePrivate(this.#layout.checkpoints);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  remove(step: string, key: Digest): void {
    discard(this.#layout, this.#pathOf(step, key));
  }

  list(): readonly Checkpoint[] {
    const { checkpoints } = this.#layout;
    if (lstatSync(checkpoints, { throwIfNoEntry: false }) === undefined) return [];
    return readdirSync(checkpoints, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => {
        const path = join(checkpoints, name);
        return { name, path, key: name.slice(-keyDigits), ...measured(path) };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  discard({ path }: Pick<Checkpoint, "path">): void {
    discard(this.#layout, path);
  }

  #pathOf(step: string, key: Digest): string {
    return join(this.#layout.checkpoints, `${step}-${key.slice(0, keyDigits)}`);
  }
}

/** Links are counted as what they are; what they lead to is not the step's. */
function measured(folder: string): Pick<Checkpoint, "size" | "modifiedAt"> {
  let size = 0;
  let modifiedAt = 0;
  // Bytes, because a step may have left names that are not UTF-8.
  const pending = [Buffer.from(folder)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    // The step may be at work.
    if (stats === undefined) continue;
    modifiedAt = Math.max(modifiedAt, stats.mtimeMs);
    if (!stats.isDirectory()) size += stats.size;
    else {
      for (const name of readdirSync(path, { encoding: "buffer" }))
        pending.push(Buffer.concat([path, Buffer.from("/"), name]));
    }
  }
  return { size, modifiedAt };
}
