import {
  definitionOf,
  isPipeline,
  type KeyFunction,
  type Manifest,
  MlpipeError,
  type Pipeline,
  type StepDefinition,
} from "@mlpipe/dsl";
import { hasMany, holdWhileBuilt, holdYoungGeneration } from "@mlpipe/executor";
import { importModule } from "./import-module.ts";
import { type GivenParams, readParams } from "./params.ts";
import { type Project, projectPath } from "./project.ts";
import { noteLarge, strippedAside } from "./stripped-aside.ts";

/** A pipeline as data, and what of it cannot be data. */
export interface Loaded {
  readonly manifest: Manifest;
  /** By fan-out, the functions that make the keys of items. */
  readonly keyFunctions: ReadonlyMap<string, KeyFunction>;
}

/**
 * Imports a pipeline's module and makes its manifest.
 *
 * @throws MlpipeError MLP6004, MLP6005 for the module, MLP6006, MLP6007 for params, and every
 *   authoring error of the language
 */
export async function loadManifest(project: Project, file: string, given: GivenParams): Promise<Loaded> {
  const pipeline = await loadPipeline(file, project.root);
  const params = await readParams(pipeline, given);
  let built: Awaited<ReturnType<Pipeline["build"]>>;
  try {
    built = await pipeline.build(params, holdWhileBuilt);
  } catch (error) {
    if (error instanceof Error && "code" in error && /^MLP\d{4}$/.test(String(error.code))) throw error;
    const { pipelineFailure } = await import("./import-failure.ts");
    throw pipelineFailure(pipeline.name, error);
  }
  holdYoungGeneration(built.size);
  if (hasMany(built.size)) noteLarge(file);
  const places = new Map<StepDefinition, { module: string; export: string }>();
  const modules = new ModuleIndex();
  for (const definition of built.definitions) {
    const found = await modules.find(definition);
    places.set(definition, { module: projectPath(project.root, found.file), export: found.name });
  }
  const manifest = built.toManifest({
    file: projectPath(project.root, file),
    relative: (path) => projectPath(project.root, path),
    locate: (definition) => {
      const place = places.get(definition);
      if (place === undefined) throw new Error(`the step ${definition.name} was not located`);
      return place;
    },
  });
  return { manifest, keyFunctions: built.keyFunctions };
}

async function loadPipeline(file: string, root: string): Promise<Pipeline> {
  await strippedAside(file);
  const module = await importModule(file, "MLP6004");
  const { default: pipeline } = module;
  if (isPipeline(pipeline)) return pipeline;
  const named = Object.keys(module).find((name) => isPipeline(module[name]));
  const name = projectPath(root, file);
  const found =
    pipeline === undefined ? `${name} has no default export` : `The default export of ${name} is no pipeline`;
  throw new MlpipeError("MLP6005", `${found}.`, {
    at: { file, line: 1, column: 1 },
    hint:
      named === undefined
        ? "Write: export default pipeline(…)."
        : `Export ${named} as the default: export default ${named}.`,
  });
}

/** Finds the module and the name under which a step is exported. */
class ModuleIndex {
  /** By module, what it exports: a step's definition to its name. */
  readonly #exports = new Map<string, ReadonlyMap<StepDefinition, string>>();

  async find(definition: StepDefinition): Promise<{ file: string; name: string }> {
    // A factory of the user's may stand between: the outermost module that exports the step has it.
    for (const { file } of definition.sites) {
      const name = (await this.#exportsOf(file)).get(definition);
      if (name !== undefined) return { file, name };
    }
    const local = definition.name.replaceAll(/[-_](\w)/g, (_, letter: string) => letter.toUpperCase());
    throw new MlpipeError(
      "MLP1004",
      `The step "${definition.name}" is not exported by the module that defines it.`,
      {
        at: definition.sites[0],
        hint: `Its process imports the module and looks for the step there: export const ${local} = ${definition.kind}(…).`,
      },
    );
  }

  async #exportsOf(file: string): Promise<ReadonlyMap<StepDefinition, string>> {
    const known = this.#exports.get(file);
    if (known !== undefined) return known;
    const exports = new Map<StepDefinition, string>();
    // The module is loaded already: this gives its namespace and runs nothing again.
    for (const [name, value] of Object.entries(await importModule(file, "MLP6004"))) {
      const definition = definitionOf(value);
      if (definition !== undefined && !exports.has(definition)) exports.set(definition, name);
    }
    this.#exports.set(file, exports);
    return exports;
  }
}
