/** `mlpipe.lock` beside a pipeline: written by runs of the whole pipeline, checked by `--frozen`, used by `--from-lock`. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { anyItem, type Manifest, type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import type { Instead, StepOutcome } from "@mlpipe/executor";
import { type Planner, upstreamOf } from "@mlpipe/planner";
import { environmentWords, PortableIdentities } from "@mlpipe/planner/portable-key";
import type { Content, Store } from "@mlpipe/store";
import { projectPath } from "../project/project.ts";
import {
  asFound,
  type Comparison,
  compareWithLock,
  type LockChange,
  type SeenPipeline,
  type SeenStep,
} from "./lock-changes.ts";
import {
  byText,
  differingSteps,
  excerptOf,
  filesIn,
  type Lock,
  type LockedPipeline,
  lockText,
  parseLock,
  type Unreadable,
  withTables,
} from "./lock-file.ts";
import { lockPath } from "./lock-path.ts";

/** What the lock of a pipeline is compared with. */
export interface LockQuestion {
  /** Absolute path of the project's root. */
  readonly root: string;
  readonly manifest: Manifest;
  readonly planner: Planner;
  readonly store: Store;
}

/** How much of a digest is enough to see that it changed. */
const shownDigits = 12;

/**
 * Compares with the lock before anything is executed: keys need no results.
 * @throws MlpipeError MLP6018 if the lock would change
 */
export function requireLocked(question: LockQuestion, strictEnvironment: boolean): void {
  const path = lockPath(question.root, question.manifest.file);
  const shown = projectPath(question.root, path);
  const read = readLock(path);
  if (read === undefined) throw wouldChange(shown, [`there is no ${shown}`]);
  if ("problem" in read) throw wouldChange(shown, [`${shown}:${read.line}: ${read.problem}`]);
  const comparison = compareWithLock(seen(question), read.get(question.manifest.pipeline), {
    strictEnvironment,
  });
  if (comparison.changes.length > 0) throw wouldChange(shown, messagesOf(comparison.changes));
}

/** What a run did to the lock, or would have done. */
export interface LockOutcome {
  /** Relative to the project's root. */
  readonly path: string;
  readonly written: boolean;
  readonly changes: readonly LockChange[];
  readonly remarks: readonly string[];
}

/** How a lock is compared after a run. */
export interface KeepOptions {
  /** Writes nothing. */
  readonly frozen: boolean;
  readonly strictEnvironment: boolean;
  /** The steps that the lock was not compared with as they are now, if that is known; all others are as locked. */
  readonly changed?: ReadonlySet<string> | undefined;
}

/**
 * Compares with the lock after a whole run, and writes it if anything is to change.
 * @returns what came of it, and whether the file has the very words that mlpipe would write
 */
export function keepLock(
  question: LockQuestion,
  outcomes: readonly StepOutcome[],
  { frozen, strictEnvironment, changed }: KeepOptions,
): { readonly outcome: LockOutcome; readonly isOwn: boolean } {
  const { root, manifest } = question;
  const { pipeline } = manifest;
  const path = lockPath(root, manifest.file);
  const shown = projectPath(root, path);
  const textBefore = lockTextAt(path);
  const differing =
    changed ?? (textBefore === undefined ? undefined : differingFrom(textBefore, question, outcomes));
  const affected = differing && withDependents(question, differing);
  const excerpt =
    affected && textBefore !== undefined && filesIn(textBefore).every((file) => isThere(path, file))
      ? excerptOf(textBefore, pipeline, affected)
      : undefined;
  const read = textBefore === undefined ? undefined : parseLock(excerpt ?? textBefore);
  // One that a merge has torn is written anew from this run; one of a later version is none of our business.
  if (read !== undefined && "problem" in read && read.newer === true) {
    const remarks = [`${shown} was ${read.problem}`];
    return { outcome: { path: shown, written: false, changes: [], remarks }, isOwn: false };
  }
  const before: Lock = read === undefined || "problem" in read ? new Map() : read;
  const locked = before.get(pipeline);
  const found = seen(question, outcomes, excerpt === undefined ? undefined : affected);
  const comparison = compareWithLock(found, locked, { strictEnvironment });
  const own = settled(comparison, locked);
  const next = (excerpt === undefined ? withoutGone(path, before) : new Map<string, LockedPipeline>()).set(
    pipeline,
    own,
  );
  const nextText = lockText(next);
  const text =
    excerpt === undefined || textBefore === undefined ? nextText : withTables(textBefore, pipeline, own);
  // What says the same in other words (line ends, order) is left as somebody wrote it.
  const saysMore = comparison.changes.length > 0 || before.size === 0 || nextText !== lockText(before);
  const written = !frozen && text !== textBefore && saysMore;
  if (written) write(path, text);
  const { changes } = comparison;
  const remarks = [...comparison.remarks, ...namesake(path, locked, manifest)];
  return { outcome: { path: shown, written, changes, remarks }, isOwn: written || text === textBefore };
}

