import { createHash } from "node:crypto";
import { digestOf, isDigest, type Content, type Digest } from "./digest.ts";
import { StoreError, shown } from "./errors.ts";
import { stampFields } from "./hash-job.ts";
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

// A content that was computed here carries along what it was made of, for as long as somebody holds it: publishing it
// then need not hash the folder a second time.
const made = new WeakMap<Content, Made>();

interface Made {
  readonly manifest: string;
  /** Of its files, in the order of the walk. */
  readonly digests: readonly Digest[];
}

/**
 * The content of a walked folder whose files have these digests (in the order of the walk).
 * The digest is the sha256 of the manifest: canonical JSON of a tag and the entries.
 */
export function treeContent(walk: FolderWalk, digests: readonly Digest[]): Content {
  const lines = [...linesOf(walk, digests)];
  const manifest = `{"entries":[${lines.join(",")}],"type":"${tag}"}`;
  let size = 0;
  for (let i = 0; i < walk.files.length; i++) size += Number(walk.stamps[i * stampFields] ?? 0n);
  const content: Content = {
    type: "tree",
    digest: digestOf(manifest),
    size,
    entries: walk.files.length,
    ...(walk.leaving !== undefined && { leaves: walk.leaving }),
  };
  made.set(content, { manifest, digests });
  return content;
}

/** Whether a walked folder whose files have these digests has this content, without a second manifest in memory. */
export function isTree(walk: FolderWalk, digests: readonly Digest[], content: Content): boolean {
  if (digests.length !== walk.files.length) return false;
  const state = createHash("sha256").update('{"entries":[');
  let chunk: string[] = [];
  let before = "";
  for (const line of linesOf(walk, digests)) {
    chunk.push(before, line);
    before = ",";
    if (chunk.length < 2048) continue;
    state.update(chunk.join(""));
    chunk = [];
  }
  const end = `${chunk.join("")}],"type":"${tag}"}`;
  return state.update(end).digest("hex") === content.digest;
}

/** The entries of a manifest, in their order. Written out, because a tree of 100,000 files would spend most of its time in general code. */
function* linesOf(walk: FolderWalk, digests: readonly Digest[]): Generator<string, void, void> {
  // The files come sorted; what else there is goes between them.
  const others = [
    ...walk.emptyFolders.map((path) => ({ path, json: `{"path":${JSON.stringify(path)},"type":"folder"}` })),
    ...walk.links.map(({ path, target }) => ({
      path,
      json: `{"path":${JSON.stringify(path)},"target":${JSON.stringify(target)},"type":"link"}`,
    })),
  ].toSorted((a, b) => compareBytes(a.path, b.path));
  let next = 0;
  for (const [i, path] of walk.files.entries()) {
    for (let other = others[next]; other !== undefined; other = others[++next]) {
      if (compareBytes(other.path, path) > 0) break;
      yield other.json;
    }
    const mode = walk.executable[i] === true ? "x" : "-";
    const size = Number(walk.stamps[i * stampFields] ?? 0n);
    yield `{"digest":"${digests[i] ?? ""}","mode":"${mode}","path":${JSON.stringify(path)},"size":${size},"type":"file"}`;
  }
  for (const { json } of others.slice(next)) yield json;
}

/** The manifest of a content that this process computed, if this very object is at hand. */
export function rememberedManifest(content: Content): string | undefined {
  return made.get(content)?.manifest;
}

/** The same, and the digests of its files in the order of a walk. */
export function rememberedTree(content: Content): Made | undefined {
  return made.get(content);
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
