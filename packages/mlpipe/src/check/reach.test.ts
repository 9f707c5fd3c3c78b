/** Which code is a step's: how its function is found, and what that takes from the functions around it. */
import { describe, expect, it } from "vitest";
import { Project } from "../../../../test/e2e/project.ts";
import type { CheckFinding } from "./finding.ts";

/** What is said of a module that exports a step named `step`, `one` or `two`; each finding with its line. */
async function said(steps: string, files: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  using project = new Project({
    "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
${steps}
`,
    "steps.pipeline.ts": `import { pipeline } from "mlpipe";
import * as steps from "./steps.ts";
export default pipeline("steps", () => {
  const { one, two } = steps as never as Record<string, (i: {}) => { n: never }>;
  return { ...(one && { one: one({}).n }), ...(two && { two: two({}).n }) };
});
`,
    ...files,
  });
  const { stdout, stderr } = await project.mlpipe("check", "--json");
  expect(stderr).toBe("");
  // The shape is asserted by the tests of the command.
  const { findings } = JSON.parse(stdout) as { findings: readonly CheckFinding[] };
  return findings.map(({ at, code, message }) => {
    const line = project.read(at.file).split("\n")[at.line - 1] ?? "";
    return `${at.file} | ${line.trim()} | ${code} ${message}`;
  });
}

const definition = (body: string): string => `{ outputs: { n: z.unknown() }, ${body} }`;
const clock = (file: string, line: string, steps = "one"): string =>
  `${file} | ${line} | MLP6102 Date.now() is reached by ${steps}: the result depends on when it was made, and the key does not.`;

describe("a step's function is found", () => {
  it.each([
    ["as a method", `export const one = data("one", ${definition("run() { return { n: Date.now() }; }")});`],
    [
      "as an arrow function",
      `export const one = data("one", ${definition("run: () => ({ n: Date.now() })")});`,
    ],
    [
      "wrapped",
      `const logged = <F>(f: F): F => f;\nexport const one = data("one", ${definition("run: logged(() => ({ n: Date.now() }))")});`,
    ],
    [
      "with a text as its name",
      `export const one = data("one", ${definition('"run": () => ({ n: Date.now() })')});`,
    ],
    [
      "as the default export",
      `const one = data("one", ${definition("run: () => ({ n: Date.now() })")});\nexport { one };`,
    ],
  ])("%s", async (_, steps) => {
    const findings = await said(steps);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toContain("MLP6102");
  });

  it("declared elsewhere, by its name", async () => {
    const found = [clock("steps.ts", "return { n: Date.now() };")];
    const run = "function run() {\n  return { n: Date.now() };\n}\n";
    expect(await said(`${run}export const one = data("one", ${definition("run")});`)).toEqual(found);
    expect(await said(`${run}export const one = data("one", ${definition("run: run")});`)).toEqual(found);
    expect(
      await said(`${run}const spec = ${definition("run")};\nexport const one = data("one", spec);`),
    ).toEqual(found);
    expect(
      await said(
        `${run}const spec = ${definition("run")};\nexport const one = data("one", { ...spec, env: [] } as never);`,
      ),
    ).toEqual(found);
  });

  it("in a factory of another module, and two steps of it are one finding", async () => {
    expect(
      await said(
        'import { make } from "./factory.ts";\nexport const one = make("one");\nexport const two = make("two");',
        {
          "factory.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const make = (name: string) => data(name, {
  outputs: { n: z.unknown() },
  run: () => ({ n: Date.now() }),
});
`,
        },
      ),
    ).toEqual([clock("factory.ts", "run: () => ({ n: Date.now() }),", "one and two")]);
  });

  it("where a factory is given it", async () => {
    const factory = `const make = (name: string, run: () => { n: unknown }) =>
  data(name, { outputs: { n: z.unknown() }, run });
`;
    expect(await said(`${factory}export const one = make("one", () => ({ n: Date.now() }));`)).toEqual([
      clock("steps.ts", 'export const one = make("one", () => ({ n: Date.now() }));'),
    ]);
    expect(
      await said(
        `${factory.replace("run });", "run: () => run() });")}export const one = make("one", () => ({ n: Date.now() }));
export const two = make("two", () => ({ n: 2 }));`,
      ),
    ).toEqual([clock("steps.ts", 'export const one = make("one", () => ({ n: Date.now() }));')]);
  });

  it("or it is said that it was not", async () => {
    const [finding] = await said(
      `const made = JSON.parse("{}") as object;
export const one = data("one", Object.assign(made, ${definition("run: () => ({ n: Date.now() })")}) as never);`,
    );
    expect(finding).toContain(
      "MLP6112 The function of one was not found in the source, so it was not checked.",
    );
  });
});

