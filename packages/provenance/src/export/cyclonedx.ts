/**
 * A model as a CycloneDX 1.6 machine-learning bill of materials: the model with its card, the data and the packages it
 * was made with, and how. https://cyclonedx.org/docs/1.6/json/
 */
import type { StepRun } from "../records.ts";
import type { Artifact, Consumed } from "./artifact.ts";
import type { ExportedRun } from "./exported-run.ts";
import { type Evaluation, type ExecutedStep, modelHistory } from "./model-history.ts";
import { packagesOf } from "./package-identity.ts";

/** What the records do not say. */
export interface ModelStatements {
  /** `STEP.PORT`; needed only if the run made several models. */
  readonly model?: string | undefined;
  /** What the model is for: `tabular-classification`. */
  readonly task?: string | undefined;
  /** SPDX id. */
  readonly license?: string | undefined;
}

/**
 * The bill of materials of a model.
 * @throws MlpipeError MLP5010 if there is none, MLP5015 if there are several
 */
export function modelBom(
  exported: ExportedRun,
  statements: ModelStatements,
): Readonly<Record<string, unknown>> {
  const { run } = exported;
  const history = modelHistory(exported, statements.model);
  const { model, maker, datasets, ancestors, sources, evaluations } = history;
  const packages = packagesOf(ancestors);
  const data = new Map(
    [...sources, ...datasets, ...evaluations.flatMap((evaluation) => evaluation.datasets)].map((each) => [
      each.digest,
      dataComponent(each),
    ]),
  );
  const refs = (of: readonly Consumed[]): readonly { readonly ref: string }[] =>
    of.flatMap(({ digest }) => (data.has(digest) ? [{ ref: dataRef(digest) }] : []));
  const libraries = packages.map(({ name, version, purl }) => ({
    type: "library",
    "bom-ref": purl ?? `package:${name}@${version}`,
    name,
    version,
    ...(purl !== undefined && { purl }),
  }));
  const modelRef = `model:${model.digest}`;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    // A run of its own for each model of it: the same one gives the same document.
    serialNumber: `urn:uuid:${uuidOf(run.id, model)}`,
    version: 1,
    metadata: {
      timestamp: utc(run.endedAt ?? run.startedAt),
      tools: { components: [{ type: "application", name: "mlpipe", version: run.tool.version }] },
      component: {
        type: "machine-learning-model",
        "bom-ref": modelRef,
        name: `${run.pipeline.name}-${model.port}`,
        version: model.digest.slice(0, 12),
        ...hashes(model),
        ...(statements.license !== undefined && { licenses: [{ license: { id: statements.license } }] }),
        modelCard: {
          modelParameters: {
            ...(statements.task !== undefined && { task: statements.task }),
            datasets: refs(datasets),
          },
          ...(evaluations.length > 0 && {
            quantitativeAnalysis: { performanceMetrics: evaluations.flatMap(performance) },
          }),
        },
        properties: [
          { name: "mlpipe:run", value: run.id },
          { name: "mlpipe:step", value: maker.id },
          { name: "mlpipe:stepRun", value: maker.stepRun.id },
          ...Object.entries(maker.stepRun.params).map(([name, value]: [string, unknown]) => ({
            name: `mlpipe:param:${name}`,
            value: typeof value === "string" ? value : JSON.stringify(value),
          })),
          ...Object.entries(maker.stepRun.seeds).map(([name, seed]) => ({
            name: `mlpipe:seed:${name}`,
            value: `${seed}`,
          })),
          ...(run.git?.commit == null ? [] : [{ name: "mlpipe:git:commit", value: run.git.commit }]),
        ],
      },
    },
    components: [...data.values(), ...libraries],
    dependencies: [
      {
        ref: modelRef,
        dependsOn: [
          ...new Set([
            ...refs([...sources, ...datasets]).map(({ ref }) => ref),
            ...libraries.map((library) => library["bom-ref"]),
          ]),
        ],
      },
    ],
    formulation: [
      {
        "bom-ref": `run:${run.id}`,
        workflows: [
          {
            "bom-ref": `workflow:${run.id}`,
            uid: run.id,
            name: run.pipeline.name,
            taskTypes: ["build"],
            tasks: ancestors.map(task),
          },
        ],
      },
    ],
  };
}

function task(step: ExecutedStep): Readonly<Record<string, unknown>> {
  const { stepRun } = step;
  const { argv } = stepRun;
  return {
    "bom-ref": `task:${stepRun.id}`,
    uid: stepRun.id,
    name: step.id,
    taskTypes: ["build"],
    steps: [
      argv.length > 0
        ? { name: step.id, commands: [{ executed: argv.join(" ") }] }
        : { name: step.id, description: `${stepRun.step.export} of ${stepRun.step.module}` },
    ],
    timeStart: utc(stepRun.startedAt),
    timeEnd: utc(stepRun.endedAt),
  };
}

function performance({ step, metrics, datasets }: Evaluation): readonly unknown[] {
  const on = datasets
    .map(({ from, path }) => (from === undefined ? path : `${from.step}.${from.port}`))
    .join(", ");
  return metrics.map(({ name, value }: StepRun["metrics"][number]) => ({
    type: name,
    value: `${value}`,
    slice: on === "" ? step.id : on,
  }));
}

function dataComponent(each: Consumed): Readonly<Record<string, unknown>> {
  const name = each.from === undefined ? each.path : `${each.from.step}.${each.from.port}`;
  const { detail } = each;
  return {
    type: "data",
    "bom-ref": dataRef(each.digest),
    name,
    version: each.digest.slice(0, 12),
    ...hashes(each),
    ...(each.mediaType !== undefined && { "mime-type": each.mediaType }),
    data: [{ type: "dataset", name }],
    properties: [
      { name: "mlpipe:size", value: `${each.size}` },
      ...(detail?.type === "rows" ? [{ name: "mlpipe:rows", value: `${detail.rows}` }] : []),
      ...(detail?.type === "rows" ? [{ name: "mlpipe:columns", value: detail.columns.join(", ") }] : []),
      ...(each.type === "tree" ? [{ name: "mlpipe:tree", value: each.digest }] : []),
    ],
  };
}

/** Of a folder there is no sha256 that anybody else would find: its digest is that of its list of files. */
function hashes({ type, digest }: Pick<Artifact, "type" | "digest">): Readonly<Record<string, unknown>> {
  return type === "file" ? { hashes: [{ alg: "SHA-256", content: digest }] } : {};
}

function dataRef(digest: string): string {
  return `data:${digest}`;
}

/** A UUID that names a model of a run: bits of both, in the shape of version 8, which is for such uses. */
function uuidOf(run: string, { digest }: Artifact): string {
  const own = `${run.replaceAll("-", "").slice(0, 12)}${digest}`;
  return `${own.slice(0, 8)}-${own.slice(8, 12)}-8${own.slice(12, 15)}-8${own.slice(15, 18)}-${own.slice(18, 30)}`;
}

function utc(time: string): string {
  return time.replace("+00:00", "Z");
}
