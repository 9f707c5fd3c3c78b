import { digestOf, isDigest, type Content, type Digest } from "./digest.ts";
import { StoreError, shown } from "./errors.ts";
import { compareBytes, type FolderWalk } from "./walk.ts";

/** What a folder holds: enough to make it again, and nothing that differs between two copies of it. */
export interface Tree {
  /** Sorted by the bytes of the path. */
  readonly entries: readonly TreeEntry[];
}

/** Paths are relative to the tree, with `/` between names. Folders are implied by what lies in them; only empty ones are listed. */
export type TreeEntry =
  | {
      readonly path: string;
      readonly type: "file";
      /** `x` if the owner may execute it; other permissions are not content. */
      readonly mode: "x" | "-";
      readonly size: number;
      readonly digest: Digest;
    }
  | { readonly path: string; readonly type: "folder" }
  | { readonly path: string; readonly type: "link"; readonly target: string };

/** Part of every manifest, so that its digest says what it is a digest of, and in which version of this format. */
const tag = "mlpipe/tree/v1";

// A content that was computed here carries its manifest along, for as long as somebody holds it: publishing it then
// need not hash the folder a second time.
const manifests = new WeakMap<Content, string>();

/**
 * The content of a walked folder whose files have these digests (in the order of the walk).
 * The digest is the sha256 of the manifest: canonical JSON of a tag and the entries.
 */
export function treeContent(walk: FolderWalk, digests: readonly Digest[]): Content {
  const lines: { readonly path: string; readonly json: string }[] = [];
  let size = 0;
  walk.files.forEach((path, i) => {
    const bytes = Number(walk.stamps[i * 4] ?? 0n);
    size += bytes;
    // Canonical JSON written out, because a tree of 100,000 files would spend most of its time in the general function.
    const mode = walk.executable[i] === true ? "x" : "-";
    lines.push({
      path,
      json: `{"digest":"${digests[i] ?? ""}","mode":"${mode}","path":${JSON.stringify(path)},"size":${bytes},"type":"file"}`,
    });
  });
  for (const path of walk.emptyFolders)
    lines.push({ path, json: `{"path":${JSON.stringify(path)},"type":"folder"}` });
  for (const { path, target } of walk.links) {
    lines.push({
      path,
      json: `{"path":${JSON.stringify(path)},"target":${JSON.stringify(target)},"type":"link"}`,
    });
  }
  // The files come sorted, so this is one pass unless there are others.
  lines.sort((a, b) => compareBytes(a.path, b.path));
  const manifest = `{"entries":[${lines.map((line) => line.json).join(",")}],"type":"${tag}"}`;
  const content: Content = {
    type: "tree",
    digest: digestOf(manifest),
    size,
    entries: walk.files.length,
    ...(walk.leaving !== undefined && { leaves: walk.leaving }),
  };
  manifests.set(content, manifest);
  return content;
}

/** The manifest of a content that this process computed, if this very object is at hand. */
export function rememberedManifest(content: Content): string | undefined {
  return manifests.get(content);
}

/**
 * Reads a manifest that was kept.
 *
 * @param path where it was found, for the error
 * @throws StoreError `MLP4009` if it is not a manifest, or names a path outside of its tree
 */
export function parseManifest(manifest: string, path: string): Tree {
  let document: unknown;
  try {
    document = JSON.parse(manifest);
  } catch {
    document = undefined;
  }
  if (isRecord(document) && document["type"] === tag && Array.isArray(document["entries"])) {
    const listed: unknown[] = document["entries"];
    const entries = listed.map(entryOf);
    if (entries.every((entry) => entry !== undefined) && isClosed(entries)) return { entries };
  }
  throw new StoreError("MLP4009", `${shown(path)} is not the manifest of a folder`, {
    path,
    hint: "mlpipe verify --repair drops it, and the next run makes it anew.",
  });
}

function entryOf(value: unknown): TreeEntry | undefined {
  if (!isRecord(value)) return undefined;
  const { type, path, mode, size, digest, target } = value;
  if (typeof path !== "string" || !isInside(path)) return undefined;
  if (type === "folder") return { path, type };
  if (type === "link")
    return typeof target === "string" && target !== "" ? { path, type, target } : undefined;
  if (type !== "file" || (mode !== "x" && mode !== "-")) return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (typeof digest !== "string" || !isDigest(digest)) return undefined;
  return { path, type, mode, size, digest };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A relative path whose every name is an ordinary one. */
function isInside(path: string): boolean {
  return path
    .split("/")
    .every((name) => name !== "" && name !== "." && name !== ".." && !name.includes("\0"));
}

/** Sorted, no path twice, and nothing lies below a file or a link: writing it out cannot leave the folder it is written to. */
function isClosed(entries: readonly TreeEntry[]): boolean {
  const leaves = new Set<string>();
  let before: string | undefined;
  for (const { path } of entries) {
    if (before !== undefined && compareBytes(before, path) >= 0) return false;
    before = path;
    leaves.add(path);
  }
  for (const { path } of entries) {
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      if (leaves.has(path.slice(0, slash))) return false;
    }
  }
  return true;
}
