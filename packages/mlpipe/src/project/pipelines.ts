import { type Dirent, existsSync, readdirSync, statSync } from "node:fs";
import { basename, isAbsolute, join, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { readConfig } from "./config.ts";
import { nearest } from "./nearest.ts";
import { type Project, projectPath } from "./project.ts";

const ending = /\.pipeline\.(?:m?[jt]s)$/;
const skipped = new Set(["node_modules", ".git", ".mlpipe", "dist", "artifacts", ".venv", "__pycache__"]);

/** Every pipeline file below the root, absolute and sorted. Nothing is executed. */
export function findPipelines({ root, storeRoot }: Project): readonly string[] {
  const found: string[] = [];
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
      const other = skipped.has(entry.name) || path === storeRoot || existsSync(join(path, "package.json"));
      if (!other) folders.push(path);
    }
  }
  return found.toSorted();
}

/** What is in a folder. One that nobody lets us into has no pipeline that we could run. */
function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "ENOENT"))
      return [];
    throw error;
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
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
  }
  const files = findPipelines(project);
  if (wanted !== undefined) {
    const matches = files.filter((file) => pipelineFileName(file) === wanted);
    if (matches.length === 1 && matches[0] !== undefined) return matches[0];
    const names = files.map(pipelineFileName);
    const similar = nearest(wanted, names);
    throw new MlpipeError(
      "MLP6003",
      matches.length > 1
        ? `"${wanted}" is the name of ${matches.length} pipelines: ${list(project, matches)}.`
        : `There is no pipeline "${wanted}".`,
      {
        hint:
          matches.length > 1
            ? "Give the path of the file."
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
    throw new MlpipeError("MLP6001", `There is no *.pipeline.ts below ${project.root}.`, {
      hint: "Make a first one with mlpipe init, or go to the project's folder.",
    });
  }
  if (others.length > 0) {
    throw new MlpipeError("MLP6002", `The project has ${files.length} pipelines: ${list(project, files)}.`, {
      hint: `Name one: mlpipe run ${pipelineFileName(only)}. Or set the usual one in mlpipe.config.ts.`,
    });
  }
  return only;
}

function list(project: Project, files: readonly string[]): string {
  return files.map((file) => projectPath(project.root, file)).join(", ");
}
