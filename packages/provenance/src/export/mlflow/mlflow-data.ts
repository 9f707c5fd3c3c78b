/** What records say of a run, in the words of MLflow: params, metrics, tags and datasets. */
import { isAbsolute, posix } from "node:path";
import type { Run, StepRun } from "../../records.ts";
import { type Consumed, inputsOf, type MakerOf } from "../artifact.ts";
import type { ExportedRun, ExportedStep } from "../exported-run.ts";
import { webUrl } from "../repository.ts";
import type { MlflowBatch, MlflowMetric, MlflowText } from "./mlflow-batch.ts";
import { cut, longestParam, longestTag, mlflowNames } from "./mlflow-names.ts";

/** What is known of a run while it goes on. */
export type MlflowRun = Pick<
  Run,
  "id" | "pipeline" | "tool" | "by" | "startedAt" | "git" | "params" | "trigger"
>;

/** The words that MLflow has for how a run is. */
export type MlflowStatus = "RUNNING" | "FINISHED" | "FAILED" | "KILLED";

/** How a run that ended is called. */
export const runStatuses: Readonly<Record<Exclude<Run["status"], "running">, MlflowStatus>> = {
  succeeded: "FINISHED",
  failed: "FAILED",
  rejected: "FAILED",
  // It did not fail, and did not get to its end.
  waiting: "KILLED",
  cancelled: "KILLED",
  crashed: "KILLED",
};

/** How an execution that ended is called. */
export const stepStatuses: Readonly<Record<StepRun["status"], MlflowStatus>> = {
  ran: "FINISHED",
  failed: "FAILED",
  rejected: "FAILED",
  cancelled: "KILLED",
};

/** The tags that a run is found by, and those that MLflow's pages show. */
export function runIdentity(run: MlflowRun): Readonly<Record<string, string | undefined>> {
  return {
    "mlflow.runName": `${run.pipeline.name} ${run.id.slice(0, 18)}`,
    "mlflow.user": run.by.user,
    "mlflow.source.name": run.pipeline.file,
    "mlflow.source.type": run.trigger.kind === "cli" ? "LOCAL" : "JOB",
    "mlpipe.runId": run.id,
    "mlpipe.pipeline": run.pipeline.name,
    "mlpipe.version": run.tool.version,
  };
}

/** The tags that the run of a step is found by. */
export function stepIdentity(
  run: MlflowRun,
  step: string,
  parent: string,
): Readonly<Record<string, string | undefined>> {
  return { ...runIdentity(run), "mlflow.runName": step, "mlflow.parentRunId": parent, "mlpipe.step": step };
}

/** All that is logged of a run of a pipeline. Metrics are those of its steps: `score/mae`. */
export function runBatch({ run, steps }: ExportedRun): MlflowBatch {
  const measured = steps.flatMap(({ id, stepRun }) =>
    metricsOf(stepRun).map((metric) => ({ ...metric, key: `${id}/${metric.key}` })),
  );
  const failed = steps.find(({ status }) => status === "failed" || status === "rejected")?.stepRun?.error;
  const byStatus = Object.entries(Object.groupBy(run.steps, ({ status }) => status));
  return batch(run.params, measured, {
    ...runIdentity(run),
    ...gitTags(run.git),
    "mlpipe.status": run.status,
    "mlpipe.steps": byStatus.map(([status, group]) => `${group.length} ${status}`).join(", "),
    "mlpipe.trigger": run.trigger.kind,
    "mlpipe.ciUrl": run.trigger.runUrl,
    "mlpipe.error": failed && `${failed.code} ${failed.message}`,
  });
}

/** All that is logged of a step. */
export function stepBatch(
  run: MlflowRun,
  step: ExportedStep & { readonly stepRun: StepRun },
  {
    parent,
    model,
    original,
  }: {
    readonly parent: string;
    /** The only model that it read. */
    readonly model: string | undefined;
    /** MLflow's run of the execution that a cached step is taken from, if it is there. */
    readonly original: string | undefined;
  },
): MlflowBatch {
  const { stepRun } = step;
  const metrics = metricsOf(stepRun).map((metric) => ({
    ...metric,
    ...(model !== undefined && { model_id: model }),
  }));
  return batch(stepRun.params, metrics, {
    ...stepIdentity(run, step.id, parent),
    ...gitTags(run.git),
    "mlflow.source.name": stepRun.step.module,
    "mlpipe.kind": stepRun.step.kind,
    "mlpipe.status": step.status,
    "mlpipe.stepRun": stepRun.id,
    "mlpipe.stepKey": `sha256:${stepRun.key}`,
    "mlpipe.cached": `${step.isReused}`,
    ...(step.isReused && {
      "mlpipe.originalRunId": stepRun.run,
      "mlpipe.originalMlflowRunId": original,
      "mlpipe.executedAt": stepRun.endedAt,
    }),
    ...Object.fromEntries(
      Object.entries(stepRun.seeds).map(([port, seed]) => [`mlpipe.seed.${port}`, `${seed}`]),
    ),
    ...Object.fromEntries(
      stepRun.checks.map(({ name, status, message }) => [
        `mlpipe.check.${name}`,
        message === undefined ? status : `${status}: ${message}`,
      ]),
    ),
    "mlpipe.target": stepRun.target?.path,
    "mlpipe.error": stepRun.error && `${stepRun.error.code} ${stepRun.error.message}`,
  });
}

