import type { ManifestStep } from "@mlpipe/dsl";
import type { CacheEntry } from "@mlpipe/store";
import { expect, it } from "vitest";
import { whyExpired } from "./expiry.ts";

const hour = 3_600_000;
const now = Date.now();
// What is asked of them is this alone.
const step = { cache: { mode: "aging", maxAgeMs: hour } } as ManifestStep;
const made = (at: number): CacheEntry => ({ createdAt: new Date(at).toISOString() }) as CacheEntry;

it("a result holds for its time, and not at all if it was made by a clock that was ahead", () => {
  expect(whyExpired(step, made(now - hour / 2), now)).toBeUndefined();
  expect(whyExpired(step, made(now + 1_000), now)).toBeUndefined();
  expect(whyExpired(step, made(now - 2 * hour), now)).toContain("older than its maxAge");
  expect(whyExpired(step, made(now + 48 * hour), now)).toContain("the clock was ahead");
  expect(whyExpired({ ...step, cache: { mode: "keyed" } }, made(now + 48 * hour), now)).toBeUndefined();
});
