/** Edits that are easily taken for none, and edits that are none: one small project for each. */
import { canonicalJson } from "@mlpipe/store";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "./fixtures/project.ts";

type Row = readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  edit: readonly [file: string, from: string, to: string],
];

/** A step's module that runs one expression. */
const step = (imports: string, expression: string): string =>
  `import { data } from "mlpipe";\n${imports}\nexport const step = data("step", { outputs: {}, run: async () => (${expression}) });\n`;

/** Whether an edit gives the step another identity. */
function tells([, files, [file, from, to]]: Row): boolean {
  using project = new Project(files);
  const identity = (): string => {
    const { parts, packages, uncacheable } = project.identify("step.ts#step");
    expect(uncacheable).toEqual([]);
    return canonicalJson({ parts, packages });
  };
  const before = identity();
  const text = readFileSync(join(project.root, file), "utf8");
  expect(text).toContain(from);
  project.write({ [file]: text.replace(from, to) });
  return identity() !== before;
}

const twoExports = "const a = 1;\nconst b = 2;\nexport { a as x, b as y };\n";
const halves = "exports.half = (n) => n / 2;\nexports.third = (n) => n / 3;\n";

const differ: Readonly<Record<string, readonly Row[]>> = {
  "which of several names": [
    [
      "of a CommonJS module is imported",
      { "step.ts": step('import { half as part } from "./old.cjs";', "part(1)"), "old.cjs": halves },
      ["step.ts", "half as", "third as"],
    ],
    [
      "of a CommonJS module is passed on",
      {
        "step.ts": step('import { part } from "./parts.ts";', "part(1)"),
        "parts.ts": 'export { half as part } from "./old.cjs";\n',
        "old.cjs": halves,
      },
      ["parts.ts", "half as", "third as"],
    ],
    [
      "of a CommonJS module is meant: one of them, or all",
      { "step.ts": step('import old from "./old.cjs";', "Object.keys(old)"), "old.cjs": halves },
      ["step.ts", "import old", "import { half as old }"],
    ],
    [
      "of a destructured declaration is imported",
      {
        "step.ts": step('import { down as round } from "./round.ts";', "round(1.5)"),
        "round.ts": "export const { floor: down, ceil: up } = Math;\n",
      },
      ["step.ts", "down as", "up as"],
    ],
    [
      "of a destructured declaration is exported",
      {
        "step.ts": step('import { x } from "./pair.ts";', "x"),
        "pair.ts": "const [a, b] = [1, 2];\nexport { a as x };\n",
      },
      ["pair.ts", "a as", "b as"],
    ],
    [
      "of a JSON module is meant: its content, or the module",
      {
        "step.ts": step('import conf from "./conf.json" with { type: "json" };', "Object.keys(conf)"),
        "conf.json": "{}",
      },
      ["step.ts", "import conf", "import * as conf"],
    ],
    [
      "a dynamic import gives what",
      { "step.ts": step("", '(await import("./lazy.ts")).x'), "lazy.ts": twoExports },
      ["lazy.ts", "a as x, b as y", "b as x, a as y"],
    ],
    [
      "a dynamic import of a barrel gives what",
      {
        "step.ts": step("", '(await import("./lazy.ts")).x'),
        "lazy.ts": 'export { a as x, b as y } from "./both.ts";\n',
        "both.ts": "export const a = 1;\nexport const b = 2;\n",
      },
      ["lazy.ts", "a as x, b as y", "b as x, a as y"],
    ],
    [
      "a namespace has under a computed name",
      {
        "step.ts": step('import * as both from "./both.ts";\nconst name = String("x");', "both[name]"),
        "both.ts": twoExports,
      },
      ["both.ts", "a as x, b as y", "b as x, a as y"],
    ],
    [
      "a namespace has at all",
      {
        "step.ts": step('import * as all from "./all.ts";', "Object.keys(all)"),
        "all.ts": "const a = 1;\nexport const b = () => a;\n",
      },
      ["all.ts", "const a", "export const a"],
    ],
  ],
  "which of two bindings of one name is meant": [
    [
      "in the default of a parameter",
      {
        "step.ts": step('import { f } from "./f.ts";', "f()"),
        "f.ts": "const x = 5;\nexport function f(a = x) { const x = 1; return a + x; }\n",
      },
      ["f.ts", "x = 5", "x = 6"],
    ],
    [
      "in the default of a parameter, of another module",
      {
        "step.ts": step('import { f } from "./f.ts";', "f()"),
        "f.ts":
          'import { width } from "./width.ts";\nexport const f = (a = width()) => { const width = a; return width; };\n',
        "width.ts": "export const width = () => 3;\n",
      },
      ["width.ts", "3", "4"],
    ],
    [
      "in what a switch looks at",
      {
        "step.ts": step('import { f } from "./f.ts";', "f()"),
        "f.ts":
          'const mode = "a" as string;\nexport function f() { switch (mode) { case "a": const mode = 1; return mode; } }\n',
      },
      ["f.ts", '"a" as', '"b" as'],
    ],
  ],
  "the order in which modules are loaded": [
    [
      "that both do something",
      {
        "step.ts": step('import "./a.ts";\nimport "./b.ts";', "globalThis.x"),
        "a.ts": "globalThis.x = 1;\nexport {};\n",
        "b.ts": "globalThis.x = 2;\nexport {};\n",
      },
      ["step.ts", 'import "./a.ts";\nimport "./b.ts";', 'import "./b.ts";\nimport "./a.ts";'],
    ],
    [
      "far away from the step",
      {
        "step.ts": step('import "./both.ts";', "globalThis.x"),
        "both.ts": 'export * from "./a.ts";\nexport * from "./b.ts";\n',
        "a.ts": "globalThis.x = 1;\nexport {};\n",
        "b.ts": "globalThis.x = 2;\nexport {};\n",
      },
      [
        "both.ts",
        'export * from "./a.ts";\nexport * from "./b.ts";',
        'export * from "./b.ts";\nexport * from "./a.ts";',
      ],
    ],
    [
      "of which one sets a variable and the other reads it",
      {
        "step.ts": step('import "./env.ts";\nimport { rate } from "./rate.ts";', "rate"),
        "env.ts": 'process.env["RATE"] = "5";\nexport {};\n',
        "rate.ts": 'export const rate = process.env["RATE"];\n',
      },
      [
        "step.ts",
        'import "./env.ts";\nimport { rate } from "./rate.ts";',
        'import { rate } from "./rate.ts";\nimport "./env.ts";',
      ],
    ],
    [
      "of which one is a package",
      {
        "step.ts": step('import "./env.ts";\nimport { rate } from "rates";', "rate"),
        "env.ts": 'process.env["RATE"] = "5";\nexport {};\n',
        "node_modules/rates/package.json": '{ "name": "rates", "version": "1.0.0" }',
        "node_modules/rates/index.js": 'exports.rate = process.env["RATE"];\n',
      },
      [
        "step.ts",
        'import "./env.ts";\nimport { rate } from "rates";',
        'import { rate } from "rates";\nimport "./env.ts";',
      ],
    ],
    [
      "behind a dynamic import",
      {
        "step.ts": step("", '(await import("./lazy.ts")).x'),
        "lazy.ts": 'import "./a.ts";\nimport "./b.ts";\nexport const x = () => globalThis.x;\n',
        "a.ts": "globalThis.x = 1;\nexport {};\n",
        "b.ts": "globalThis.x = 2;\nexport {};\n",
      },
      ["lazy.ts", 'import "./a.ts";\nimport "./b.ts";', 'import "./b.ts";\nimport "./a.ts";'],
    ],
    [
      "in a circle, of which one reads the other's `var`",
      {
        "step.ts": step('import "./a.ts";\nimport { y } from "./b.ts";', "y"),
        "a.ts": 'import "./b.ts";\nexport var x = 1;\n',
        "b.ts": 'import { x } from "./a.ts";\nexport const y = x ?? 5;\n',
      },
      [
        "step.ts",
        'import "./a.ts";\nimport { y } from "./b.ts";',
        'import { y } from "./b.ts";\nimport "./a.ts";',
      ],
    ],
  ],
  "the order of an effect and of what reads": [
    [
      "a variable of the environment",
      {
        "step.ts": step('import { rate } from "./rate.ts";', "rate"),
        "rate.ts": 'process.env["RATE"] = "5";\nexport const rate = process.env["RATE"];\n',
      },
      [
        "rate.ts",
        'process.env["RATE"] = "5";\nexport const rate = process.env["RATE"];',
        'export const rate = process.env["RATE"];\nprocess.env["RATE"] = "5";',
      ],
    ],
    [
      "a JSON module",
      {
        "step.ts": step('import { rate } from "./rate.ts";', "rate"),
        "rate.ts":
          'import conf from "./conf.json" with { type: "json" };\nconf.rate = 2;\nexport const rate = conf.rate;\n',
        "conf.json": '{ "rate": 1 }',
      },
      [
        "rate.ts",
        "conf.rate = 2;\nexport const rate = conf.rate;",
        "export const rate = conf.rate;\nconf.rate = 2;",
      ],
    ],
    [
      "a package's namespace",
      {
        "step.ts": step('import { rate } from "./rate.ts";', "rate"),
        "rate.ts": 'import * as rates from "rates";\nrates.setup();\nexport const rate = rates.current;\n',
        "node_modules/rates/package.json": '{ "name": "rates", "version": "1.0.0", "type": "module" }',
        "node_modules/rates/index.js":
          "export let current = 1;\nexport const setup = () => { current = 2; };\n",
      },
      [
        "rate.ts",
        "rates.setup();\nexport const rate = rates.current;",
        "export const rate = rates.current;\nrates.setup();",
      ],
    ],
  ],
  "what package.json says of": [
    [
      "a script that has neither imports nor exports",
      {
        "step.ts": step('import "./lib/strict.js";', "globalThis.isStrict"),
        "lib/package.json": '{ "type": "module" }',
        "lib/strict.js": "globalThis.isStrict = (function () { return this === undefined; })();\n",
      },
      ["lib/package.json", "module", "commonjs"],
    ],
  ],
  "syntax that looks the same": [
    [
      "a private field and one with its name in quotes",
      {
        "step.ts": step('import { A } from "./a.ts";', "JSON.stringify(new A())"),
        "a.ts": "export class A { #x = 1; }\n",
      },
      ["a.ts", "#x", '"#x"'],
    ],
    [
      "a directive and a string in parentheses",
      {
        "step.ts": step('import { f } from "./f.cjs";', "f()"),
        "f.cjs": 'exports.f = function () { "use strict"; return this; };\n',
      },
      ["f.cjs", '"use strict"', '("use strict")'],
    ],
    [
      "a directive and the same with an escape",
      {
        "step.ts": step('import { f } from "./f.cjs";', "f()"),
        "f.cjs": 'exports.f = function () { "use strict"; return this; };\n',
      },
      ["f.cjs", "use strict", "use\\u0020strict"],
    ],
  ],
};

