/**
 * Whether a lock can have to change after a run, asked in every run: where all keys and step runs are those that the lock
 * was last compared with, and the file is as it was then, nothing of it is read.
 */
import { statSync } from "node:fs";
import type { StepOutcome } from "@mlpipe/executor";
import { digestOf, type Store } from "@mlpipe/store";

type Outcomes = readonly Pick<StepOutcome, "id" | "key" | "stepRun" | "check">[];

/** Whether the lock was compared with this very result before. */
export function isKnownToLock(store: Store, lock: string, pipeline: string, steps: Outcomes): boolean {
  if (steps.some(({ check }) => check !== undefined)) return false;
  const known = store.facts.get(factName(lock, pipeline));
  return known !== undefined && known === factOf(lock, steps);
}

/** Notes that the lock was compared with this result. */
export function noteInLock(store: Store, lock: string, pipeline: string, steps: Outcomes): void {
  const fact = factOf(lock, steps);
  if (fact !== undefined) store.facts.put(factName(lock, pipeline), fact);
}

function factName(lock: string, pipeline: string): string {
  return `lock\0${lock}\0${pipeline}`;
}

function factOf(lock: string, steps: Outcomes): string | undefined {
  const stat = statSync(lock, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const { size, mtimeNs, ctimeNs, ino } = stat;
  const lines = steps.map(({ id, key, stepRun }) => `${id} ${key} ${stepRun}`);
  return `${size} ${mtimeNs} ${ctimeNs} ${ino} ${digestOf(lines.join("\n"))}`;
}