/** A pipeline of another file with the same name: what one of them writes, the other writes over. */
function namesake(
  path: string,
  locked: LockedPipeline | undefined,
  { file, pipeline }: Manifest,
): readonly string[] {
  if (locked === undefined || locked.file === basename(file) || !isThere(path, locked.file)) return [];
  return [
    `${basename(file)} and ${locked.file} both define a pipeline "${pipeline}", and write over each other's artifacts and lines of ${basename(path)}: give one another name, or remove the file that is not used`,
  ];
}

/** The steps that made something else than what a lock says, or of something else; nothing if all of it has to be read. */
function differingFrom(
  text: string,
  question: LockQuestion,
  outcomes: readonly StepOutcome[],
): ReadonlySet<string> | undefined {
  const { manifest, planner } = question;
  const steps = planner.graph.steps.filter((step) => !isOpen(step)).toSorted((a, b) => byText(a.id, b.id));
  const seenOf = stepsSeen(question, outcomes);
  const tables = steps.values().map((step) => [step.id, asFound(seenOf(step))] as const);
  return differingSteps(text, manifest.pipeline, tables);
}

/** Steps with all that take something from them: where one is not as locked any more, what follows is settled anew. */
function withDependents({ planner }: LockQuestion, changed: ReadonlySet<string>): ReadonlySet<string> {
  const affected = new Set(changed);
  // Every step after those it takes refs from.
  for (const step of planner.graph.steps)
    if (upstreamOf(step).some((need) => affected.has(need))) affected.add(step.id);
  return affected;
}

/** Where nothing but evidence was added, the lock still is of the environment it was written in. */
function settled({ changes, next }: Comparison, locked: LockedPipeline | undefined): LockedPipeline {
  return changes.length === 0 && locked !== undefined ? { ...next, environment: locked.environment } : next;
}

/** Pipelines whose files are there: what is locked of others is of no use to anybody. */
function withoutGone(path: string, lock: Lock): Map<string, LockedPipeline> {
  return new Map([...lock].filter(([, { file }]) => isThere(path, file)));
}

/** @param file as a lock names it */
function isThere(lock: string, file: string): boolean {
  return existsSync(join(dirname(lock), file));
}

/** The error of a run whose lock would change. */
export function wouldChange(shown: string, messages: readonly string[]): MlpipeError {
  const few = messages.slice(0, 20);
  const more = messages.length > few.length ? [`and ${messages.length - few.length} more`] : [];
  return new MlpipeError("MLP6018", `${shown} would change: ${[...few, ...more].join("; ")}.`, {
    exit: 3,
    hint: `Run mlpipe run without --frozen, look at what it did, and commit ${shown}.`,
  });
}

/** What changes say, one each. */
export function messagesOf(changes: readonly LockChange[]): readonly string[] {
  return changes.map(({ message }) => message);
}

/**
 * Gives steps what the lock names for them, where its objects are in the store and only this machine's environment keeps
 * the step from being up to date.
 *
 * @param any also of steps that were not proven deterministic
 * @throws MlpipeError MLP6019 if there is no lock that can be read
 */
export function resultsOfLock(question: LockQuestion, { any }: { readonly any: boolean }): Instead {
  const { root, manifest, planner, store } = question;
  const path = lockPath(root, manifest.file);
  const shown = projectPath(root, path);
  const read = readLock(path);
  const problem = read === undefined ? "there is none" : "problem" in read ? read.problem : undefined;
  if (read === undefined || "problem" in read) {
    throw new MlpipeError("MLP6019", `${shown} cannot be used: ${problem}.`, {
      hint: "mlpipe run writes it.",
    });
  }
  const locked = read.get(manifest.pipeline);
  const portable = portableIdentities(question);
  return (step, decision, outputOf) => {
    const before = locked?.steps.get(step.id);
    if (locked === undefined || before === undefined || step.kind === "deploy") return undefined;
    if (!decision.cacheable || step.cache.mode !== "keyed") return undefined;
    if (decision.reasons.some(({ part }) => part === "forced")) return undefined;
    if (!before.deterministic && !any) return undefined;
    if (portable.of(step, planner.identityOf(step.id)).key !== before.key) return undefined;
    // Its inputs must be those that the locked result was made of.
    const sameInputs = [...outputsUsed(step)].every(({ step: from, port }) => {
      const [is, was] = [outputOf(from, port), locked.steps.get(from)?.outputs[port]];
      return is !== undefined && is.type === was?.type && is.digest === was.digest;
    });
    const contents = Object.values(before.outputs);
    if (!sameInputs || contents.length === 0 || !contents.every((content) => store.objects.has(content)))
      return undefined;
    const here = environmentWords([planner.identityOf(step.id)]);
    const message = `taken from ${shown}, made on ${locked.environment}; here it would be ${here}`;
    return {
      outputs: before.outputs,
      stepRun: makerOf(store, manifest.pipeline, step.id, before.outputs),
      ...(Object.keys(before.metrics).length > 0 && { metrics: before.metrics }),
      reasons: [{ part: "unchanged", name: step.id, message }],
    };
  };
}

