/** What `--frozen`, `--strict-env` and `--from-lock` make of a run, and what a run makes of `mlpipe.lock`. */
import { join } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import type { Instead, RunResult } from "@mlpipe/executor";
import { canonicalJson } from "@mlpipe/store";
import {
  keepLock,
  type LockOutcome,
  type LockQuestion,
  requireLocked,
  resultsOfLock,
} from "../../lock/lock.ts";
import { changedSinceLocked, type LockedRun, noteInLock } from "../../lock/lock-memory.ts";
import { loadManifest } from "../../project/load.ts";
import type { RunOptions } from "./run.ts";
import type { Session } from "./session.ts";

/** What the command line says of locks. */
export type LockOptions = Pick<
  RunOptions,
  "frozen" | "strictEnv" | "fromLock" | "only" | "from" | "set" | "params"
>;

/**
 * Before anything is executed.
 * @throws MlpipeError MLP6010 for options that contradict each other, MLP6018 if the lock would change, MLP6019 if there
 *   is none to take results from
 */
export async function beforeRun(
  session: Session,
  question: LockQuestion,
  options: LockOptions,
): Promise<Instead | undefined> {
  if (options.strictEnv === true && options.frozen !== true) {
    throw new MlpipeError("MLP6010", "--strict-env compares with the lock, and goes with --frozen.", {
      hint: "mlpipe run --frozen --strict-env",
    });
  }
  if (options.frozen === true) {
    if (!(await isWhole(session, options))) {
      throw new MlpipeError("MLP6010", "--frozen looks at the whole pipeline with its default params.", {
        hint: "Leave out --only, --from and params, or leave out --frozen: such a run does not touch the lock.",
      });
    }
    requireLocked(question, options.strictEnv === true);
  }
  return options.fromLock === undefined
    ? undefined
    : resultsOfLock(question, { any: options.fromLock === "any" });
}

/** After a run that succeeded; nothing if it is none that the lock speaks of. */
export async function afterRun(
  session: Session,
  question: LockQuestion,
  result: RunResult,
  run: LockedRun,
  options: LockOptions,
): Promise<LockOutcome | undefined> {
  if (!(await isWhole(session, options))) return undefined;
  const frozen = options.frozen === true;
  const strictEnvironment = options.strictEnv === true;
  const changed = strictEnvironment ? undefined : changedSinceLocked(session.store, run);
  const { outcome, isOwn } = keepLock(question, result.steps, { frozen, strictEnvironment, changed });
  if (!frozen || outcome.changes.length === 0) noteInLock(session.store, run, isOwn);
  return outcome;
}

/** Whether a run is of the whole pipeline with the params that it has by default: others are experiments. */
async function isWhole(
  { project, manifest }: Session,
  { only, from, set, params }: LockOptions,
): Promise<boolean> {
  if (only !== undefined || from !== undefined) return false;
  if (set === undefined && params === undefined) return true;
  try {
    const usual = await loadManifest(project, join(project.root, manifest.file), { cwd: project.root });
    return canonicalJson(usual.manifest.params) === canonicalJson(manifest.params);
  } catch {
    // Params without defaults: every run says its own.
    return false;
  }
}
