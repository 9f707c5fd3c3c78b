import { setTimeout as pause } from "node:timers/promises";
import { type Manifest, type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import { absoluteSite, type Planner, type Reason } from "@mlpipe/planner";
import { type RunRecorder, type StepRun, timestamp } from "@mlpipe/provenance";
import { type CacheEntry, type Content, type Store, uuid7 } from "@mlpipe/store";
import { copyArtifacts, type ReturnedOutput } from "./artifacts-folder.ts";
import { Attempt, type AttemptResult, publishable, type RunDecision } from "./attempt.ts";
import { differenceOf } from "./differences.ts";
import type { ExecutorEvent, RunStatus, StepError, StepOutcome } from "./events.ts";
import { Publisher } from "./publisher.ts";
import { Schedule } from "./schedule.ts";
import { outcomeRecord, type StepFacts, stepRecord } from "./step-record.ts";

/** What to execute, and how. */
export interface ExecuteOptions {
  readonly manifest: Manifest;
  readonly planner: Planner;
  readonly store: Store;
  /** Absolute path of the project's root. */
  readonly root: string;
  readonly recorder: RunRecorder;
  /** The id of the run. */
  readonly run: string;
  /** The steps to run; others give what is kept of them. @default all */
  readonly selected?: ReadonlySet<string> | undefined;
  /** How many steps run at once. */
  readonly jobs: number;
  /** Steps to run again beside their kept results, to compare; a deploy never is. @default none */
  readonly check?: ReadonlySet<string> | undefined;
  /** Go on with everything that does not depend on a step that failed. */
  readonly keepGoing: boolean;
  /** Asks to stop: running steps may put their things away. */
  readonly signal?: AbortSignal | undefined;
  /** Stops now. */
  readonly kill?: AbortSignal | undefined;
  readonly emit: (event: ExecutorEvent) => void;
}

/** What became of a run. */
export interface RunResult {
  readonly run: string;
  readonly status: RunStatus;
  /** In the order of the manifest. */
  readonly steps: readonly StepOutcome[];
  readonly outputs: Readonly<Record<string, ReturnedOutput>>;
  readonly durationMs: number;
}

/**
 * Executes a manifest: decides each step when its inputs are known, runs what must run, and keeps
 * what succeeded.
 *
 * @throws MlpipeError MLP3009 if a step that is not selected is needed and has no kept result
 */
export async function execute(options: ExecuteOptions): Promise<RunResult> {
  return new Execution(options).run();
}

/** After this long a step whose key another run executes is looked at again. */
const claimPausesMs = [20, 50, 100, 200, 500];

/** The pause before the second attempt; it doubles with each. */
const retryPauseMs = 1_000;

class Execution {
  readonly #options: ExecuteOptions;
  readonly #steps: ReadonlyMap<string, ManifestStep>;
  readonly #schedule: Schedule;
  readonly #publisher: Publisher;
  readonly #started = performance.now();
  readonly #outcomes = new Map<string, StepOutcome>();
  readonly #outputs = new Map<string, Readonly<Record<string, Content>>>();
  readonly #decisions = new Map<string, RunDecision>();
  /** How many needs of a step are open. */
  readonly #open = new Map<string, number>();
  readonly #dependants = new Map<string, string[]>();
  readonly #attempts = new Set<Attempt>();
  /** What is kept of the steps that are to be compared with it. */
  readonly #kept = new Map<string, CacheEntry>();
  /** Steps whose needs are settled and that nobody has decided yet. */
  #undecided: string[] = [];
  #running = 0;
  /** Why no new step is started. */
  #halted: { readonly status: "cancelled"; readonly because: string } | undefined;
  #broken: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    const { manifest, planner, jobs, store } = options;
    this.#steps = new Map(manifest.steps.map((step) => [step.id, step]));
    this.#schedule = new Schedule(manifest.steps, (step) => planner.needs(step), jobs);
    this.#publisher = new Publisher(store);
    for (const { id } of manifest.steps) {
      const needs = planner.needs(id);
      this.#open.set(id, needs.length);
      if (needs.length === 0) this.#undecided.push(id);
      for (const need of needs) {
        const dependants = this.#dependants.get(need);
        if (dependants === undefined) this.#dependants.set(need, [id]);
        else dependants.push(id);
      }
    }
  }

  async run(): Promise<RunResult> {
    const { manifest, planner, recorder, run, emit, signal, kill, store, root } = this.#options;
    store.claims.enter(run);
    const startedAt = new Date();
    recorder.begin();
    emit({
      type: "run-started",
      run,
      pipeline: manifest.pipeline,
      at: timestamp(startedAt),
      steps: manifest.steps.map(({ id, kind }) => ({ id, kind, needs: planner.needs(id) })),
    });
    const warnings = new Set<string>();
    for (const { message, site } of manifest.warnings) {
      warnings.add(message);
      emit({ type: "warning", message, ...(site !== undefined && { at: site }) });
    }

    const stop = (): void => {
      this.#halt("stopped");
      for (const attempt of this.#attempts) attempt.stop("gently");
    };
    const end = (): void => {
      this.#halt("stopped");
      for (const attempt of this.#attempts) attempt.stop("now");
    };
    signal?.addEventListener("abort", stop);
    kill?.addEventListener("abort", end);
    try {
      if (signal?.aborted === true) stop();
      await this.#loop();
    } catch (error) {
      // An error of the plan ends the run, and the record must say that it did.
      for (const attempt of this.#attempts) attempt.stop("gently");
      while (this.#running > 0) await this.#progress();
      this.#settleTheRest("the run could not go on");
      await this.#finish("failed", {}, [...warnings]);
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      kill?.removeEventListener("abort", end);
    }

    for (const step of manifest.steps) {
      for (const { message } of planner.identityOf(step.id).warnings) {
        if (warnings.has(message)) continue;
        warnings.add(message);
        emit({ type: "warning", step: step.id, message });
      }
    }
    const status = this.#status();
    const outputs = copyArtifacts({
      manifest,
      store,
      root,
      outputOf: (step, port) => this.#outputs.get(step)?.[port],
    });
    return this.#finish(status, outputs, [...warnings]);
  }

  async #finish(
    status: RunStatus,
    outputs: Readonly<Record<string, ReturnedOutput>>,
    warnings: string[],
  ): Promise<RunResult> {
    const { manifest, recorder, run, emit, store } = this.#options;
    const steps = manifest.steps.flatMap(({ id }) => this.#outcomes.get(id) ?? []);
    const durationMs = Math.round(performance.now() - this.#started);
    const endedAt = timestamp(new Date());
    await recorder.end({
      status,
      endedAt,
      durationMs,
      steps: steps.map((step) => outcomeRecord(step)),
      outputs: { ...outputs },
      warnings,
    });
    store.index.flush();
    store.claims.leave(run);
    emit({ type: "run-finished", run, status, at: endedAt, durationMs });
    return { run, status, steps, outputs, durationMs };
  }

  async #loop(): Promise<void> {
    for (;;) {
      this.#decideAll();
      this.#startAll();
      if (this.#broken !== undefined) throw this.#broken.error;
      if (this.#running === 0 && this.#undecided.length === 0) {
        if (this.#schedule.waiting === 0) return;
        // With nothing running every pool is whole, so whatever waits fits now or never.
        throw new Error("steps wait for places that nobody can give back");
      }
      if (this.#undecided.length === 0) await this.#progress();
    }
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Decides whatever can be decided. Deciding one may settle it and so open others: a walk, not a recursion. */
  #decideAll(): void {
    for (let index = 0; index < this.#undecided.length; index++) {
      const id = this.#undecided[index];
      if (id !== undefined) this.#decide(this.#step(id));
    }
    this.#undecided = [];
  }

  #decide(step: ManifestStep): void {
    const { planner, selected } = this.#options;
    const chosen = selected?.has(step.id) ?? true;
    const stopped = this.#stoppedBy(step);
    if (stopped !== undefined) {
      this.#settle(step, stopped);
      return;
    }
    const decision = planner.decide(step.id, (from, port) => this.#outputs.get(from)?.[port]);
    if (decision.decision === "cached") {
      const { entry, key } = decision;
      this.#outputs.set(step.id, entry.outputs);
      this.#settle(step, {
        status: chosen ? "cached" : "skipped",
        key,
        stepRun: entry.stepRun,
        reasons: this.#cutoffs(step) ?? decision.reasons,
        outputs: entry.outputs,
        ...(entry.metrics !== undefined && { metrics: entry.metrics }),
      });
      if (chosen) this.#checkBeside(step, entry);
      return;
    }
    if (!chosen) {
      this.#settle(step, {
        status: "skipped",
        key: decision.decision === "run" ? decision.key : null,
        reasons: [{ part: "upstream", name: step.id, message: "not selected" }],
      });
      return;
    }
    if (decision.decision === "unknown") {
      const missing = planner.needs(step.id).find((need) => !this.#outputs.has(need)) ?? "";
      throw new MlpipeError(
        "MLP3009",
        `"${step.id}" needs "${missing}", which is not selected and has no kept result.`,
        {
          exit: 4,
          at: absoluteSite(this.#options.root, step.called),
          hint: `Select it too: --only ${missing} ${step.id}. Or run the whole pipeline.`,
        },
      );
    }
    if (this.#halted !== undefined) {
      this.#settle(step, this.#notStarted());
      return;
    }
    this.#decisions.set(step.id, decision);
    this.#schedule.add(step);
  }

  /** The steps before this one that ran and changed nothing for it: the wave stops here. */
  #cutoffs(step: ManifestStep): readonly Reason[] | undefined {
    const ran = this.#options.planner
      .needs(step.id)
      .filter((need) => this.#outcomes.get(need)?.status === "ran");
    if (ran.length === 0) return undefined;
    const message = `${ran.join(" and ")} made the same output again: stopped here`;
    return [{ part: "unchanged", name: ran[0] ?? step.id, message }];
  }

  /** Has a step whose kept result holds run again; what comes after it goes on with what is kept. */
  #checkBeside(step: ManifestStep, entry: CacheEntry): void {
    const { check, planner } = this.#options;
    if (check?.has(step.id) !== true || step.kind === "deploy" || this.#halted !== undefined) return;
    this.#kept.set(step.id, entry);
    this.#decisions.set(
      step.id,
      planner.again(step.id, (from, port) => this.#outputs.get(from)?.[port]),
    );
    this.#schedule.add(step);
  }

  /** What a step inherits from the steps before it. */
  #stoppedBy(step: ManifestStep): Settled | undefined {
    for (const need of this.#options.planner.needs(step.id)) {
      const outcome = this.#outcomes.get(need);
      if (outcome === undefined) continue;
      const { status } = outcome;
      if (status === "failed" || status === "rejected" || status === "blocked") {
        const origin = status === "blocked" ? (outcome.reasons[0]?.name ?? need) : need;
        const verb = this.#outcomes.get(origin)?.status === "rejected" ? "was rejected" : "failed";
        return {
          status: "blocked",
          key: null,
          reasons: [{ part: "upstream", name: origin, message: `${origin} ${verb}` }],
        };
      }
      if (status === "cancelled") {
        return {
          status: "cancelled",
          key: null,
          reasons: [{ part: "upstream", name: need, message: `${need} did not run` }],
        };
      }
    }
    return undefined;
  }

  #startAll(): void {
    for (let step = this.#schedule.take(); step !== undefined; step = this.#schedule.take()) {
      const started = step;
      const decision = this.#decisions.get(started.id);
      if (decision === undefined) throw new Error(`${started.id} was scheduled without a decision`);
      this.#running++;
      this.#execute(started, decision)
        .catch((error: unknown) => {
          this.#broken ??= { error };
        })
        .finally(() => {
          this.#running--;
          this.#schedule.release(started);
          this.#wake?.();
        });
    }
  }

  async #execute(step: ManifestStep, decision: RunDecision): Promise<void> {
    const { store, run } = this.#options;
    const kept = this.#kept.get(step.id);
    if (kept === undefined ? await this.#claimed(step, decision) : await this.#claimKey(decision)) {
      try {
        const tried = await this.#attemptAll(step, decision);
        if (kept === undefined) await this.#conclude(step, decision, tried);
        else await this.#compare(step, decision, tried, kept);
      } finally {
        store.claims.release(decision.key, run);
      }
    }
  }

  /** Claims a key, waiting while another run has it; false if this run is to start nothing more. */
  async #claimKey({ key }: RunDecision): Promise<boolean> {
    const { store, run } = this.#options;
    for (let tries = 0; this.#halted === undefined; tries++) {
      if (store.claims.claim(key, run).mine) return true;
      await pause(claimPausesMs[Math.min(tries, claimPausesMs.length - 1)]);
    }
    return false;
  }

  /** Claims the key. While another run executes it, waits; what that run made is then a hit. */
  async #claimed(step: ManifestStep, decision: RunDecision): Promise<boolean> {
    const { store, run } = this.#options;
    if (!(await this.#claimKey(decision))) {
      this.#settle(step, this.#notStarted());
      return false;
    }
    // Forced steps and those that are never kept run in every run that wants them.
    const entry = decision.cacheable && !isForced(decision) ? store.cache.get(decision.key) : undefined;
    if (entry === undefined || Object.values(entry.outputs).some((content) => !store.objects.has(content)))
      return true;
    if (step.cache.mode === "aging") return true;
    store.claims.release(decision.key, run);
    this.#outputs.set(step.id, entry.outputs);
    this.#settle(step, {
      status: "cached",
      key: decision.key,
      stepRun: entry.stepRun,
      reasons: [{ part: "unchanged", name: step.id, message: "another run has just made it" }],
      outputs: entry.outputs,
      ...(entry.metrics !== undefined && { metrics: entry.metrics }),
    });
    return false;
  }

  async #attemptAll(step: ManifestStep, decision: RunDecision): Promise<Tried> {
    const { emit, recorder, root, store, run } = this.#options;
    const stepRun = uuid7();
    // What is gathered of the machine is gathered beside the step, not before it.
    const facts = recorder.facts();
    const allowed = 1 + (step.scheduling.retry ?? 0);
    const attempts: AttemptResult[] = [];
    const since = performance.now();
    for (let number = 1; ; number++) {
      emit({
        type: "step-started",
        step: step.id,
        stepRun,
        key: decision.key,
        attempt: number,
        at: timestamp(new Date()),
        reasons: decision.reasons,
      });
      const attempt = new Attempt({
        place: { root, store, run },
        step,
        decision,
        number,
        onLine: (stream, line) => {
          emit({ type: "step-output", step: step.id, attempt: number, stream, line });
        },
      });
      this.#attempts.add(attempt);
      const result = await attempt.run().finally(() => this.#attempts.delete(attempt));
      attempts.push(result);
      const { outcome } = result;
      if (outcome.type === "failed" && outcome.again && number < allowed && this.#halted === undefined) {
        emit({
          type: "step-retrying",
          step: step.id,
          attempt: number + 1,
          of: allowed,
          error: outcome.error,
        });
        await pause(Math.min(30_000, retryPauseMs * 2 ** (number - 1)) * (0.8 + Math.random() * 0.4));
        continue;
      }
      await facts;
      return { stepRun, attempts, attempt, outcome, durationMs: Math.round(performance.now() - since) };
    }
  }

  /** Keeps what the last attempt made, or the record that it made nothing. */
  async #conclude(step: ManifestStep, decision: RunDecision, tried: Tried): Promise<void> {
    const { planner, recorder, run, store } = this.#options;
    const { attempt, outcome, stepRun, durationMs } = tried;
    const details = planner.details(decision, step.id);
    const record = this.#recordOf(step, decision, tried, { details });
    const base = { key: decision.key, stepRun, reasons: decision.reasons, durationMs };
    if (outcome.type !== "made") {
      if (process.env["MLPIPE_KEEP_ATTEMPTS"] === undefined) attempt.folder.remove();
      await this.#publisher.publish({
        objects: [],
        rows: () => {
          planner.keep(decision, details);
          recorder.add(record);
        },
      });
      const error = "error" in outcome ? outcome.error : undefined;
      this.#settle(step, { ...base, status: outcome.type, ...(error !== undefined && { error }) });
      return;
    }

    const outputs = Object.fromEntries(
      Object.entries(outcome.outputs).map(([port, { content }]) => [port, content]),
    );
    const metrics = Object.fromEntries(record.metrics.map(({ name, value }) => [name, value]));
    const hasMetrics = record.metrics.length > 0;
    const at = record.endedAt;
    try {
      await this.#publisher.publish({
        objects: [...publishable(outcome.outputs), ...this.#keptSources(decision, attempt)],
        rows: () => {
          planner.keep(decision, details);
          const entry = { stepRun, run, outputs, createdAt: at, durationMs, ...(hasMetrics && { metrics }) };
          if (decision.cacheable) store.cache.put(decision.key, entry);
          if (step.target !== undefined) {
            const content = outcome.target ?? null;
            store.receipts.put({
              target: step.target,
              step: step.id,
              key: decision.key,
              stepRun,
              run,
              content,
              outputs,
              at,
            });
          }
          recorder.add(record);
        },
      });
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      this.#settle(step, { ...base, status: "failed", error: keepingFailure(step, error) });
      return;
    } finally {
      attempt.folder.remove();
    }
    this.#outputs.set(step.id, outputs);
    this.#settle(step, { ...base, status: "ran", outputs, ...(hasMetrics && { metrics }) });
  }

  /** Compares what a step made when it was run again with what is kept. The cache keeps what it has. */
  async #compare(step: ManifestStep, decision: RunDecision, tried: Tried, kept: CacheEntry): Promise<void> {
    const { planner, recorder, store, emit } = this.#options;
    const { attempt, outcome, stepRun } = tried;
    const made = outcome.type === "made" ? outcome.outputs : {};
    const differing = Object.keys(kept.outputs).filter(
      (port) => made[port]?.content.digest !== kept.outputs[port]?.digest,
    );
    const same = outcome.type === "made" && differing.length === 0;
    const details = planner.details(decision, step.id);
    const record = this.#recordOf(step, decision, tried, {
      details,
      checked: { against: kept.stepRun, same },
    });
    try {
      await this.#publisher.publish({
        // What differs is kept as evidence; what is equal is there already.
        objects: outcome.type === "made" ? publishable(outcome.outputs) : [],
        rows: () => {
          planner.keep(decision, details);
          recorder.add(record);
        },
      });
    } finally {
      attempt.folder.remove();
    }
    const outcomeBefore = this.#outcomes.get(step.id);
    if (outcome.type === "cancelled" || outcomeBefore === undefined) return;
    const differences = differing.flatMap((port) => {
      const [before, after] = [kept.outputs[port], made[port]?.content];
      return before === undefined || after === undefined
        ? []
        : (differenceOf(store, port, before, after) ?? []);
    });
    const error = same ? undefined : "error" in outcome ? outcome.error : notDeterministic(step, differences);
    const check = { stepRun, same, differences, ...(error !== undefined && { error }) };
    const checked = { ...outcomeBefore, check };
    this.#outcomes.set(step.id, checked);
    emit({ type: "step-checked", at: timestamp(new Date()), outcome: checked });
  }

  #recordOf(
    step: ManifestStep,
    decision: RunDecision,
    { stepRun, attempts }: Tried,
    more: Pick<StepFacts, "details" | "checked">,
  ): StepRun {
    const { manifest, run, store } = this.#options;
    return stepRecord({
      id: stepRun,
      run,
      pipeline: manifest.pipeline,
      step,
      decision,
      attempts,
      ...more,
      storeRoot: store.root,
      makerOf: (upstream) => this.#outcomes.get(upstream)?.stepRun ?? null,
    });
  }

  /** Copies of the sources that are to outlive their files. */
  #keptSources(decision: RunDecision, attempt: Attempt): readonly { path: string; content: Content }[] {
    return Object.entries(decision.inputs).flatMap(([port, input]) => {
      if (input.type !== "source" || input.keep !== "copy" || this.#options.store.objects.has(input.content))
        return [];
      return [{ path: attempt.folder.copyOf(`source-${port}`, input.absolute), content: input.content }];
    });
  }

  #settle(step: ManifestStep, settled: Settled): void {
    const { emit, keepGoing } = this.#options;
    const outputs = Object.fromEntries(
      Object.entries(settled.outputs ?? {}).map(([port, { digest, size, type }]) => [
        port,
        { digest, size, type },
      ]),
    );
    const outcome: StepOutcome = {
      id: step.id,
      kind: step.kind,
      stepRun: null,
      durationMs: 0,
      ...settled,
      outputs,
    };
    this.#outcomes.set(step.id, outcome);
    emit({ type: "step-finished", at: timestamp(new Date()), outcome });
    for (const dependant of this.#dependants.get(step.id) ?? []) {
      const open = (this.#open.get(dependant) ?? 0) - 1;
      this.#open.set(dependant, open);
      if (open === 0) this.#undecided.push(dependant);
    }
    if (settled.status === "failed" && !keepGoing) this.#halt(`${step.id} failed`);
  }

  #halt(because: string): void {
    if (this.#halted !== undefined) return;
    this.#halted = { status: "cancelled", because };
    for (const step of this.#schedule.clear()) {
      // A step that was only to be compared has its outcome.
      if (!this.#kept.has(step.id)) this.#settle(step, this.#notStarted());
    }
    this.#wake?.();
  }

  #notStarted(): Settled {
    const because = this.#halted?.because ?? "stopped";
    return {
      status: "cancelled",
      key: null,
      reasons: [{ part: "upstream", name: because, message: `not started: ${because}` }],
    };
  }

  #settleTheRest(because: string): void {
    for (const step of this.#options.manifest.steps) {
      if (this.#outcomes.has(step.id)) continue;
      this.#settle(step, {
        status: "cancelled",
        key: null,
        reasons: [{ part: "upstream", name: because, message: `not started: ${because}` }],
      });
    }
  }

  #status(): RunStatus {
    const outcomes = [...this.#outcomes.values()];
    const statuses = new Set(outcomes.map(({ status }) => status));
    if (statuses.has("failed")) return "failed";
    if (this.#halted !== undefined) return "cancelled";
    if (statuses.has("rejected") || outcomes.some(({ check }) => check?.same === false)) return "rejected";
    return statuses.has("waiting") ? "waiting" : "succeeded";
  }

  #step(id: string): ManifestStep {
    const step = this.#steps.get(id);
    if (step === undefined) throw new Error(`there is no step ${id}`);
    return step;
  }
}

