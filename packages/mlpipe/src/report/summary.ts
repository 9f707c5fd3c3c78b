/** What a run says at its end: what ran, what did not and why, the metrics, and where the outputs are. */
import type { Manifest } from "@mlpipe/dsl";
import type { RunResult, StepOutcome } from "@mlpipe/executor";
import { summaryOf } from "../cli/commands/plan.ts";
import { bytes, count, duration, metric, shortId } from "../cli/format.ts";
import { columns } from "../cli/output.ts";
import { renderError } from "../cli/render-error.ts";
import { mostTelling } from "../cli/shown-metrics.ts";
import type { Style } from "../cli/style.ts";
import { symbols } from "./symbols.ts";

/** Above this many steps those that are as they were are counted and not listed. */
const listed = 40;

/** So many are listed at most. */
const mostListed = 200;

/** So many errors are told in full, those that are alike as one, and so many steps named that failed alike. */
const mostTold = 8;
const mostNamed = 3;

/** So many metrics are listed. */
const mostMetrics = 40;

/** The lines of the summary. */
export function summary(
  result: RunResult,
  manifest: Manifest,
  root: string,
  style: Style,
): readonly string[] {
  const lines: string[] = [""];
  const verdict = {
    succeeded: style("good", "succeeded"),
    failed: style("bad", "failed"),
    rejected: style("bad", "rejected"),
    waiting: style("warning", "waits for an approval"),
    cancelled: style("warning", "cancelled"),
    crashed: style("bad", "crashed"),
  }[result.status];
  const counts = countsOf(result.steps);
  lines.push(
    `${style("strong", manifest.pipeline)} ${verdict} in ${duration(result.durationMs)}  ${style("quiet", `${counts}  run ${shortId(result.run)}`)}`,
  );

  const news =
    result.steps.length <= listed ? result.steps : result.steps.filter(({ status }) => isNews(status));
  const shown = mostTellingSteps(news);
  if (shown.length > 0) lines.push("", ...columns(shown.map((step) => stepRow(step, style))));
  if (shown.length < news.length) {
    const text = `  … and ${news.length - shown.length} more: mlpipe show ${shortId(result.run)} lists them`;
    lines.push(style("quiet", text));
  }
  lines.push(...checkLines(result.steps, style));
  const failures = failuresOf(result);
  for (const { id, error, alike } of failures.slice(0, mostTold)) {
    const whole =
      error.logTail !== undefined && `mlpipe logs ${shortId(result.run)} ${id} shows everything it said.`;
    const hint = [error.hint, whole].filter((text) => typeof text === "string").join("\n");
    const message = error.message.includes(`"${id}"`) ? error.message : `${id}: ${error.message}`;
    lines.push("", ...renderError({ ...error, message, ...(hint !== "" && { hint }) }, root, style));
    if (alike.length > 0) lines.push("", `  Failed likewise: ${named(alike)}.`);
  }
  const untold = failures.slice(mostTold).reduce((sum, { alike }) => sum + 1 + alike.length, 0);
  if (untold > 0) {
    const text = `… and ${untold} more that failed otherwise: mlpipe show ${shortId(result.run)} lists them`;
    lines.push("", style("quiet", text));
  }
  const metrics = metricRows(result.steps, manifest);
  if (metrics.length > 0) {
    const told = mostTelling(metrics, mostMetrics);
    lines.push("", style("strong", "metrics"), ...columns(told.map(({ row }) => row)));
    if (told.length < metrics.length) {
      const text = `  … and ${metrics.length - told.length} more: mlpipe runs --csv has them all`;
      lines.push(style("quiet", text));
    }
  }
  const outputs = Object.entries(result.outputs);
  if (outputs.length > 0) {
    const rows = outputs.map(([name, { path, size }]) => [
      `  ${name}`,
      path ?? "",
      style("quiet", bytes(size)),
    ]);
    lines.push("", style("strong", "outputs"), ...columns(rows));
  }
  return lines;
}

