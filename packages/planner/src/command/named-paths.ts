import { statSync } from "node:fs";
import { relative, resolve } from "node:path";

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
 * `@` or a short option, and in lists (`a.csv,b.csv`).
 */
export function pathsNamedIn(argument: string, root: string): readonly NamedPath[] {
  const value = argument.slice(argument.indexOf("=") + 1);
  const alone = new Set([argument, value, value.replace(/^@/, ""), argument.replace(/^-[A-Za-z]/, "")]);
  for (const text of alone) {
    const named = pathNamed(text, root);
    if (named !== undefined) return [named];
  }
  return /[,:;]/.test(value) ? value.split(/[,:;]/).flatMap((text) => pathNamed(text, root) ?? []) : [];
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
