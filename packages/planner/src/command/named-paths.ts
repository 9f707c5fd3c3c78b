import { statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { filesOfGlob } from "./globs.ts";

/** A file or folder that an argument names. */
export interface NamedPath {
  readonly type: "file" | "folder";
  /** As it stands in the argument. */
  readonly text: string;
  readonly path: string;
  readonly isInProject: boolean;
}

/**
 * The files and folders that an argument names and that are there: as it is, after `--option=`, after
 * `@` or a short option, in lists (`a.csv,b.csv`), by a glob that the program itself may resolve (`days/*.csv`), and
 * in text that may be a command in turn (`flock lock -c "python fit.py"`).
 */
export function pathsNamedIn(argument: string, root: string): readonly NamedPath[] {
  const value = argument.slice(argument.indexOf("=") + 1);
  const last = argument.slice(argument.lastIndexOf("=") + 1);
  const alone = new Set([argument, value, last, value.replace(/^@/, ""), argument.replace(/^-[A-Za-z]/, "")]);
  for (const text of alone) {
    const named = pathNamed(text, root);
    if (named !== undefined) return [named];
  }
  if (/\s/.test(argument)) {
    // Of files alone: in text a dot and a slash are seldom folders.
    const words = argument.split(/[\s"'`;|&()<>]+/).filter((word) => word !== "");
    return words.flatMap((word) => pathsNamedIn(word, root)).filter(({ type }) => type === "file");
  }
  if (isGlobInFolder(last, root)) {
    return filesOfGlob(last, root).flatMap((file) => pathNamed(relative(root, file), root) ?? []);
  }
  return /[,:;]/.test(value) ? value.split(/[,:;]/).flatMap((text) => pathNamed(text, root) ?? []) : [];
}

/** Whether it is a glob in a folder that is there: a bare `*` is more likely a product or a pattern for text. */
function isGlobInFolder(text: string, root: string): boolean {
  const folder = /^([^*?[{]+)\/[^/]*[*?[{]/.exec(text)?.[1];
  return folder !== undefined && pathNamed(folder, root)?.isInProject === true;
}

function pathNamed(text: string, root: string): NamedPath | undefined {
  if (text === "" || text.includes("\0")) return undefined;
  const path = resolve(root, text);
  let stats;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch {
    // Longer than a path may be, or behind a folder that is closed to us: no file that the step could name.
    return undefined;
  }
  const type = stats?.isFile() === true ? "file" : stats?.isDirectory() === true ? "folder" : undefined;
  if (type === undefined) return undefined;
  return { type, text, path, isInProject: !/^\.\.(?:\/|$)/.test(relative(root, path)) };
}
