/** Executes decided steps: claims their keys, attempts them, keeps what they made and records it. */
import { unlinkSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ManifestStep, secretsOf } from "@mlpipe/dsl";
import { whyExpired } from "@mlpipe/planner";
import { secretValues, type StepRun, timestamp } from "@mlpipe/provenance";
import { type CacheEntry, type Content, type Digest, type Publication, uuid7 } from "@mlpipe/store";
import { Attempt, type AttemptResult, publishable, type RunDecision, type Turn } from "./attempt.ts";
import { type AttemptFolder, fileName } from "./attempt-folder.ts";
import { differenceOf } from "./differences.ts";
import type { Engine } from "./engine.ts";
import type { StepError, StepOutcome } from "./events.ts";
import type { ExecuteOptions } from "./execute.ts";
import { MemoryWatch } from "./failure-kind.ts";
import type * as enclosures from "./fence/enclosure.ts";
import type { Enclosure, Surroundings } from "./fence/enclosure.ts";
import type { Place } from "./place.ts";
import { Publisher } from "./publisher.ts";
import { isPlain } from "./schedule.ts";
import { attemptsOf, isTriedAgain, pauseAfter } from "./retry.ts";
import { type StepFacts, stepRecord } from "./step-record.ts";
import { WorkFolders } from "./work-folders.ts";

/** After this long a step whose key another run executes is looked at again. */
const claimPausesMs = [20, 50, 100, 200, 500];

/** After so many of them it is told what a step waits for. */
const quietTries = 5;

/** What became of a step, before it is an outcome. */
export type Settled = Pick<StepOutcome, "status" | "key" | "reasons"> &
  Partial<Pick<StepOutcome, "stepRun" | "durationMs" | "metrics" | "error">> & {
    readonly outputs?: Readonly<Record<string, Content>>;
  };

/** A step that was executed, with all its attempts. */
interface Tried {
  readonly stepRun: string;
  readonly attempts: readonly AttemptResult[];
  /** The last one. */
  readonly attempt: Attempt;
  readonly outcome: AttemptResult["outcome"];
  readonly durationMs: number;
  /** What of its code or packages was changed while the run was going on, as words. */
  readonly edited: string | undefined;
  /** The claim of its key was given back when the result was kept. */
  isGivenBack?: boolean;
}

type StepExecutorOptions = Pick<
  ExecuteOptions,
  "env" | "manifest" | "planner" | "recorder" | "root" | "store" | "run" | "fence" | "emit"
> & {
  /** What runs processes. */
  readonly engine: () => Engine;
  /** Aborts when nothing more is to be started. */
  readonly halted: AbortSignal;
  /** Whether steps wait for a place. */
  readonly isMoreToCome: () => boolean;
  /** The step run that made an upstream output. */
  readonly makerOf: (step: string) => string | null;
  /** A step has its place and must wait for a key that another step or run has. */
  readonly onContended: () => void;
  /** A step has failed for good. It is known to all only once that is kept. */
  readonly onFailure: () => void;
};

export class StepExecutor {
  readonly #options: StepExecutorOptions;
  readonly #publisher: Publisher;
  readonly #attempts = new Set<Attempt>();
  readonly #folders = new WorkFolders();
  #enclosures: Promise<typeof enclosures> | undefined;
  #around: Surroundings | undefined;
  /** Said once of a step, however often it is executed. */
  readonly #remarked = new Set<string>();
  /** Keys that this run executes: a claim tells runs apart, not the steps of one. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Keys that were claimed together, of steps that have not come to it yet. */
  readonly #claimed = new Set<string>();
  #watch: MemoryWatch | undefined;
  readonly #secrets: readonly string[];

  constructor(options: StepExecutorOptions) {
    this.#options = options;
    this.#secrets = secretValues(secretsOf(options.manifest.steps, options.env));
    this.#publisher = new Publisher(options.store, options.isMoreToCome);
  }

