import { MlpipeError, secretsOf } from "@mlpipe/dsl";
import { Planner } from "@mlpipe/planner";
import { redactDocument, secretValues } from "@mlpipe/provenance";
import { nearest } from "../../project/nearest.ts";
import { localTime, shortId } from "../format.ts";
import { print, printJson, say } from "../output.ts";
import { styleFor } from "../style.ts";
import { openSession, type PipelineOptions } from "./session.ts";
import { stepsNamed } from "./step-words.ts";

export interface WhyOptions extends PipelineOptions {
  readonly pipeline?: string;
  readonly against?: string;
}

/** `mlpipe why STEP`: the parts of its key that changed, down to the declaration or the value. */
export async function why(step: string, options: WhyOptions): Promise<number> {
  const { project, manifest, keyFunctions, store } = await openSession(options.pipeline, options, {
    looking: true,
  });
  try {
    const planner = new Planner({ manifest, keyFunctions, store, root: project.root, env: process.env });
    planner.expandKept();
    const [first = step, ...others] = stepsNamed(planner.graph.manifest, [step]);
    const secrets = secretValues(secretsOf(manifest.steps, process.env));
    const run = options.against === undefined ? undefined : runNamed(store, options.against);
    const answer = (id: string): Answer | undefined => {
      const against = run === undefined ? undefined : stepRunIn(store, run, id);
      if (run !== undefined && against === undefined) return undefined;
      return redactDocument(planner.why(id, against), secrets);
    };
    // Of an `each` all children are meant.
    const answers = (options.json === true ? [first] : [first, ...others]).map(
      (id) => [id, answer(id)] as const,
    );
    if (run !== undefined && answers.every(([, found]) => found === undefined)) throw noResult(run, first);
    if (options.json === true) {
      for (const [id, found] of answers) printJson({ schemaVersion: 1, step: id, ...found });
      if (others.length > 0) say(`${step} means ${others.length + 1} steps, and this is the first of them.`);
      return 0;
    }
    for (const [id, found] of answers) {
      if (found !== undefined) printAnswer(id, found, store);
      else if (run !== undefined) printMissing(id, run);
    }
    return 0;
  } finally {
    store.close();
  }
}

type Answer = ReturnType<Planner["why"]>;

function printAnswer(id: string, { decision, reasons, against }: Answer, store: Store): void {
  const style = styleFor(process.stdout);
  const verdict = {
    run: style("strong", "would run"),
    cached: style("good", "is cached"),
    unknown: style("quiet", "is known once the steps before it have run"),
  }[decision];
  print(`${style("strong", id)} ${verdict}`);
  for (const { message } of reasons) print(`  ${message}`);
  if (reasons.length === 0) print("  every part of its key is the same");
  const compared = against === null ? undefined : store.runs.stepRun(against);
  if (compared === undefined) return;
  print(style("quiet", `  compared with run ${shortId(compared.run)} of ${localTime(compared.startedAt)}`));
}

type Store = Awaited<ReturnType<typeof openSession>>["store"];

type RunRow = NonNullable<ReturnType<Store["runs"]["get"]>>;

function runNamed(store: Store, run: string): RunRow {
  const row = store.runs.get(run);
  if (row !== undefined) return row;
  const ids = store.runs.list({ limit: 50 }).map(({ id }) => id);
  throw new MlpipeError("MLP5001", `There is no run ${run}.`, {
    hint: nearest(run, ids) ?? "mlpipe runs lists the runs.",
  });
}

/** The step run whose result a run used: its own, or the one its hit names. */
function stepRunIn(store: Store, run: RunRow, step: string): ReturnType<Store["runs"]["stepRun"]> {
  // Documents of runs are written by the recorder alone.
  const { steps } = run.document as {
    readonly steps: readonly { readonly id: string; readonly stepRun: string | null }[];
  };
  const used = steps.find(({ id }) => id === step)?.stepRun ?? undefined;
  return used === undefined ? undefined : store.runs.stepRun(used);
}

function noResult(run: RunRow, step: string): MlpipeError {
  return new MlpipeError("MLP5001", `The run ${shortId(run.id)} has no result of "${step}".`, {
    hint: `mlpipe show ${shortId(run.id)} lists what it has.`,
  });
}

/** Of several steps, one that a run knows nothing of keeps no answer from the others. */
function printMissing(id: string, run: RunRow): void {
  print(`${styleFor(process.stdout)("strong", id)} has no result in run ${shortId(run.id)} to compare with`);
}
