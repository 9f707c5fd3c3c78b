import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type BuiltBinding, Builder, checkScope, describe, describeIssues, originOf } from "./builder.ts";
import { CallPlace } from "./call-place.ts";
import { parseDuration } from "./duration.ts";
import { MlpipeError } from "./errors.ts";
import type { KeyFunction } from "./fan-out.ts";
import { specOf } from "./kinds.ts";
import type {
  Binding,
  KindSpec,
  Manifest,
  ManifestFanOut,
  ManifestSite,
  ManifestStep,
  StepBody,
} from "./manifest.ts";
import { checkName } from "./names.ts";
import { isRefNode, type Ref } from "./ref.ts";
import { callSite, type Site } from "./site.ts";
import type { StepDefinition } from "./step.ts";
import { toJson } from "./value.ts";

const pipelineMark = Symbol.for("mlpipe.pipeline");

/** What users see of a pipeline: refs by name. */
export type PipelineOutputs = Readonly<Record<string, Ref<unknown>>>;

/**
 * What a pipeline without params has in the place of their schema. A name of this module's own: declarations that users
 * emit can refer to it, where a package that only mlpipe depends on may be out of their reach.
 */
export interface NoParams extends StandardSchemaV1 {}

/** A pipeline: a name, its params, and the function that wires its steps. */
export interface Pipeline<Params extends StandardSchemaV1 = StandardSchemaV1> {
  readonly [pipelineMark]: true;
  readonly name: string;
  readonly params: Params | undefined;
  readonly site: Site | undefined;
  /**
   * Parses the params and wires the steps. Nothing is executed.
   * @param onSize is told after each step how many there are
   * @throws MlpipeError MLP1009 for params that do not fit, and every other authoring error
   */
  build(params: unknown, onSize?: (steps: number) => void): Promise<BuiltPipeline>;
}

/** A pipeline whose steps are wired, before its steps' modules are known. */
export interface BuiltPipeline {
  /** The definitions of all steps; each has to be located in a module before the manifest can be made. */
  readonly definitions: ReadonlySet<StepDefinition>;
  /** How many steps there are before any fan-out over a ref is expanded. */
  readonly size: number;
  /** The functions that make the keys of items, by the fan-out they belong to. */
  readonly keyFunctions: ReadonlyMap<string, KeyFunction>;
  /**
   * @param place where things are: the project's root, the pipeline's file, the module and the
   *   name under which a step's definition is exported
   */
  toManifest(place: ManifestPlaces): Manifest;
}

/** What the language cannot know by itself: it does no I/O. */
export interface ManifestPlaces {
  /** The pipeline's module, relative to the project's root. */
  readonly file: string;
  /** A path relative to the project's root, with `/`. */
  relative(path: string): string;
  locate(definition: StepDefinition): { readonly module: string; readonly export: string };
}

/**
 * A pipeline. Its function is called with the parsed params and wires the steps; branches and
 * sweeps are ordinary `if` and arrays, since params are known before anything is built.
 *
 * @param name of the pipeline
 * @param params the schema of its params
 * @param build calls the steps and returns the refs that users see
 */
export function pipeline<Params extends StandardSchemaV1>(
  name: string,
  params: Params,
  build: (params: StandardSchemaV1.InferOutput<Params>) => PipelineOutputs,
): Pipeline<Params>;
/** A pipeline without params. */
export function pipeline(name: string, build: () => PipelineOutputs): Pipeline<NoParams>;
export function pipeline(
  name: string,
  ...rest: [StandardSchemaV1, (params: never) => PipelineOutputs] | [() => PipelineOutputs]
): Pipeline {
  const site = callSite();
  checkName("a pipeline", name, site);
  const [schema, build] = rest.length === 1 ? [undefined, rest[0]] : rest;
  if (typeof build !== "function") {
    throw new MlpipeError("MLP1010", `The pipeline "${name}" has no function that wires its steps.`, {
      at: site,
      hint: `pipeline("${name}", Params, (p) => { … return { model }; })`,
    });
  }
  return Object.freeze({
    [pipelineMark]: true as const,
    name,
    params: schema,
    site,
    async build(given: unknown, onSize?: (steps: number) => void): Promise<BuiltPipeline> {
      const parsed = await parseParams(name, schema, given, site);
      const builder = new Builder(onSize);
      // The schema that typed the function's parameter parsed the value.
      const outputs: unknown = builder.run(() => build(parsed as never));
      const named = checkOutputs(name, outputs, site, builder);
      const recorded = toJson(parsed ?? {});
      if ("problem" in recorded) {
        throw new MlpipeError("MLP1008", `The params of "${name}" are not JSON: ${recorded.problem}.`, {
          at: site,
          hint: "Let the schema keep them as JSON; make dates of strings inside the steps.",
        });
      }
      return {
        definitions: new Set([...builder.steps.values()].map((step) => step.definition)),
        size: builder.steps.size,
        keyFunctions: new Map(
          [...builder.fanOuts.values()].flatMap(({ id, keyFunction }) =>
            keyFunction === undefined ? [] : [[id, keyFunction] as const],
          ),
        ),
        toManifest: (places) => assemble(name, recorded.json, builder, named, places),
      };
    },
  });
}

