import type { RecordedRun, Run, StepRun } from "@mlpipe/provenance";
import { stepRunOf } from "@mlpipe/provenance";
import { isDigest, type Store } from "@mlpipe/store";
import { type Annotations, annotationsIn } from "@mlpipe/store/maintenance";
import { bytes, duration, localTime, metric, shortId } from "../format.ts";
import { columns, print, printJson } from "../output.ts";
import { styleFor, type Style } from "../style.ts";
import { summaryOf } from "./plan.ts";
import { recordedRun } from "./recorded.ts";
import { lookOf } from "./runs.ts";
import { openRecords } from "./session.ts";

/**
 * `mlpipe show RUN`: everything about a run. As JSON also the step runs that its hits name, and the
 * documents behind the digests: code by declaration, packages, environment, host.
 */
export function show(id: string, options: { readonly json?: true }): number {
  const { store } = openRecords();
  try {
    const { run, stepRuns } = withReused(store, recordedRun(store, id));
    const said = annotationsIn(store.root).get(run.id);
    if (options.json === true) {
      const { tags = [], notes = [] } = said ?? {};
      printJson({
        schemaVersion: 1,
        run,
        stepRuns,
        documents: documentsOf(store, run, stepRuns),
        tags,
        notes,
      });
      return 0;
    }
    for (const line of runLines(run, stepRuns, said, styleFor(process.stdout))) print(line);
    return 0;
  } finally {
    store.close();
  }
}

/** The run's own step runs, then those that made what it took from the cache. */
function withReused(store: Store, recorded: RecordedRun): RecordedRun {
  const { run } = recorded;
  const own = new Set(recorded.stepRuns.map((stepRun) => stepRun.id));
  const reused = run.steps.flatMap(({ stepRun }) => {
    const row = stepRun === null || own.has(stepRun) ? undefined : store.runs.stepRun(stepRun);
    return row === undefined ? [] : [stepRunOf(row)];
  });
  return { run, stepRuns: [...recorded.stepRuns, ...reused] };
}

/** What is kept under the digests that records name. */
function documentsOf(store: Store, run: Run, stepRuns: readonly StepRun[]): Record<string, unknown> {
  const documents: Record<string, unknown> = {};
  const digests = [run.env, ...stepRuns.flatMap(({ env, keyParts }) => [env, ...Object.values(keyParts)])];
  for (const digest of digests) {
    const document = digest !== null && isDigest(digest) ? store.parts.get(digest) : undefined;
    if (digest !== null && document !== undefined) documents[digest] = document;
  }
  return documents;
}

function runLines(
  run: Run,
  stepRuns: readonly StepRun[],
  said: Annotations | undefined,
  style: Style,
): readonly string[] {
  const made = new Map(stepRuns.map((stepRun) => [stepRun.id, stepRun]));
  const facts = [
    ["run", run.id],
    ["pipeline", `${run.pipeline.name} (${run.pipeline.file})`],
    ["status", style(lookOf(run.status), run.status)],
    [
      "started",
      `${localTime(run.startedAt)}${run.durationMs === null ? "" : `, took ${duration(run.durationMs)}`}`,
    ],
    ["by", `${run.by.user} on ${run.by.host}, ${triggerText(run)}`],
    ["command", run.argv.join(" ")],
    ["git", gitText(run)],
    ["params", JSON.stringify(run.params)],
    ...(said === undefined || said.tags.length === 0 ? [] : [["tags", said.tags.join(" ")]]),
    ...(said?.notes ?? []).map(({ text, at, by }) => ["note", `${text} (${by}, ${localTime(at)})`]),
  ];
  const steps = run.steps.map((step) => {
    const stepRun = step.stepRun === null ? undefined : made.get(step.stepRun);
    const rss = stepRun?.attempts.at(-1)?.usage?.maxRssBytes;
    const executed = stepRun?.run === run.id;
    return [
      `  ${step.id}`,
      style(lookOf(step.status), step.status),
      executed ? duration(step.durationMs) : "",
      executed && rss != null ? bytes(rss) : "",
      style("quiet", summaryOf(step.reasons.map(({ message }) => message))),
    ];
  });
  const metrics = run.steps.flatMap(({ id, metrics: values = {} }) =>
    Object.entries(values).map(([name, value]) => [`  ${id}`, name, metric(value)]),
  );
  const outputs = Object.entries(run.outputs).map(([name, { digest, size, path }]) => [
    `  ${name}`,
    path ?? "",
    bytes(size),
    style("quiet", digest.slice(0, 12)),
  ]);
  const errors = run.steps.flatMap(({ id, error }) =>
    error === undefined ? [] : [`  ${id}: ${style("bad", error.code)} ${error.message}`],
  );
  return [
    ...columns(facts.map(([name = "", value = ""]) => [style("quiet", name), value])),
    "",
    style("strong", "steps"),
    ...columns(steps),
    ...section("errors", errors),
    ...section("metrics", columns(metrics)),
    ...section("outputs", columns(outputs)),
    ...section(
      "warnings",
      run.warnings.map((warning) => `  ${warning}`),
    ),
    ...(run.status === "crashed"
      ? ["", `mlpipe itself ended without a word; run ${shortId(run.id)} shows what it got done.`]
      : []),
  ];

  function section(title: string, lines: readonly string[]): readonly string[] {
    return lines.length === 0 ? [] : ["", style("strong", title), ...lines];
  }
}

function triggerText({ trigger }: Run): string {
  const parts = [trigger.provider, trigger.event, trigger.actor].filter((part) => part !== undefined);
  return parts.length === 0 ? trigger.kind : `${trigger.kind} (${parts.join(", ")})`;
}

function gitText({ git }: Run): string {
  if (git === null) return "not recorded: no step was executed, or no git";
  const where = [git.commit?.slice(0, 12) ?? "no commit yet", git.ref?.replace("refs/heads/", "") ?? null]
    .filter((part) => part !== null)
    .join(" on ");
  return git.dirty === null ? where : `${where}, with changes`;
}