/** The step run that made some outputs, if this store has its record. */
function makerOf(
  store: Store,
  pipeline: string,
  step: string,
  outputs: Readonly<Record<string, Content>>,
): string | null {
  const row = store.runs.latestStepRun(pipeline, step, "ran");
  if (row === undefined) return null;
  // Records are written by the recorder alone.
  const { outputs: made } = row.document as {
    readonly outputs: Readonly<Record<string, { digest: string }>>;
  };
  const same = Object.entries(outputs).every(([port, { digest }]) => made[port]?.digest === digest);
  return same ? row.id : null;
}

function* outputsUsed(step: ManifestStep): Generator<{ readonly step: string; readonly port: string }> {
  const bindings = Object.values(step.inputs).map(({ from }) => from);
  for (const binding of bindings) {
    if (binding.type === "step") yield binding;
    else if (binding.type === "many") bindings.push(...binding.items.map(({ from }) => from));
  }
}

/**
 * The pipeline as it is now, with what its steps made if they did.
 * @param among looks at no others
 */
function seen(
  question: LockQuestion,
  outcomes?: readonly StepOutcome[],
  among?: ReadonlySet<string>,
): SeenPipeline {
  const { manifest, planner } = question;
  const seenOf = stepsSeen(question, outcomes);
  const steps = new Map<string, SeenStep>();
  const open = new Set<string>();
  for (const step of planner.graph.steps) {
    if (among?.has(step.id) === false) continue;
    if (isOpen(step)) open.add(step.id.replace(/\[.*$/s, ""));
    else steps.set(step.id, seenOf(step, among));
  }
  return {
    file: basename(manifest.file),
    environment: environmentWords(planner.graph.steps.map(({ id }) => planner.identityOf(id))),
    steps,
    open: [...open],
  };
}

/** Tells of one step after the other what is seen of it. */
function stepsSeen(
  question: LockQuestion,
  outcomes: readonly StepOutcome[] = [],
): (step: ManifestStep, among?: ReadonlySet<string>) => SeenStep {
  const { planner } = question;
  const portable = portableIdentities(question);
  const results = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
  return (step, among) => {
    const { key, code, packages, given } = portable.of(step, planner.identityOf(step.id));
    const outcome = results.get(step.id);
    return {
      key,
      code: code.slice(0, shownDigits),
      packages: packages.slice(0, shownDigits),
      given,
      deterministic: outcome?.check?.same === true,
      needs: upstreamOf(step).filter((need) => among?.has(need) !== false),
      ...(outcome !== undefined && {
        // The brand of a digest is lost on the way through events.
        made: { outputs: outcome.outputs as Record<string, Content>, metrics: outcome.metrics ?? {} },
      }),
    };
  };
}

/** Whether a step stands for items that are not known, or joins what they give. */
function isOpen(step: ManifestStep): boolean {
  return (
    step.each !== undefined ||
    step.id.includes(anyItem) ||
    Object.values(step.inputs).some(({ from }) => from.type === "joined" || from.type === "item")
  );
}

/** By the contents that the plan was made of: an edit during the run is of the next one. */
function portableIdentities({ root, planner }: LockQuestion): PortableIdentities {
  return new PortableIdentities({ root, contentOf: (path) => planner.sourceContent(path) });
}

function readLock(path: string): Lock | Unreadable | undefined {
  const text = lockTextAt(path);
  return text === undefined ? undefined : parseLock(text);
}

function lockTextAt(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** Whole or not at all. */
function write(path: string, text: string): void {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(aside, text);
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new MlpipeError(
      "MLP6020",
      `${relative(process.cwd(), resolve(path))} could not be written: ${reason}.`,
      {
        exit: 4,
        hint: "The run itself succeeded and is kept. Correct the cause and run again.",
        cause: error,
      },
    );
  }
}