const same: Readonly<Record<string, readonly Row[]>> = {
  "types that leave nothing": [
    [
      "an implements clause",
      { "step.ts": step('import { A } from "./a.ts";', "new A()"), "a.ts": "export class A { x = 1 }\n" },
      ["a.ts", "class A", "class A implements Object"],
    ],
    [
      "a type of `this`",
      { "step.ts": step('import { f } from "./f.ts";', "f()"), "f.ts": "export function f() {}\n" },
      ["f.ts", "f()", "f(this: unknown)"],
    ],
    [
      "an index signature",
      { "step.ts": step('import { A } from "./a.ts";', "new A()"), "a.ts": "export class A {}\n" },
      ["a.ts", "{}", "{ [name: string]: unknown }"],
    ],
  ],
  "the order in which modules are loaded": [
    [
      "of which only one does something",
      {
        "step.ts": step('import "./a.ts";\nimport { b } from "./b.ts";', "b()"),
        "a.ts": "globalThis.x = 1;\nexport {};\n",
        "b.ts": "export const b = () => 1;\n",
      },
      [
        "step.ts",
        'import "./a.ts";\nimport { b } from "./b.ts";',
        'import { b } from "./b.ts";\nimport "./a.ts";',
      ],
    ],
    [
      "that have been loaded before",
      {
        "step.ts": step(
          'import "./log.ts";\nimport { a } from "./a.ts";\nimport { b } from "./b.ts";',
          "a() + b()",
        ),
        "log.ts": "globalThis.x = 1;\nexport {};\n",
        "a.ts": 'import "./log.ts";\nexport const a = () => 1;\n',
        "b.ts": 'import "./log.ts";\nexport const b = () => 1;\n',
      },
      [
        "step.ts",
        'import "./log.ts";\nimport { a } from "./a.ts";\nimport { b } from "./b.ts";',
        'import { b } from "./b.ts";\nimport { a } from "./a.ts";\nimport "./log.ts";',
      ],
    ],
    [
      "of which one has an unrelated constant that another module decides",
      {
        "step.ts": step('import "./a.ts";\nimport { b } from "./b.ts";', "b()"),
        "a.ts": "globalThis.x = 1;\nexport {};\n",
        "b.ts": "const one = { a: 1 };\nexport const two = one.a;\nexport const b = () => 1;\n",
      },
      [
        "step.ts",
        'import "./a.ts";\nimport { b } from "./b.ts";',
        'import { b } from "./b.ts";\nimport "./a.ts";',
      ],
    ],
    [
      "that are packages imported for what they give",
      {
        "step.ts": step('import "./a.ts";\nimport { b } from "b";\nimport { c } from "c";', "b + c"),
        "a.ts": "globalThis.x = 1;\nexport {};\n",
        "node_modules/b/package.json": '{ "name": "b", "version": "1.0.0" }',
        "node_modules/b/index.js": "exports.b = 1;\n",
        "node_modules/c/package.json": '{ "name": "c", "version": "1.0.0" }',
        "node_modules/c/index.js": "exports.c = 1;\n",
      },
      [
        "step.ts",
        'import { b } from "b";\nimport { c } from "c";',
        'import { c } from "c";\nimport { b } from "b";',
      ],
    ],
  ],
  "names that nothing uses": [
    [
      "a declaration beside what a dynamic import gives",
      {
        "step.ts": step("", '(await import("./lazy.ts")).x'),
        "lazy.ts": "export const x = 1;\n",
      },
      ["lazy.ts", "x = 1;", "x = 1;\nconst hidden = 2;"],
    ],
  ],
};

describe("is told apart:", () => {
  for (const [group, rows] of Object.entries(differ)) {
    describe(`${group}:`, () => {
      it.each(rows)("%s", (...row) => {
        expect(tells(row)).toBe(true);
      });
    });
  }
});

describe("is the same:", () => {
  for (const [group, rows] of Object.entries(same)) {
    describe(`${group}:`, () => {
      it.each(rows)("%s", (...row) => {
        expect(tells(row)).toBe(false);
      });
    });
  }
});
