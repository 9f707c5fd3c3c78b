/** Properties over random edits: noise never changes a digest, and a value always does. */
import { canonicalJson } from "@mlpipe/store";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Project } from "./fixtures/project.ts";

/** A module in tokens: between any two of them there may be space and comments. */
const tokens = [
  'import', '{', 'data', '}', 'from', '"mlpipe"', ';',
  'import', '{', 'z', '}', 'from', '"zod"', ';',
  'type Pair', '<', 'T', '>', '=', 'readonly', '[', 'T', ',', 'T', ']', ';',
  'const', 'rate', '=', '{{0}}', ',', 'names', '=', '[', '{{1}}', ',', '`a${', 'rate', '}b`', ']', ';',
  'function', 'grow', '<', 'T', 'extends', 'number', '>', '(', 'x', ':', 'T', ',', '{', 'by', '=', '{{2}}', '}', '=', '{', '}', ')', ':', 'number', '{',
  'if', '(', 'x', '>', '{{3}}', '&&', '!', '(', 'x', 'in', 'names', ')', ')', '{',
  'const', 'all', ':', 'Pair<', 'number', '>', '=', '[', 'x as number', ',', 'by', ']', ';',
  'for', '(', 'const', 'each', 'of', 'all', ')', '{', 'by', '+=', 'each', '*', 'rate', ';', '}', '}',
  'else', '{', 'by', '=', '/{{4}}/u', '.', 'test', '(', 'names', '?.', '[', '0', ']', '??', '{{1}}', ')', '?', '{{5}}', ':', '-', '{{0}}', ';', '}',
  'class', 'Tree', '{', '#age', '=', '{{6}}', ';', 'static make', '(', ')', '{', 'return', 'new', 'Tree', '(', ')', ';', '}', 'get', 'age', '(', ')', '{', 'return', 'this', '.', '#age', ';', '}', '}',
  'return', 'by', '+', 'Tree', '.', 'make', '(', ')', '.', 'age', ';', '}',
  'export', 'const', 'step', '=', 'data', '(', '{{7}}', ',', '{', 'inputs', ':', '{', 'n', ':', 'z', '.', 'number', '(', ')', '.', 'max', '(', '{{0}}', ')', '}', ',', 'outputs', ':', '{', '}', ',',
  'run', '(', '{', 'n', '}', ')', '{', 'grow', '(', 'n!', ')', ';', '}', '}', ')', ';',
]; // prettier-ignore

const initial = ["12", '"first"', "3", "4", "ab", "0.5", "10n", '"step"'];

/** A return must keep its value on its line. */
const joined = (token: string): boolean => token === "return";

function render(values: readonly string[], gaps: readonly string[]): string {
  return tokens
    .map((token, index) => {
      const text = token.replaceAll(/\{\{(\d)\}\}/g, (_all, slot: string) => values[Number(slot)] ?? "");
      return text + (joined(token) ? " " : (gaps[index % gaps.length] ?? " "));
    })
    .join("");
}

const gap = fc
  .array(fc.constantFrom(" ", "\n", "\t", "\r\n", "/* x; */", "// y {\n", "/**\n * @param z\n */", "  "), {
    minLength: 1,
    maxLength: 4,
  })
  .map((pieces) => ` ${pieces.join("")} `);

const literal = {
  number: fc.oneof(
    fc.nat().map(String),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }).map(String),
  ),
  text: fc.string().map((text) => JSON.stringify(text)),
  pattern: fc.stringMatching(/^[a-z0-9]{1,6}$/),
};
const slots = [
  literal.number,
  literal.text,
  literal.number,
  literal.number,
  literal.pattern,
  literal.number,
  fc.bigInt({ min: 0n }).map((n) => `${n}n`),
  literal.text,
];

describe("over random edits of a step and all it reaches", () => {
  let project: Project;
  const digests = (text: string): string => {
    project.write({ "step.ts": text });
    const { parts, uncacheable } = project.identify("step.ts#step");
    expect(uncacheable).toEqual([]);
    return canonicalJson(parts);
  };
  beforeAll(() => {
    project = new Project();
  });
  afterAll(() => project[Symbol.dispose]());

  it("space and comments never count", () => {
    const before = digests(render(initial, [" "]));
    fc.assert(
      fc.property(fc.array(gap, { minLength: 1, maxLength: 40 }), (gaps) => {
        expect(digests(render(initial, gaps))).toBe(before);
      }),
      { numRuns: 200 },
    );
  });

  it("a literal of another value always counts", () => {
    const before = digests(render(initial, [" "]));
    const change = fc
      .nat(slots.length - 1)
      .chain((slot) => fc.tuple(fc.constant(slot), slots[slot] ?? fc.constant("0")));
    fc.assert(
      fc.property(change, ([slot, value]) => {
        const isSame = slot === 4 ? value === initial[4] : evaluate(value) === evaluate(initial[slot] ?? "");
        const after = digests(render(initial.with(slot, value), [" "]));
        expect(after === before).toBe(isSame);
      }),
      { numRuns: 300 },
    );
  });

  it("of literals of one value each spelling is the same", () => {
    const spell = fc
      .double({ noNaN: true, noDefaultInfinity: true, min: 0 })
      .chain((n) => fc.tuple(fc.constant(String(n)), fc.constant(n.toExponential())));
    fc.assert(
      fc.property(spell, ([plain, exponential]) => {
        const same = Number(plain) === Number(exponential);
        const [left, right] = [plain, exponential].map((value) =>
          digests(render(initial.with(0, value), [" "])),
        );
        expect(left === right).toBe(same);
      }),
      { numRuns: 100 },
    );
  });
});

/** The value of a literal; bigints as text, so that 10n is not 10. */
function evaluate(text: string): unknown {
  if (/^\d+n$/.test(text)) return text;
  return JSON.parse(text);
}
