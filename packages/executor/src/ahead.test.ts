import { expect, test } from "vitest";
import { StepsAhead } from "./ahead.ts";
import type { StartedProcess } from "./engine.ts";
import type { Placed } from "./schedule.ts";

const placed: Placed = {
  step: {
    id: "copy",
    kind: "data",
    module: "steps.ts",
    export: "copy",
    inputs: {},
    outputs: {},
    body: { type: "run" },
    env: [],
    cache: { mode: "keyed" },
    scheduling: {},
  },
  attempt: 1,
  amounts: { cpu: 1 },
  devices: [],
};

/** How many would be made ready beside two that run. */
function roomOf(ahead: StepsAhead): number {
  return ahead.roomBeside(2);
}

function ran(ahead: StepsAhead, times: number, ms: number): StepsAhead {
  for (let n = 0; n < times; n++) ahead.ran(ms);
  return ahead;
}

test("none is made ready until steps have been short for a while, then as many as fill a moment, and few at most", () => {
  const ahead = new StepsAhead();
  expect(roomOf(ahead)).toBe(0);
  expect(roomOf(ran(ahead, 3, 20))).toBe(0);
  expect(roomOf(ran(ahead, 30, 20))).toBe(4);
  expect(roomOf(ran(ahead, 60, 0))).toBe(32);
});

test("as long as half of them are there, no more are made ready", () => {
  const ahead = ran(new StepsAhead(), 60, 9.9);
  const made = Array.from({ length: 6 }, () => ahead.add(placed));
  expect(roomOf(ahead)).toBe(0);
  for (const each of made.slice(1)) ahead.remove(each);
  expect(roomOf(ahead)).toBe(9);
});

test("one long step ends it", () => {
  expect(roomOf(ran(ran(new StepsAhead(), 60, 5), 1, 60_000))).toBe(0);
});

test("closed, it takes back what is in line and what comes into it, until a step has run", () => {
  const ahead = ran(new StepsAhead(), 60, 5);
  const withdrawn: string[] = [];
  const process = (name: string): StartedProcess => ({
    ended: new Promise(() => {}),
    stop: () => {},
    begin: () => {},
    withdraw: () => withdrawn.push(name),
  });
  const [first, late] = [ahead.add(placed), ahead.add(placed)];
  expect(ahead.first).toBeUndefined();
  ahead.ready(first, process("first"));
  expect(ahead.first).toBe(first);
  ahead.close();
  // It is on its way out, and gets no place that has become free meanwhile.
  expect(ahead.first).toBeUndefined();
  ahead.ready(late, process("late"));
  expect(withdrawn).toEqual(["first", "late"]);
  expect(roomOf(ahead)).toBe(0);
  ahead.ran(5);
  expect(roomOf(ahead)).toBeGreaterThan(0);
});
