/** What is known of a DVC project's data: what `*.dvc` files track, and which paths are folders. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix, relative, resolve, sep } from "node:path";
import type { Site } from "@mlpipe/dsl";
import type { Remarks } from "./remark.ts";
import { isMapping, YamlFile } from "./yaml-file.ts";

/** Data that a `*.dvc` file tracks. */
export interface TrackedData {
  /** Relative to the project's root. */
  readonly path: string;
  readonly at: Site;
}

const skipped = new Set(["node_modules", "__pycache__", "artifacts", "venv", "env"]);

/** What a `.dvc` file says that has a place in the import. */
const own = new Set(["outs", "deps", "cmd", "wdir", "md5"]);

/** What it says of data to find it again: the bytes say the same. */
const ofBytes = new Set([
  "path",
  "md5",
  "hash",
  "size",
  "nfiles",
  "isexec",
  "cache",
  "cloud",
  "etag",
  "checksum",
  "files",
]);

export class DataPlaces {
  readonly root: string;
  /** Every `dvc.yaml` below the root, absolute and sorted. */
  readonly pipelines: readonly string[];
  readonly tracked: readonly TrackedData[];
  /** Whether a path is a folder, by what `dvc.lock` and `*.dvc` say. */
  readonly #folders = new Map<string, boolean>();

  constructor(root: string, remarks: Remarks) {
    this.root = root;
    const found = filesBelow(root);
    this.pipelines = found.filter((path) => path.endsWith("/dvc.yaml"));
    for (const path of found) if (path.endsWith("/dvc.lock")) this.#readLock(new YamlFile(path));
    this.tracked = found.flatMap((path) =>
      path.endsWith(".dvc") ? this.#readTracked(new YamlFile(path), remarks) : [],
    );
  }

  /** Whether a path is a folder; `isKnown` says whether anything but its name did. */
  isFolder(path: string): { readonly folder: boolean; readonly isKnown: boolean } {
    const told = this.#folders.get(path);
    if (told !== undefined) return { folder: told, isKnown: true };
    const stat = statSync(resolve(this.root, path), { throwIfNoEntry: false });
    if (stat !== undefined) return { folder: stat.isDirectory(), isKnown: true };
    return { folder: posix.extname(path) === "", isKnown: posix.extname(path) !== "" };
  }

  /** The text of a file, or nothing. */
  text(path: string): string {
    return this.isThere(path) ? readFileSync(resolve(this.root, path), "utf8") : "";
  }

  isThere(path: string): boolean {
    return existsSync(resolve(this.root, path));
  }

  /** Whether a folder has a file of some name somewhere in it. */
  hasFile(path: string, name: RegExp): boolean {
    const stat = statSync(join(this.root, path), { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true) return false;
    return readdirSync(join(this.root, path), { recursive: true, encoding: "utf8" }).some((each) =>
      name.test(each),
    );
  }

  #readLock(lock: YamlFile): void {
    const folder = this.#relative(posix.dirname(lock.path));
    if (!isMapping(lock.value) || !isMapping(lock.value["stages"])) return;
    for (const stage of Object.values(lock.value["stages"])) {
      if (!isMapping(stage)) continue;
      for (const section of [stage["deps"], stage["outs"]]) {
        for (const entry of Array.isArray(section) ? (section as unknown[]) : []) this.#note(entry, folder);
      }
    }
  }

  #readTracked(file: YamlFile, remarks: Remarks): readonly TrackedData[] {
    const folder = this.#relative(posix.dirname(file.path));
    const { value } = file;
    if (!isMapping(value)) return [];
    const base = posix.join(folder, typeof value["wdir"] === "string" ? value["wdir"] : ".");
    if (value["deps"] !== undefined) {
      remarks.lost(
        "deps of a .dvc file",
        "Where the data was imported from is not carried: dvc update still brings a newer one.",
        file.place(["deps"]),
      );
    }
    if (value["cmd"] !== undefined)
      remarks.lost("cmd of a .dvc file", "A stage in a .dvc file is not carried.", file.place(["cmd"]));
    for (const setting of Object.keys(value).filter((name) => !own.has(name)))
      remarks.lost("a .dvc file", `${setting}: not carried.`, file.place([setting]));
    const outs = Array.isArray(value["outs"]) ? (value["outs"] as unknown[]) : [];
    return outs.flatMap((entry, index) => {
      const settings = Object.keys(isMapping(entry) ? entry : {}).filter((name) => !ofBytes.has(name));
      for (const setting of settings) {
        const at = file.place(["outs", index, setting]);
        remarks.lost("a .dvc file", `${setting} of its data: not carried.`, at);
      }
      const path = this.#note(entry, base);
      return path === undefined ? [] : [{ path, at: file.place(["outs", index]) }];
    });
  }

  #note(entry: unknown, folder: string): string | undefined {
    if (!isMapping(entry) || typeof entry["path"] !== "string") return undefined;
    const path = posix.join(folder, entry["path"]);
    const md5 = entry["md5"] ?? entry["hash"];
    const isFolder = entry["nfiles"] !== undefined || (typeof md5 === "string" && md5.endsWith(".dir"));
    if (isFolder || md5 !== undefined) this.#folders.set(path, isFolder);
    return path;
  }

  #relative(path: string): string {
    return relative(this.root, path).split(sep).join("/") || ".";
  }
}

function filesBelow(root: string): readonly string[] {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith(".") && !skipped.has(entry.name)) folders.push(path);
      } else if (/^(?:dvc\.(?:yaml|lock)|.+\.dvc)$/.test(entry.name)) found.push(path);
    }
  }
  return found.toSorted();
}
