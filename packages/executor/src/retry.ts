/** Whether and when a step that failed is tried again. */
import type { FailureKind, ManifestStep } from "@mlpipe/dsl";

type Retry = ManifestStep["scheduling"]["retry"];

/** A failure, as far as a retry asks. */
export interface Failed {
  readonly kind: FailureKind;
  /** The exit code of its process, if it had one. */
  readonly code: number | null;
}

/** How many attempts a step has, the first included. */
export function attemptsOf(retry: Retry): number {
  return 1 + (retry?.attempts ?? 0);
}

/** Whether a step is to be tried again after such a failure. */
export function isTriedAgain(retry: Retry, { kind, code }: Failed): boolean {
  const { on } = retry ?? {};
  return on === undefined || on.some((each) => (typeof each === "number" ? each === code : each === kind));
}

/** The pause after an attempt that failed, in ms, before chance is added to it. @param attempt 1 for the first */
export function pauseAfter(retry: Retry, attempt: number): number {
  const { backoffMs = 1_000, factor = 2, maxBackoffMs = 30_000 } = retry ?? {};
  return Math.min(maxBackoffMs, backoffMs * factor ** (attempt - 1));
}
