/**
 * Whether a lock can have to change after a run, asked in every run: where all keys and step runs are those that the lock
 * was last compared with, and the file is as it was then, nothing of it is read. Where some are others, only those are
 * compared.
 */
import { statSync } from "node:fs";
import type { StepOutcome } from "@mlpipe/executor";
import { digestOf, type Store } from "@mlpipe/store";

/** A run as its lock is compared with it. */
export interface LockedRun {
  /** Absolute path of the lock. */
  readonly lock: string;
  readonly pipeline: string;
  /** The digest of what is wired: keys know what their inputs are and not which step made them, and locks name it. */
  readonly graph: string;
  readonly steps: readonly Pick<StepOutcome, "id" | "key" | "stepRun" | "check">[];
}

/** Whether the lock was compared with this very result before. */
export function isKnownToLock(store: Store, run: LockedRun): boolean {
  if (run.steps.some(({ check }) => check !== undefined)) return false;
  const file = fileOf(run);
  return file !== undefined && store.facts.get(factName(run)) === factOf(file, linesOf(run));
}

/**
 * The steps whose keys or step runs are not those that the lock was last compared with; nothing if the lock is none that
 * mlpipe has left as it is, or if there are more or other steps.
 */
export function changedSinceLocked(store: Store, run: LockedRun): ReadonlySet<string> | undefined {
  // Written by `noteInLock`, and sealed by the store.
  const known = store.facts.get(tablesName(run)) as Tables | undefined;
  const lines = linesOf(run);
  if (known === undefined || known.file !== fileOf(run) || known.lines.length !== lines.length)
    return undefined;
  const changed = new Set<string>();
  for (const [at, { id, check }] of run.steps.entries()) {
    const was = known.lines[at] ?? "";
    if (!was.startsWith(`${id} `)) return undefined;
    if (check !== undefined || was !== lines[at]) changed.add(id);
  }
  return changed;
}

/**
 * Notes that the lock was compared with this result.
 * @param isOwn whether the file has the very words that mlpipe would write
 */
export function noteInLock(store: Store, run: LockedRun, isOwn: boolean): void {
  const file = fileOf(run);
  if (file === undefined) return;
  const lines = linesOf(run);
  store.facts.put(factName(run), factOf(file, lines));
  if (isOwn) store.facts.put(tablesName(run), { file, lines } satisfies Tables);
}

/** A lock with each step that it was compared with. */
interface Tables {
  readonly file: string;
  readonly lines: readonly string[];
}

function factName({ lock, pipeline }: LockedRun): string {
  return `lock\0${lock}\0${pipeline}`;
}

function tablesName(run: LockedRun): string {
  return `${factName(run)}\0tables`;
}

function factOf(file: string, lines: readonly string[]): string {
  return `${file} ${digestOf(lines.join("\n"))}`;
}

/** The lock as it lies there, and what is wired. */
function fileOf({ lock, graph }: LockedRun): string | undefined {
  const stat = statSync(lock, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const { size, mtimeNs, ctimeNs, ino } = stat;
  return `${size} ${mtimeNs} ${ctimeNs} ${ino} ${graph}`;
}

function linesOf({ steps }: LockedRun): readonly string[] {
  return steps.map(({ id, key, stepRun }) => `${id} ${key} ${stepRun}`);
}