/** Whether a value is a pipeline, of this or another copy of the language. */
export function isPipeline(value: unknown): value is Pipeline {
  return typeof value === "object" && value !== null && pipelineMark in value;
}

async function parseParams(
  name: string,
  schema: StandardSchemaV1 | undefined,
  given: unknown,
  site: Site | undefined,
): Promise<unknown> {
  if (schema === undefined) return {};
  const result = await schema["~standard"].validate(given);
  if (result.issues === undefined) return result.value;
  throw new MlpipeError("MLP1009", `The params of "${name}" do not fit: ${describeIssues(result.issues)}.`, {
    at: site,
    hint: "Set a param with -s KEY=VALUE, or many with --params FILE.yaml.",
  });
}

interface NamedOutput {
  readonly name: string;
  readonly kind: KindSpec;
  readonly from: BuiltBinding;
}

function checkOutputs(
  name: string,
  outputs: unknown,
  at: Site | undefined,
  builder: Builder,
): readonly NamedOutput[] {
  if (outputs instanceof Promise) {
    throw new MlpipeError("MLP1011", `The function of the pipeline "${name}" is asynchronous.`, {
      at,
      hint: "Wiring is synchronous; what takes time belongs into a step.",
    });
  }
  if (typeof outputs !== "object" || outputs === null || isRefNode(outputs)) {
    throw new MlpipeError(
      "MLP1011",
      `The pipeline "${name}" returned ${describe(outputs)} instead of its outputs.`,
      {
        at,
        hint: "Return the refs that users should see: return { model, metrics }.",
      },
    );
  }
  return Object.entries(outputs).map(([output, ref]) => {
    if (!isRefNode(ref)) {
      throw new MlpipeError(
        "MLP1011",
        `The pipeline "${name}" returned ${describe(ref)} as ${output}, and not a ref.`,
        {
          at,
        },
      );
    }
    checkName(`an output of the pipeline "${name}"`, output, at);
    const from = originOf(ref);
    checkScope(from, name, at, builder);
    return { name: output, kind: ref.kind, from };
  });
}

