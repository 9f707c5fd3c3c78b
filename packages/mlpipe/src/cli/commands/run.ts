import { amountOf, type Manifest, MlpipeError, secretsOf } from "@mlpipe/dsl";
import { execute, holdOldGeneration, type RunResult, type RunStatus } from "@mlpipe/executor";
import { Planner } from "@mlpipe/planner";
import { redactDocument, RunRecorder, secretValues, timestamp } from "@mlpipe/provenance";
import { type Store, uuid7 } from "@mlpipe/store";
import { version } from "../../package-files.ts";
import { readConfig } from "../../project/config.ts";
import type { LineageReporter } from "../../report/lineage.ts";
import type { MlflowReporter } from "../../report/mlflow.ts";
import { NdjsonReporter } from "../../report/ndjson.ts";
import { PlainReporter } from "../../report/plain.ts";
import type { Reporter } from "../../report/reporter.ts";
import { summary } from "../../report/summary.ts";
import type { LockOutcome, LockQuestion } from "../../lock/lock.ts";
import { isKnownToLock } from "../../lock/lock-memory.ts";
import { lockPath } from "../../lock/lock-path.ts";
import { print, printJson, say } from "../output.ts";
import { errorJson } from "../render-error.ts";
import { styleFor } from "../style.ts";
import { tellError } from "../tell-error.ts";
import { openSession, type PipelineOptions, type Session } from "./session.ts";
import type { Selection } from "./step-words.ts";
import { StopRequests } from "./stop-requests.ts";

export interface RunOptions extends PipelineOptions, Selection {
  /** `true` for all steps; else steps, or a share of them as a percentage. */
  readonly check?: true | readonly string[];
  readonly jobs?: string;
  /** `NAME=AMOUNT`. */
  readonly pool?: readonly string[];
  readonly keepGoing?: true;
  readonly hermetic?: true;
  readonly frozen?: true;
  readonly strictEnv?: true;
  /** `any`: also of steps that were not proven deterministic. */
  readonly fromLock?: true | "any";
  readonly dryRun?: true;
  readonly ndjson?: true;
  /** Where events of OpenLineage go. */
  readonly openlineage?: string;
  /** A server of MLflow. */
  readonly mlflow?: string;
}

const exits: Readonly<Record<RunStatus, number>> = {
  succeeded: 0,
  failed: 1,
  rejected: 3,
  waiting: 3,
  cancelled: 130,
  crashed: 70,
};

/** `mlpipe run`: runs what must run. */
export async function run(named: string | undefined, options: RunOptions): Promise<number> {
  if (options.dryRun === true) return (await import("./plan.ts")).plan(named, options);
  const given = givenPools(options);
  const session = await openSession(named, options);
  const { manifest, keyFunctions, project, store } = session;
  using stop = new StopRequests();
  const reporter = await reporterFor(options);
  try {
    const id = uuid7();
    const secrets = secretValues(secretsOf(manifest.steps, process.env));
    const recorder = recorderFor(session, id);
    const lineage = await lineageFor(options, session, stop);
    const mlflow = await mlflowFor(options, session, recorder, stop);
    const { only, from, force, check } = options;
    // Most runs name no steps.
    const isAny = [only, from, force, check, options.pool].some((said) => said !== undefined);
    const words = isAny ? await import("./step-words.ts") : undefined;
    words?.checkPools(manifest, Object.keys(givenPools({ pool: options.pool ?? [] })));
    const selected = words?.selectedSteps(manifest, options);
    const planner = new Planner({
      manifest,
      keyFunctions,
      store,
      root: project.root,
      env: process.env,
      // With --only or --from, to force all means all of those.
      force: force === true ? (selected ?? "all") : (words?.forced(manifest, force) ?? new Set()),
    });
    planner.checkSources();
    const question = { root: project.root, manifest, planner, store };
    const isLocked = [options.frozen, options.strictEnv, options.fromLock].some((said) => said !== undefined);
    const instead = isLocked
      ? await (await import("./run-lock.ts")).beforeRun(session, question, options)
      : undefined;
    const fence =
      options.hermetic === true ? (await import("./hermetic.ts")).fenceFor(manifest, selected) : undefined;
    const result = await execute({
      manifest,
      store,
      root: project.root,
      run: id,
      pools: async () => ({ ...(await readConfig(project)).pools, ...given }),
      env: process.env,
      planner,
      recorder,
      selected,
      check: words?.checkedSteps(manifest, check),
      instead,
      keepGoing: options.keepGoing === true,
      fence,
      signal: stop.gently,
      kill: stop.now,
      emit: (raw) => {
        if (raw.type === "step-started") holdOldGeneration();
        const event = redactDocument(raw, secrets);
        reporter.event(event);
        lineage?.event(event);
        mlflow?.event(event);
      },
    });
    await Promise.all([lineage?.end(), mlflow?.end()]);
    reporter.close();
    for (const line of words?.namedInVain(planner.graph.manifest, [only, from, force, check]) ?? [])
      warn(line);
    const lock = await lockAfter(session, question, result, recorder.graph, options);
    report(redactDocument(result, secrets), planner.graph.manifest, project.root, options, lock);
    if (lock !== undefined && options.frozen === true && lock.changes.length > 0) {
      const { messagesOf, wouldChange } = await import("../../lock/lock.ts");
      const error = wouldChange(lock.path, messagesOf(lock.changes));
      // With --json the changes are in the document.
      tellError(error, project.root, options.ndjson === true ? "ndjson" : "text");
      return error.exit;
    }
    if (result.error !== undefined) return unfinished(result, result.error, project.root, options);
    return result.status === "cancelled" ? stop.exit : exits[result.status];
  } catch (error) {
    leaveAnyway(store);
    throw error;
  } finally {
    reporter.close();
    store.leave();
  }
}

