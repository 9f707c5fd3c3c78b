/** Which code is a step's: how its function is found, and what that takes from the functions around it. */
import { describe, expect, it } from "vitest";
import { Project } from "../../../../test/e2e/project.ts";
import type { CheckFinding } from "./finding.ts";

/** A module that exports a step `one`, perhaps also a step `two`, and the modules beside it. */
type Case = string | { readonly steps: string; readonly beside: Readonly<Record<string, string>> };

/** What is said of each module; each finding with its line. */
async function said(...cases: readonly Case[]): Promise<readonly (readonly string[])[]> {
  const folders = cases.map((given, index) => {
    const { steps, beside } = typeof given === "string" ? { steps: given, beside: {} } : given;
    const header = 'import { data } from "mlpipe";\nimport { z } from "zod";\n';
    const files = { "steps.ts": `${header}${steps}\n`, ...beside };
    return Object.entries(files).map(([name, text]) => [`c${index}/${name}`, text] as const);
  });
  using project = new Project({
    ...Object.fromEntries(folders.flat()),
    "steps.pipeline.ts": `import { pipeline } from "mlpipe";
${cases.map((_, index) => `import * as c${index} from "./c${index}/steps.ts";`).join("\n")}
export default pipeline("steps", () => {
  const outputs = {};
  for (const [index, { one, two }] of [${cases.map((_, index) => `c${index}`).join(", ")}].entries()) {
    if (one) outputs["one" + index] = one.as("c" + index + "-one")({}).n;
    if (two) outputs["two" + index] = two.as("c" + index + "-two")({}).n;
  }
  return outputs;
});
`,
  });
  const { stdout, stderr } = await project.mlpipe("check", "--json");
  expect(stderr).toBe("");
  // The shape is asserted by the tests of the command.
  const { findings } = JSON.parse(stdout) as { findings: readonly CheckFinding[] };
  return cases.map((_, index) =>
    findings
      .filter(({ at }) => at.file.startsWith(`c${index}/`))
      .map(({ at, code, message }) => {
        const line = project.read(at.file).split("\n")[at.line - 1] ?? "";
        return `${at.file} | ${line.trim()} | ${code} ${message}`.replaceAll(/\bc\d+[-/]/g, "");
      }),
  );
}

const definition = (body: string): string => `{ outputs: { n: z.unknown() }, ${body} }`;
const clock = (file: string, line: string, steps = "one"): string =>
  `${file} | ${line} | MLP6102 Date.now() is reached by ${steps}: the result depends on when it was made, and the key does not.`;

/** A module with one step. */
const one = (body: string, above = ""): string =>
  `${above}\nexport const one = data("one", ${definition(body)});`;

describe("a step's function is found", () => {
  it("however its definition is written", async () => {
    const late = "() => ({ n: Date.now() })";
    const findings = await said(
      one("run() { return { n: Date.now() }; }"),
      one(`run: ${late}`),
      one(`"run": ${late}`),
      one(`run: logged(${late})`, "const logged = <F>(f: F): F => f;"),
      `const step = data("one", ${definition(`run: ${late}`)});\nexport { step as one };`,
      one("run: run", `const run = ${late};`),
      one("run", `function run() { return (${late})(); }`),
      `const spec = ${definition(`run: ${late}`)};\nexport const one = data("one", spec);`,
      `const spec = ${definition(`run: ${late}`)};\nexport const one = data("one", { ...spec, env: [] });`,
    );
    for (const each of findings) expect(each).toEqual([expect.stringContaining("MLP6102")]);
  });

  it("in a factory of another module, and two steps of it are one finding", async () => {
    const steps =
      'import { make } from "./factory.ts";\nexport const one = make("one");\nexport const two = make("two");';
    const factory = `import { data } from "mlpipe";
import { z } from "zod";
export const make = (name: string) => data(name, {
  outputs: { n: z.unknown() },
  run: () => ({ n: Date.now() }),
});
`;
    expect(await said({ steps, beside: { "factory.ts": factory } })).toEqual([
      [clock("factory.ts", "run: () => ({ n: Date.now() }),", "one and two")],
    ]);
  });

  it("where a factory is given it", async () => {
    const factory = (run: string): string => `const make = (name: string, run: () => { n: unknown }) =>
  data(name, { outputs: { n: z.unknown() }, ${run} });
`;
    const late = 'export const one = make("one", () => ({ n: Date.now() }));';
    const other = 'export const two = make("two", () => ({ n: 2 }));';
    const whole = `const make = (spec: object) => data("one", spec);
export const one = make(${definition("run: () => ({ n: Date.now() })")});`;
    expect(
      await said(`${factory("run")}${late}`, `${factory("run: () => run()")}${late}\n${other}`, whole),
    ).toEqual([[clock("steps.ts", late)], [clock("steps.ts", late)], [expect.stringContaining("MLP6102")]]);
  });

  it("or it is said that it was not", async () => {
    const computed = `Object.assign({}, ${definition("run: () => ({ n: Date.now() })")})`;
    expect(await said(`export const one = data("one", ${computed});`)).toEqual([
      [
        expect.stringContaining(
          "MLP6112 The function of one was not found in the source, so it was not checked.",
        ),
      ],
    ]);
  });
});