describe("what it reaches", () => {
  it("ends at the steps that it names", async () => {
    expect(
      await said(`export const two = data("two", ${definition("cache: false, run: () => ({ n: Date.now() })")});
export const one = data("one", ${definition("run: () => ({ n: two.name })")});`),
    ).toEqual([]);
  });

  it("goes through objects, callbacks and circles", async () => {
    const found = clock("steps.ts", "const late = () => Date.now();");
    const late = "const late = () => Date.now();\n";
    expect(
      await said(
        `${late}const tools = { late };\nexport const one = data("one", ${definition("run: () => ({ n: tools.late() })")});`,
      ),
    ).toEqual([found]);
    expect(
      await said(
        `${late}export const one = data("one", ${definition("run: () => ({ n: [1].map(late) })")});`,
      ),
    ).toEqual([found]);
    expect(
      await said(
        `${late}function odd(n: number): unknown { return n ? even(n - 1) : 1; }
function even(n: number): unknown { return n ? odd(n - 1) : late(); }
export const one = data("one", ${definition("run: () => ({ n: odd(3) })")});`,
      ),
    ).toEqual([found]);
  });
});

describe("a captured value", () => {
  const factory = `const make = (name: string, rate: unknown = 1) =>
  data(name, { outputs: { n: z.unknown() }, run: () => ({ n: rate }) });
`;
  const captured = (what: string, line: number, steps = "one"): string =>
    `steps.ts | data(name, { outputs: { n: z.unknown() }, run: () => ({ n: rate }) }); | MLP6105 rate is captured by ${steps} from the function around it: its value comes from ${what} (steps.ts:${line}) and is not part of the key.`;

  it("that the source says is code", async () => {
    expect(await said(`${factory}export const one = make("one", 0.1);`)).toEqual([]);
    expect(await said(`${factory}export const one = make("one");`)).toEqual([]);
    expect(
      await said(`const rate = 0.1;\n${factory}export const one = make("one", { rate: rate * 2 });`),
    ).toEqual([]);
    expect(
      await said(
        `export const [one, two] = ["one", "two"].map((name) => data(name, ${definition("run: () => ({ n: name })")}));`,
      ),
    ).toEqual([]);
  });

  it("of the environment, the clock or a file is none", async () => {
    expect(await said(`${factory}export const one = make("one", Number(process.env.RATE));`)).toEqual([
      captured("process.env.RATE", 5),
    ]);
    expect(
      await said(
        `${factory}const rate = process.env.RATE;\nexport const one = make("one", rate);\nexport const two = make("two", 2);`,
      ),
    ).toEqual([captured("process.env.RATE", 5)]);
    expect(
      await said(`const now = () => Date.now();\n${factory}export const one = make("one", now());`),
    ).toEqual([captured("Date.now()", 3)]);
    expect(
      await said(
        `import { readFileSync } from "node:fs";\n${factory}export const one = make("one", JSON.parse(readFileSync("rate.json", "utf8")));`,
        { "rate.json": "1" },
      ),
    ).toEqual([captured("rate.json", 6)]);
  });

  it("is followed through locals, loops and factories of factories", async () => {
    expect(
      await said(`const make = (name: string) => {
  const start = Date.now();
  const { day } = { day: start };
  return data(name, ${definition("run: () => ({ n: day })")});
};
export const one = make("one");`),
    ).toEqual([
      "steps.ts | return data(name, { outputs: { n: z.unknown() }, run: () => ({ n: day }) }); | MLP6105 day is captured by one from the function around it: its value comes from Date.now() (steps.ts:4) and is not part of the key.",
    ]);
    expect(
      await said(`${factory}const outer = (name: string, given: unknown) => make(name, given);
export const one = outer("one", process.env.RATE);
export const two = outer("two", 2);`),
    ).toEqual([captured("process.env.RATE", 6)]);
    expect(
      await said(
        `export const [one, two] = [process.env.A, "two"].map((rate, index) => data(["one", "two"][index] ?? "", ${definition("run: () => ({ n: rate })")}));`,
      ),
    ).toHaveLength(1);
  });

  it("declared by the step is none either", async () => {
    expect(
      await said(
        `${factory.replace("outputs:", 'env: ["RATE"], outputs:')}export const one = make("one", process.env.RATE);`,
      ),
    ).toEqual([]);
  });
});

