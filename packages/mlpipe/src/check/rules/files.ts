/** Files that a step opens by a path in its source, and not through a port. */
import { dirname, matchesGlob, relative, resolve } from "node:path";
import { projectPath } from "../../project/project.ts";
import type { LiteralPath, LiteralPaths } from "../literal-path.ts";
import type { Use } from "../scan.ts";
import { literalText } from "../sources.ts";
import type { StepFacts } from "../step-facts.ts";
import type { Rule, Verdict } from "./rule.ts";

/** By function, without `Sync`: which arguments are read and which are written. */
const functions: Readonly<Record<string, { readonly reads?: number; readonly writes?: number }>> = {
  readFile: { reads: 0 },
  createReadStream: { reads: 0 },
  openAsBlob: { reads: 0 },
  readdir: { reads: 0 },
  opendir: { reads: 0 },
  open: { reads: 0 },
  DatabaseSync: { reads: 0 },
  writeFile: { writes: 0 },
  appendFile: { writes: 0 },
  createWriteStream: { writes: 0 },
  copyFile: { reads: 0, writes: 1 },
  cp: { reads: 0, writes: 1 },
  rename: { writes: 1 },
};

/** The rules on files of one project. */
export function filesOf(
  root: string,
  paths: LiteralPaths,
): { readonly reading: Rule; readonly writing: Rule } {
  const find = (use: Use, which: "reads" | "writes"): LiteralPath | undefined => {
    const access = accessOf(use);
    const index = access?.[which];
    const given = index === undefined ? undefined : use.given[index];
    return given === undefined ? undefined : paths.of(given);
  };
  return {
    reading: (use, step) => {
      const path = find(use, "reads");
      if (path === undefined || path.isKeyed === true || isDeclared(path, step, root)) return undefined;
      return readVerdict(path, projectPath(root, path.text), step);
    },
    writing: (use, step) => {
      const path = find(use, "writes");
      if (path === undefined || isHarmless(path, step, root)) return undefined;
      return writeVerdict(path, projectPath(root, path.text), step);
    },
  };
}

function readVerdict(path: LiteralPath, name: string, { definition, identity }: StepFacts): Verdict {
  // Where `files` says what the step is made of, the planner believes it.
  const isFollowed =
    path.meta === undefined || identity.uncacheable.length === 0 || definition.files !== undefined;
  const fate = isFollowed
    ? "what is in it is not part of the key"
    : "its path is made of import.meta and cannot be followed, so the step runs every time";
  return {
    code: "MLP6107",
    what: name,
    message: (steps) => `${shown(path, name)} is read by ${steps}, and not through a port: ${fate}.`,
    hint:
      `Data comes in through a port: source(${JSON.stringify(name)}, …). ` +
      `What belongs to the code is named: files: [${JSON.stringify(name)}]${followedUrl(path)}.`,
    ...(path.meta !== undefined && { cause: path.meta }),
  };
}

/** The one way to write a path beside the module that the planner follows. */
function followedUrl({ meta, text, isWhole }: LiteralPath): string {
  if (meta === undefined || !isWhole) return "";
  const beside = relative(dirname(meta.getSourceFile().getFilePath()), text);
  const specifier = beside.startsWith("..") ? beside : `./${beside}`;
  return `,\nor opened by new URL(${JSON.stringify(specifier)}, import.meta.url), which is followed`;
}

function writeVerdict(path: LiteralPath, name: string, { definition: { kind, target } }: StepFacts): Verdict {
  const file = shown(path, name);
  if (kind === "deploy") {
    return {
      code: "MLP6108",
      what: name,
      message: (steps) =>
        `${file} is written by ${steps} and lies outside of the target: nobody looks whether it is still there.`,
      hint: `A deploy writes its target and nothing else: write below ${target ?? "it"}.`,
    };
  }
  return {
    code: "MLP6108",
    what: name,
    message: (steps) =>
      `${file} is written by ${steps}, and not through a port: it is not kept, and a cached step does not write it again.`,
    hint: "Declare an output port and write through it: out.NAME.write(…), or to the path out.NAME.path.",
  };
}

function shown({ isWhole }: LiteralPath, name: string): string {
  return isWhole ? name : `A file in ${name}`;
}

function accessOf({
  origin,
  how,
  given,
}: Use): { readonly reads?: number; readonly writes?: number } | undefined {
  const [module, ...path] = origin;
  if (how !== "call" && how !== "new") return undefined;
  if (module !== "node:fs" && module !== "node:sqlite") return undefined;
  const name = path.find((part) => part !== "promises") ?? "";
  const access = functions[name] ?? functions[name.replace(/Sync$/, "")];
  const flags = /^open(?:Sync)?$/.test(name) ? literalText(given[1]) : undefined;
  return flags !== undefined && /[wa]/.test(flags) ? { writes: 0 } : access;
}

/** Whether a file is an input, or named as part of the code. */
function isDeclared(path: LiteralPath, step: StepFacts, root: string): boolean {
  const { files = [] } = step.definition;
  const covers = (glob: string): boolean => {
    const pattern = resolve(root, glob);
    // Of a folder that is read, some of the files are named: the user has thought of it.
    if (isBelow(path.text, pattern) || isBelow(pattern, path.text)) return true;
    // Relative to the root, whose own name may hold what a glob takes for a pattern.
    return path.isWhole && matchesGlob(relative(root, path.text), relative(root, pattern));
  };
  const isSource = [...step.sources].some((source) => isBelow(path.text, source));
  return isSource || files.some(covers) || isHarmless(path, step, root);
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/** Devices, and what is a deploy's own. */
function isHarmless({ text }: LiteralPath, { definition: { target } }: StepFacts, root: string): boolean {
  if (/^\/(?:dev|proc)\//.test(text)) return true;
  return target !== undefined && isBelow(text, resolve(root, target));
}
