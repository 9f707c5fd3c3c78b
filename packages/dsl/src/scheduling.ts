/** What a call of a step says about how it is scheduled, and what becomes of it in the manifest. */
import { type Duration, parseDuration } from "./duration.ts";
import type { ManifestStep } from "./manifest.ts";
import { parseSize, type Size } from "./size.ts";

/** An amount of a pool: a number, for `memory` bytes or a size such as `"8GB"`. */
export type Amount = number | Size;

/**
 * What a step takes of a pool while it runs. A function is called with the number of the attempt, 1
 * for the first, once for each that is allowed and while the pipeline is built:
 * `(attempt) => attempt * 8e9`.
 */
export type ResourceRequest = Amount | ((attempt: number) => Amount);

/**
 * What kind of failure: `failed` is an error of the step's own or an exit code other than 0,
 * `memory` is memory that ran out, `killed` is a signal that mlpipe did not send.
 */
export type FailureKind = (typeof failureKinds)[number];

const failureKinds = ["failed", "timeout", "memory", "killed"] as const;

/** How a failed step is tried again. */
export interface Retry {
  /** How often, after the first attempt. */
  readonly attempts: number;
  /** The pause before the second attempt. @default "1s" */
  readonly backoff?: Duration;
  /** By how much each pause is longer than the one before. @default 2 */
  readonly factor?: number;
  /** No pause is longer. @default "30s" */
  readonly maxBackoff?: Duration;
  /** After which failures: kinds, or exit codes. @default all that may end otherwise next time */
  readonly on?: readonly (FailureKind | number)[];
}

/** How one call of a step is scheduled; never part of its key. */
export interface CallOptions {
  /**
   * What the step takes of the named pools while it runs: `{ cpu: 4, memory: "8GB", gpu: 1 }`, and
   * pools of one's own such as `license`. @default { cpu: 1 }
   */
  readonly resources?: Readonly<Record<string, ResourceRequest>>;
  /** How often a failed step is tried again, or how. @default 0 */
  readonly retry?: number | Retry;
  /** After this time the step is stopped and has failed. @default none */
  readonly timeout?: Duration;
}

/** More attempts than this are a mistake: each is planned for before the run. */
const mostAttempts = 1_000;

type Scheduling = ManifestStep["scheduling"];

/** The scheduling of a call as the manifest has it, or what is wrong with it. */
export function schedulingOf(options: CallOptions): Scheduling | { readonly problem: string } {
  const { retry = 0, timeout, resources } = options;
  // As almost all steps are.
  if (options.retry === undefined && timeout === undefined && resources === undefined) return {};
  const retries = typeof retry === "number" ? { attempts: retry } : retryOf(retry);
  if ("problem" in retries) return retries;
  const { attempts } = retries;
  if (!(Number.isSafeInteger(attempts) && attempts >= 0 && attempts <= mostAttempts)) {
    return { problem: `retry is ${shown(attempts)}, and must be a whole number from 0 to ${mostAttempts}` };
  }
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  if (timeout !== undefined && !timeoutMs) {
    return { problem: `timeout is ${shown(timeout)}, and must be a duration such as "2h"` };
  }

  const byAttempt: Record<string, number>[] = [];
  const requests = Object.entries(resources ?? {});
  // Amounts that do not depend on the attempt are said once.
  const changing = requests.some(([, request]) => typeof request === "function");
  for (let attempt = 1; attempt <= (changing ? attempts + 1 : 1); attempt++) {
    const amounts: Record<string, number> = {};
    for (const [pool, request] of requests) {
      const amount = typeof request === "function" ? request(attempt) : request;
      const checked = amountOf(pool, amount);
      if (typeof checked !== "number") return checked;
      amounts[pool] = checked;
    }
    byAttempt.push(amounts);
  }
  const [first, ...later] = byAttempt;
  return {
    ...(later.length > 0 && { escalation: later }),
    ...(resources !== undefined && first !== undefined && { resources: first }),
    ...(options.retry !== undefined && { retry: retries }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

/** An amount of a pool as a number, memory in bytes; else what is wrong with it. */
export function amountOf(pool: string, given: unknown): number | { readonly problem: string } {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(pool)) {
    return {
      problem: `${shown(pool)} is no name of a pool: it starts with a letter, and has letters, digits, - and _`,
    };
  }
  const amount = pool === "memory" && typeof given === "string" ? parseSize(given) : given;
  if (typeof amount !== "number" || !Number.isFinite(amount) || amount < 0) {
    const wanted = pool === "memory" ? 'bytes or a size such as "8GB"' : "a number from 0 up";
    return { problem: `the resource ${pool} is ${shown(given)}, and must be ${wanted}` };
  }
  // A device is given to one step alone.
  if (pool === "gpu" && !Number.isInteger(amount))
    return { problem: `the resource gpu is ${amount}, and must be a whole number` };
  return amount;
}

function retryOf(retry: Retry): NonNullable<Scheduling["retry"]> | { readonly problem: string } {
  const { attempts, factor, on } = retry;
  const times: { backoffMs?: number; maxBackoffMs?: number } = {};
  for (const name of ["backoff", "maxBackoff"] as const) {
    const given = retry[name];
    if (given === undefined) continue;
    const ms = parseDuration(given);
    if (ms === undefined)
      return { problem: `retry.${name} is ${shown(given)}, and must be a duration such as "2s"` };
    times[`${name}Ms`] = ms;
  }
  if (factor !== undefined && !(Number.isFinite(factor) && factor >= 1))
    return { problem: `retry.factor is ${shown(factor)}, and must be a number from 1 up` };
  for (const failure of on ?? []) {
    const known =
      typeof failure === "number"
        ? Number.isInteger(failure) && failure >= 1 && failure <= 255
        : failureKinds.includes(failure);
    if (known) continue;
    const kinds = failureKinds.map((kind) => `"${kind}"`).join(", ");
    return { problem: `retry.on has ${shown(failure)}, and takes ${kinds} and exit codes` };
  }
  const { backoffMs, maxBackoffMs } = times;
  return {
    attempts,
    ...(backoffMs !== undefined && { backoffMs }),
    ...(factor !== undefined && { factor }),
    ...(maxBackoffMs !== undefined && { maxBackoffMs }),
    ...(on !== undefined && { on: [...on] }),
  };
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
