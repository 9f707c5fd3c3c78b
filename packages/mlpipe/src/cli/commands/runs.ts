import { MlpipeError } from "@mlpipe/dsl";
import { type Run, runOf, stepRunOf } from "@mlpipe/provenance";
import type { Store } from "@mlpipe/store";
import { annotationsIn } from "@mlpipe/store/maintenance";
import { nearest } from "../../project/nearest.ts";
import { duration, localTime, metric, shortId } from "../format.ts";
import { columns, print, printJson, say } from "../output.ts";
import {
  compareFields,
  type Condition,
  conditionOf,
  fieldsInVain,
  fieldValues,
  type ListedRun,
  sinceOf,
} from "../run-fields.ts";
import { mostTelling } from "../shown-metrics.ts";
import { styleFor, type Look } from "../style.ts";
import { newestRuns } from "./recorded.ts";
import { openRecords } from "./session.ts";

export interface RunsOptions {
  readonly limit: string;
  readonly pipeline?: string;
  readonly where?: readonly string[];
  readonly step?: string;
  readonly status?: string;
  readonly since?: string;
  readonly tag?: readonly string[];
  readonly sort?: string;
  readonly reverse?: true;
  readonly columns?: string;
  readonly csv?: true;
  readonly json?: true;
}

/** `mlpipe runs`: the runs, newest first, or those that are asked for in the order that is. */
export function runs(options: RunsOptions): number {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) {
    throw new MlpipeError(
      "MLP6010",
      `--limit takes a whole number from 1 up, and was given ${options.limit}.`,
    );
  }
  const conditions = conditionsOf(options);
  const { store } = openRecords();
  try {
    const isPlain = conditions.length === 0 && options.sort === undefined && options.reverse === undefined;
    const rows = store.runs.list({
      ...(isPlain && { limit }),
      ...(options.pipeline !== undefined && { pipeline: options.pipeline }),
    });
    const said = annotationsIn(store.root);
    const all = rows.map((row): ListedRun => {
      const stepRuns = row.status === "crashed" ? store.runs.stepRuns(row.id).map(stepRunOf) : [];
      return { run: runOf(row, stepRuns), tags: [], notes: [], ...said.get(row.id) };
    });
    if (rows.length === 0 && options.pipeline !== undefined) sayUnknown(options.pipeline, store);
    if (all.length > 0) for (const name of fieldsInVain(all, options)) say(`No run has ${name}.`);
    const listed = all.filter((each) => conditions.every((holds) => holds(each)));
    const sorted = options.sort === undefined ? listed : sortedBy(listed, options.sort, store);
    const found = (options.reverse === true ? sorted.toReversed() : sorted).slice(0, limit);
    if (options.json === true) printJson({ schemaVersion: 1, runs: found.map(inShort) });
    else if (options.csv === true) for (const line of csvOf(found, options.columns)) print(line);
    else printTable(found, options, conditions.length > 0 || options.pipeline !== undefined);
    return 0;
  } finally {
    store.close();
  }
}

function conditionsOf({ where = [], step, status, since, tag = [] }: RunsOptions): readonly Condition[] {
  const conditions = where.map(conditionOf);
  if (step !== undefined) conditions.push(({ run }) => run.steps.some((each) => wasExecuted(each, step)));
  if (status !== undefined) conditions.push(endedAs(status));
  if (since !== undefined) conditions.push(sinceOf(since));
  for (const name of tag) conditions.push(({ tags }) => tags.includes(name));
  return conditions;
}

const statuses = ["running", "succeeded", "failed", "rejected", "waiting", "cancelled", "crashed"];

function endedAs(status: string): Condition {
  if (statuses.includes(status)) return ({ run }) => run.status === status;
  const similar = nearest(status, statuses);
  throw new MlpipeError("MLP6010", `${status} is no status of a run.`, {
    hint: similar === undefined ? `There are ${statuses.join(", ")}.` : `Did you mean ${similar}?`,
  });
}

/** How many runs back the names of pipelines are looked for. */
const namedBack = 50;

/** A pipeline goes by the name that it gives itself, and not by that of its file. */
function sayUnknown(pipeline: string, store: Store): void {
  const names = [...new Set(newestRuns(store, namedBack).map(({ pipeline }) => pipeline.name))].toSorted();
  if (names.length > 0) say(`No run is of a pipeline "${pipeline}"; there are runs of ${names.join(", ")}.`);
}

function wasExecuted({ id, status }: Run["steps"][number], step: string): boolean {
  return (id === step || id.startsWith(`${step}[`)) && ["ran", "failed", "rejected"].includes(status);
}

