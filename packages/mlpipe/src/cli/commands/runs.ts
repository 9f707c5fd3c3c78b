import { MlpipeError } from "@mlpipe/dsl";
import { type Run, runOf, stepRunOf } from "@mlpipe/provenance";
import { duration, localTime, metric, shortId } from "../format.ts";
import { columns, print, printJson } from "../output.ts";
import { styleFor, type Look } from "../style.ts";
import { openRecords } from "./session.ts";

/** `mlpipe runs`: the runs, newest first. */
export function runs(options: {
  readonly limit: string;
  readonly pipeline?: string;
  readonly json?: true;
}): number {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new MlpipeError(
      "MLP6010",
      `--limit takes a whole number from 1 up, and was given ${options.limit}.`,
    );
  }
  const { store } = openRecords();
  try {
    const found = store.runs
      .list({ limit, ...(options.pipeline !== undefined && { pipeline: options.pipeline }) })
      .map((row) => runOf(row, row.status === "crashed" ? store.runs.stepRuns(row.id).map(stepRunOf) : []));
    if (options.json === true) {
      printJson({ schemaVersion: 1, runs: found.map(inShort) });
      return 0;
    }
    const style = styleFor(process.stdout);
    if (found.length === 0) print("Nothing has run here yet.");
    const rows = found.map((run) => [
      shortId(run.id),
      localTime(run.startedAt),
      run.pipeline.name,
      style(lookOf(run.status), run.status),
      run.durationMs === null ? "" : duration(run.durationMs),
      style("quiet", [workOf(run), ...metricsOf(run)].join("  ")),
    ]);
    for (const line of columns(rows)) print(line);
    return 0;
  } finally {
    store.close();
  }
}

/** The look of a run's or a step's status. */
export function lookOf(status: string): Look {
  if (status === "succeeded" || status === "ran" || status === "cached") return "good";
  return status === "failed" || status === "crashed" || status === "rejected" ? "bad" : "warning";
}

function workOf(run: Run): string {
  const ran = run.steps.filter(({ status }) => status === "ran").length;
  const cached = run.steps.filter(({ status }) => status === "cached").length;
  return `${ran} ran, ${cached} cached`;
}

function metricsOf(run: Run): readonly string[] {
  return run.steps.flatMap(({ id, metrics = {} }) =>
    Object.entries(metrics).map(([name, value]) => `${id}.${name} ${metric(value)}`),
  );
}

function inShort(run: Run): Record<string, unknown> {
  const { id, pipeline, status, startedAt, endedAt, durationMs, params, git, trigger, by } = run;
  const metrics = Object.fromEntries(
    run.steps.flatMap((step) =>
      Object.entries(step.metrics ?? {}).map(([name, value]) => [`${step.id}.${name}`, value]),
    ),
  );
  const steps = Object.fromEntries(run.steps.map((step) => [step.id, step.status]));
  const commit = git?.commit ?? null;
  return {
    run: id,
    pipeline: pipeline.name,
    status,
    startedAt,
    endedAt,
    durationMs,
    params,
    commit,
    trigger: trigger.kind,
    user: by.user,
    steps,
    metrics,
  };
}
