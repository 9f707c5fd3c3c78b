/** The registry of models: a version for each content, and aliases for those that gates passed and deploys took. */
import type { Run } from "../../records.ts";
import { type Artifact, inputsOf, makersOf, outputsOf } from "../artifact.ts";
import type { ExportedRun } from "../exported-run.ts";
import { list, record, tagsOf, text } from "./mlflow-answer.ts";
import { mlflowTags } from "./mlflow-data.ts";
import type { MlflowModel } from "./mlflow-models.ts";
import { registeredName } from "./mlflow-names.ts";
import { type MlflowAnswer, MlflowRefusal, type MlflowServer } from "./mlflow-server.ts";

/** A model that belongs in the registry: one that the pipeline returned, or that was deployed. */
export interface Registered {
  /** `line.model`: the pipeline, and what it calls the model. */
  readonly name: string;
  readonly model: Artifact;
  /** Aliases that it earned, and when. */
  readonly aliases: Readonly<Partial<Record<Alias, string>>>;
}

/** What a model can be: passed by a gate, taken by a deploy. */
export type Alias = "approved" | "deployed";

/** The models of a run for the registry. */
export function registeredOf(exported: ExportedRun): readonly Registered[] {
  const { run, steps } = exported;
  const makerOf = makersOf(exported);
  const made = new Map<string, Artifact>();
  for (const model of steps.flatMap(outputsOf)) {
    if (model.kind?.kind === "model" && !made.has(model.digest)) made.set(model.digest, model);
  }
  const aliases = new Map<string, Partial<Record<Alias, string>>>();
  for (const step of steps) {
    const alias = step.kind === "gate" ? "approved" : step.kind === "deploy" ? "deployed" : undefined;
    if (alias === undefined || step.stepRun?.status !== "ran") continue;
    for (const { digest } of inputsOf(step, makerOf)) {
      if (made.has(digest)) aliases.set(digest, { ...aliases.get(digest), [alias]: step.stepRun.endedAt });
    }
  }
  const returned = Object.entries(run.outputs).flatMap(([name, { digest }]) =>
    registered(run, name, made.get(digest), aliases),
  );
  const names = new Set(returned.map(({ model }) => model.digest));
  const deployed = [...aliases].flatMap(([digest, { deployed: at }]) => {
    const model = made.get(digest);
    return at === undefined || names.has(digest) ? [] : registered(run, model?.port ?? "", model, aliases);
  });
  return [...returned, ...deployed];
}

function registered(
  run: Run,
  name: string,
  model: Artifact | undefined,
  aliases: ReadonlyMap<string, Registered["aliases"]>,
): readonly Registered[] {
  return model === undefined
    ? []
    : [
        {
          name: registeredName(`${run.pipeline.name}.${name}`),
          model,
          aliases: aliases.get(model.digest) ?? {},
        },
      ];
}

/** Registers a model under its name, unless this content has a version; and moves its aliases, but never back in time. */
export async function register(
  server: MlflowServer,
  { name, model: { digest, step, port }, aliases }: Registered,
  { id, source, run }: MlflowModel,
  origin: Readonly<Record<string, string>>,
): Promise<void> {
  await createUnlessThere(server, name);
  const found = await server.get("model-versions/search", {
    filter: `name = '${name}' and tags.\`mlpipe.digest\` = '${digest}'`,
    max_results: "10",
  });
  let version = list(found, "model_versions")[0];
  version ??= record(
    await server.post("model-versions/create", {
      name,
      source,
      run_id: run,
      ...(id !== undefined && { model_id: id }),
      tags: mlflowTags({ ...origin, "mlpipe.digest": digest, "mlpipe.output": `${step}.${port}` }),
    }),
    "model_version",
  );
  for (const [alias, at] of Object.entries(aliases)) await point(server, name, version, alias, at);
}

async function createUnlessThere(server: MlflowServer, name: string): Promise<void> {
  try {
    await server.post("registered-models/create", { name });
  } catch (error) {
    if (!(error instanceof MlflowRefusal) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
  }
}

async function point(
  server: MlflowServer,
  name: string,
  version: MlflowAnswer,
  alias: string,
  at: string,
): Promise<void> {
  const number = text(version, "version");
  const key = `mlpipe.${alias}At`;
  const there = record(await server.get("registered-models/get", { name }), "registered_model");
  const holder = text(list(there, "aliases").find((each) => text(each, "alias") === alias) ?? {}, "version");
  const held =
    holder === ""
      ? ""
      : (tagsOf(
          record(await server.get("model-versions/get", { name, version: holder }), "model_version"),
        ).get(key) ?? "");
  // A run that is exported after a later one has moved the alias must not move it back.
  if (held > at || (held === at && holder === number)) return;
  await server.post("model-versions/set-tag", { name, version: number, key, value: at });
  if (holder !== number) await server.post("registered-models/alias", { name, alias, version: number });
}
