/** What differs between two contents, in words: where to look for what made them differ. */
import { readFileSync } from "node:fs";
import { isUtf8 } from "node:buffer";
import type { Content, Store, TreeEntry } from "@mlpipe/store";

/** Larger files are told apart by their digests alone. */
const largest = 64 * 1024 * 1024;

/** How many files of a folder are named. */
const namedFiles = 3;

/** How much of a differing line is shown. */
const shownText = 60;

/**
 * The difference between two contents that are in the store; nothing if they are equal.
 *
 * @param name of the port
 */
export function differenceOf(
  store: Store,
  name: string,
  before: Content,
  after: Content,
): string | undefined {
  if (before.type === after.type && before.digest === after.digest) return undefined;
  if (before.type !== after.type) {
    return `${name}: a ${before.type === "tree" ? "folder" : "file"} became a ${after.type === "tree" ? "folder" : "file"}`;
  }
  if (before.type === "tree") return `${name}: ${treeDifference(store, before, after)}`;
  return `${name}: ${fileDifference(store, before, after)}`;
}

function treeDifference(store: Store, before: Content, after: Content): string {
  const was = new Map(store.objects.tree(before).entries.map((entry) => [entry.path, describe(entry)]));
  const is = new Map(store.objects.tree(after).entries.map((entry) => [entry.path, describe(entry)]));
  const changes: string[] = [];
  for (const path of [...new Set([...was.keys(), ...is.keys()])].toSorted()) {
    const left = was.get(path);
    const right = is.get(path);
    if (left === right) continue;
    changes.push(`${path} ${left === undefined ? "is new" : right === undefined ? "is gone" : "differs"}`);
  }
  const more = changes.length > namedFiles ? `, and ${changes.length - namedFiles} more` : "";
  return changes.slice(0, namedFiles).join(", ") + more;
}

function describe(entry: TreeEntry): string {
  return JSON.stringify(entry);
}

function fileDifference(store: Store, before: Content, after: Content): string {
  const sizes =
    before.size === after.size ? `${before.size} bytes each` : `${before.size} → ${after.size} bytes`;
  if (Math.max(before.size, after.size) > largest) return `differs (${sizes})`;
  const was = readFileSync(store.objects.pathOf(before));
  const is = readFileSync(store.objects.pathOf(after));
  if (!isUtf8(was) || !isUtf8(is)) return `differs from byte ${firstDifference(was, is)} on (${sizes})`;
  const left = was.toString("utf8").split("\n");
  const right = is.toString("utf8").split("\n");
  const line = left.findIndex((text, index) => text !== right[index]);
  const at = line === -1 ? left.length : line;
  return `line ${at + 1}: ${excerpt(left[at], right[at])} → ${excerpt(right[at], left[at])}`;
}

function firstDifference(left: Buffer, right: Buffer): number {
  const end = Math.min(left.length, right.length);
  for (let at = 0; at < end; at++) if (left[at] !== right[at]) return at;
  return end;
}

/** The part of a line around the first place where it differs from the other. */
function excerpt(line: string | undefined, other: string | undefined): string {
  if (line === undefined) return "(no such line)";
  if (line.length <= shownText) return JSON.stringify(line);
  let at = 0;
  while (at < line.length && line[at] === other?.[at]) at++;
  const from = Math.max(0, Math.min(at - shownText / 3, line.length - shownText));
  return `${from > 0 ? "…" : ""}${JSON.stringify(line.slice(from, from + shownText))}${from + shownText < line.length ? "…" : ""}`;
}
