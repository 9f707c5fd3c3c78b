/** The user's part of a stack. */
import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { ManifestSite } from "@mlpipe/dsl";

/** A frame of the user's code, or of a package the user chose. */
interface Frame {
  readonly text: string;
  /** Nothing for a frame inside a package. */
  readonly site: ManifestSite | undefined;
}

const location = /^\s*at (?:(.*) \()?((?:file:\/\/)?\/[^()]*):(\d+):(\d+)\)?$/;

const ownPackages = /\/node_modules\/(?:mlpipe|@mlpipe\/[^/]+|csv-parse|csv-stringify)\//;

let ownFolders: readonly string[] | undefined;

/** Whether a file is mlpipe's; this package and the language need not be in a folder node_modules. */
function isOwn(file: string): boolean {
  // Asked only when something failed, so resolved only then.
  ownFolders ??= [import.meta.resolve("../index.ts"), import.meta.resolve("@mlpipe/dsl")].map((url) =>
    fileURLToPath(new URL(".", url)),
  );
  return ownPackages.test(file) || ownFolders.some((folder) => file.startsWith(folder));
}

/** The user's frames of a stack as text, and those in files of the project as places, nearest first. */
export function userFrames(
  stack: unknown,
  root: string,
): { readonly text: string; readonly at: readonly ManifestSite[] } {
  const lines = typeof stack === "string" ? stack.split("\n") : [];
  const frames = lines.map((line) => frameOf(line, root)).filter((frame) => frame !== undefined);
  return {
    text: frames.map((frame) => frame.text).join("\n"),
    at: frames.map(({ site }) => site).filter((site) => site !== undefined),
  };
}

function frameOf(line: string, root: string): Frame | undefined {
  const match = location.exec(line);
  if (match === null) return undefined;
  const [, name, place = "", lineNumber, column] = match;
  const file = pathOf(place);
  if (isOwn(file)) return undefined;
  const shown = shownPath(file, root);
  const text = `    at ${name === undefined ? "" : `${name} (`}${shown}:${lineNumber}:${column}${name === undefined ? "" : ")"}`;
  const isUser = !file.includes("/node_modules/");
  return {
    text,
    site: isUser ? { file: shown, line: Number(lineNumber), column: Number(column) } : undefined,
  };
}

/** The place that Node puts above the message of a syntax error: `/path/file.ts:3`, lines, and a caret. */
export function syntaxSite(stack: unknown, root: string): ManifestSite | undefined {
  if (typeof stack !== "string") return undefined;
  const match = /^((?:file:\/\/)?\/[^\n]*):(\d+)\n(?:[^\n]*\n){1,9}?([ \t]*)\^/.exec(stack);
  if (match === null) return undefined;
  const [, place = "", line, indent = ""] = match;
  return { file: shownPath(pathOf(place), root), line: Number(line), column: indent.length + 1 };
}

function pathOf(place: string): string {
  return place.startsWith("file:") ? fileURLToPath(place.replace(/[?#].*$/, "")) : place;
}

/** Relative to the project's root, with `/`. */
export function shownPath(file: string, root: string): string {
  return relative(realRoot(root), file).split(sep).join("/");
}

/** Modules are known by their real paths. */
function realRoot(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    return root;
  }
}
