/** One edit at a time, and exactly the steps whose code it changes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "@mlpipe/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editedProject, editedSteps } from "./fixtures/edited-project.ts";
import { Project } from "./fixtures/project.ts";

/** What is done to a file: text replaced, or everything rewritten. */
type Change = readonly [from: string, to: string] | ((text: string) => string);
type Edit = readonly [what: string, file: string, change: Change, changed: string];

const prepare = "load clean smooth calendar";
const fitting = "fit parity outside good";
const state = "tally listed";
const making = "made plain";
const remote = "lazy threaded required forked texted";

const edits: Readonly<Record<string, readonly Edit[]>> = {
  "what no step can notice": [
    ["a comment", "features/shift.ts", ["export", "// by rows\nexport"], ""],
    ["a comment inside of an expression", "features/shift.ts", ["x + by", "x /* rows */ + by"], ""],
    ["documentation", "steps/prepare.ts", ["Reads the raw rows", "Reads all the raw rows"], ""],
    ["layout", "features/lag.ts", (text) => text.replaceAll("\n", "\n\n").replaceAll("  ", "\t"), ""],
    ["line ends of Windows", "rows.ts", (text) => text.replaceAll("\n", "\r\n"), ""],
    ["quotes", "strict.ts", ['"too few"', "'too few'"], ""],
    ["a quoted key", "scale.ts", ["max: 10", '"max": 10'], ""],
    ["a semicolon less", "features/shift.ts", [";", ""], ""],
    ["a trailing comma", "splits.ts", ["test: 1 }", "test: 1, }"], ""],
    ["parentheses", "features/shift.ts", ["x + by", "(x + by)"], ""],
    ["another spelling of a number", "checks.ts", ["1_000", "1e3"], ""],
    ["an escape in a string", "strict.ts", ["too few", "too f\\u0065w"], ""],
    ["shorthand written out", "old.cjs", ["{ half }", "{ half: half }"], ""],
    ["a type of a parameter", "features/shift.ts", ["by: number", "by: 1 | 2"], ""],
    ["a return type", "checks.ts", ["): boolean {", ") {"], ""],
    ["a type assertion", "scale.ts", [" as const", ""], ""],
    ["satisfies", "splits.ts", ["as const", "as const satisfies object"], ""],
    ["an interface", "types.ts", ["window: number", "window: number; more?: string"], ""],
    ["a type alias added", "forest.ts", ["export class Bush", "type Size = number;\nexport class Bush"], ""],
    ["an overload", "features/lag.ts", ["export function lagBy(x: number): number;\n", ""], ""],
    ["a declare", "even.ts", ["export", "declare const nothing: number;\nexport"], ""],
    ["a modifier of a field", "forest.ts", ["readonly seed", "public seed"], ""],
    ["code of a module imported for its types", "types.ts", ["loud(1)", "loud(2)"], ""],
    ["effects of a module that only that one loads", "loud.ts", ['"loud"', '"louder"'], ""],
    [
      "the order of imports",
      "steps/prepare.ts",
      (text) => text.replace(/(import \{ Row.*\n)(import \{ lag.*\n)/, "$2$1"),
      "",
    ],
    [
      "an import of a type",
      "features/shift.ts",
      ["export", 'import type { Options } from "../types.ts";\nexport'],
      "",
    ],
    ["an unrelated function", "checks.ts", ["x % 2 === 0", "x % 2 !== 1"], ""],
    [
      "an unrelated function added",
      "features/shift.ts",
      ["export", "export const twice = (x: number) => 2 * x;\nexport"],
      "",
    ],
    [
      "an unrelated function removed",
      "steps/prepare.ts",
      (text) => text.replace(/\/\*\* Nothing[^]*$/, ""),
      "",
    ],
    ["an unrelated schema", "rows.ts", ["z.string()", "z.string().min(1)"], ""],
    ["a schema made of one that is used", "rows.ts", ["y: z.number()", "y: z.int()"], ""],
    ["an unrelated class with a static field", "forest.ts", ["count = 1", "count = 2"], ""],
    ["an unrelated declaration in a cycle", "odd.ts", ["unrelated = 1", "unrelated = 2"], ""],
    ["an unrelated constant made of used ones", "units.ts", ["7 * DAY", "7 * DAY + 1"], ""],
    ["the order of declarations", "dates.ts", (text) => text.replace(/^(.*\n)(.*\n)/, "$2$1"), ""],
    ["two declarations in one", "units.ts", [";\nexport const WEEK", ", WEEK"], ""],
    [
      "exported in another way",
      "odd.ts",
      (text) => `${text.replace("export const odd", "const odd")}export { odd };\n`,
      "",
    ],
    [
      "an export that nothing uses, of a module used otherwise",
      "loader.ts",
      ["{};", "{ console.log(1); };"],
      "",
    ],
    ["an export of a worker's helper that it does not use", "job.ts", ["=> 2", "=> 3"], ""],
    ["a comment in CommonJS", "half.cjs", ["exports", "// half of it\nexports"], ""],
    [
      "an unrelated export added to a barrel",
      "features/index.ts",
      (text) => `${text}export { shift } from "./shift.ts";\n`,
      "",
    ],
    ["a schema as an expression of its own", "rows.ts", (text) => `${text}z.string();\n`, ""],
    [
      "a step that nothing uses",
      "steps/fit.ts",
      (text) => `${text}export const more = data("more", { inputs: {}, outputs: {}, run() {} });\n`,
      "",
    ],
  ],
  "the step's own text": [
    ["its function", "steps/prepare.ts", ["window: 3", "window: 4"], "load"],
    ["its sibling's function", "steps/prepare.ts", ["2026-01-01", "2026-01-02"], "clean"],
    [
      "a name of its own that a module has too",
      "steps/prepare.ts",
      ["const scale = 2", "const scale = 3"],
      "load",
    ],
    ["its ports", "steps/prepare.ts", ["offset: z.number()", "offset: z.int()"], "load"],
    ["its command", "steps/fit.ts", ["python3 fit.py", "python3 fit.py --fast"], "outside"],
    ["its check", "steps/fit.ts", ["metrics.mae <= limit", "metrics.mae < limit"], "good"],
    ["a string in it, by case", "steps/prepare.ts", ['data("smooth"', 'data("Smooth"'], "smooth"],
    ["a template's text", "steps/fit.ts", ["--out ", "--output "], "outside"],
  ],
  "declarations it reaches": [
    ["a helper two imports away", "features/shift.ts", ["x + by", "x - by"], "load"],
    ["a default of a parameter", "features/lag.ts", ["window = 1", "window = 2"], "load"],
    ["a constant of a helper", "checks.ts", ["1_000", "1_001"], "load clean"],
    ["a check in a schema", "checks.ts", ["< bound", "<= bound"], "load clean"],
    ["a schema", "rows.ts", ["x: z.number()", "x: z.int()"], "load clean"],
    ["a refinement in a schema of a command", "strict.ts", ["rows.length > 2", "rows.length > 3"], "outside"],
    [
      "a re-export of another declaration",
      "features/index.ts",
      ["lagBy as lag", "lagBy as other, lagTwo as lag"],
      "load",
    ],
    ["a declaration behind export *", "features/roll.ts", ["window / (", "window * ("], "smooth"],
    [
      "what hides export *",
      "features/index.ts",
      (text) => `${text}export { expanding as rolling } from "./roll.ts";\n`,
      "smooth",
    ],
    ["a destructured declaration", "features/roll.ts", ["floor: 1", "floor: 3"], "smooth"],
    [
      "the names of a destructured declaration",
      "features/roll.ts",
      ["floor: down, ceil: up", "ceil: down, floor: up"],
      "smooth",
    ],
    ["a member of a namespace", "dates.ts", ["day.at(-1)", "day.at(-2)"], "clean calendar"],
    ["another member of a namespace", "dates.ts", ["slice(5, 7)", "slice(5, 6)"], "calendar"],
    ["a member added to a namespace", "dates.ts", (text) => `${text}export const year = 1;\n`, "calendar"],
    ["what a member of a namespace uses", "dates.ts", ["week = 7", "week = 5"], "clean calendar"],
    ["a default export", "scale.ts", ["x * unitsOf.day", "x + unitsOf.day"], "clean"],
    ["a constant object", "scale.ts", ["max: 10", "max: 11"], "clean"],
    ["a constant behind #imports", "units.ts", ["24 * 60", "24 * 3600"], "clean"],
    ["where #imports leads", "package.json", ["./units.ts", "./seconds.ts"], "clean"],
    ["a JSON file", "settings.json", ["3", "4"], "smooth"],
    ["a class", "forest.ts", ["Forest.size * this.seed", "Forest.size + this.seed"], "fit"],
    ["a static field of a class", "forest.ts", ["size = 10", "size = 11"], "fit"],
    ["a base class", "tree.ts", ["return 4", "return 5"], "fit"],
    ["a field without a value", "tree.ts", ["  height?: number;\n", ""], "fit"],
    ["a cycle", "odd.ts", ["n !== 0", "n > 0"], "parity"],
    ["the other end of a cycle", "even.ts", ["n === 0", "n < 1"], "parity"],
    ["a constant object in place of an enum", "splits.ts", ["test: 1", "test: 2"], "parity"],
    ["an import from another module", "steps/fit.ts", ['from "../even.ts"', 'from "../odd.ts"'], "parity"],
    [
      "a global hidden by a declaration",
      "features/roll.ts",
      (text) => `${text}const Math = { max: 1 };\n`,
      "",
    ],
    [
      "a used global hidden by a declaration",
      "scale.ts",
      (text) => `${text}const Math = { min: () => 1 };\n`,
      "clean",
    ],
    ["what passes zod on", "kit.ts", ["z as zod", "core as zod"], "good"],
    [
      "a local renamed",
      "features/shift.ts",
      ["(x: number, by: number): number => x + by", "(x: number, n: number): number => x + n"],
      "load",
    ],
    [
      "a field that only a type had",
      "forest.ts",
      ["readonly seed: number", "declare readonly seed: number"],
      "fit",
    ],
    ["optional chaining", "worker.ts", ["parentPort?.", "parentPort."], "threaded"],
    ["declared with let", "splits.ts", ["const Split = {", "let Split = {"], "parity"],
  ],
  "the loading of modules": [
    ["an effect in a step's module", "steps/state.ts", ['register("state")', 'register("stale")'], state],
    ["an effect added to a step's module", "steps/fit.ts", (text) => `${text}console.log(1);\n`, fitting],
    [
      "an effect added to a module far away",
      "features/shift.ts",
      (text) => `${text}console.log(1);\n`,
      prepare,
    ],
    ["an effect added behind #imports", "units.ts", (text) => `${text}globalThis.unit = 1;\n`, prepare],
    ["a helper of an effect", "registry.ts", ["names.add(name)", "names.add(name.trim())"], state],
    ["a declaration beside it", "registry.ts", ["names.clear()", "names.delete('a')"], ""],
    ["an import for its effects", "checks.ts", (text) => `import "./loud.ts";\n${text}`, prepare],
    [
      "an import of types that loads all the same",
      "odd.ts",
      (text) => `import { type Nothing } from "./loud.ts";\n${text}`,
      fitting,
    ],
    [
      "a re-export of types that loads all the same",
      "odd.ts",
      (text) => `${text}export { type Nothing } from "./loud.ts";\n`,
      fitting,
    ],
    [
      "a re-export of types alone",
      "odd.ts",
      (text) => `${text}export type { Nothing } from "./loud.ts";\n`,
      "",
    ],
    [
      "a barrel that loads more",
      "features/index.ts",
      (text) => `${text}export * from "../loud.ts";\n`,
      prepare,
    ],
    ["a call of a function of one's own", "loader.ts", ["n: z.int()", "n: z.number()"], making],
    ["its arguments", "steps/made.ts", ['"made", 1', '"made", 2'], making],
    [
      "its result no longer used",
      "steps/made.ts",
      ["export const made = loader", "export const made = [loader][0]"],
      making,
    ],
    ["a class made of a call", "mixin.ts", ["class extends base {}", "class extends base { a = 1 }"], making],
    ["a static block", "forest.ts", ["static count = 1", "static { console.log(1); }"], fitting],
    ["a static field that is a call", "forest.ts", ["count = 1", "count = Date.now()"], fitting],
    ["a computed member", "forest.ts", ["static count = 1", "[String(1)]() {}"], fitting],
    [
      "an effectful default in a pattern",
      "features/roll.ts",
      ["ceil: up }", "ceil: up = parseInt('1') }"],
      prepare,
    ],
    [
      "a read of what may be a getter",
      "loader.ts",
      (text) => `${text}class A { static get x() { return 1; } }\nconst x = A.x;\n`,
      making,
    ],
    ["a top-level await", "tree.ts", (text) => `${text}await 0;\n`, fitting],
    [
      "a pure annotation, which is not believed",
      "tree.ts",
      (text) => `${text}const t = /* @__PURE__ */ Tree.toString();\n`,
      fitting,
    ],
    [
      "sideEffects: false, which is not believed",
      "package.json",
      ['"type"', '"sideEffects": false, "type"'],
      "",
    ],
    ["zod that runs a check", "strict.ts", (text) => `${text}const ok = Strict.parse([1, 2, 3]);\n`, fitting],
    [
      "zod called by its own name",
      "kit.ts",
      (text) => `import { config } from "zod";\n${text}config({});\n`,
      fitting,
    ],
    ["what is disposed of at the end", "tree.ts", (text) => `${text}using end = Tree;\n`, fitting],
    [
      "a getter of instances read off a class",
      "tree.ts",
      (text) => `${text.replace("leaves()", "get leaves()")}const n = Tree.prototype.leaves;\n`,
      fitting,
    ],
    [
      "zod that does not",
      "strict.ts",
      (text) => `${text}const More = Strict.optional().describe("x");\n`,
      "",
    ],
    [
      "the order of two effects",
      "steps/state.ts",
      (text) => text.replace(/^(register.*\n)(register.*\n)/m, "$2$1"),
      state,
    ],
    [
      "the order of an effect and a schema that looks into what it changes",
      "steps/state.ts",
      (text) => text.replace(/^(const Names.*\n)([^]*)$/m, "$2$1"),
      "tally",
    ],
    [
      "the order of an effect and what reads after it",
      "steps/state.ts",
      (text) => text.replace(/^(const before.*\n)([^]*)$/m, "$2$1"),
      "listed",
    ],
  ],
  "state of a module": [
    ["what counts", "counter.ts", ["++current", "current++"], "tally"],
    ["what resets it", "counter.ts", ["current = 0; }", "current = 1; }"], "tally"],
    ["a declaration beside it", "counter.ts", ["stateless = 1", "stateless = 2"], "tally"],
    ["its first value", "counter.ts", ["let current = 0", "let current = 1"], "tally"],
    ["a comment beside it", "counter.ts", (text) => `${text}// end\n`, ""],
    ["a set that is filled elsewhere", "registry.ts", ["new Set<string>()", "new Set<string>(['a'])"], state],
  ],
  "what is loaded on the way": [
    ["a dynamic import", "lazy.ts", ["n * 2", "n + n"], "lazy"],
    ["another export of a dynamic import", "lazy.ts", ["n * 3", "n + n + n"], "lazy"],
    ["a declaration that it does not export", "lazy.ts", ["hidden = 1", "hidden = 2"], ""],
    ["an effect it loads", "tools.ts", (text) => `${text}console.log(1);\n`, "lazy"],
    ["a worker", "worker.ts", ["job()", "job() + 1"], "threaded"],
    ["a helper of a worker and a fork", "job.ts", ["=> 1", "=> 3"], "threaded forked"],
    ["a required module", "old.cjs", ["exports.none = 0", "exports.none = 1"], "required"],
    ["what a required module requires", "half.cjs", ["n / 2", "n * 0.5"], "required"],
    ["a forked program", "child.ts", ["job()", "job() + 1"], "forked"],
    ["as what a file is read", "steps/prepare.ts", ['type: "json"', 'type: "text"'], "smooth"],
    ["a file by its URL", "prompt.txt", ["many", "much"], "texted"],
    [
      "a require made otherwise",
      "steps/remote.ts",
      ["import.meta.url);\nexport", "import.meta.filename);\nexport"],
      remote,
    ],
  ],
};

describe("an edit changes the code of exactly the steps it can reach", () => {
  let project: Project;
  let before: ReadonlyMap<string, string>;
  beforeAll(() => {
    project = new Project(editedProject);
    before = digests(project);
  });
  afterAll(() => project[Symbol.dispose]());

  it("and before any, all of them can be followed", () => {
    const code = project.session();
    for (const [module, steps] of Object.entries(editedSteps)) {
      for (const step of steps) {
        const { uncacheable } = code.identify(join(project.root, module), step);
        expect(uncacheable, step).toEqual([]);
      }
    }
  });

  for (const [group, rows] of Object.entries(edits)) {
    describe(`${group}:`, () => {
      it.each(rows)("%s (%s)", (_what, file, change, changed) => {
        const path = join(project.root, file);
        const text = readFileSync(path, "utf8");
        const edited = typeof change === "function" ? change(text) : text.replace(change[0], change[1]);
        expect(edited).not.toBe(text);
        project.write({ [file]: edited });
        try {
          const after = digests(project);
          const differ = [...before]
            .filter(([step, digest]) => after.get(step) !== digest)
            .map(([step]) => step);
          expect(differ.join(" ")).toBe(changed);
        } finally {
          project.write({ [file]: text });
        }
      });
    });
  }
});

/** All there is to a step's identity, as text to compare. */
function digests(project: Project): ReadonlyMap<string, string> {
  const code = project.session();
  return new Map(
    Object.entries(editedSteps).flatMap(([module, steps]) =>
      steps.map((step) => {
        const { parts, packages } = code.identify(join(project.root, module), step);
        return [step, canonicalJson({ parts, packages })] as const;
      }),
    ),
  );
}