/** Metrics best first, everything else from the smallest; runs without the field come last. */
function sortedBy(listed: readonly ListedRun[], field: string, store: Store): readonly ListedRun[] {
  const isBetterWhenHigh = field.startsWith("metrics.") && directionOf(listed, field, store) === "max";
  const valueOf = (each: ListedRun): ReturnType<typeof fieldValues>[number] => {
    const values = fieldValues(each, field);
    const numbers = values.filter((value) => typeof value === "number");
    if (numbers.length < 2) return values[0];
    return isBetterWhenHigh ? Math.max(...numbers) : Math.min(...numbers);
  };
  return listed
    .map((each) => ({ each, value: valueOf(each) }))
    .toSorted((a, b) => {
      const isNone = [a.value, b.value].map((value) => value === undefined || value === null);
      if (isNone[0] === true || isNone[1] === true) return Number(isNone[0]) - Number(isNone[1]);
      return compareFields(a.value, b.value) * (isBetterWhenHigh ? -1 : 1);
    })
    .map(({ each }) => each);
}

/** Whether a metric is better when it is low or high, as the step run says that has it. */
function directionOf(listed: readonly ListedRun[], field: string, store: Store): "min" | "max" {
  const name = field.slice("metrics.".length);
  for (const { run } of listed) {
    const step = run.steps.find(({ id, metrics = {} }) =>
      Object.keys(metrics).some((each) => each === name || `${id}.${each}` === name),
    );
    const row = step?.stepRun == null ? undefined : store.runs.stepRun(step.stepRun);
    const metrics = row === undefined ? [] : stepRunOf(row).metrics;
    const found = metrics.find((each) => each.name === name || `${step?.id}.${each.name}` === name);
    if (found !== undefined) return found.direction;
  }
  return "min";
}

function printTable(found: readonly ListedRun[], options: RunsOptions, isFiltered: boolean): void {
  const style = styleFor(process.stdout);
  if (found.length === 0) print(isFiltered ? "No run is like that." : "Nothing has run here yet.");
  const named = columnsOf(options.columns);
  const rows = found.map((listed) => {
    const { run, tags } = listed;
    const shown = named?.map((name) => shownField(listed, name));
    return [
      shortId(run.id),
      localTime(run.startedAt),
      run.pipeline.name,
      style(lookOf(run.status), run.status),
      run.durationMs === null ? "" : duration(run.durationMs),
      ...(shown ?? [
        style("quiet", [workOf(run), ...metricsOf(run)].join("  ")) + tags.map((tag) => `  #${tag}`).join(""),
      ]),
    ];
  });
  const head = named === undefined ? [] : [["run", "started", "pipeline", "status", "took", ...named]];
  for (const line of columns(rows.length === 0 ? [] : [...head, ...rows])) print(line);
}

function columnsOf(text: string | undefined): readonly string[] | undefined {
  return text
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function shownField(listed: ListedRun, name: string): string {
  return fieldValues(listed, name)
    .map((value) =>
      value === undefined || value === null ? "" : typeof value === "number" ? metric(value) : String(value),
    )
    .join(" ");
}

/** With all params and metrics that any of the runs has, unless columns are named. Numbers are not rounded. */
function csvOf(found: readonly ListedRun[], named: string | undefined): readonly string[] {
  const metrics = found.flatMap(({ run }) =>
    run.steps.flatMap(({ id, metrics: values = {} }) =>
      Object.keys(values).map((name) => `metrics.${id}.${name}`),
    ),
  );
  const params = found.flatMap(({ run: { params: values } }) =>
    typeof values === "object" && values !== null ? Object.keys(values).map((name) => `params.${name}`) : [],
  );
  const usual = ["pipeline", "status", "started", "duration", "user", "commit", "tags"];
  const names = ["run", ...(columnsOf(named) ?? [...usual, ...new Set(params), ...new Set(metrics)])];
  const line = (cells: readonly string[]): string => cells.map(csvCell).join(",");
  return [line(names), ...found.map((each) => line(names.map((name) => fieldValues(each, name).join(" "))))];
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
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

/** So many metrics of a run stand in its line. */
const mostMetrics = 6;

function metricsOf(run: Run): readonly string[] {
  const all = run.steps.flatMap(({ id: step, metrics = {} }) =>
    Object.entries(metrics).map(([name, value]) => ({ step, text: `${step}.${name} ${metric(value)}` })),
  );
  const shown = mostTelling(all, mostMetrics);
  const texts = shown.map(({ text }) => text);
  return shown.length < all.length ? [...texts, `… and ${all.length - shown.length} more`] : texts;
}

function inShort({ run, tags, notes }: ListedRun): Record<string, unknown> {
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
    tags,
    notes,
  };
}
