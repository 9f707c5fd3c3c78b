import {
  chmodSync,
  lstatSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { copyObject } from "./copy-out.ts";
import { digestOf, type Content } from "./digest.ts";
import { makeDurable } from "./durability.ts";
import { StoreError, errnoOf, shown, withPath } from "./errors.ts";
import { discard, makePrivate, temporaryPath, type Layout } from "./layout.ts";
import { hashPath } from "./reading.ts";
import { parseManifest, type Tree } from "./tree.ts";

/** Files and folders by digest, read-only. */
export interface Objects {
  /** Whether it is there and has the right type and length; `verify` looks at every byte. */
  has(content: Content): boolean;
  /** Where it is, or would be: a file `objects/ab/cdef…`, a folder `objects/ab/cdef….tree`. */
  pathOf(content: Content): string;
  /** Keeps a small value. Durable when it returns; nothing is written if it is there already. */
  putBytes(bytes: Uint8Array | string): Content;
  /** Hashes all of it. */
  verify(content: Content): "ok" | "missing" | "damaged";
  /**
   * Writes a copy, verified by digest, and replaces what was there: whole or not at all. The copy may be written to.
   * A link at the destination is replaced and never written through.
   *
   * @throws StoreError `MLP4009` if the object is missing or damaged, `MLP4014` for a destination among the objects,
   *   `MLP4005` if the file system refuses
   */
  copyOut(content: Content, to: string): void;
  /** The manifest of a folder. @throws StoreError `MLP4009` if it is missing or damaged */
  tree(content: Content): Tree;
  /** Drops an object: one that is damaged, or that nothing refers to any more. */
  remove(content: Content): void;
}

export class StoredObjects implements Objects {
  readonly #layout: Layout;
  /** Folders that are there and ours alone, as this process has seen. */
  readonly #folders = new Set<string>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  has(content: Content): boolean {
    const stats = look(this.pathOf(content));
    if (stats === undefined) return false;
    if (content.type === "file") return stats.isFile() && stats.size === content.size;
    return stats.isDirectory() && look(this.manifestPath(content))?.isFile() === true;
  }

  pathOf({ type, digest }: Content): string {
    // Put together by hand: every step asks where its outputs are.
    const path = `${this.#layout.objects}/${digest.slice(0, 2)}/${digest.slice(2)}`;
    // A file may well consist of the manifest of a tree, and then has its digest.
    return type === "tree" ? `${path}.tree` : path;
  }

  /** The manifest of a tree lies beside its folder. */
  manifestPath(content: Content): string {
    return `${this.pathOf(content)}.json`;
  }

  putBytes(bytes: Uint8Array | string): Content {
    const content: Content = { type: "file", digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
    const path = this.pathOf(content);
    if (this.has(content)) {
      // Wanted again: nobody who is collecting takes what was touched since a living run began.
      withPath("touch", path, () => utimesSync(path, new Date(), new Date()));
      return content;
    }
    const temporary = temporaryPath(this.#layout);
    withPath("write", path, () => {
      try {
        writeFileSync(temporary, bytes, { flag: "wx", mode: 0o600 });
        chmodSync(temporary, 0o444);
        makeDurable([temporary]);
        const folders = this.place(temporary, path);
        makeDurable(folders);
      } catch (error) {
        discard(this.#layout, temporary);
        throw error;
      }
    });
    return content;
  }

  verify(content: Content): "ok" | "missing" | "damaged" {
    const path = this.pathOf(content);
    const stats = look(path);
    if (stats === undefined) return "missing";
    if (content.type === "file" ? !stats.isFile() : !stats.isDirectory()) return "damaged";
    if (content.type === "tree") {
      const manifest = look(this.manifestPath(content));
      if (manifest === undefined) return "missing";
      if (!manifest.isFile() || digestOf(readFileSync(this.manifestPath(content))) !== content.digest)
        return "damaged";
    }
    try {
      const found = hashPath(path);
      return found.digest === content.digest ? "ok" : "damaged";
    } catch (error) {
      // Something in it that no folder of ours can hold: a pipe, say.
      if (error instanceof StoreError && error.code === "MLP4007") return "damaged";
      throw error;
    }
  }

  copyOut(content: Content, to: string): void {
    const destination = resolve(to);
    if (destination === this.#layout.objects || destination.startsWith(this.#layout.objects + sep)) {
      throw new StoreError("MLP4014", `${shown(destination)} lies among the objects of a store`, { exit: 2 });
    }
    if (!this.has(content)) throw this.#missing(content);
    const tree = content.type === "tree" ? this.tree(content) : undefined;
    copyObject({ from: this.pathOf(content), content, tree, to: destination, objects: this.#layout.objects });
  }

  tree(content: Content): Tree {
    const path = this.manifestPath(content);
    if (content.type !== "tree" || look(path)?.isFile() !== true) {
      throw this.#missing(content);
    }
    const manifest = withPath("read", path, () => readFileSync(path, "utf8"));
    if (digestOf(manifest) !== content.digest) {
      throw new StoreError("MLP4009", `${shown(path)} is damaged: it has another digest`, {
        path,
        hint: "mlpipe verify --repair drops it, and the next run makes it anew.",
      });
    }
    return parseManifest(manifest, path);
  }

  remove(content: Content): void {
    // The folder first: without its manifest it would not count as an object, and with it it must be whole.
    discard(this.#layout, this.pathOf(content));
    if (content.type === "tree") discard(this.#layout, this.manifestPath(content));
  }

  /** Moves something finished and durable to its place. Returns the folders to be made durable. */
  place(from: string, to: string): readonly string[] {
    const folder = dirname(to);
    if (this.#folders.has(folder)) {
      try {
        renameSync(from, to);
        return [folder];
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
        // Somebody has taken the folder away, or what was to be moved.
      }
    }
    const made = makePrivate(folder);
    renameSync(from, to);
    this.#folders.add(folder);
    return made ? [folder, this.#layout.objects] : [folder];
  }

  #missing(content: Content): StoreError {
    const path = this.pathOf(content);
    return new StoreError("MLP4009", `${shown(path)} is missing or damaged`, {
      path,
      hint: "Run the pipeline again: what is missing is made again.",
    });
  }
}

function look(path: string): Stats | undefined {
  return withPath("look at", path, () => lstatSync(path, { throwIfNoEntry: false }));
}