function assemble(
  pipelineName: string,
  params: Manifest["params"],
  builder: Builder,
  outputs: readonly NamedOutput[],
  places: ManifestPlaces,
): Manifest {
  // Thousands of calls stand in a few files.
  const files = new Map<string, string>();
  const site = (given: Site | undefined): ManifestSite | undefined => {
    if (given === undefined) return undefined;
    const file = files.get(given.file) ?? places.relative(given.file);
    files.set(given.file, file);
    return { column: given.column, file, line: given.line };
  };
  const binding = (built: BuiltBinding): Binding => {
    if (built.type === "source") {
      const { site: called, ...rest } = built;
      const at = site(called.site);
      return at === undefined ? rest : { ...rest, site: at };
    }
    if (built.type === "joined") return { ...built, from: binding(built.from) };
    if (built.type === "item") return { ...built, path: [...built.path] };
    if (built.type !== "many") return built;
    return { type: "many", items: built.items.map(({ key, from }) => ({ key, from: binding(from) })) };
  };
  const inputBinding = (built: BuiltBinding): Binding => {
    if (built.type !== "source") return binding(built);
    const { site: called, ...rest } = built;
    return { ...rest, site: new CallPlace(called, places) };
  };
  const shared = new Map<StepDefinition, DefinitionPart>();
  const definitionPart = (definition: StepDefinition): DefinitionPart => {
    let part = shared.get(definition);
    if (part === undefined) {
      part = partOf(definition, site(definition.sites[0]), places);
      shared.set(definition, part);
    }
    return part;
  };
  return {
    schemaVersion: 1,
    pipeline: pipelineName,
    file: places.file,
    params,
    steps: Array.from(
      builder.steps.values(),
      ({ id, definition, called, inputs, scheduling, each }): ManifestStep => ({
        id,
        ...definitionPart(definition),
        called: new CallPlace(called, places),
        ...(each.length > 0 && { each: [...each] }),
        inputs: mapValues(inputs, ({ kind, from }) => ({ from: inputBinding(from), kind })),
        scheduling,
      }),
    ),
    ...(builder.fanOuts.size > 0 && {
      fanOuts: Array.from(
        builder.fanOuts.values(),
        ({ id, list, fields, within, called }): ManifestFanOut => {
          const at = site(called.site);
          return {
            id,
            list: binding(originOf(list)),
            kind: list.kind.kind === "json" || list.kind.kind === "jsonl" ? list.kind.kind : "value",
            ...(fields !== undefined && { keyFields: [...fields] }),
            within: [...within],
            ...(at !== undefined && { called: at }),
          };
        },
      ),
    }),
    outputs: Object.fromEntries(outputs.map(({ name, kind, from }) => [name, { kind, from: binding(from) }])),
    warnings: builder.warnings.map(({ message, site: given }) => {
      const at = site(given);
      return at === undefined ? { message } : { message, site: at };
    }),
  };
}

/** What all calls of a definition share: there may be thousands. */
type DefinitionPart = Omit<ManifestStep, "id" | "called" | "each" | "inputs" | "scheduling">;

function partOf(
  definition: StepDefinition,
  defined: ManifestSite | undefined,
  places: ManifestPlaces,
): DefinitionPart {
  const { description, files, env = [], cache } = definition.options;
  const { export: name, module } = places.locate(definition);
  return {
    body: bodyOf(definition),
    cache: cacheOf(cache),
    ...checkpointsOf(definition),
    ...(defined !== undefined && { defined }),
    ...(description !== undefined && { description }),
    env: env.map((entry) =>
      typeof entry === "string" ? { name: entry, secret: false } : { name: entry.secret, secret: true },
    ),
    export: name,
    ...(files !== undefined && { files: [...files] }),
    kind: definition.kind,
    module,
    outputs: mapValues(definition.outputs, (port) =>
      "spec" in port ? port.spec : { kind: "value" as const },
    ),
    ...(definition.target !== undefined && { target: definition.target }),
  };
}

function bodyOf(definition: StepDefinition): StepBody {
  if (definition.argv !== undefined)
    return { type: "command", argv: definition.argv.map((parts) => [...parts]) };
  if (definition.pass !== undefined) return { type: "check", pass: definition.pass };
  return { type: "run" };
}

function checkpointsOf({ inputs }: StepDefinition): { checkpoints?: string[] } {
  const ports = Object.entries(inputs).flatMap(([port, declared]) =>
    specOf(declared).kind === "checkpoint" ? [port] : [],
  );
  return ports.length === 0 ? {} : { checkpoints: ports };
}

function cacheOf(cache: StepDefinition["options"]["cache"]): ManifestStep["cache"] {
  if (cache === false) return { mode: "off" };
  const maxAgeMs = typeof cache === "object" ? parseDuration(cache.maxAge) : undefined;
  return maxAgeMs === undefined ? { mode: "keyed" } : { mode: "aging", maxAgeMs };
}

function mapValues<In, Out>(
  record: Readonly<Record<string, In>>,
  map: (value: In) => Out,
): Record<string, Out> {
  const mapped: Record<string, Out> = {};
  for (const [key, value] of Object.entries(record)) mapped[key] = map(value);
  return mapped;
}
