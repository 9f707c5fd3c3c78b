import canonicalize from "canonicalize";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical.ts";
import { digestOf, digestOfJson } from "./digest.ts";
import { StoreError } from "./errors.ts";

const plainJson = fc.jsonValue({ maxDepth: 6 });

/** Equality as JSON sees it: the order of keys does not matter, -0 is 0. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return (
    left.length === right.size && left.every(([key, value]) => right.has(key) && same(value, right.get(key)))
  );
}

/** The definition itself: every object key by key. */
function keyByKey(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => keyByKey(item)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${keyByKey(item)}`).join(",")}}`;
}

function refusal(value: unknown): string {
  try {
    canonicalJson(value);
  } catch (error) {
    if (error instanceof StoreError && error.code === "MLP4001") return error.message;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("canonical JSON", () => {
  test("equals the canonicalize library on plain JSON", () => {
    fc.assert(
      fc.property(plainJson, (value) => {
        expect(canonicalJson(value)).toBe(canonicalize(value));
      }),
    );
  });

  test("holds keys that no object keeps in order, and methods that an encoder would call", () => {
    const hostile = fc.constantFrom(
      "10",
      "9",
      "1",
      "0a",
      "__proto__",
      "toJSON",
      "b",
      "a",
      "",
      "\u{10000}",
      "\uffff",
    );
    const leaf = fc.oneof(
      fc.constantFrom<unknown>(null, -0, 1e21, "x", true),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        leaf,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc
          .array(fc.tuple(hostile, tie("tree")), { maxLength: 5 })
          .map((entries) => Object.fromEntries(entries)),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(canonicalJson(value)).toBe(keyByKey(value));
      }),
      { numRuns: 2_000 },
    );
    expect(canonicalJson(Object.defineProperty({ a: 1 }, "toJSON", { value: () => "no" }))).toBe('{"a":1}');
    expect(canonicalJson(Object.assign([1], { toJSON: () => "no" }))).toBe("[1]");
  });

  test("many keys in any order", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: "binary" }), { minLength: 30, maxLength: 60 }), (keys) => {
        const value = Object.fromEntries(keys.map((key, i) => [key, i]));
        expect(canonicalJson(value)).toBe(keyByKey(value));
      }),
    );
  });

  test("is JSON of the same value", () => {
    fc.assert(
      fc.property(plainJson, (value) => {
        expect(same(JSON.parse(canonicalJson(value)), value)).toBe(true);
      }),
    );
  });

  test("distinct values have distinct encodings, equal values equal ones", () => {
    // Few and similar leaves, so that pairs often differ in shape alone.
    const leaf = fc.constantFrom<unknown>(
      0,
      1,
      "",
      "0",
      "1",
      "[]",
      "{}",
      null,
      true,
      false,
      "null",
      "\u0000",
      "é",
      "e\u0301",
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        leaf,
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom("a", "b", "", "__proto__", "a,b", '"'), tie("value"), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(canonicalJson(a) === canonicalJson(b)).toBe(same(a, b));
      }),
      { numRuns: 2_000 },
    );
  });

  test("the order in which keys were added does not matter", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), plainJson), (value) => {
        const turned = Object.fromEntries(Object.entries(value).toReversed());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
      }),
    );
  });

  test("an own key named __proto__ is a key", () => {
    expect(canonicalJson(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}');
  });

  test("keys sort by UTF-16 units, numbers print as ECMAScript prints them", () => {
    // The example of RFC 8785 §3.2.3.
    const value = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 };
    expect(Object.values(JSON.parse(canonicalJson(value)))).toEqual([4, 2, 6, 7, 1, 5, 3]);
    expect(canonicalJson([1e30, 4.5, 0.002, 1e-27, Number("333333333.33333329")])).toBe(
      "[1e+30,4.5,0.002,1e-27,333333333.3333333]",
    );
  });

  test("minus zero is written as zero", () => {
    expect(canonicalJson({ r2: -0 })).toBe('{"r2":0}');
  });

  test.each<[string, unknown, string]>([
    ["NaN", { metrics: { mae: Number.NaN } }, "NaN at metrics.mae"],
    ["infinity", [1, Number.NEGATIVE_INFINITY], "-Infinity at [1]"],
    ["an undefined property", { a: { b: undefined } }, "undefined at a.b"],
    ["a hole", Object.assign([], { 1: 1 }), "undefined at [0]"],
    ["a date", { when: new Date(0) }, "an instance of Date at when"],
    ["a map", { "a b": new Map() }, 'an instance of Map at ["a b"]'],
    ["a set", new Set(), "an instance of Set"],
    ["bytes", { data: new Uint8Array(2) }, "an instance of Uint8Array at data"],
    ["a boxed number", [Object(1)], "an instance of Number at [0]"],
    ["a big integer", { n: 1n }, "a bigint at n"],
    ["a function", { f: () => 1 }, "a function at f"],
    ["a toJSON method", { toJSON: () => 1 }, "a function at toJSON"],
    ["half a surrogate pair", { name: "\ud800" }, "a string with half a surrogate pair at name"],
    ["half a surrogate pair in a key", { a: { "\udc00": 1 } }, "a key with half a surrogate pair at a"],
  ])("%s is refused, and the place named", (_, value, place) => {
    expect(refusal(value)).toContain(`got ${place}`);
  });

  test("a cycle is refused and named", () => {
    const loop: Record<string, unknown> = {};
    loop["inner"] = [loop];
    expect(refusal(loop)).toContain("a cycle at inner[0]");
  });

  test("nesting of 100,000 levels is refused without running out of stack", () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(refusal(deep)).toContain("1000 levels");
  });

  test("one value used twice is no cycle", () => {
    const shared = { x: 1 };
    expect(canonicalJson([shared, shared])).toBe('[{"x":1},{"x":1}]');
  });
});

test("digests are the sha256 of the bytes", () => {
  expect(digestOf("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(digestOfJson({ b: 1, a: 2 })).toBe(digestOf('{"a":2,"b":1}'));
});