  /** Resolves when nothing is left to be tidied up. */
  async settle(): Promise<void> {
    await this.#folders.settle();
  }

  /** Claims the keys of steps that are about to be executed without a place, together. */
  claimAhead(keys: readonly Digest[]): void {
    const { store, run } = this.#options;
    const free = keys.filter((key) => !this.#underWay.has(key));
    for (const key of store.claims.claimAll(free, run)) this.#claimed.add(key);
  }

  /** Stops every attempt under way. */
  stop(how: "gently" | "now"): void {
    for (const attempt of this.#attempts) attempt.stop(how);
  }

  /**
   * Executes a step and keeps what it made; nothing if it was not started, since nothing more is to be or its turn did not
   * come.
   * @param place left when its process has ended well: what is left to do needs none
   * @param turn of a step that has no place yet
   */
  async execute(
    step: ManifestStep,
    decision: RunDecision,
    place: Place,
    turn?: Turn,
  ): Promise<Settled | undefined> {
    const { key } = decision;
    for (let other = this.#underWay.get(key); other !== undefined; other = this.#underWay.get(key)) {
      // It may be in line for the very place that this one has.
      if (turn === undefined) this.#options.onContended();
      await other;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay.set(key, promise);
    try {
      return await this.#executeAlone(step, decision, place, turn);
    } finally {
      this.#underWay.delete(key);
      resolve();
    }
  }

  async #executeAlone(
    step: ManifestStep,
    decision: RunDecision,
    place: Place,
    turn: Turn | undefined,
  ): Promise<Settled | undefined> {
    if (!(await this.#claim(step, decision, turn))) return undefined;
    let tried: Tried | undefined;
    try {
      const made = this.#madeMeanwhile(step, decision);
      if (made !== undefined) return made;
      tried = await this.#attemptAll(step, decision, place, turn);
      if (tried.attempts.at(-1)?.ended.neverBegan === true) {
        tried.attempt.folder.discard();
        return undefined;
      }
      if (tried.outcome.type === "made") place.leave();
      else if (tried.outcome.type === "failed") this.#options.onFailure();
      return await this.#conclude(step, decision, tried);
    } finally {
      this.#giveBack(decision, tried);
    }
  }

  /** Executes a step beside its kept result and compares; nothing if it was not started or was stopped. */
  async compare(
    step: ManifestStep,
    decision: RunDecision,
    kept: CacheEntry,
    place: Place,
  ): Promise<StepOutcome["check"]> {
    const { store } = this.#options;
    if (!(await this.#claim(step, decision))) return undefined;
    // What is to be compared is made from the beginning.
    const forget = (): void => {
      if (step.checkpoints !== undefined) store.checkpoints.remove(fileName(step.id), decision.key);
    };
    let tried: Tried | undefined;
    try {
      forget();
      tried = await this.#attemptAll(step, decision, place);
      return await this.#judge(step, decision, tried, kept);
    } finally {
      forget();
      this.#giveBack(decision, tried);
    }
  }

  /** Gives back the claim of a key, and before it the place that its attempts had. */
  #giveBack({ key }: RunDecision, tried: Tried | undefined): void {
    if (tried?.isGivenBack === true) return;
    tried?.attempt.folder.leave();
    this.#options.store.claims.release(key, this.#options.run);
  }

  /**
   * Claims a key, waiting while another run has it; false if this run is to start nothing more. Who has no place does not
   * wait for others: two runs could wait for each other's next steps for ever.
   */
  async #claim(step: ManifestStep, { key }: RunDecision, turn?: Turn): Promise<boolean> {
    const { store, run, halted, onContended, emit } = this.#options;
    for (let tries = 0; !halted.aborted; tries++) {
      if (this.#claimed.delete(key)) return true;
      // One that was not to be had then is left to those who have a place.
      if (turn !== undefined) return false;
      const claim = store.claims.claim(key, run);
      if (claim.mine) return true;
      if (tries === quietTries)
        emit({ type: "step-waiting", step: step.id, for: claim.by, at: timestamp(new Date()) });
      onContended();
      await pause(claimPausesMs[Math.min(tries, claimPausesMs.length - 1)]);
    }
    return false;
  }

  /** What another run has made of the key while this one waited for it. */
  #madeMeanwhile(step: ManifestStep, decision: RunDecision): Settled | undefined {
    const { store } = this.#options;
    // Forced steps and those that are never kept run in every run that wants them.
    if (!decision.cacheable || isForced(decision)) return undefined;
    const entry = store.cache.get(decision.key);
    if (
      entry === undefined ||
      whyExpired(step, entry, Date.now()) !== undefined ||
      Object.values(entry.outputs).some((content) => !store.objects.has(content))
    )
      return undefined;
    const maker = entry.run === this.#options.run ? "a step of this run with the same key" : "another run";
    return {
      status: "cached",
      key: decision.key,
      stepRun: entry.stepRun,
      reasons: [{ part: "unchanged", name: step.id, message: `${maker} has just made it` }],
      outputs: entry.outputs,
      ...(entry.metrics !== undefined && { metrics: entry.metrics }),
    };
  }

  async #attemptAll(step: ManifestStep, decision: RunDecision, place: Place, turn?: Turn): Promise<Tried> {
    const { emit, engine, planner, recorder, root, store, run, halted } = this.#options;
    const stepRun = uuid7();
    const enclosed = await this.#enclosing(step, decision);
    // What is gathered of the machine is gathered beside the step, not before it.
    const facts = recorder.facts(planner.identityOf(step.id).files);
    const { retry } = step.scheduling;
    const allowed = attemptsOf(retry);
    const watch = (this.#watch ??= new MemoryWatch());
    const attempts: AttemptResult[] = [];
    // Looked at on both sides of the execution: an edit that is taken back is seen on one of them.
    const editedBefore = decision.cacheable ? planner.codeChanged(step.id) : undefined;
    let since = nowMs();
    for (let number = 1; ; number++) {
      const begins = (at: Date): void => {
        emit({
          type: "step-started",
          step: step.id,
          stepRun,
          key: decision.key,
          attempt: number,
          at: timestamp(at),
          reasons: decision.reasons,
        });
      };
      const ahead = number === 1 ? turn : undefined;
      if (ahead === undefined) begins(new Date());
      const attempt = new Attempt({
        place: {
          root,
          store,
          run,
          engine: engine(),
          folders: this.#folders,
          secrets: this.#secrets,
          underWay: this.#attempts,
        },
        step,
        decision,
        enclosed,
        number,
        share: {
          devices: place.placed.devices,
          memory: place.placed.amounts["memory"],
          watch,
          handsOver: isPlain(place.placed.amounts),
        },
        turn: ahead && {
          ready: (process) => {
            ahead.ready(process);
          },
          began: (at) => {
            since = nowMs() - Math.max(0, Date.now() - at.getTime());
            begins(at);
            ahead.began(at);
          },
        },
        onLine: (stream, line) => {
          emit({ type: "step-output", step: step.id, attempt: number, stream, line });
        },
      });
      this.#attempts.add(attempt);
      const result = await attempt.run().finally(() => this.#attempts.delete(attempt));
      attempts.push(result);
      this.#remark(step.id, result.remarks);
      const { outcome } = result;
      if (outcome.type === "failed" && outcome.again && number < allowed && !halted.aborted) {
        const { kind = "failed", error } = outcome;
        if (isTriedAgain(retry, { kind, code: result.ended.code })) {
          emit({ type: "step-retrying", step: step.id, attempt: number + 1, of: allowed, error });
          // What it has taken is for others while it waits.
          place.leave();
          // Steps that failed together, of one overloaded service say, are not to come back together.
          await unlessHalted(pauseAfter(retry, number) * (0.8 + Math.random() * 0.4), halted);
          if (await place.enter(number + 1)) continue;
        }
      }
      await facts;
      const durationMs = Math.round(nowMs() - since);
      const edited = editedBefore ?? (decision.cacheable ? planner.codeChanged(step.id) : undefined);
      return { stepRun, attempts, attempt, outcome, durationMs, edited };
    }
  }

  /** Loaded when a step is executed: most runs execute none. */
  async #enclosing(
    step: ManifestStep,
    { inputs, key }: RunDecision,
  ): Promise<(folder: AttemptFolder) => Enclosure> {
    const { Enclosure, Surroundings } = await (this.#enclosures ??= import("./fence/enclosure.ts"));
    const around = (this.#around ??= new Surroundings(this.#options));
    const identity = this.#options.planner.identityOf(step.id);
    const { checkpoints } = this.#options.store;
    // Made before it is granted: what is not there cannot be.
    const checkpoint = step.checkpoints && checkpoints.open(fileName(step.id), key);
    return (folder) => new Enclosure(around, { step, identity, inputs, folder, checkpoint });
  }

  #remark(step: string, remarks: readonly string[]): void {
    for (const message of remarks) {
      if (this.#remarked.has(message)) continue;
      this.#remarked.add(message);
      this.#options.emit({ type: "warning", step, message });
    }
  }

  /** Keeps what the last attempt made, or the record that it made nothing. */
  async #conclude(step: ManifestStep, decision: RunDecision, tried: Tried): Promise<Settled> {
    const { planner, recorder, run, store, root, emit } = this.#options;
    const { attempt, outcome, stepRun, durationMs, edited } = tried;
    const details = planner.details(decision, step.id);
    const ranUnkeyedCode = tried.attempts.at(-1)?.ranUnkeyedCode === true;
    const cacheable = decision.cacheable && edited === undefined && !ranUnkeyedCode;
    const kept = cacheable && outcome.type === "made";
    const record = this.#recordOf(step, decision, tried, { details, kept });
    const base = { key: decision.key, stepRun, reasons: decision.reasons, durationMs };
    if (edited !== undefined && outcome.type === "made") {
      const message = `${edited} while the run was going on: the result of ${step.id} is not cached.`;
      emit({ type: "warning", step: step.id, message });
    }
    if (outcome.type !== "made") {
      if (process.env["MLPIPE_KEEP_ATTEMPTS"] === undefined) attempt.folder.discard();
      await this.#publisher.publish({
        objects: [],
        rows: () => {
          planner.keep(decision, details);
          recorder.add(record);
        },
      });
      const error = "error" in outcome ? outcome.error : undefined;
      return { ...base, status: outcome.type, ...(error !== undefined && { error }) };
    }

    const outputs = Object.fromEntries(
      Object.entries(outcome.outputs).map(([port, { content }]) => [port, content]),
    );
    const metrics = Object.fromEntries(record.metrics.map(({ name, value }) => [name, value]));
    const hasMetrics = record.metrics.length > 0;
    const at = record.endedAt;
    let objects: readonly KeptObject[] = [];
    let isGivenBack = false;
    try {
      objects = movedOut([...publishable(outcome.outputs), ...this.#keptSources(decision, attempt)], attempt);
      await this.#publisher.publish({
        objects,
        rows: () => {
          planner.keep(decision, details);
          const entry = { stepRun, run, outputs, createdAt: at, durationMs, ...(hasMetrics && { metrics }) };
          if (cacheable) store.cache.put(decision.key, entry);
          if (step.target !== undefined) {
            const content = outcome.target ?? null;
            store.receipts.put({
              target: resolve(root, step.target),
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
          // A folder that lies in its place still would then lie where another run may be at work.
          if (!attempt.folder.isDiscarded) return;
          this.#giveBack(decision, tried);
          isGivenBack = true;
        },
      });
      tried.isGivenBack = isGivenBack;
    } catch (error) {
      removeMoved(objects);
      // A damaged database is no fault of the step: whoever runs all this rebuilds it and begins again.
      if (!(error instanceof Error) || !("code" in error) || error.code === "MLP4002") throw error;
      return { ...base, status: "failed", error: keepingFailure(step, error) };
    } finally {
      attempt.folder.discard();
    }
    // Only now: had the result not been kept, the next attempt would go on from there.
    if (step.checkpoints !== undefined) attempt.folder.removeCheckpoint();
    return { ...base, status: "ran", outputs, ...(hasMetrics && { metrics }) };
  }

  /** Compares what a step made when it was run again with what is kept. The cache keeps what it has. */
  async #judge(
    step: ManifestStep,
    decision: RunDecision,
    tried: Tried,
    kept: CacheEntry,
  ): Promise<StepOutcome["check"]> {
    const { planner, recorder, store } = this.#options;
    const { attempt, outcome, stepRun } = tried;
    const made = outcome.type === "made" ? outcome.outputs : {};
    const differing = Object.keys(kept.outputs).filter(
      (port) => made[port]?.content.digest !== kept.outputs[port]?.digest,
    );
    const same = outcome.type === "made" && differing.length === 0;
    const details = planner.details(decision, step.id);
    const record = this.#recordOf(step, decision, tried, {
      details,
      kept: false,
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
      attempt.folder.discard();
    }
    // Ended before it was done, it is no evidence.
    if (outcome.type === "cancelled" || ("error" in outcome && outcome.error.code === "MLP3036"))
      return undefined;
    const differences = differing.flatMap((port) => {
      const [before, after] = [kept.outputs[port], made[port]?.content];
      return before === undefined || after === undefined
        ? []
        : (differenceOf(store, port, before, after) ?? []);
    });
    const error = same ? undefined : "error" in outcome ? outcome.error : notDeterministic(step, differences);
    return { stepRun, same, differences, ...(error !== undefined && { error }) };
  }

  #recordOf(
    step: ManifestStep,
    decision: RunDecision,
    { stepRun, attempts }: Tried,
    more: Pick<StepFacts, "details" | "kept" | "checked">,
  ): StepRun {
    const { manifest, run, store, makerOf } = this.#options;
    return stepRecord({
      id: stepRun,
      run,
      pipeline: manifest.pipeline,
      step,
      decision,
      attempts,
      ...more,
      storeRoot: store.root,
      makerOf,
    });
  }

  /** Copies of the sources that are to outlive their files. */
  #keptSources(decision: RunDecision, attempt: Attempt): readonly KeptObject[] {
    return Object.entries(decision.inputs).flatMap(([port, input]) => {
      if (input.type !== "source" || input.keep !== "copy" || this.#options.store.objects.has(input.content))
        return [];
      return [{ path: attempt.folder.copyOf(`source-${port}`, input.absolute), content: input.content }];
    });
  }
}

/** What the store is to take. */
type KeptObject = Publication["objects"][number];

/**
 * The same, moved out of the attempt's folder, which the next attempt then has at once: what was made waits for the disk
 * together with what others make.
 */
function movedOut(objects: readonly KeptObject[], { folder }: Attempt): readonly KeptObject[] {
  // A folder that its step has locked cannot be moved before the store has opened it.
  if (objects.some(({ content }) => content.type !== "file")) return objects;
  const moved: KeptObject[] = [];
  try {
    for (const { path, content } of objects) moved.push({ path: folder.moveOut(path), content });
  } catch (error) {
    removeMoved(moved);
    throw error;
  }
  folder.discard();
  return moved;
}

/** Removes what was moved out and is not kept. */
function removeMoved(objects: readonly KeptObject[]): void {
  for (const { path } of objects) {
    try {
      unlinkSync(path);
    } catch {
      // A folder, which goes with the one of the attempt; or an object already. What is left else, gc removes.
    }
  }
}

/** Waits, but not for what is not to happen any more. */
async function unlessHalted(ms: number, halted: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: halted }).catch(() => {});
}

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

/** A clock that only goes forwards. The first look at `performance` loads nine modules. */
function nowMs(): number {
  return process.uptime() * 1_000;
}
