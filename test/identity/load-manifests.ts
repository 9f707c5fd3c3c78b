/**
 * A process of its own that loads pipelines as the command line does, again and again: Node keeps a
 * module by its URL for as long as a process lives, so each time the URLs of the project's modules
 * get another query.
 */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import type { Manifest } from "@mlpipe/dsl";
import { loadManifest } from "../../packages/mlpipe/src/project/load.ts";

/** What is asked for. */
export interface LoadRequest {
  readonly root: string;
  /** Relative to the root. */
  readonly file: string;
  /** `KEY=VALUE`, as after `-s`. */
  readonly set: readonly string[];
}

/** What comes back. */
export type LoadAnswer = { readonly manifest: Manifest } | { readonly error: string };

let generation = 0;
let rootUrl = "";

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    if (!found.url.startsWith(rootUrl)) return found;
    return { ...found, url: `${found.url.replace(/\?.*$/, "")}?generation=${generation}` };
  },
});

process.on("message", (request: LoadRequest) => {
  generation++;
  rootUrl = `${pathToFileURL(request.root).href}/`;
  const project = { root: request.root, storeRoot: `${request.root}/.mlpipe` };
  loadManifest(project, `${request.root}/${request.file}`, { cwd: request.root, set: request.set })
    .then(({ manifest }): LoadAnswer => ({ manifest }))
    .catch((error: unknown): LoadAnswer => ({
      error: error instanceof Error ? error.message : String(error),
    }))
    .then((answer) => process.send?.(answer))
    .catch(() => process.exit(1));
});
process.on("disconnect", () => process.exit(0));