/** A step that was executed, with all its attempts. */
interface Tried {
  readonly stepRun: string;
  readonly attempts: readonly AttemptResult[];
  /** The last one. */
  readonly attempt: Attempt;
  readonly outcome: AttemptResult["outcome"];
  readonly durationMs: number;
}

type Settled = Pick<StepOutcome, "status" | "key" | "reasons"> &
  Partial<Pick<StepOutcome, "stepRun" | "durationMs" | "metrics" | "error">> & {
    readonly outputs?: Readonly<Record<string, Content>>;
  };

function isForced(decision: RunDecision): boolean {
  return decision.reasons.some(({ part }) => part === "forced");
}

function keepingFailure(step: ManifestStep, error: Error): StepError {
  return {
    code: "MLP3032",
    message: `The result of "${step.id}" could not be kept: ${error.message}`,
    hint: "Nothing of it was kept. Run again when the cause is gone.",
  };
}

function notDeterministic(step: ManifestStep, differences: readonly string[]): StepError {
  return {
    code: "MLP3033",
    message: `"${step.id}" made other outputs when it was run again: ${differences.join("; ")}.`,
    hint:
      "Nothing that its key knows of has changed. Look for the clock, randomness without a seed, or something read\n" +
      "that no port declares; mlpipe check finds many of them. The cache keeps the first result.",
    ...(step.defined !== undefined && { at: [step.defined] }),
  };
}