describe("what it reaches", () => {
  it("goes through objects, callbacks and circles", async () => {
    const late = "const late = () => Date.now();";
    const circle = `${late}
function odd(n: number): unknown { return n ? even(n - 1) : 1; }
function even(n: number): unknown { return n ? odd(n - 1) : late(); }`;
    expect(
      await said(
        one("run: () => ({ n: tools.late() })", `${late}\nconst tools = { late };`),
        one("run: () => ({ n: [1].map(late) })", late),
        one("run: () => ({ n: odd(3) })", circle),
      ),
    ).toEqual(Array.from({ length: 3 }, () => [clock("steps.ts", late)]));
  });

  it("goes into modules that are imported in it, or passed on as a whole", async () => {
    const late = "export const late = () => Date.now();";
    const beside = { "late.ts": late };
    expect(
      await said(
        { steps: one('run: async () => ({ n: (await import("./late.ts")).late() })'), beside },
        {
          steps: one(
            'run: async () => { const { late } = await import("./late.ts"); return { n: late() }; }',
          ),
          beside,
        },
        {
          steps: one(
            'run: async () => { const { late: now } = await import("./late.ts"); return { n: now() }; }',
          ),
          beside,
        },
        { steps: one('run: () => ({ n: import("./late.ts").then((late) => late.late()) })'), beside },
        {
          steps: one(
            "run: () => ({ n: Object.values(all).map((each) => each()) })",
            'import * as all from "./late.ts";',
          ),
          beside,
        },
      ),
    ).toEqual(Array.from({ length: 5 }, () => [clock("late.ts", late)]));
  });

  it("ends at the steps that it names", async () => {
    const other = `export const two = data("two", ${definition("cache: false, run: () => ({ n: Date.now() })")});`;
    expect(await said(one("run: () => ({ n: two.name })", other))).toEqual([[]]);
  });
});

describe("a captured value", () => {
  const made = "data(name, { outputs: { n: z.unknown() }, run: () => ({ n: rate }) });";
  const factory = `const make = (name: string, rate: unknown = 1) =>
  ${made}
`;
  const captured = (what: string, line: number, from = made): string =>
    `steps.ts | ${from} | MLP6105 rate is captured by one from the function around it: its value comes from ${what} (steps.ts:${line}) and is not part of the key.`;

  it("that the source says is code", async () => {
    expect(
      await said(
        `${factory}export const one = make("one", 0.1);`,
        `${factory}export const one = make("one");`,
        `${factory}const half = 0.5;\nexport const one = make("one", { rate: half * 2 });`,
        `export const [one, two] = ["one", "two"].map((name) => data(name, ${definition("run: () => ({ n: name })")}));`,
      ),
    ).toEqual([[], [], [], []]);
  });

  it("of the environment, the clock or a file is none", async () => {
    const read = 'JSON.parse(readFileSync("package.json", "utf8"))';
    expect(
      await said(
        `${factory}export const one = make("one", Number(process.env.RATE));`,
        `${factory}const rate = process.env.RATE;\nexport const one = make("one", rate);\nexport const two = make("two", 2);`,
        `const now = () => Date.now();\n${factory}export const one = make("one", now());`,
        `import { readFileSync } from "node:fs";\n${factory}export const one = make("one", ${read});`,
      ),
    ).toEqual([
      [captured("process.env.RATE", 5)],
      [captured("process.env.RATE", 5)],
      [captured("Date.now()", 3)],
      [captured("package.json", 6)],
    ]);
  });

  it("is followed through locals, arrays and factories of factories", async () => {
    const local = `return data(name, ${definition("run: () => ({ n: rate })")});`;
    expect(
      await said(
        `const make = (name: string) => {
  const start = Date.now();
  const { rate } = { rate: start };
  ${local}
};
export const one = make("one");`,
        `${factory}const outer = (name: string, given: unknown) => make(name, given);
export const one = outer("one", process.env.RATE);
export const two = outer("two", 2);`,
        `export const [one] = [process.env.RATE].map((rate) => data("one", ${definition("run: () => ({ n: rate })")}));`,
      ),
    ).toEqual([
      [captured("Date.now()", 4, local)],
      [captured("process.env.RATE", 6)],
      [expect.stringContaining("rate is captured by one from the function around it")],
    ]);
  });

  it("may come from a variable that the step declares", async () => {
    const declaring = factory.replace("outputs:", 'env: ["RATE"], outputs:');
    expect(await said(`${declaring}export const one = make("one", process.env.RATE);`)).toEqual([[]]);
  });
});

