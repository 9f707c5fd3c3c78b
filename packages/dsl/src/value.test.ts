import { describe, expect, it } from "vitest";
import { toJson } from "./value.ts";

describe("a value that JSON cannot hold", () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  class Point {
    x = 1;
  }

  it.each<[unknown, problem: string, hint: string]>([
    [{ loss: [1, NaN] }, "NaN at .loss[1]", "finite numbers"],
    [-Infinity, "-Infinity at the value itself", "finite numbers"],
    [{ id: 10n }, "a bigint at .id", "String()"],
    [[undefined], "undefined at [0]", "null"],
    [{ at: new Date(0) }, "an instance of Date at .at", "toISOString()"],
    [{ by: new Map() }, "an instance of Map at .by", "Object.fromEntries"],
    [{ seen: new Set() }, "an instance of Set at .seen", "Array.from"],
    [{ weights: new Float32Array(2) }, "an instance of Float32Array at .weights", "Array.from"],
    [{ at: new Point() }, "an instance of Point at .at", "plain object"],
    [{ make: () => 1 }, "a function at .make", "plain data"],
    [cyclic, "a circular reference at .self", "id"],
    ["\ud800", "a string that is not valid Unicode at the value itself", "toWellFormed()"],
  ])("is told, with what to do: %o", (value, problem, hint) => {
    expect(toJson(value)).toEqual({ problem, hint: expect.stringContaining(hint) });
  });
});
