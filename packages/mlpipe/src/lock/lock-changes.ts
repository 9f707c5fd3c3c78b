/** What a lock would become, and what of it would change. */
import type { LockedPipeline, LockedStep } from "./lock-file.ts";

/** A step as a run, or the look before one, has found it. */
export interface SeenStep extends Omit<LockedStep, "outputs" | "metrics"> {
  /** Steps that it takes refs from. */
  readonly needs: readonly string[];
  /** What it made; nothing before it ran, and of a deploy. */
  readonly made?: Pick<LockedStep, "outputs" | "metrics"> | undefined;
}

/** A pipeline as it was found. */
export interface SeenPipeline {
  readonly file: string;
  readonly environment: string;
  /** Every step after those it takes refs from. */
  readonly steps: ReadonlyMap<string, SeenStep>;
  /** Bodies of fan-outs whose items are not known yet: nothing is said of their children. */
  readonly open: readonly string[];
}

/** A line of a lock that would change. */
export interface LockChange {
  /** The step; none for what concerns the whole pipeline. */
  readonly step?: string;
  readonly part: "added" | "removed" | "code" | "packages" | "input" | "contract" | "output" | "environment";
  readonly message: string;
}

/** What would change, and what the pipeline's part of the lock would be then. */
export interface Comparison {
  readonly changes: readonly LockChange[];
  /** Differences that change nothing: results of a proven step that another environment made otherwise. */
  readonly remarks: readonly string[];
  readonly next: LockedPipeline;
}

/**
 * Compares a pipeline with what is locked of it.
 *
 * A step is as locked if its portable key is and all that it needs is. What it made then stays as the lock has it, or two
 * machines would write it to and fro: it is compared only where the step was proven deterministic, in the environment
 * that the lock was written in.
 */
export function compareWithLock(
  seen: SeenPipeline,
  locked: LockedPipeline | undefined,
  { strictEnvironment }: { readonly strictEnvironment: boolean },
): Comparison {
  const changes: LockChange[] = [];
  const remarks: string[] = [];
  const sameEnvironment = seen.environment === locked?.environment;
  if (locked !== undefined && !sameEnvironment && strictEnvironment) {
    const message = `environment: ${locked.environment} → ${seen.environment}`;
    changes.push({ part: "environment", message });
  }
  const asLocked = new Set<string>();
  const steps = new Map<string, LockedStep>();
  for (const [id, step] of seen.steps) {
    const before = locked?.steps.get(id);
    if (before === undefined) {
      changes.push({ step: id, part: "added", message: `${id} is new` });
    } else {
      const own = keyChanges(id, before, step);
      changes.push(...own);
      if (own.length === 0 && step.needs.every((need) => asLocked.has(need) || isOpen(need, seen))) {
        asLocked.add(id);
        const differing = differingOutputs(before, step);
        const counts = before.deterministic && (sameEnvironment || strictEnvironment);
        if (differing.length > 0 && before.deterministic) {
          const message = `${id} made another ${differing.join(" and ")} of the same`;
          if (counts) changes.push({ step: id, part: "output", message });
          else remarks.push(`${message}, in another environment: ${seen.environment}`);
        }
        steps.set(id, kept(before, step, differing.length > 0 && before.deterministic));
        continue;
      }
    }
    steps.set(id, asFound(step));
  }
  for (const id of locked?.steps.keys() ?? []) {
    if (seen.steps.has(id) || isOpen(id, seen)) continue;
    changes.push({ step: id, part: "removed", message: `${id} is gone` });
  }
  return { changes, remarks, next: { file: seen.file, environment: seen.environment, steps } };
}

/** What a lock would say of a step of which it said nothing before. */
export function asFound({ needs: _needs, made, ...facts }: SeenStep): LockedStep {
  return { ...facts, outputs: made?.outputs ?? {}, metrics: made?.metrics ?? {} };
}

/** What stays of a step that is as locked; evidence that it is deterministic is added. */
function kept(before: LockedStep, { made, deterministic }: SeenStep, anew: boolean): LockedStep {
  const facts = anew && made !== undefined ? { ...before, ...made } : before;
  return { ...facts, deterministic: before.deterministic || deterministic };
}

function differingOutputs(before: LockedStep, { made }: SeenStep): readonly string[] {
  if (made === undefined) return [];
  return Object.entries(made.outputs).flatMap(([port, { type, digest }]) => {
    const was = before.outputs[port];
    return was?.type === type && was.digest === digest ? [] : [port];
  });
}

function keyChanges(id: string, before: LockedStep, step: SeenStep): readonly LockChange[] {
  if (before.key === step.key) return [];
  const changes: LockChange[] = [];
  for (const part of ["code", "packages"] as const) {
    if (before[part] !== step[part]) changes.push({ step: id, part, message: `${part} of ${id} changed` });
  }
  for (const port of new Set([...Object.keys(before.given), ...Object.keys(step.given)])) {
    const [was, is] = [before.given[port], step.given[port]];
    if (was === is) continue;
    const message = `input ${port} of ${id}: ${was ?? "nothing"} → ${is ?? "nothing"}`;
    changes.push({ step: id, part: "input", message });
  }
  if (changes.length > 0) return changes;
  return [{ step: id, part: "contract", message: `ports, wiring or declared variables of ${id} changed` }];
}

/** Whether a step is, or may be, a child of a fan-out whose items are not known. */
function isOpen(id: string, { open }: SeenPipeline): boolean {
  const name = id.replace(/\[.*$/s, "");
  return open.includes(name);
}
