import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, delimiter, isAbsolute, join } from "node:path";
import type { Digest } from "@mlpipe/store";

/**
 * A program that a command starts. Content alone identifies it: the same program at another place is
 * the same tool, and an upgrade at the same place is not.
 */
export interface ToolIdentity {
  /** As the command names it. */
  readonly name: string;
  /** The sha256 of the program's file, behind all links. */
  readonly digest: Digest;
}

/**
 * Finds a program as `execvp` does: a name with a slash from the working folder, any other through
 * `PATH`, the first file that may be executed.
 *
 * @returns the absolute path as found, links unresolved: a virtual environment's `python` is a link,
 *   and what it is linked to does not know that environment
 */
export function findProgram(name: string, path: string | undefined, cwd: string): string | undefined {
  if (name === "") return undefined;
  if (name.includes("/")) {
    const file = isAbsolute(name) ? name : join(cwd, name);
    return isProgram(file) ? file : undefined;
  }
  // What execvp(3) searches when there is no PATH.
  for (const folder of (path ?? "/bin:/usr/bin").split(delimiter)) {
    const file = join(isAbsolute(folder) ? folder : join(cwd, folder), name);
    if (isProgram(file)) return file;
  }
  return undefined;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The identity of a program found by {@link findProgram}. */
export function toolIdentity(name: string, file: string, hash: (path: string) => Digest): ToolIdentity {
  return { name, digest: hash(realpathSync(file)) };
}

/**
 * The words after `#!` in a program's first line; empty for a binary.
 *
 * pip writes `#!/bin/sh` and then `'''exec' /long/path/python` where a path is too long for the kernel:
 * that path is returned.
 */
export function shebangOf(file: string): readonly string[] {
  const text = beginningOf(file)?.toString("utf8") ?? "";
  if (!text.startsWith("#!")) return [];
  const exec = /^#![^\n]*\bsh\n'''exec' "?([^"\n]+?)"? "\$0"/.exec(text);
  if (exec?.[1] !== undefined) return [exec[1]];
  const line = /^#!([^\n]*)/.exec(text)?.[1] ?? "";
  return line.trim().split(/\s+/).filter(Boolean);
}

/** Whether a program is text: binaries of every system hold a zero byte in their first lines. */
export function isText(file: string): boolean {
  return beginningOf(file)?.includes(0) === false;
}

function beginningOf(file: string): Buffer | undefined {
  const buffer = Buffer.alloc(4096);
  try {
    const handle = openSync(file, "r");
    try {
      return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(handle);
    }
  } catch {
    return undefined;
  }
}

/** Whether a program's name is that of a Python interpreter. */
export function isPython(name: string): boolean {
  return /^(?:python|pypy)[\d.]*[tdw]?$/.test(basename(name));
}