/** A dataset that a run read, as `runs/log-inputs` takes it. */
export interface MlflowDataset {
  readonly dataset: {
    readonly name: string;
    readonly digest: string;
    readonly source_type: string;
    readonly source: string;
    readonly profile: string;
  };
  readonly tags: readonly MlflowText[];
}

/** What a step read that is no model: each content of a name once. */
export function datasetsOf(run: MlflowRun, step: ExportedStep, makerOf: MakerOf): readonly MlflowDataset[] {
  const read = inputsOf(step, makerOf).filter(
    ({ kind }) => kind?.kind !== "model" && kind?.kind !== "metrics",
  );
  const datasets = read.map((input) => dataset(run, step, input));
  return [
    ...new Map(datasets.map((each) => [`${each.dataset.name}\0${each.dataset.digest}`, each])).values(),
  ];
}

function dataset(run: MlflowRun, step: ExportedStep, input: Consumed): MlflowDataset {
  const { from, path, digest, size, entries, detail, port } = input;
  const place = isAbsolute(path) ? path : posix.join(run.by.cwd, path);
  return {
    dataset: {
      name: cut(from === undefined ? path : `${from.step}.${from.port}`, 500).text,
      // MLflow takes 36 characters; the tag has all of them.
      digest: digest.slice(0, 36),
      ...(from === undefined
        ? { source_type: "local", source: JSON.stringify({ uri: place }) }
        : {
            // MLflow's own word for data that code has made.
            source_type: "code",
            source: JSON.stringify({ tags: { "mlpipe.step": from.step, "mlpipe.port": from.port } }),
          }),
      profile: JSON.stringify({
        bytes: size,
        ...(entries !== undefined && { files: entries }),
        ...(detail?.type === "rows" && { num_rows: detail.rows, columns: detail.columns.slice(0, 1_000) }),
      }),
    },
    tags: [
      { key: "mlflow.data.context", value: contexts[step.kind] ?? step.kind },
      { key: "mlpipe.sha256", value: digest },
      { key: "mlpipe.port", value: cut(port, 500).text },
    ],
  };
}

const contexts: Readonly<Record<string, string>> = { train: "training", evaluate: "evaluation" };

function metricsOf(stepRun: StepRun | undefined): readonly MlflowMetric[] {
  if (stepRun === undefined) return [];
  const times = Map.groupBy(stepRun.metrics, ({ name }) => name);
  return stepRun.metrics.map(({ name, value, port }) => ({
    key: times.get(name)?.length === 1 ? name : `${port}.${name}`,
    value: numberOf(value),
    timestamp: Date.parse(stepRun.endedAt),
    step: 0,
  }));
}

function numberOf(value: number): MlflowMetric["value"] {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return value;
  return value > 0 ? "Infinity" : "-Infinity";
}

function gitTags(git: Run["git"]): Readonly<Record<string, string | undefined>> {
  if (git?.commit == null) return {};
  return {
    "mlflow.source.git.commit": git.commit,
    "mlflow.source.git.branch": git.ref?.replace(/^refs\/heads\//, ""),
    "mlflow.source.git.repoURL": git.remote === null ? undefined : (webUrl(git.remote) ?? git.remote),
    "mlflow.git.dirty": `${git.dirty !== null}`,
  };
}

function batch(
  given: unknown,
  measured: readonly MlflowMetric[],
  tags: Readonly<Record<string, string | undefined>>,
): MlflowBatch {
  const values = typeof given === "object" && given !== null ? Object.entries(given) : [];
  const names = mlflowNames(values.map(([name]) => name));
  const shortened: string[] = [];
  const params = values.map(([name, value]: [string, unknown]) => {
    const key = names.get(name) ?? name;
    const { text, isCut } = cut(typeof value === "string" ? value : JSON.stringify(value), longestParam);
    if (isCut) shortened.push(key);
    return { key, value: text };
  });
  const keys = mlflowNames(measured.map(({ key }) => key));
  const all = { ...tags, "mlpipe.cutParams": shortened.length === 0 ? undefined : shortened.join(", ") };
  const tagNames = mlflowNames(Object.keys(all));
  return {
    params,
    metrics: measured.map((metric) => ({ ...metric, key: keys.get(metric.key) ?? metric.key })),
    tags: mlflowTags(all, tagNames),
  };
}

/** Tags as the server takes them; those without a value are none. */
export function mlflowTags(
  tags: Readonly<Record<string, string | undefined>>,
  names: ReadonlyMap<string, string> = mlflowNames(Object.keys(tags)),
): readonly MlflowText[] {
  return Object.entries(tags).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key: names.get(key) ?? key, value: cut(value, longestTag).text }],
  );
}