interface Failure {
  readonly id: string;
  readonly error: NonNullable<StepOutcome["error"]>;
  /** Other children of the same fan-out that failed in the same words. */
  readonly alike: string[];
}

/** What failed. A sweep whose trials fail for one reason says it once. */
function failuresOf({ steps, error: ending }: RunResult): readonly Failure[] {
  const failures = new Map<string, Failure>();
  for (const { id, error: own, check } of steps) {
    const error = own ?? check?.error;
    // What ended the run is told once, by whoever ends with its exit code.
    if (error === undefined || error.code === ending?.code) continue;
    const { code, message, logTail } = error;
    const words = JSON.stringify([definitionOf(id), code, message.replaceAll(id, ""), logTail]);
    const known = failures.get(words);
    if (known === undefined) failures.set(words, { id, error, alike: [] });
    else known.alike.push(id);
  }
  return [...failures.values()];
}

/** A child's id without its keys. */
function definitionOf(id: string): string {
  return id.endsWith("]") ? id.slice(0, id.indexOf("[")) : id;
}

function named(ids: readonly string[]): string {
  const names = ids.slice(0, mostNamed);
  return ids.length > names.length
    ? `${names.join(", ")} and ${ids.length - names.length} more`
    : names.join(", ");
}

function countsOf(steps: readonly StepOutcome[]): string {
  const amounts = new Map<string, number>();
  for (const { status } of steps) amounts.set(status, (amounts.get(status) ?? 0) + 1);
  const parts = [...amounts].map(([status, amount]) => `${amount} ${status}`);
  return parts.length === 0 ? "no steps" : `${count(steps.length, "step")}: ${parts.join(", ")}`;
}

/** What `--check` found. */
function checkLines(steps: readonly StepOutcome[], style: Style): readonly string[] {
  const checks = steps.flatMap(({ check }) => check ?? []);
  if (checks.length === 0) return [];
  const same = checks.filter((check) => check.same).length;
  const text = `${same} of ${count(checks.length, "step")} gave the same outputs when run again`;
  return ["", `${style("strong", "checked")}  ${style(same === checks.length ? "good" : "bad", text)}`];
}

/** What is listed where there is more than anybody reads: what failed before what ran, and that before what did not begin. */
function mostTellingSteps(steps: readonly StepOutcome[]): readonly StepOutcome[] {
  if (steps.length <= mostListed) return steps;
  const weight = ({ status }: StepOutcome): number =>
    status === "failed" || status === "rejected" ? 0 : status === "ran" ? 1 : 2;
  const first = new Set(steps.toSorted((a, b) => weight(a) - weight(b)).slice(0, mostListed));
  return steps.filter((step) => first.has(step));
}

function isNews(status: StepOutcome["status"]): boolean {
  return status !== "cached" && status !== "skipped";
}

function stepRow({ id, status, durationMs, reasons, error }: StepOutcome, style: Style): readonly string[] {
  const { symbol, look } = symbols[status];
  const executed = status === "ran" || status === "failed" || status === "rejected";
  const why = error?.message.split("\n")[0] ?? summaryOf(reasons.map(({ message }) => message));
  return [
    `  ${style(look, symbol)} ${id}`,
    style(look, status),
    executed ? duration(durationMs) : "",
    style("quiet", why),
  ];
}

function metricRows(
  steps: readonly StepOutcome[],
  manifest: Manifest,
): readonly { readonly step: string; readonly row: readonly string[] }[] {
  const directions = new Map<string, "min" | "max">();
  for (const { id, outputs } of manifest.steps) {
    for (const kind of Object.values(outputs)) {
      if (kind.kind !== "metrics") continue;
      for (const [name, direction] of Object.entries(kind.directions))
        directions.set(`${id}.${name}`, direction);
    }
  }
  return steps.flatMap(({ id, metrics = {} }) =>
    Object.entries(metrics).map(([name, value]) => ({
      step: id,
      row: [
        `  ${id}.${name}`,
        metric(value),
        directions.get(`${id}.${name}`) === "min" ? "lower is better" : "higher is better",
      ],
    })),
  );
}