/** Leaves the store after an error, which is the one to be told: what caused it may be in the way of this too. */
function leaveAnyway(store: Store): void {
  try {
    store.leave();
  } catch {
    // Nothing but notes, which are made again.
  }
}

/** Says what ended a run before its steps were done. @returns the exit code: a step that failed for it comes first */
function unfinished(
  { steps }: RunResult,
  error: NonNullable<RunResult["error"]>,
  root: string,
  { ndjson }: RunOptions,
): number {
  tellError(error, root, ndjson === true ? "ndjson" : "text");
  return steps.some(({ status }) => status === "failed") ? exits.failed : error.exit;
}

function report(
  result: RunResult,
  manifest: Manifest,
  root: string,
  options: RunOptions,
  lock: LockOutcome | undefined,
): void {
  for (const remark of lock?.remarks ?? []) warn(remark);
  if (options.json === true) {
    const { run: id, status, steps, outputs, durationMs, error } = result;
    const { pipeline } = manifest;
    printJson({
      schemaVersion: 1,
      run: id,
      pipeline,
      status,
      durationMs,
      steps,
      outputs,
      ...(error && { error: errorJson(error, root) }),
      ...(lock && { lock }),
    });
    return;
  }
  if (options.ndjson === true) return;
  const style = styleFor(process.stdout);
  for (const line of summary(result, manifest, root, style)) print(line);
  if (lock?.written === true) print(style("quiet", `\n${lock.path} was updated`));
}

/** Has the lock follow a run that succeeded; nothing where there can be nothing to do. */
async function lockAfter(
  session: Session,
  question: LockQuestion,
  result: RunResult,
  graph: string,
  options: RunOptions,
): Promise<LockOutcome | undefined> {
  const { manifest, store } = session;
  if (result.status !== "succeeded") return undefined;
  const lock = lockPath(question.root, manifest.file);
  const run = { lock, pipeline: manifest.pipeline, graph, steps: result.steps };
  // With --frozen everything was compared before the run already, and what was made is compared whatever is known.
  if (options.strictEnv !== true && isKnownToLock(store, run)) return undefined;
  return (await import("./run-lock.ts")).afterRun(session, question, result, run, options);
}

function recorderFor({ manifest, project, store }: Session, run: string): RunRecorder {
  return new RunRecorder({
    store,
    root: project.root,
    manifest,
    run,
    startedAt: timestamp(new Date()),
    argv: ["mlpipe", ...process.argv.slice(2).map(withoutPassword)],
    toolVersion: version(),
    env: process.env,
    redact: secretsOf(manifest.steps, process.env),
  });
}

