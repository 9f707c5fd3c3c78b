import { getCallSites } from "node:util";
import { fileURLToPath } from "node:url";

/** A place in a user's source: where a step was defined or called. */
export interface Site {
  /** Absolute path. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
}

// Frames of the language itself say nothing to a user: everything beside this file is skipped.
const ownFolder = new URL(".", import.meta.url).href;
const ownPath = fileURLToPath(ownFolder);

/** By script the user's file, or nothing for a script that is none: few files make thousands of calls. */
const userFiles = new Map<string, string | undefined>();

/**
 * The user frames above the caller, nearest first. Under type stripping the positions are exact,
 * since stripping keeps every line and column.
 *
 * @param depth how many frames to look at, at most
 */
export function userFrames(depth = 12): readonly Site[] {
  const frames: Site[] = [];
  for (const { scriptName, lineNumber, columnNumber } of getCallSites(depth)) {
    const file = userFile(scriptName);
    if (file !== undefined) frames.push({ file, line: lineNumber, column: columnNumber });
  }
  return frames;
}

function userFile(script: string): string | undefined {
  if (userFiles.has(script)) return userFiles.get(script);
  const isUrl = script.startsWith("file:");
  const isForeign = script.startsWith("node:") || script === "";
  const file =
    isForeign || isOwn(script, isUrl ? ownFolder : ownPath)
      ? undefined
      : // A loader may append a query to reload a module; the place is still the file.
        isUrl
        ? fileURLToPath(script.replace(/[?#].*$/, ""))
        : script;
  userFiles.set(script, file);
  return file;
}

/** The language's own tests lie beside it and are users of it. */
function isOwn(script: string, folder: string): boolean {
  return script.startsWith(folder) && !script.endsWith(".test.ts");
}

/** The nearest user frame: the line a message should point at. */
export function callSite(): Site | undefined {
  // Each frame costs a microsecond, and that of a step's call is the fifth.
  return userFrames(5)[0] ?? userFrames()[0];
}
