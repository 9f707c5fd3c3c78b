/**
 * Notes the files that a step opens by Node's `fs` and does not declare. What modules are loaded from
 * goes by other ways and costs nothing; nor does anything else than a call that opens a file.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { isOfProject, undeclared } from "./undeclared.ts";

/** Calls that read the file whose path comes first; of `open` the flags say whether it is read. */
const whole = ["readFile", "readFileSync", "createReadStream"] as const;
const opening = ["open", "openSync"] as const;

/**
 * Starts to note.
 * @param attempt folder of the attempt, where everything is the step's own
 * @param declared absolute paths
 */
export function watchReads(root: string, attempt: string, declared: readonly string[]): void {
  const known = new Set(declared);
  const note = (given: unknown): void => {
    const path = pathOf(given);
    if (path === undefined || known.has(path)) return;
    known.add(path);
    if (!isOfProject(path, root) || path.startsWith(attempt + sep)) return;
    if (declared.some((folder) => path.startsWith(folder + sep))) return;
    undeclared.push({ path, access: "read" });
  };
  // The same functions by their callbacks and by promises.
  for (const home of [fs, fs.promises] as unknown as Record<string, Call>[]) {
    for (const name of whole) wrap(home, name, note);
    for (const name of opening) wrap(home, name, (path, flags) => isReading(flags) && note(path));
  }
  syncBuiltinESMExports();
}

type Call = (...args: unknown[]) => unknown;

/** Puts something before a function, which keeps its name and all that hangs on it. */
function wrap(home: Record<string, Call>, name: string, before: (...args: unknown[]) => unknown): void {
  const call = home[name];
  if (call === undefined) return;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    before(...args);
    return call.apply(this, args);
  };
  home[name] = Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(call));
}

function isReading(flags: unknown): boolean {
  return typeof flags === "number" ? (flags & 3) !== fs.constants.O_WRONLY : !/^(?:w|a)/.test(textOf(flags));
}

function textOf(flags: unknown): string {
  return typeof flags === "string" ? flags : "r";
}

/** Absolute; nothing for what is no path, which the call itself will complain of. */
function pathOf(given: unknown): string | undefined {
  if (typeof given === "string") return resolve(given);
  if (given instanceof URL) return given.protocol === "file:" ? fileURLToPath(given) : undefined;
  return Buffer.isBuffer(given) ? resolve(given.toString()) : undefined;
}
