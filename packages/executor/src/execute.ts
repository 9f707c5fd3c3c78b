import { type Manifest, type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import { type Expansion, isNamed, type OutputOf, type Planner, type Reason } from "@mlpipe/planner";
import { type RunRecorder, timestamp } from "@mlpipe/provenance";
import { type CacheEntry, type Content, isDigest, type Store, StoreError } from "@mlpipe/store";
import type { ReturnedOutput } from "./artifacts-folder.ts";
import type { RunDecision, Turn } from "./attempt.ts";
import { type Copied, copyReturned } from "./copied-artifacts.ts";
import type { Engine } from "./engine.ts";
import type { ExecutorEvent, RunStatus, StepOutcome } from "./events.ts";
import type { Fence } from "./fence/fence.ts";
import { collectBeforeEnd, withNodesFlags } from "./heap-growth.ts";
import { cancelled, cutoffs, stoppedBy } from "./inherited.ts";
import { LocalEngine } from "./local-engine.ts";
import type { Place } from "./place.ts";
import { Places } from "./places.ts";
import type { Amounts } from "./pools.ts";
import { Readiness } from "./readiness.ts";
import { collectedMeanwhile, notSelected, unrecorded } from "./run-errors.ts";
import { type Halt, onRequest, type RunError, runError, runStatus } from "./run-status.ts";
import type { Schedule } from "./schedule.ts";
import { outcomeRecord } from "./outcome-record.ts";
import type { Settled, StepExecutor } from "./step-executor.ts";

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
  /** How much there is of the pools that steps take from, over what is found on the machine; asked for when something must run. */
  readonly pools: () => Promise<Amounts>;
  /** Where devices are looked for. */
  readonly env: NodeJS.ProcessEnv;
  /** Steps to run again beside their kept results, to compare; a deploy never is. @default none */
  readonly check?: ReadonlySet<string> | undefined;
  /** Gives a step that would run a result from elsewhere. @default none */
  readonly instead?: Instead | undefined;
  /** Go on with everything that does not depend on a step that failed. */
  readonly keepGoing: boolean;
  /** Keeps steps to what they declare. @default none: they are only watched */
  readonly fence?: Fence | undefined;
  /** Asks to stop: running steps may put their things away. */
  readonly signal?: AbortSignal | undefined;
  /** Stops now. */
  readonly kill?: AbortSignal | undefined;
  readonly emit: (event: ExecutorEvent) => void;
}

/** A result from elsewhere for a step that would run, if there is one. */
export type Instead = (
  step: ManifestStep,
  decision: RunDecision,
  outputOf: OutputOf,
) => (Pick<StepOutcome, "stepRun" | "metrics" | "reasons"> & Pick<CacheEntry, "outputs">) | undefined;

/** What became of a run. */
export interface RunResult {
  readonly run: string;
  readonly status: RunStatus;
  /** In the order of the manifest. */
  readonly steps: readonly StepOutcome[];
  readonly outputs: Readonly<Record<string, ReturnedOutput>>;
  readonly durationMs: number;
  /** What ended the run before all its steps were done, where that was no step's failure and nobody's wish. */
  readonly error?: RunError;
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

/** Errors of the store that a new run of the same does away with: the database is rebuilt, or results are gone. */
const anew: ReadonlySet<string> = new Set(["MLP4002", "MLP4015", "MLP4017"]);

class Execution {
  readonly #options: ExecuteOptions;
  /** Made when the first step must run: a run in which none must needs none. */
  #places: Places | undefined;
  /** Decided to run, before there were places. */
  #toPlace: ManifestStep[] = [];
  // `performance` is loaded when it is first asked for, which takes longer than to decide ten steps.
  readonly #since = process.hrtime.bigint();
  readonly #outcomes = new Map<string, StepOutcome>();
  readonly #outputs = new Map<string, Readonly<Record<string, Content>>>();
  readonly #outputOf: OutputOf = (step, port) => this.#outputs.get(step)?.[port];
  readonly #decisions = new Map<string, RunDecision>();
  /** Loaded with all that executing needs, from the first step on that has to run. */
  #executor: StepExecutor | undefined;
  /** What is kept of the steps that are to be compared with it. */
  readonly #kept = new Map<string, CacheEntry>();
  /** Of steps, and of fan-outs whose lists are to be known. */
  readonly #readiness = new Readiness();
  /** What runs processes, from the first step on that has to run. */
  #engine: LocalEngine | undefined;
  #begun = false;
  readonly #haltedSignal = new AbortController();
  #halted: Halt | undefined;
  #broken: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ExecuteOptions) {
    this.#options = options;
    const { manifest, planner } = options;
    for (const step of manifest.steps) {
      if (step.each === undefined)
        this.#await(step.id, [...planner.needs(step.id), ...planner.graph.fanOutsOf(step)]);
    }
    for (const { id, within } of manifest.fanOuts ?? []) {
      if (within.length === 0) this.#await(id, planner.listNeeds(id));
    }
  }

