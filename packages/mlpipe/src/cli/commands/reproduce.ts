import { existsSync } from "node:fs";
import { MlpipeError } from "@mlpipe/dsl";
import { type Run, runOf, type StepRun, stepRunOf } from "@mlpipe/provenance";
import type { ReproducedStep, Reproduction, Verdict } from "@mlpipe/provenance/reproduction";
import { openStore, type Store } from "@mlpipe/store";
import { findProject } from "../../project/project.ts";
import { reproduce as reproduceAll } from "../../reproduce/reproduce.ts";
import { type Variation, variations } from "../../reproduce/variations.ts";
import { count, shortId } from "../format.ts";
import { columns, print, printJson, say } from "../output.ts";
import { type Look, styleFor, type Style } from "../style.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";
import { StopRequests } from "./stop-requests.ts";

export interface ReproduceCommandOptions {
  readonly cascade?: true;
  readonly repeat: string;
  readonly tolerance: string;
  readonly vary?: string;
  readonly strictEnv?: true;
  readonly json?: true;
}

/** `mlpipe reproduce RUN|STEP`: executes recorded steps again from what is recorded, and says what differs. */
export async function reproduce(named: string, options: ReproduceCommandOptions): Promise<number> {
  const executions = whole("--repeat", options.repeat);
  const tolerance = Number(options.tolerance);
  if (!(tolerance >= 0))
    throw new MlpipeError("MLP6010", `--tolerance takes a number, and was given ${options.tolerance}.`);
  const varied = variedOf(options.vary);
  const project = findProject(process.cwd());
  // Where nothing ran, a question makes no store either.
  if (!existsSync(project.storeRoot)) meant(openRecords().store, named);
  const store = openStore(project.storeRoot);
  using stop = new StopRequests();
  const write = process.stdout.write.bind(process.stdout);
  // What modules of the pipeline print while they are loaded is no data.
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    const { run, stepRuns } = meant(store, named);
    const reproduction = await reproduceAll(project, store, run, stepRuns, {
      executions,
      tolerance,
      varied,
      strictEnvironment: options.strictEnv === true,
      cascade: options.cascade === true,
      signal: stop.gently,
      onCode: (id, code) => {
        say(styleFor(process.stderr)("quiet", `run ${shortId(id)}: ${code}`));
      },
      onStep: ({ step, verdict }) => {
        say(`${step}  ${verdict}`);
      },
    });
    process.stdout.write = write;
    if (options.json === true) printJson({ schemaVersion: 1, reproduction });
    else for (const line of linesOf(reproduction, styleFor(process.stdout))) print(line);
    return stop.gently.aborted ? stop.exit : exitOf(reproduction);
  } finally {
    process.stdout.write = write;
    store.close();
  }
}

/** 3 for what diverged, or must not be executed in this environment; 4 if something needed is missing. */
function exitOf({ verdict, steps }: Reproduction): number {
  if (verdict === "DIVERGED" || steps.some(isOfAnotherEnvironment)) return 3;
  const isMissing = steps.some((step) => step.verdict === "NOT_RERUN" && !isDeploy(step));
  return isMissing ? 4 : 0;
}

function isOfAnotherEnvironment({ verdict, cause }: ReproducedStep): boolean {
  return verdict === "NOT_RERUN" && cause === "environment";
}

function isDeploy({ reason }: ReproducedStep): boolean {
  return reason === "a deploy is never executed again";
}

const looks: Readonly<Record<Verdict, Look>> = {
  IDENTICAL: "good",
  EQUIVALENT: "good",
  WITHIN_TOLERANCE: "warning",
  DIVERGED: "bad",
  NOT_RERUN: "quiet",
};

/** More of them help nobody. */
const mostSuspects = 5;

