/** What commands that look at a pipeline have in common: project, manifest, store. */
import { accessSync, constants, existsSync } from "node:fs";
import type { KeyFunction, Manifest } from "@mlpipe/dsl";
import { openStore, type Store } from "@mlpipe/store";
import { loadManifest } from "../../project/load.ts";
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

/** A pipeline that was loaded, with the store beside it. */
export interface Session {
  readonly project: Project;
  readonly manifest: Manifest;
  /** By fan-out, the functions of the pipeline that make the keys of items. */
  readonly keyFunctions: ReadonlyMap<string, KeyFunction>;
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
  const loaded = await withQuietStdout(async () => {
    const file = await selectPipeline(project, process.cwd(), named);
    return loadManifest(project, file, {
      cwd: process.cwd(),
      set: options.set ?? [],
      paramsFile: options.params,
    });
  });
  return {
    project,
    ...loaded,
    store: openStore(project.storeRoot, { readonly: looking && !isWritable(project) }),
  };
}

/** Opens the store for looking only; commands that only read execute no code of the project. */
export function openRecords(): { readonly project: Project; readonly store: Store } {
  const project = findProject(process.cwd());
  return { project, store: openStore(project.storeRoot, { readonly: true }) };
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
