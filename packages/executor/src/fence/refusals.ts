/** What a step tried to open and did not declare, as an error that names it. */
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import type { ManifestStep } from "@mlpipe/dsl";
import type { StepError } from "../events.ts";
import type { Undeclared } from "../task.ts";
import { type Bounds, isWithin } from "./bounds.ts";

/**
 * The error of a step that something was refused to.
 * @param attempt the folder of the attempt: what it links to can be declared, a place in it cannot
 */
export function refusalError(
  step: ManifestStep,
  { path, access }: Undeclared,
  { root, attempt }: { readonly root: string; readonly attempt: string },
): StepError {
  const at = step.defined === undefined ? {} : { at: [step.defined] };
  if (access === "start") {
    return {
      code: "MLP3050",
      message: `"${step.id}" tried to use ${path}, which Node's permission model refuses.`,
      hint: path.includes(" ")
        ? "What that does the model alone cannot see: it needs the fence, Landlock with python3 or bubblewrap."
        : "Do without it, or run without --hermetic.",
      ...at,
    };
  }
  const name = named(path, root);
  if (access === "write") {
    return {
      code: "MLP3051",
      message: `"${step.id}" tried to write ${name}, which is none of its outputs.`,
      hint: "Under --hermetic a step writes to the places of its output ports and below TMPDIR, and a deploy to its target.",
      ...at,
    };
  }
  const place = path.startsWith(attempt + sep) ? (realOf(path) ?? path) : path;
  const inside = relative(root, place);
  const isInside = !inside.startsWith("..") && !isAbsolute(inside);
  if (inside === "") {
    return {
      code: "MLP3050",
      message: `"${step.id}" tried to ${access === "list" ? "list" : "read"} ${name}, the folder of the project, which no step may see whole.`,
      hint: 'Name the folder in it that is meant: give the step a port dir(), and the pipeline source("data", dir()) for it.',
      ...at,
    };
  }
  const files = isInside
    ? `, or, if it belongs to the code, name it in the step's files: [${JSON.stringify(inside)}]`
    : "";
  return {
    code: "MLP3050",
    message: `"${step.id}" tried to ${access === "list" ? "list" : "read"} ${name}, which no port declares.`,
    hint: `Make it an input: give the step a port, and the pipeline source(${JSON.stringify(shown(place, root))}, …) for it${files}.`,
    ...at,
  };
}

/** The path as a message shows it, and where it leads if it is a link. */
function named(path: string, root: string): string {
  const target = linkTarget(path);
  return target === undefined ? shown(path, root) : `${shown(path, root)} (a link to ${shown(target, root)})`;
}

/** Where a link leads in the end; nothing for what is no link. */
function linkTarget(path: string): string | undefined {
  try {
    readlinkSync(path);
  } catch {
    // No link, or one that may not even be looked at.
    return undefined;
  }
  return realOf(path);
}

/** Relative to the project, unless that would lead far away. */
export function shown(path: string, root: string): string {
  const near = relative(root, path).split(sep).join("/");
  if (near === "") return ".";
  return near.startsWith("../../..") ? path : near;
}

/** What the watch of Python steps has written down; the last line of a process that was killed may be torn. */
export function reported(file: string): readonly Undeclared[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  const lines = text.split("\n").filter(Boolean);
  return lines.flatMap((line) => {
    try {
      // Written by the watch, in this shape.
      return [JSON.parse(line) as Undeclared];
    } catch {
      return [];
    }
  });
}

const refusing = /permission denied|EACCES|EROFS|read-only file system|not permitted/i;
const missing = /no such file or directory|ENOENT/i;

/**
 * What a program complains of, in its own words: the path in the line is one that exists and was
 * not granted.
 * @param hidden whether what is not granted looks as if it were not there
 */
export function refusalIn(
  lines: readonly string[],
  { bounds, root, hidden }: { readonly bounds: Bounds; readonly root: string; readonly hidden: boolean },
): Undeclared | undefined {
  for (const line of lines.toReversed()) {
    const isRefused = refusing.test(line);
    if (!isRefused && !(hidden && missing.test(line))) continue;
    for (const word of candidates(line)) {
      const path = resolve(root, word);
      const real = realOf(path);
      const isThere = mayBeThere(path);
      if (isThere && (real === undefined || !isGranted(real, bounds))) {
        // What exists can be written over as well as read: a program that says which is believed.
        const isWrite = /creat|writ|remov|renam|unlink|mkdir|delet|EROFS|read-only/i.test(
          line.replace(word, ""),
        );
        return { path, access: isWrite ? "write" : "read" };
      }
      const isMade = !isThere && isRefused && word.includes("/") && existsSync(dirname(path));
      if (isMade && !isWithin(realOf(dirname(path)) ?? dirname(path), bounds.write))
        return { path, access: "write" };
    }
  }
  return undefined;
}

/** Whether a path exists; also if the system keeps that from mlpipe as well: then it has refused the step. */
function mayBeThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    // Anything else says that the word is no path: too long, below a file.
    return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
  }
}

/** What was refused of a place that may be read, and can be: to write there. Calls of the system do not tell. */
export function accessMeant({ path, access }: Undeclared, bounds: Bounds): Undeclared {
  const real = realOf(path);
  if (access !== "read" || real === undefined || !isWithin(real, bounds.read)) return { path, access };
  try {
    accessSync(real, constants.R_OK);
    return { path, access: "write" };
  } catch {
    return { path, access };
  }
}

function isGranted(real: string, { read, write }: Bounds): boolean {
  return isWithin(real, read) || isWithin(real, write);
}

/** The words of a line that may be paths: quoted ones first. */
function candidates(line: string): readonly string[] {
  const quoted = [...line.matchAll(/['"‘`]([^'"’`]+)['"’`]/g)].map((match) => match[1] ?? "");
  const between = line.split(/:\s+|\s*:$/).map((word) => word.trim());
  return [...quoted, ...between, ...line.split(/\s+/).map((word) => word.replace(/[:,;]$/, ""))].filter(
    (word) => word !== "" && word.length < 4096,
  );
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