describe("a variable of a module", () => {
  it("is no finding where the step itself writes it, or loading the module does", async () => {
    const loaded = `let table: number[] = [];
function fill() { table = [1, 2]; }
fill();
let size = 0;
size = table.length;
[1].forEach((n) => { size += n; });`;
    expect(
      await said(
        one("run: () => ({ n: next() + last })", "let last = 0;\nconst next = () => ++last;"),
        one("run: () => ({ n: table.length + size })", loaded),
      ),
    ).toEqual([[], []]);
  });

  it("is one where another step writes it, or a function that the step does not call", async () => {
    const writing = `let total = 0;
export const two = data("two", ${definition("run: () => { total = 1; return { n: 1 }; }")});`;
    const reading = `export const one = data("one", ${definition("run: () => ({ n: total })")});`;
    const message = (writer: string): string =>
      `steps.ts | ${reading} | MLP6106 The variable total is read by one and written by ${writer}: each step has a process of its own, and what is written there is not seen here.`;
    const total = "export let total = 0;\nexport const setTotal = (n: number) => { [total] = [n]; };\n";
    const wired = `import { pipeline } from "mlpipe";
export let total = 0;
export default pipeline("other", z.object({}), () => { total++; return {}; });`;
    expect(
      await said(
        `${writing}\n${reading}`,
        { steps: `import { total } from "./total.ts";\n${reading}`, beside: { "total.ts": total } },
        `${wired}\n${reading}`,
      ),
    ).toEqual([[message("the step two")], [message("setTotal()")], [message("the function of other")]]);
  });
});

describe("a comment that silences", () => {
  const step = (...lines: readonly string[]): string => `export const one = data("one", {
  outputs: { n: z.unknown() },
  run() {
    ${lines.join("\n    ")}
  },
});`;
  const late = "return { n: Date.now() };";

  it("does so on its own line and on the next, with a reason", async () => {
    expect(
      await said(
        step(`${late} // mlpipe-check-ignore MLP6102: shown to people only`),
        step(
          "// mlpipe-check-ignore MLP6102, MLP6103: shown to people only",
          "return { n: Date.now() + Math.random() };",
        ),
      ),
    ).toEqual([[], []]);
  });

  it("does not without a reason, for another code or further up", async () => {
    const incomplete = (comment: string): string =>
      `steps.ts | ${comment} | MLP6113 A comment that silences a finding names its code and a reason, and this one does not.`;
    expect(
      await said(
        step("// mlpipe-check-ignore MLP6102", late),
        step("// mlpipe-check-ignore: everything", late),
        step("// mlpipe-check-ignore MLP6103: a reason", late),
        step("// mlpipe-check-ignore MLP6102: a reason", "const n = 1;", "return { n: Date.now() };"),
      ),
    ).toEqual([
      [incomplete("// mlpipe-check-ignore MLP6102"), clock("steps.ts", late)],
      [incomplete("// mlpipe-check-ignore: everything"), clock("steps.ts", late)],
      [clock("steps.ts", late)],
      [clock("steps.ts", late)],
    ]);
  });
});