  /** Has a step or a fan-out wait for what it needs. */
  #await(id: string, needs: readonly string[]): void {
    this.#readiness.await(id, needs, (need) => this.#outcomes.has(need));
  }

  async run(): Promise<RunResult> {
    try {
      return await this.#run();
    } finally {
      await this.#engine?.close();
    }
  }

  async #run(): Promise<RunResult> {
    const { manifest, planner, run, emit, signal, kill } = this.#options;
    const startedAt = new Date();
    emit({
      type: "run-started",
      run,
      pipeline: manifest.pipeline,
      at: timestamp(startedAt),
      steps: manifest.steps.map(({ id, kind, each }) => ({
        id,
        kind,
        needs: planner.needs(id),
        ...(each !== undefined && { each: each.at(-1) }),
      })),
    });
    const warnings = new Set<string>();
    for (const { message, site } of manifest.warnings) {
      warnings.add(message);
      emit({ type: "warning", message, ...(site !== undefined && { at: site }) });
    }

    const stop = (): void => {
      this.#halt(onRequest);
      this.#executor?.stop("gently");
    };
    const end = (): void => {
      this.#halt(onRequest);
      this.#executor?.stop("now");
    };
    signal?.addEventListener("abort", stop);
    kill?.addEventListener("abort", end);
    try {
      if (signal?.aborted === true) stop();
      else if (planner.sawChange) this.#startEngineEarly();
      await this.#loop();
    } catch (error) {
      // Nothing was done yet, and whoever asked for the run begins it again.
      if (!this.#begun && error instanceof StoreError && anew.has(error.code)) throw error;
      // An error of the plan ends the run, and the record must say that it did.
      this.#halt("the run could not go on");
      this.#executor?.stop("gently");
      while (this.#busy > 0) await this.#progress();
      this.#settleTheRest("the run could not go on");
      await this.#finish("failed", {}, [...warnings]).catch((later: unknown) => {
        // What was in its way may be in the way of its record too: the first is what has to be told.
        if (later instanceof StoreError && anew.has(later.code)) throw later;
      });
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      kill?.removeEventListener("abort", end);
    }

    for (const step of planner.graph.steps) {
      for (const { message } of planner.identityOf(step.id).warnings) {
        if (warnings.has(message)) continue;
        warnings.add(message);
        emit({ type: "warning", step: step.id, message });
      }
    }
    const status = this.#status();
    // Of a run that did not succeed nothing is copied: what lies there belongs together.
    const copied: Copied = status === "succeeded" ? await this.#copyArtifacts() : { outputs: {} };
    using _ = copied.lock;
    const result = await this.#finish(status, "outputs" in copied ? copied.outputs : {}, [...warnings]).catch(
      (error: unknown) => {
        throw status === "succeeded" && !("error" in copied) ? unrecorded(error) : error;
      },
    );
    if ("error" in copied) throw copied.error;
    return result;
  }

  /** Copies what the pipeline returns; all that ran is kept whether this succeeds or not. */
  async #copyArtifacts(): Promise<Copied> {
    const { planner, store, root, signal } = this.#options;
    return copyReturned({ manifest: planner.graph.manifest, store, root, outputOf: this.#outputOf }, signal);
  }

  async #finish(
    status: RunStatus,
    outputs: Readonly<Record<string, ReturnedOutput>>,
    warnings: string[],
  ): Promise<RunResult> {
    const { planner, recorder, run, emit, store } = this.#options;
    planner.end();
    await this.#executor?.settle();
    collectBeforeEnd();
    const steps = planner.graph.steps.flatMap(({ id }) => this.#outcomes.get(id) ?? []);
    const durationMs = Math.round(Number(process.hrtime.bigint() - this.#since) / 1e6);
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
    if (this.#engine !== undefined) store.claims.leave(run);
    await this.#engine?.close();
    emit({ type: "run-finished", run, status, at: endedAt, durationMs });
    const error = runError(status, this.#halted);
    return { run, status, steps, outputs, durationMs, ...(error !== undefined && { error }) };
  }

  async #loop(): Promise<void> {
    for (;;) {
      this.#decideAll();
      if (this.#toPlace.length > 0) await this.#placeAll();
      this.#places?.fill();
      if (this.#broken !== undefined) throw this.#broken.error;
      if (this.#busy === 0 && !this.#readiness.hasReady) {
        if (this.#places === undefined || this.#places.waiting === 0) return;
        // With nothing running every pool is whole, so whatever waits fits now or never.
        throw new Error("steps wait for places that nobody can give back");
      }
      if (!this.#readiness.hasReady) await this.#progress();
    }
  }

  /** Steps that have a place or are made ready for one. */
  get #busy(): number {
    return this.#places?.busy ?? 0;
  }

  /** Lets what was decided wait for its place. */
  async #placeAll(): Promise<void> {
    const places = (this.#places ??= this.#newPlaces(await this.#newSchedule()));
    if (!this.#begun) await this.#begin();
    // It may have been stopped meanwhile.
    for (const step of this.#toPlace) {
      if (this.#halted === undefined) places.add(step);
      else this.#neverStarted(step);
    }
    this.#toPlace = [];
  }

  #newPlaces(schedule: Schedule): Places {
    return new Places({
      schedule,
      execute: (step, place, turn) => this.#execute(step, place, turn),
      // What is only to be compared gives way to what has to be made, and has no turn. A deploy is an effect, and begins
      // when all that was before it is judged. A folder of checkpoints is made for those alone that begin.
      mayBeAhead: ({ id, kind, checkpoints }) =>
        !this.#kept.has(id) && kind !== "deploy" && checkpoints === undefined,
      onAhead: (steps) => {
        this.#started().claimAhead(steps.flatMap(({ id }) => this.#decisions.get(id)?.key ?? []));
      },
      onBroken: (error) => {
        this.#broken ??= { error };
      },
      onChange: () => {
        this.#wake?.();
      },
    });
  }

  /** Everything is decided that can be before a step runs, so what has no outcome may have to run. */
  async #newSchedule(): Promise<Schedule> {
    const { manifest, planner, store, pools, env, root } = this.#options;
    const left = planner.graph.steps.filter(({ id }) => !this.#outcomes.has(id) || this.#kept.has(id));
    const { pipeline } = manifest;
    const { scheduleOf } = await withNodesFlags(async () => import("./order.ts"));
    return scheduleOf(left, { pipeline, planner, store, root, pools: await pools(), env });
  }

  #progress(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #decideAll(): void {
    this.#readiness.forEach((id) => {
      if (this.#options.planner.graph.fanOut(id) === undefined) this.#decide(this.#step(id));
      else this.#expand(id);
    });
  }

  #decide(step: ManifestStep): void {
    const { planner } = this.#options;
    const chosen = this.#isChosen(step);
    const needs = planner.needs(step.id);
    const stopped = stoppedBy(needs, this.#outcomes);
    if (stopped !== undefined) {
      this.#settle(step, stopped);
      return;
    }
    const decision = planner.decide(step.id, this.#outputOf);
    if (planner.sawChange) this.#startEngineEarly();
    if (decision.decision === "cached") {
      const { entry, key } = decision;
      this.#outputs.set(step.id, entry.outputs);
      this.#settle(step, {
        status: chosen ? "cached" : "skipped",
        key,
        stepRun: entry.stepRun,
        reasons: cutoffs(step.id, needs, this.#outcomes) ?? decision.reasons,
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
      const missing = needs.find((need) => !this.#outputs.has(need)) ?? "";
      throw notSelected(step, missing, this.#options.root);
    }
    if (this.#halted !== undefined) {
      this.#settle(step, this.#notStarted());
      return;
    }
    const given = this.#options.instead?.(step, decision, this.#outputOf);
    if (given !== undefined) {
      this.#outputs.set(step.id, given.outputs);
      this.#settle(step, { status: "cached", key: decision.key, ...given });
      return;
    }
    this.#decisions.set(step.id, decision);
    this.#add(step);
  }

  /** Puts the children of a fan-out in its place, or settles the steps that stood for them. */
  #expand(id: string): void {
    const { planner, emit } = this.#options;
    const { graph } = planner;
    const templates = graph.templatesOf(id);
    const needs = planner.listNeeds(id);
    const stopped = stoppedBy(needs, this.#outcomes);
    if (stopped !== undefined) {
      this.#settleBody(id, templates, () => stopped);
      return;
    }
    const expanded = planner.expand({ id }, this.#outputOf);
    if (expanded.type === "waiting") {
      for (const step of templates) {
        const wanted = this.#isChosen(step) ? step.id : this.#childrenNamed([step.id])[0];
        if (wanted !== undefined)
          throw notSelected({ ...step, id: wanted }, expanded.step, this.#options.root);
      }
      const reasons: Reason[] = [{ part: "upstream", name: id, message: "not selected" }];
      this.#settleBody(id, templates, () => ({ status: "skipped", key: null, reasons }));
      return;
    }
    if (expanded.type === "refused") {
      const { code, message, hint, at } = expanded.error;
      const error = {
        code,
        message,
        ...(hint !== undefined && { hint }),
        ...(at.length > 0 && { at: at.map((site) => ({ ...site })) }),
      };
      const [first] = templates;
      this.#settleBody(id, templates, (step) =>
        step === first
          ? { status: "failed", key: null, reasons: [{ part: "inputs", name: id, message }], error }
          : {
              status: "blocked",
              key: null,
              reasons: [{ part: "upstream", name: first?.id ?? id, message: `${first?.id ?? id} failed` }],
            },
      );
      // A body that calls no step has none that could fail.
      if (first === undefined) throw expanded.error;
      return;
    }
    const { expansion } = expanded;
    this.#checkSelection(expansion);
    emit({
      type: "steps-expanded",
      each: id,
      at: timestamp(new Date()),
      templates: expansion.templates,
      steps: expansion.steps.map((step) => ({
        id: step.id,
        kind: step.kind,
        needs: planner.needs(step.id),
        ...(step.each !== undefined && { each: step.each.at(-1) }),
      })),
    });
    for (const step of expansion.steps) {
      if (step.each === undefined)
        this.#await(step.id, [...planner.needs(step.id), ...graph.fanOutsOf(step)]);
    }
    for (const inner of expansion.fanOuts) {
      if (inner.within.length === 0) this.#await(inner.id, planner.listNeeds(inner.id));
    }
    // Now they wait for the children instead.
    for (const join of expansion.joins) {
      const step = this.#step(join);
      if (step.each === undefined) this.#await(join, [...planner.needs(join), ...graph.fanOutsOf(step)]);
    }
  }

  /** Settles steps that stand for items which will not be known, and lets go who waits for the fan-out. */
  #settleBody(
    id: string,
    templates: readonly ManifestStep[],
    settledAs: (step: ManifestStep) => Settled,
  ): void {
    for (const step of templates) this.#settle(step, settledAs(step));
    this.#readiness.letGo(id);
  }

  #isChosen(step: ManifestStep): boolean {
    const { selected } = this.#options;
    return selected === undefined || isNamed(selected, step);
  }

  /** Steps that were selected by the key of an item before the items were known must be there now. */
  #checkSelection({ fanOut, templates }: Expansion): void {
    const { planner, manifest } = this.#options;
    for (const named of this.#childrenNamed(templates)) {
      if (planner.graph.steps.some((step) => isNamed(new Set([named]), step))) continue;
      throw new MlpipeError("MLP2003", `The pipeline "${manifest.pipeline}" has no step "${named}".`, {
        hint: `${fanOut} has no such item; mlpipe plan lists its steps.`,
      });
    }
  }

  /** What was selected by the key of an item of these steps, which stand for all items. */
  #childrenNamed(templates: readonly string[]): readonly string[] {
    const bodies = new Set(templates.map((id) => id.replace(/\[\*\].*$/s, "")));
    return [...(this.#options.selected ?? [])].filter(
      (named) => !named.includes("[*]") && [...bodies].some((body) => named.startsWith(`${body}[`)),
    );
  }

  /** Has a step whose kept result holds run again; what comes after it goes on with what is kept. */
  #checkBeside(step: ManifestStep, entry: CacheEntry): void {
    const { check, planner } = this.#options;
    if (check === undefined || !isNamed(check, step) || step.kind === "deploy" || this.#halted !== undefined)
      return;
    this.#kept.set(step.id, entry);
    this.#decisions.set(step.id, planner.again(step.id, this.#outputOf));
    this.#add(step);
  }

  #add(step: ManifestStep): void {
    this.#startEngine();
    this.#toPlace.push(step);
  }

  /** Something has changed, so a step may have to run. What is in the way is told if one has to, and asks for it. */
  #startEngineEarly(): void {
    try {
      this.#startEngine();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /** What runs processes gets ready while the other steps are decided. */
  #startEngine(): void {
    const { store, run } = this.#options;
    this.#engine ??= withNodesFlags(
      () =>
        new LocalEngine(store.claims.enterBeside(run), (error) => {
          this.#halt("the supervisor of the run has gone", error);
        }),
    );
  }

  /** A run in which nothing has to run takes no lock and leaves no trace before its end. */
  async #begin(): Promise<void> {
    const executor = withNodesFlags(async () => import("./step-executor.ts"));
    this.#options.recorder.prepare();
    const [{ StepExecutor }] = await Promise.all([executor, this.#engine?.ready()]);
    this.#executor = new StepExecutor({
      ...this.#options,
      engine: () => this.#startedEngine(),
      halted: this.#haltedSignal.signal,
      isMoreToCome: () => this.#places?.isCrowded === true,
      onFailure: () => {
        if (!this.#options.keepGoing) this.#places?.fail();
      },
      onContended: () => {
        this.#places?.takeBack();
      },
      makerOf: (step) => this.#outcomes.get(step)?.stepRun ?? null,
    });
    this.#confirmHits();
    this.#options.recorder.begin();
    this.#begun = true;
  }

  /** Until now no lock was held, so a gc beside may have dropped what was taken from the cache. */
  #confirmHits(): void {
    const { store } = this.#options;
    if (!store.claims.entered()) return;
    for (const { id, kind, key, stepRun } of this.#outcomes.values()) {
      // What is deployed is never collected, and where there is no step run nothing was taken.
      if (kind === "deploy" || stepRun === null || key === null || !isDigest(key)) continue;
      if (store.cache.get(key) !== undefined) continue;
      throw collectedMeanwhile(id);
    }
  }

  async #execute(step: ManifestStep, place: Place, turn: Turn | undefined): Promise<void> {
    const decision = this.#decisions.get(step.id);
    if (decision === undefined) throw new Error(`${step.id} has a place without a decision`);
    this.#decisions.delete(step.id);
    const kept = this.#kept.get(step.id);
    if (kept !== undefined) {
      const check = await this.#started().compare(step, decision, kept, place);
      const outcome = this.#outcomes.get(step.id);
      if (check === undefined || outcome === undefined) return;
      const checked = { ...outcome, check };
      this.#outcomes.set(step.id, checked);
      this.#options.emit({ type: "step-checked", at: timestamp(new Date()), outcome: checked });
      return;
    }
    const executed = await this.#started().execute(step, decision, place, turn);
    if (executed === undefined && turn !== undefined && this.#halted === undefined) {
      this.#decisions.set(step.id, decision);
      this.#places?.sendBack(step);
      return;
    }
    const settled = executed ?? this.#notStarted();
    if (settled.status === "ran") this.#places?.ran(settled.durationMs ?? 0);
    if (settled.status === "ran" || settled.status === "cached")
      this.#outputs.set(step.id, settled.outputs ?? {});
    this.#settle(step, settled);
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
    this.#readiness.letGo(step.id);
    if (settled.status === "failed" && !keepGoing) this.#halt(`${step.id} failed`);
  }

  /** Lets no new step start. @param error what is in the way, if it is no step's failure and nobody's wish */
  #halt(because: string, error?: MlpipeError): void {
    if (this.#halted !== undefined) return;
    this.#halted = { because, error };
    this.#haltedSignal.abort();
    for (const step of this.#places?.close() ?? []) this.#neverStarted(step);
    this.#wake?.();
  }

  #neverStarted(step: ManifestStep): void {
    // A step that was only to be compared has its outcome.
    if (!this.#kept.has(step.id)) this.#settle(step, this.#notStarted());
  }

  #notStarted(): Settled {
    const because = this.#halted?.because ?? onRequest;
    return cancelled(because, `not started: ${because}`);
  }

  #settleTheRest(because: string): void {
    for (const step of this.#options.planner.graph.steps) {
      if (this.#outcomes.has(step.id)) continue;
      this.#settle(step, cancelled(because, `not started: ${because}`));
    }
  }

  #status(): RunStatus {
    const isUnchecked = [...this.#kept.keys()].some((id) => this.#outcomes.get(id)?.check === undefined);
    return runStatus([...this.#outcomes.values()], this.#halted, isUnchecked);
  }

  #started(): StepExecutor {
    if (this.#executor === undefined) throw new Error("a step runs before anything was begun");
    return this.#executor;
  }

  #startedEngine(): Engine {
    if (this.#engine === undefined) throw new Error("a step runs before anything was begun");
    return this.#engine;
  }

  #step(id: string): ManifestStep {
    const step = this.#options.planner.graph.step(id);
    if (step === undefined) throw new Error(`there is no step ${id}`);
    return step;
  }
}