describe("a variable of a module", () => {
  it("is no finding where the step itself writes it, or loading the module does", async () => {
    expect(
      await said(`let last = 0;
const next = () => ++last;
export const one = data("one", ${definition("run: () => ({ n: next() + last })")});`),
    ).toEqual([]);
    expect(
      await said(`let table: number[] = [];
function fill() { table = [1, 2]; }
fill();
let size = 0;
size = table.length;
[1].forEach((n) => { size += n; });
export const one = data("one", ${definition("run: () => ({ n: table.length + size })")});`),
    ).toEqual([]);
  });

  it("is one where another step writes it, or the pipeline", async () => {
    expect(
      await said(`let total = 0;
export const one = data("one", ${definition("run: () => { total = 1; return { n: 1 }; }")});
export const two = data("two", ${definition("run: () => ({ n: total })")});`),
    ).toEqual([
      'steps.ts | export const two = data("two", { outputs: { n: z.unknown() }, run: () => ({ n: total }) }); | MLP6106 The variable total is read by two and written by the step one: each step has a process of its own, and what is written there is not seen here.',
    ]);
    const [finding] = await said(
      `import { total } from "./total.ts";\nexport const one = data("one", ${definition("run: () => ({ n: total })")});`,
      {
        "total.ts": "export let total = 0;\nexport const setTotal = (n: number) => { total = n; };\n",
      },
    );
    expect(finding).toContain("The variable total is read by one and written by setTotal(): each step");
  });
});

describe("a comment that silences", () => {
  const step = (line: string): string => `export const one = data("one", {
  outputs: { n: z.unknown() },
  run() {
    ${line}
  },
});`;
  it("does so on its own line and on the next, with a reason", async () => {
    expect(
      await said(step("return { n: Date.now() }; // mlpipe-check-ignore MLP6102: shown to people only")),
    ).toEqual([]);
    expect(
      await said(
        step(
          "// mlpipe-check-ignore MLP6102, MLP6103: shown to people only\n    return { n: Date.now() + Math.random() };",
        ),
      ),
    ).toEqual([]);
  });

  it("does not without a reason, for another code or further up", async () => {
    expect(await said(step("// mlpipe-check-ignore MLP6102\n    return { n: Date.now() };"))).toEqual([
      "steps.ts | // mlpipe-check-ignore MLP6102 | MLP6113 A comment that silences a finding names its code and a reason, and this one does not.",
      clock("steps.ts", "return { n: Date.now() };"),
    ]);
    expect(
      await said(step("// mlpipe-check-ignore MLP6103: a reason\n    return { n: Date.now() };")),
    ).toEqual([clock("steps.ts", "return { n: Date.now() };")]);
    expect(
      await said(
        step("// mlpipe-check-ignore MLP6102: a reason\n    const n = 1;\n    return { n: Date.now() * n };"),
      ),
    ).toEqual([clock("steps.ts", "return { n: Date.now() * n };")]);
    expect(await said(step("// mlpipe-check-ignore: everything\n    return { n: 1 };"))).toHaveLength(1);
  });
});
