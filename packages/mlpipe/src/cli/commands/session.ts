/** What commands that look at a pipeline have in common: project, manifest, store. */
import { accessSync, constants, existsSync } from "node:fs";
import { type Manifest, MlpipeError } from "@mlpipe/dsl";
import { upstreamOf } from "@mlpipe/planner";
import { openStore, type Store } from "@mlpipe/store";
import { loadManifest } from "../../project/load.ts";
import { nearest } from "../../project/nearest.ts";
import { selectPipeline } from "../../project/pipelines.ts";
import { findProject, type Project } from "../../project/project.ts";

/** Options that say which pipeline with which params. */
export interface PipelineOptions {
  readonly set?: readonly string[];
  readonly params?: string;
  /** `true` for all steps. */
  readonly force?: true | readonly string[];
  readonly json?: true;
}

/** Whether a store can be made or written there. */
function isWritable({ root, storeRoot }: Project): boolean {
  try {
    accessSync(existsSync(storeRoot) ? storeRoot : root, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Which of the steps. */
export interface Selection {
  readonly only?: readonly string[];
  readonly from?: readonly string[];
}

/** A pipeline that was loaded, with the store beside it. */
export interface Session {
  readonly project: Project;
  readonly manifest: Manifest;
  readonly store: Store;
}

/**
 * Loads a pipeline and opens the project's store.
 * @param looking whether nothing is to be run: then a project that cannot be written to will do
 */
export async function openSession(
  named: string | undefined,
  options: PipelineOptions,
  { looking = false }: { readonly looking?: boolean } = {},
): Promise<Session> {
  const project = findProject(process.cwd());
  const manifest = await withQuietStdout(async () => {
    const file = await selectPipeline(project, process.cwd(), named);
    return loadManifest(project, file, {
      cwd: process.cwd(),
      set: options.set ?? [],
      paramsFile: options.params,
    });
  });
  return {
    project,
    manifest,
    store: openStore(project.storeRoot, { readonly: looking && !isWritable(project) }),
  };
}

/** Opens the store for looking only; commands that only read execute no code of the project. */
export function openRecords(): { readonly project: Project; readonly store: Store } {
  const project = findProject(process.cwd());
  return { project, store: openStore(project.storeRoot, { readonly: true }) };
}

/** The steps to be forced, as the planner takes them. */
export function forced(manifest: Manifest, force: PipelineOptions["force"]): ReadonlySet<string> | "all" {
  if (force === undefined) return new Set();
  return force === true ? "all" : stepsNamed(manifest, force);
}

/**
 * The steps that words of a command line mean: ids, or the name before the brackets for all children of an `each`.
 * @throws MlpipeError MLP2003 for a step that is not there
 */
export function stepsNamed(manifest: Manifest, words: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  for (const word of words.flatMap((each) => each.split(/,(?![^[]*\])/))) {
    const matches = manifest.steps.filter(({ id }) => id === word || id.startsWith(`${word}[`));
    if (matches.length === 0) {
      const ids = manifest.steps.map(({ id }) => id);
      const similar = nearest(word, ids);
      throw new MlpipeError("MLP2003", `The pipeline "${manifest.pipeline}" has no step "${word}".`, {
        hint:
          similar === undefined
            ? `Its steps: ${ids.slice(0, 12).join(", ")}${ids.length > 12 ? ", …" : ""}.`
            : `Did you mean ${similar}?`,
      });
    }
    for (const { id } of matches) found.add(id);
  }
  return found;
}

/** The steps that `--only` and `--from` select; nothing if neither is given. */
export function selectedSteps(
  manifest: Manifest,
  { only, from }: Selection,
): ReadonlySet<string> | undefined {
  if (only === undefined && from === undefined) return undefined;
  const selected = new Set(only === undefined ? [] : stepsNamed(manifest, only));
  const reached = new Set(from === undefined ? [] : stepsNamed(manifest, from));
  // Steps stand after those they need, so one walk finds everything downstream.
  for (const step of manifest.steps) {
    if (upstreamOf(step).some((need) => reached.has(need))) reached.add(step.id);
  }
  return selected.union(reached);
}

/** What modules print while they are imported is no data: it goes to stderr. */
async function withQuietStdout<Result>(load: () => Promise<Result>): Promise<Result> {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    return await load();
  } finally {
    process.stdout.write = write;
  }
}
