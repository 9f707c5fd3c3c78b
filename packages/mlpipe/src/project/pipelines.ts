import { type Dirent, existsSync, readdirSync, statSync } from "node:fs";
import { basename, isAbsolute, join, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { readConfig } from "./config.ts";
import { nearest } from "./nearest.ts";
import { type Project, projectPath } from "./project.ts";

const ending = /\.pipeline\.(?:m?[jt]s)$/;
const skipped = new Set(["node_modules", ".git", ".mlpipe", "dist", "artifacts", ".venv", "__pycache__"]);

/** Every pipeline file below the root, absolute and sorted. Nothing is executed. */
export function findPipelines(project: Project): readonly string[] {
  return lookBelow(project).files;
}

/** The pipeline files of a project, and the folders below it that are projects of their own. */
function lookBelow({ root, storeRoot }: Project): {
  readonly files: readonly string[];
  readonly projects: readonly string[];
} {
  const found: string[] = [];
  const projects: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = entriesOf(folder);
    // An exported run has a copy of the pipeline as it was, which is not to be run.
    if (entries.some(({ name }) => name === "ro-crate-metadata.json") && folder !== root) continue;
    for (const entry of entries) {
      // Among the entries there may be 100,000 of a data folder.
      if (!entry.isDirectory()) {
        if (ending.test(entry.name)) found.push(join(folder, entry.name));
        continue;
      }
      const path = join(folder, entry.name);
      // A folder with a package.json of its own is another project, as findProject sees it.
      if (skipped.has(entry.name) || path === storeRoot) continue;
      if (existsSync(join(path, "package.json"))) projects.push(path);
      else folders.push(path);
    }
  }
  return { files: found.toSorted(), projects };
}

/** Pipelines of projects below a project, and below those, as in the packages of a workspace. */
function pipelinesOfOthers(project: Project): readonly { readonly file: string; readonly folder: string }[] {
  const found: { file: string; folder: string }[] = [];
  const folders = [...lookBelow(project).projects];
  for (const root of folders) {
    const { files, projects } = lookBelow({ root, storeRoot: project.storeRoot });
    const folder = projectPath(project.root, root);
    found.push(...files.map((file) => ({ file, folder })));
    folders.push(...projects);
  }
  return found.toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

/** Folders of others, those that have just gone, and those of which `/proc` says nothing: a project may be in `/`. */
const closed = new Set(["EACCES", "EPERM", "ENOENT", "ENOTDIR", "EINVAL", "ESRCH"]);

/** What is in a folder. One that nobody lets us into has no pipeline that we could run. */
function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && "code" in error && closed.has(String(error.code))) return [];
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // Below a file, or too long to be a path: then it is meant as a name.
    return false;
  }
}

/** A pipeline file's short name: `weather` for `weather.pipeline.ts`. */
export function pipelineFileName(file: string): string {
  return basename(file).replace(ending, "");
}

/**
 * The pipeline file that a command means: the named one, that of `mlpipe.config.ts`, or the only one.
 *
 * @param cwd what a named file is relative to
 * @throws MlpipeError MLP6001, MLP6002, MLP6003, MLP6008
 */
export async function selectPipeline(project: Project, cwd: string, named?: string): Promise<string> {
  const wanted = named ?? (await readConfig(project)).pipeline;
  if (wanted !== undefined) {
    const base = named === undefined ? project.root : cwd;
    const path = isAbsolute(wanted) ? wanted : resolve(base, wanted);
    if (isFile(path)) return path;
  }
  const files = findPipelines(project);
  if (wanted !== undefined) {
    const matches = files.filter((file) => pipelineFileName(file) === wanted);
    if (matches.length === 1 && matches[0] !== undefined) return matches[0];
    const names = files.map(pipelineFileName);
    const elsewhere = pipelinesOfOthers(project).find(({ file }) => pipelineFileName(file) === wanted);
    const similar = nearest(wanted, names);
    throw new MlpipeError(
      "MLP6003",
      matches.length > 1
        ? `"${wanted}" is the name of ${matches.length} pipelines: ${list(project, matches)}.`
        : `There is no pipeline "${wanted}"${named === undefined ? ", which mlpipe.config.ts names" : ""}.`,
      {
        hint:
          matches.length > 1
            ? "Give the path of the file."
            : elsewhere !== undefined
              ? `It is in ${elsewhere.folder}, a project of its own: go there, or mlpipe -C ${elsewhere.folder} run ${wanted}.`
              : similar !== undefined
                ? `Did you mean ${similar}?`
                : files.length > 0
                  ? `The project has: ${names.join(", ")}.`
                  : "The project has no *.pipeline.ts file; mlpipe init makes a first one.",
      },
    );
  }
  const [only, ...others] = files;
  if (only === undefined) {
    const elsewhere = [...new Set(pipelinesOfOthers(project).map(({ folder }) => folder))];
    const [folder] = elsewhere;
    if (folder !== undefined) {
      throw new MlpipeError(
        "MLP6001",
        `There is no *.pipeline.ts below ${project.root} but in projects of their own: ${elsewhere.slice(0, 12).join(", ")}${elsewhere.length > 12 ? ", …" : ""}.`,
        { hint: `A folder with a package.json is a project. Go there, or mlpipe -C ${folder} run.` },
      );
    }
    throw new MlpipeError("MLP6001", `There is no *.pipeline.ts below ${project.root}.`, {
      hint: "Make a first one with mlpipe init, or go to the project's folder.",
    });
  }
  if (others.length > 0) {
    throw new MlpipeError("MLP6002", `The project has ${files.length} pipelines: ${list(project, files)}.`, {
      hint: `Name one: mlpipe run ${pipelineFileName(only)}, mlpipe why STEP -p ${pipelineFileName(only)}. Or set the usual one in mlpipe.config.ts.`,
    });
  }
  return only;
}

function list(project: Project, files: readonly string[]): string {
  return files.map((file) => projectPath(project.root, file)).join(", ");
}