/** Where events are sent is no secret, and the password on the way is. */
function withoutPassword(argument: string): string {
  return argument.replace(/^((?:--[a-z]+=)?https?:\/\/)[^@/]*@/i, "$1");
}

/** Sends events of OpenLineage where somebody listens. Nothing of it is loaded where nobody does. */
async function lineageFor(
  { openlineage }: RunOptions,
  { manifest, project, store }: Session,
  stop: StopRequests,
): Promise<LineageReporter | undefined> {
  const {
    OPENLINEAGE_URL: url,
    OPENLINEAGE_DISABLED: disabled,
    OPENLINEAGE_NAMESPACE: namespace,
  } = process.env;
  const to = openlineage ?? (disabled === "true" ? undefined : url);
  if (!to) return undefined;
  if (!URL.canParse(to)) {
    // The variable may be meant for other tools, and never keeps a run from running.
    if (openlineage === undefined) {
      say(`OPENLINEAGE_URL is no URL, so no events are sent: ${to}`);
      return undefined;
    }
    throw new MlpipeError("MLP6010", `--openlineage takes a URL, and was given ${to}.`, {
      hint: "mlpipe run --openlineage http://localhost:5000",
    });
  }
  const [{ LineageReporter: Reporter }, { lineageEndpoint }] = await Promise.all([
    import("../../report/lineage.ts"),
    import("@mlpipe/provenance/export"),
  ]);
  return new Reporter({
    endpoint: lineageEndpoint(to, process.env),
    namespace: namespace || undefined,
    store,
    root: project.root,
    manifest,
    toolVersion: version(),
    redact: secretsOf(manifest.steps, process.env),
    warn: say,
    signal: stop.now,
  });
}

/** Shows the run in MLflow where that was asked for. Nothing of it is loaded where it was not. */
async function mlflowFor(
  { mlflow }: RunOptions,
  { manifest, project, store }: Session,
  recorder: RunRecorder,
  stop: StopRequests,
): Promise<MlflowReporter | undefined> {
  const url = mlflow ?? process.env["MLPIPE_MLFLOW"];
  if (!url) return undefined;
  return (await import("./run-mlflow.ts")).mlflowReporter(url, mlflow === undefined, {
    store,
    root: project.root,
    manifest,
    toolVersion: version(),
    env: process.env,
    redact: secretsOf(manifest.steps, process.env),
    git: async () => recorder.git(),
    say,
    signal: stop.now,
  });
}

/** The sizes of pools that the command line says. */
function givenPools({ jobs, pool = [] }: RunOptions): Readonly<Record<string, number>> {
  const pools: Record<string, number> = {};
  for (const assignment of pool) {
    const [name = "", size = ""] = assignment.split(/=(.*)/s);
    const bare = size.trim() !== "" && Number.isFinite(Number(size)) ? Number(size) : size;
    const amount = amountOf(name, bare);
    if (typeof amount !== "number") {
      throw new MlpipeError("MLP6010", `--pool ${assignment}: ${amount.problem}.`, {
        hint: "It takes NAME=AMOUNT: --pool license=2 --pool memory=16GB",
      });
    }
    pools[name] = amount;
  }
  if (jobs === undefined) return pools;
  const cpu = Number(jobs);
  if (Number.isInteger(cpu) && cpu >= 1) return { ...pools, cpu };
  throw new MlpipeError("MLP6010", `--jobs takes a whole number from 1 up, and was given ${jobs}.`);
}

function warn(remark: string): void {
  say(`${styleFor(process.stderr)("warning", "warning")}  ${remark}`);
}

async function reporterFor(options: RunOptions): Promise<Reporter> {
  if (options.ndjson === true) {
    return new NdjsonReporter((text) => {
      process.stdout.write(text);
    });
  }
  const style = styleFor(process.stderr);
  const live =
    process.stderr.isTTY && options.json !== true && !isCi(process.env) && process.env["TERM"] !== "dumb";
  if (!live) {
    return new PlainReporter((text) => {
      process.stderr.write(text);
    }, style);
  }
  const { LiveReporter } = await import("../../report/live.ts");
  return new LiveReporter(process.stderr, style);
}

function isCi({ CI: ci }: NodeJS.ProcessEnv): boolean {
  return ci !== undefined && ci !== "" && ci !== "false" && ci !== "0";
}
