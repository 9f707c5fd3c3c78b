import { expect, test } from "vitest";
import type { Ended } from "../engine.ts";
import type { Order } from "./starter.ts";
import { WaitingLine } from "./waiting-line.ts";

const order: Order = {
  type: "start",
  argv: ["true"],
  cwd: "/",
  env: {},
  handsOver: true,
  leaves: [],
  waits: true,
};
const ended = (code: number): Ended => ({ code, signal: null, timedOut: false, stopped: false, usage: null });

function lineOf(...ids: readonly number[]): WaitingLine {
  const line = new WaitingLine();
  for (const id of ids) line.add(id, order);
  return line;
}

test("after one that ended well the first in line is next", () => {
  const line = lineOf(7, 8);
  line.ended(ended(0), order, 1);
  expect(line.next()?.id).toBe(7);
  line.ended(ended(0), order, 2);
  expect(line.next()?.id).toBe(8);
  expect(line.next()).toBeUndefined();
});

test("after a failure none is, until somebody who knows of it has said who begins", () => {
  const line = lineOf(7, 8, 9);
  line.ended(ended(0), order, 1);
  line.ended(ended(3), order, 2);
  expect(line.next()).toBeUndefined();
  // Said before the failure was heard of: that one begins, and nobody after it.
  expect(line.begin(7, 1)).toBe(order);
  line.ended(ended(0), order, 3);
  expect(line.next()).toBeUndefined();
  expect(line.begin(8, 3)).toBe(order);
  line.ended(ended(0), order, 4);
  expect(line.next()?.id).toBe(9);
});

test("one that was taken out is not begun", () => {
  const line = lineOf(7, 8);
  expect(line.withdraw(7)).toBe(true);
  expect(line.withdraw(7)).toBe(false);
  expect(line.begin(7, 0)).toBeUndefined();
  expect(line.next()?.id).toBe(8);
});
