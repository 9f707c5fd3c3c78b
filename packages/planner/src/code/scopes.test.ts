/** Which names a piece of code takes from outside, whatever it declares by the same name. */
import { describe, expect, it } from "vitest";
import { factsOf } from "./module-facts.ts";

/** Names that the first statement uses of those its module declares after it, `name.member` for members. */
function uses(statement: string): string {
  const facts = factsOf("module.ts", `${statement}\nexport const a = 1, b = 2, c = 3;\nexport type T = 1;\n`);
  expect(facts.broken).toBeNull();
  return (facts.items[0]?.uses ?? [])
    .map(({ name, member }) => (member === null ? name : `${name}.${member}`))
    .filter((use) => /^[abc](?:\.|$)/.test(use))
    .toSorted()
    .join(" ");
}

describe("names taken from outside", () => {
  it.each([
    ["const f = () => a + b;", "a b"],
    ["const f = (a) => a + b;", "b"],
    ["const f = ({ a, x: b }) => a + b + c;", "c"],
    ["const f = ({ x: { a } = b }, ...c) => a + c;", "b"],
    ["const f = (a = b, { [c]: x }) => x;", "b c"],
    ["const f = () => { if (a) { const a = 1; return a; } return b; };", "a b"],
    ["const f = () => { a; var a; };", ""],
    ["const f = () => { { var a = 1; } return a; };", ""],
    ["const f = () => { { let a = 1; } return a; };", "a"],
    ["const f = () => { for (var a of []) {} return a; };", ""],
    ["const f = () => { for (const a of b) { a; } };", "b"],
    ["const f = () => { for (let a = 0; a < b; a++) {} return c; };", "b c"],
    ["const f = () => { for (a in b) {} };", "a b"],
    ["const f = () => { try { a; } catch (a) { a; } };", "a"],
    ["const f = () => { try {} catch ({ a = b }) { a; } };", "b"],
    ["const f = () => { switch (a) { case b: let c = 1; c; } };", "a b"],
    ["const f = () => { function a() { return b; } return a(); };", "b"],
    ["const f = () => { class a { m() { return a; } } return new a(); };", ""],
    ["const f = function a() { return a; };", ""],
    ["const f = class a { m() { return a; } };", ""],
    ["class f extends a { [b] = c; }", "a b c"],
    ["class f { a = 1; b() { return this.a; } static c = 1; }", ""],
    ["class f { static { var a = 1; a; } m() { return a; } }", "a"],
    ["class f { get a() { return b; } set c(a) {} }", "b"],
    ["const f = () => ({ a: 1, b, [c]: 2 });", "b c"],
    ["const f = () => ({ a() {}, get b() { return c; } });", "c"],
    ["const f = () => x.a.b[c];", "c"],
    ["const f = () => a.b.c;", "a.b"],
    ["const f = () => a['b'] + a[c];", "a a.b c"],
    ["const f = () => a?.b?.();", "a.b"],
    ["const f = () => { a: for (;;) { break a; } };", ""],
    ["const f = () => { ({ a, x: b = c } = {}); };", "a b c"],
    ["const f = () => { [a, ...b] = c; };", "a b c"],
    ["const f = () => { a++; b += 1; c.x = 1; };", "a b c.x"],
    ["const f = () => `${a}` + tag`${b}`;", "a b"],
    ["const f = (x: typeof a): b.T => x as c;", ""],
    ["function f(this: a, x?: b): x is c { return true; }", ""],
    ["const f = <a,>(x: a) => (x satisfies b)!;", ""],
    ["const f = () => { type a = 1; interface b {} const x: a = 1; return c; };", "c"],
    ["function f(x: string): void;\nfunction f(x = a) {}", "a"],
    ["const f = async function* () { yield* a; await b; for await (const x of c) {} };", "a b c"],
    ["const f = () => new a(b, ...c);", "a b c"],
    ["const f = () => arguments.length + a;", "a"],
    ["const f = () => typeof a === 'string';", "a"],
    ["const { x = a, [b]: y } = c;", "a b c"],
    ["export default () => a;", "a"],
    ["export default class extends a {}", "a"],
    ["const f = () => { using a = b; return a; };", "b"],
    ["const f = () => { const x = class { #a = b; m() { return this.#a; } }; };", "b"],
    ["function f() { return import.meta.main && new.target; }", ""],
  ])("%s", (statement, expected) => {
    expect(uses(statement)).toBe(expected);
  });
});

describe("ways to export", () => {
  const exports = (text: string): readonly string[] =>
    factsOf("module.ts", text).exports.map(
      ([name, what]) => `${name} = ${what.specifier === null ? "" : `${what.specifier}:`}${what.name}`,
    );

  it.each([
    ["export const x = 1, { y, z: [w] } = v;", ["x = x", "y = y", "w = w"]],
    ["export function f() {}\nexport class C {}", ["f = f", "C = C"]],
    ["export async function* g() {}", ["g = g"]],
    ["export default function f() {}", ["default = f"]],
    ["export default function () {}", ["default = *default*"]],
    ["export default class {}", ["default = *default*"]],
    ["export default 1 + 1;", ["default = *default*"]],
    [
      "const x = 1;\nexport { x, x as y, x as default, x as 'a name' };",
      ["x = x", "y = x", "default = x", "a name = x"],
    ],
    [
      "export { x, default as y, z as default } from './m.ts';",
      ["x = ./m.ts:x", "y = ./m.ts:default", "default = ./m.ts:z"],
    ],
    ["export * as ns from './m.ts';", ["ns = ./m.ts:*"]],
    ["export * from './m.ts';", []],
    ["export type { T } from './m.ts';\nexport { type U } from './m.ts';\nexport interface V {}", []],
    ["export default interface T {}", []],
    ["export declare const x: number;\nexport abstract class A {}", ["A = A"]],
  ])("%s", (text, expected) => {
    expect(exports(text)).toEqual(expected);
  });
});
