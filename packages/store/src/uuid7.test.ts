import { expect, test } from "vitest";
import { isUuid, uuid7 } from "./uuid7.ts";

test("ids made one after the other sort in that order, also within a millisecond", () => {
  const ids = Array.from({ length: 20_000 }, () => uuid7());
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test("an id says its version, variant and time", () => {
  const before = Date.now();
  const id = uuid7();
  expect(isUuid(id)).toBe(true);
  expect(id).toMatch(/^.{8}-.{4}-7.{3}-[89ab].{3}-.{12}$/);
  const time = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  // A burst of ids may run ahead of the clock by a few milliseconds.
  expect(time - before).toBeLessThan(100);
  expect(time).toBeGreaterThanOrEqual(before);
});

test.each(["", "../../etc", "01a207a3-5c75-71ab-96fc-88cfbbd7f82", "01A207A3-5C75-71AB-96FC-88CFBBD7F824"])(
  "%j is no id",
  (text) => expect(isUuid(text)).toBe(false),
);
