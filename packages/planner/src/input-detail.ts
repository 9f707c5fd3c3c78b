/**
 * What is inside of an input, as far as people would ask when it changes: how many rows, which
 * columns, which files. It never takes part in a key.
 */
import { readFileSync, statSync } from "node:fs";
import type { KindSpec } from "@mlpipe/dsl";
import { type Content, type Store, type Tree, treeAt } from "@mlpipe/store";

/** The inside of an input. */
export type InputDetail =
  | { readonly type: "rows"; readonly rows: number; readonly columns: readonly string[] }
  | { readonly type: "files"; readonly files: Readonly<Record<string, string>> };

/** An input's content with the place where it can be read. */
export interface Readable {
  readonly content: Content;
  readonly path: string;
}

/** Larger files and folders are not looked into: an explanation must not take longer than the step. */
const largestFile = 64 * 1024 * 1024;
const mostFiles = 10_000;

/** How many files are named before they are only counted. */
const namedFiles = 2;

/** The detail of an input; nothing for kinds without an inside, and for very large ones. */
export function detailOf({ content, path }: Readable, kind: KindSpec): InputDetail | undefined {
  if (content.size > largestFile) return undefined;
  if (content.type === "tree") {
    return (content.entries ?? 0) > mostFiles ? undefined : { type: "files", files: filesOf(treeAt(path)) };
  }
  const rows = rowsOf(path, kind);
  return rows && { type: "rows", rows: rows.lines.length, columns: rows.columns };
}

/** The detail of an output that is kept. */
export function keptDetail(store: Store, content: Content, kind: KindSpec): InputDetail | undefined {
  if (!store.objects.has(content)) return undefined;
  if (content.type === "file") return detailOf({ content, path: store.objects.pathOf(content) }, kind);
  const tree = store.objects.tree(content);
  return tree.entries.length > mostFiles ? undefined : { type: "files", files: filesOf(tree) };
}

function filesOf({ entries }: Tree): Readonly<Record<string, string>> {
  return Object.fromEntries(
    entries.map((entry) => [
      entry.path,
      entry.type === "file"
        ? `${entry.digest}${entry.mode}`
        : entry.type === "link"
          ? `→ ${entry.target}`
          : "folder",
    ]),
  );
}

/** A change in words: `3 rows added`, `column wind added`, `b.txt changed`; nothing if the details are equal. */
export function describeChange(before: InputDetail, after: InputDetail): string | undefined {
  if (before.type === "rows" && after.type === "rows") {
    const columns = listChange("column", before.columns, after.columns);
    if (columns !== undefined) return columns;
    const more = after.rows - before.rows;
    if (more === 0) return undefined;
    return `${rowCount(Math.abs(more))} ${more > 0 ? "added" : "removed"}`;
  }
  if (before.type === "files" && after.type === "files") return filesChange(before.files, after.files);
  return undefined;
}

/** The rows that differ, where both contents can be read. */
export function describeRows(before: string, after: string, kind: KindSpec): string | undefined {
  for (const path of [before, after]) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.size > largestFile) return undefined;
  }
  const was = rowsOf(before, kind);
  const is = rowsOf(after, kind);
  if (was === undefined || is === undefined) return undefined;
  const columns = listChange("column", was.columns, is.columns);
  if (columns !== undefined) return columns;
  const left = new Map<string, number>();
  for (const line of was.lines) left.set(line, (left.get(line) ?? 0) + 1);
  let added = 0;
  for (const line of is.lines) {
    const count = left.get(line) ?? 0;
    if (count === 0) added++;
    else left.set(line, count - 1);
  }
  let removed = 0;
  for (const count of left.values()) removed += count;
  if (added === 0 && removed === 0) return "rows in another order";
  const changed = Math.min(added, removed);
  const parts = [
    changed > 0 ? `${rowCount(changed)} changed` : "",
    added > changed ? `${rowCount(added - changed)} added` : "",
    removed > changed ? `${rowCount(removed - changed)} removed` : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function filesChange(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string | undefined {
  const added = Object.keys(after).filter((path) => !Object.hasOwn(before, path));
  const removed = Object.keys(before).filter((path) => !Object.hasOwn(after, path));
  const changed = Object.keys(after).filter(
    (path) => Object.hasOwn(before, path) && before[path] !== after[path],
  );
  const parts = [
    ["added", added] as const,
    ["removed", removed] as const,
    ["changed", changed] as const,
  ].flatMap(([what, paths]) => {
    if (paths.length === 0) return [];
    return [paths.length <= namedFiles ? `${paths.join(", ")} ${what}` : `${paths.length} files ${what}`];
  });
  return parts.length === 0 ? undefined : parts.join("; ");
}

function listChange(noun: string, before: readonly string[], after: readonly string[]): string | undefined {
  const added = after.filter((name) => !before.includes(name));
  const removed = before.filter((name) => !after.includes(name));
  const say = (names: readonly string[], what: string): readonly string[] =>
    names.length === 0 ? [] : [`${noun}${names.length === 1 ? "" : "s"} ${names.join(", ")} ${what}`];
  const parts = [...say(added, "added"), ...say(removed, "removed")];
  if (parts.length > 0) return parts.join("; ");
  return before.join("\0") === after.join("\0") ? undefined : `${noun}s in another order`;
}

function rowCount(count: number): string {
  return `${count} row${count === 1 ? "" : "s"}`;
}

/** The rows of a file as lines, and its columns; nothing if its kind has no rows. */
function rowsOf(
  path: string,
  kind: KindSpec,
): { readonly lines: readonly string[]; readonly columns: readonly string[] } | undefined {
  if (kind.kind !== "csv" && kind.kind !== "jsonl") return undefined;
  const text = readFileSync(path, "utf8");
  if (kind.kind === "jsonl")
    return { lines: text.split("\n").filter((line) => line.trim() !== ""), columns: [] };
  const [header = "", ...lines] = csvRecords(text);
  return { lines, columns: header.split(",").map((name) => name.trim().replace(/^"(.*)"$/, "$1")) };
}

/** The records of CSV text, as they are written: a line end inside of quotes belongs to the record. */
function csvRecords(text: string): readonly string[] {
  const records: string[] = [];
  let from = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) quoted = !quoted;
    else if (char === 0x0a && !quoted) {
      records.push(text.slice(from, text.charCodeAt(at - 1) === 0x0d ? at - 1 : at));
      from = at + 1;
    }
  }
  if (from < text.length) records.push(text.slice(from));
  return records.filter((record) => record !== "");
}
