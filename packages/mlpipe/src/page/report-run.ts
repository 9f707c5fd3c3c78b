/** What the report of a run tells, gathered from the records and the store. Nothing of the project is executed. */
import type { Run, StepRun } from "@mlpipe/provenance";
import { type ExportedStep, exportedRun } from "@mlpipe/provenance/export";
import { isDigest, type Store } from "@mlpipe/store";
import { type Annotations, annotationsIn } from "@mlpipe/store/maintenance";
import { type HistoricRun, historyOf } from "./history.ts";
import { type LogTail, logTails, unfinishedTails } from "./log-tail.ts";
import { type Plot, plotsOf } from "./plots.ts";

/** A run with all that its report shows. */
export interface ReportedRun {
  readonly run: Run;
  readonly steps: readonly ReportedStep[];
  /** What was there before: the run itself is the last. */
  readonly history: readonly HistoricRun[];
  readonly plots: readonly Plot[];
  /** By step. */
  readonly logs: ReadonlyMap<string, readonly LogTail[]>;
  /** Of a run that crashed or goes on: of steps without a record, by the name of the log. */
  readonly unfinished: ReadonlyMap<string, readonly LogTail[]>;
  /** The document of the host; nothing if no step was executed. */
  readonly host: Readonly<Record<string, unknown>> | undefined;
  readonly said: Annotations;
}

/** A step, what became of it, and the execution that made its outputs. */
export interface ReportedStep extends ExportedStep {
  readonly outcome: Run["steps"][number] | undefined;
  /** The execution, if it belongs to this run. */
  readonly executed: StepRun | undefined;
  /** The steps that feed it, by id, with the ports: `train → examples`. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  /** Declarations and files that its code is made of, each with its digest. */
  readonly code: Readonly<Record<string, string>>;
}

/** Gathers the run. @param id of a run that is there */
export function reportedRun(store: Store, id: string): ReportedRun {
  const exported = exportedRun(store, id);
  if (exported === undefined) throw new Error(`run ${id} is there and is not`);
  const { run, host } = exported;
  const outcomes = new Map(run.steps.map((step) => [step.id, step]));
  const makers = new Map(
    exported.steps.flatMap(({ id: step, stepRun }) => (stepRun ? [[stepRun.id, step]] : [])),
  );
  const wiring = wiringOf(store, run);
  const codes = new Map<string, ReportedStep["code"]>();
  const steps = exported.steps.map((step): ReportedStep => {
    const digest = step.stepRun?.keyParts["code"] ?? "";
    const code = codes.get(digest) ?? codeOf(isDigest(digest) ? store.parts.get(digest) : undefined);
    codes.set(digest, code);
    return {
      ...step,
      outcome: outcomes.get(step.id),
      executed: step.stepRun?.run === run.id ? step.stepRun : undefined,
      needs:
        step.stepRun === undefined ? wiredNeeds(step.id, wiring, outcomes) : needsOf(step.stepRun, makers),
      code,
    };
  });
  return {
    run,
    steps,
    history: historyOf(store, run),
    plots: plotsOf(store, steps),
    logs: logTails(store, steps),
    unfinished: run.endedAt === null ? unfinishedTails(store, run.id, steps) : new Map(),
    host,
    said: annotationsIn(store.root).get(run.id) ?? { tags: [], notes: [] },
  };
}

function needsOf(stepRun: StepRun, makers: ReadonlyMap<string, string>): ReportedStep["needs"] {
  const needs = new Map<string, string[]>();
  const add = (step: string | undefined, ports: string): void => {
    if (step === undefined) return;
    const known = needs.get(step);
    if (known === undefined) needs.set(step, [ports]);
    else known.push(ports);
  };
  for (const [port, { from, items }] of Object.entries(stepRun.inputs)) {
    if (from !== undefined) add(from.step, `${from.port} → ${port}`);
    for (const [key, item] of Object.entries(items ?? {}))
      add(typeof item.stepRun === "string" ? makers.get(item.stepRun) : undefined, `${port}[${key}]`);
  }
  return needs;
}

/** What feeds each step as the pipeline wires it: of steps that were not executed, their records tell nothing. */
function wiringOf(store: Store, { pipeline: { wiring } }: Run): Readonly<Record<string, readonly string[]>> {
  const document = wiring !== undefined && isDigest(wiring) ? store.parts.get(wiring) : undefined;
  // The recorder wrote it: `{ "fit": ["split"] }`.
  return (document ?? {}) as Readonly<Record<string, readonly string[]>>;
}

function wiredNeeds(
  id: string,
  wiring: Readonly<Record<string, readonly string[]>>,
  outcomes: ReadonlyMap<string, unknown>,
): ReportedStep["needs"] {
  // A child of a fan-out is wired as the step that stands for all items.
  const keys = id.match(bracketed) ?? [];
  const wired = wiring[id] ?? wiring[id.replaceAll(bracketed, "[*]")] ?? [];
  return new Map(
    wired.flatMap((need) => {
      let at = 0;
      const own = need.replaceAll("[*]", () => keys[at++] ?? "[*]");
      if (outcomes.has(own)) return [[own, []]];
      if (!own.includes("[*]")) return [];
      // What joins the children waits for each of them.
      const children = [...outcomes.keys()].filter((each) => each.replaceAll(bracketed, "[*]") === need);
      return children.map((child): [string, readonly string[]] => [child, []]);
    }),
  );
}

const bracketed = /\[[^\]]*\]/g;

function codeOf(document: unknown): ReportedStep["code"] {
  if (typeof document !== "object" || document === null) return {};
  const { parts } = document as { readonly parts?: unknown };
  const flat = typeof parts === "object" && parts !== null ? parts : document;
  return Object.fromEntries(
    Object.entries(flat).flatMap(([name, digest]: [string, unknown]) =>
      typeof digest === "string" && isDigest(digest) ? [[name, digest]] : [],
    ),
  );
}
