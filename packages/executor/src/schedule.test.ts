import type { ManifestStep } from "@mlpipe/dsl";
import { expect, test } from "vitest";
import { Schedule } from "./schedule.ts";

const step = (id: string, resources?: Readonly<Record<string, number>>): ManifestStep => ({
  id,
  kind: "data",
  module: "steps.ts",
  export: "step",
  inputs: {},
  outputs: {},
  body: { type: "run" },
  env: [],
  cache: { mode: "keyed" },
  scheduling: resources === undefined ? {} : { resources },
});

test("the longest way behind it goes first, and nobody beyond the places", () => {
  const steps = ["a", "b", "c"].map((id) => step(id));
  const schedule = new Schedule(steps, (id) => (id === "c" ? ["b"] : []), 1);
  for (const each of steps.slice(0, 2)) schedule.add(each);
  expect(schedule.take()?.id).toBe("b");
  expect(schedule.take()).toBeUndefined();
  schedule.release(step("b"));
  expect(schedule.take()?.id).toBe("a");
});

test("a step that takes no processor starts beside a full machine", () => {
  const steps = [step("busy"), step("idle", { cpu: 0 })];
  const schedule = new Schedule(steps, () => [], 1);
  for (const each of steps) schedule.add(each);
  expect([schedule.take()?.id, schedule.take()?.id]).toEqual(["busy", "idle"]);
});

test("a step that waits for another pool lets others pass", () => {
  const steps = [step("one", { gpu: 1 }), step("two", { gpu: 1 }), step("three")];
  const schedule = new Schedule(steps, () => [], 4);
  for (const each of steps) schedule.add(each);
  expect([schedule.take()?.id, schedule.take()?.id, schedule.take()]).toEqual(["one", "three", undefined]);
});

test("a chain and a fan of 20,000 are handed out in time that grows as they do", () => {
  const steps = Array.from({ length: 20_000 }, (_, i) => step(`s${i}`));
  const chain = new Schedule(steps, (id) => (id === "s0" ? [] : [`s${Number(id.slice(1)) - 1}`]), 2);
  const fan = new Schedule(steps, () => [], 2);
  const since = performance.now();
  let taken = 0;
  for (const each of steps) {
    chain.add(each);
    for (let next = chain.take(); next !== undefined; next = chain.take()) taken++;
    chain.release(each);
    fan.add(each);
  }
  for (let next = fan.take(); next !== undefined; next = fan.take()) {
    taken++;
    if (fan.take() !== undefined) taken++;
    // Every place is taken.
    fan.take();
    fan.release(next);
    fan.release(next);
  }
  expect(taken).toBe(2 * steps.length);
  // Milliseconds; looking at every rank and every step each time it is many seconds.
  expect(performance.now() - since).toBeLessThan(3_000);
});
