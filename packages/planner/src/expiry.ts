/** How long a kept result holds by what its step says of it. */
import type { ManifestStep } from "@mlpipe/dsl";
import type { CacheEntry } from "@mlpipe/store";

/** A clock is set by that much in everyday life; a result from further ahead was made while it was wrong. */
const toleranceMs = 60_000;

/** Until when a result holds, in ms since 1970; `Infinity` if it does not age. */
export function expiryOf({ cache }: ManifestStep, { createdAt }: CacheEntry): number {
  return cache.mode === "aging" ? Date.parse(createdAt) + cache.maxAgeMs : Infinity;
}

/**
 * Why a result no longer holds; nothing if it does. One from the future is of unknown age: the clock was ahead when it was
 * made, by a year perhaps, and so long it would hold.
 *
 * @param now in ms since 1970
 */
export function whyExpired(step: ManifestStep, entry: CacheEntry, now: number): string | undefined {
  const expires = expiryOf(step, entry);
  if (expires < now) return `older than its maxAge (made ${entry.createdAt})`;
  if (expires === Infinity || Date.parse(entry.createdAt) <= Math.max(now, Date.now()) + toleranceMs)
    return undefined;
  return `of unknown age: the clock was ahead when it was made (${entry.createdAt})`;
}
