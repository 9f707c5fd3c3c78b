import { createHash } from "node:crypto";
import { asDigest, digestOf, isDigest, type Content, type Digest } from "./digest.ts";
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
// then need not hash the folder a second time. Of a large one the manifest can be written again.
const made = new WeakMap<Content, Made>();

interface Made {
  /** Of its files, in the order of the walk. */
  readonly digests: readonly Digest[];
  readonly manifest: string | FolderWalk;
}

/**
 * The content of a walked folder whose files have these digests (in the order of the walk).
 * The digest is the sha256 of the manifest: canonical JSON of a tag and the entries.
 */
export function treeContent(walk: FolderWalk, digests: readonly Digest[]): Content {
  let size = 0;
  for (let i = 0; i < walk.files.length; i++) size += Number(walk.stamps[i * stampFields] ?? 0n);
  const manifest = walk.files.length > filesInPart ? undefined : wholeManifest(walk, digests);
  const content: Content = {
    type: "tree",
    digest: manifest === undefined ? digestOfParts(manifestOf(walk, digests)) : digestOf(manifest),
    size,
    entries: walk.files.length,
    ...(walk.leaving !== undefined && { leaves: walk.leaving }),
  };
  made.set(content, { digests, manifest: manifest ?? walk });
  return content;
}

/** The manifest of a walked folder whose files have these digests, if it is that of a content. */
export function manifestIf(
  walk: FolderWalk,
  digests: readonly Digest[],
  content: Content,
): string | undefined {
  if (digests.length !== walk.files.length) return undefined;
  const manifest = wholeManifest(walk, digests);
  return digestOf(manifest) === content.digest ? manifest : undefined;
}

function digestOfParts(parts: Iterable<string>): Digest {
  const state = createHash("sha256");
  for (const part of parts) state.update(part);
  return asDigest(state.digest("hex"));
}

function wholeManifest(walk: FolderWalk, digests: readonly Digest[]): string {
  return [...manifestOf(walk, digests)].join("");
}

/** So many files go into one part of a manifest. */
const filesInPart = 1024;

/** What has to be escaped in JSON, or might. */
const escaped = /[^ !#-[\]-~]/;

/** A manifest in parts. Written out, because a tree of 100,000 files would spend most of its time in general code. */
function* manifestOf(walk: FolderWalk, digests: readonly Digest[]): Generator<string, void, void> {
  // The files come sorted; what else there is goes between them.
  const others = [
    ...walk.emptyFolders.map((path) => ({ path, json: `{"path":${JSON.stringify(path)},"type":"folder"}` })),
    ...walk.links.map(({ path, target }) => ({
      path,
      json: `{"path":${JSON.stringify(path)},"target":${JSON.stringify(target)},"type":"link"}`,
    })),
  ].toSorted((a, b) => compareBytes(a.path, b.path));
  let next = 0;
  let part = '{"entries":[';
  let comma = "";
  for (const [i, path] of walk.files.entries()) {
    for (let other = others[next]; other !== undefined; other = others[++next]) {
      if (compareBytes(other.path, path) > 0) break;
      part += comma + other.json;
      comma = ",";
    }
    const mode = walk.executable[i] === 1 ? "x" : "-";
    const size = Number(walk.stamps[i * stampFields] ?? 0n);
    const name = escaped.test(path) ? JSON.stringify(path) : `"${path}"`;
    part += `${comma}{"digest":"${digests[i] ?? ""}","mode":"${mode}","path":${name},"size":${size},"type":"file"}`;
    comma = ",";
    if (i % filesInPart !== filesInPart - 1) continue;
    yield part;
    part = "";
  }
  for (const { json } of others.slice(next)) {
    part += comma + json;
    comma = ",";
  }
  yield `${part}],"type":"${tag}"}`;
}

/** The manifest of a content that this process computed, if this very object is at hand. */
export function rememberedManifest(content: Content): string | undefined {
  const manifest = made.get(content)?.manifest;
  if (typeof manifest !== "object") return manifest;
  return wholeManifest(manifest, rememberedDigests(content) ?? []);
}

/** The digests of its files, in the order of the walk that it was computed from. */
export function rememberedDigests(content: Content): readonly Digest[] | undefined {
  return made.get(content)?.digests;
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