function linesOf({ steps, verdict, run }: Reproduction, style: Style): readonly string[] {
  const rows = steps.map((step) => {
    const telling = Object.entries(step.outputs).find(
      ([, output]) => output.verdict === step.verdict && output.detail,
    );
    const detail = telling === undefined ? "" : `${telling[0]}: ${telling[1].detail}`;
    const text = detail || (step.verdict === "NOT_RERUN" ? (step.reason ?? "") : "");
    return [step.step, style(looks[step.verdict], step.verdict), text];
  });
  const lines = ["", ...columns(rows)];
  for (const { step, verdict: own, cause, reason, suspects } of steps) {
    if (own === "NOT_RERUN" || reason === undefined) continue;
    lines.push("", `${style("strong", step)}  ${cause ?? ""}: ${reason}`);
    for (const suspect of suspects.slice(0, mostSuspects)) lines.push(`  ${style("quiet", "·")} ${suspect}`);
    if (suspects.length > mostSuspects)
      lines.push(style("quiet", `  … and ${suspects.length - mostSuspects} more`));
  }
  const amount = count(steps.filter((step) => step.verdict !== "NOT_RERUN").length, "step");
  lines.push(
    "",
    `${style("strong", `run ${shortId(run)}`)}  ${style(looks[verdict], verdict)}  ${style("quiet", `${amount} executed again`)}`,
  );
  return lines;
}

/** The run that words mean, and its step runs: a run, RUN/STEP, a step run, or a step of the latest run that has it. */
function meant(store: Store, named: string): { readonly run: Run; readonly stepRuns: readonly StepRun[] } {
  const [word = "", step] = named.split(/\/(.*)/s);
  if (step !== undefined && step !== "") return ofRun(store, recordedRun(store, word).run, step);
  const own = /^[0-9a-f-]{36}$/.test(named) ? store.runs.stepRun(named) : undefined;
  if (own !== undefined) {
    const row = store.runs.get(own.run);
    if (row?.status === "running") {
      // The verdict is appended to its records, and those are its own as long as it goes on.
      throw new MlpipeError("MLP5001", `Run ${shortId(own.run)} is still going on.`, {
        hint: "Reproduce its steps when it has ended.",
      });
    }
    if (row !== undefined) return { run: runOf(row, []), stepRuns: [stepRunOf(own)] };
  }
  for (const row of /^(?:last|[0-9a-f-]{4,36})$/.test(named) ? [] : store.runs.list({ limit: runsBack })) {
    const run = runOf(row, []);
    if (run.steps.some(({ id, stepRun }) => id === named && stepRun !== null))
      return ofRun(store, run, named);
  }
  if (/^(?:last|[0-9a-f-]{4,36})$/.test(named)) return ofRun(store, recordedRun(store, named).run);
  throw new MlpipeError("MLP5001", `There is no run, and no run has a step, that is called ${named}.`, {
    hint: "mlpipe runs lists the runs; mlpipe show RUN the steps of one.",
  });
}

const runsBack = 100;

function ofRun(
  store: Store,
  run: Run,
  step?: string,
): { readonly run: Run; readonly stepRuns: readonly StepRun[] } {
  const stepRuns = run.steps.flatMap(({ id, status, stepRun }) => {
    if (stepRun === null || (status !== "ran" && status !== "cached") || (step !== undefined && id !== step))
      return [];
    const row = store.runs.stepRun(stepRun);
    return row === undefined ? [] : [stepRunOf(row)];
  });
  if (stepRuns.length > 0) return { run, stepRuns };
  throw new MlpipeError(
    "MLP5001",
    step === undefined
      ? `Run ${shortId(run.id)} has no step that succeeded.`
      : `Run ${shortId(run.id)} has no step ${step} that succeeded.`,
    { hint: `mlpipe show ${shortId(run.id)} lists its steps.` },
  );
}

function variedOf(text: string | undefined): readonly Variation[] {
  return (text ?? "")
    .split(",")
    .filter((word) => word !== "")
    .map((word) => {
      const known = variations.find((variation) => variation === word);
      if (known !== undefined) return known;
      throw new MlpipeError("MLP6010", `--vary knows no ${word}.`, {
        hint: `It takes some of ${variations.join(",")}; the folder and the time always vary.`,
      });
    });
}

function whole(option: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1) return number;
  throw new MlpipeError("MLP6010", `${option} takes a whole number from 1 up, and was given ${text}.`);
}
