import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runnerErrors } from "./errors.ts";
import { errorOf, path, StepProject } from "./fixtures/step-project.ts";

let project: StepProject;

beforeEach(() => {
  project = new StepProject();
});
afterEach(() => {
  project[Symbol.dispose]();
});

describe("a step that throws", () => {
  test("the message and the user's own frames are told, relative to the project", async () => {
    project.write({
      "lib/deep.ts": "export function deep(): never {\n  throw new TypeError('no such thing');\n}\n",
    });
    project.body("  await null;\n  [1].forEach(() => deep());", 'import { deep } from "./lib/deep.ts";');
    const error = await project.failure();
    expect(error).toMatchObject({
      code: "MLP3010",
      message: "TypeError: no such thing",
      at: [
        { file: "lib/deep.ts", line: 2, column: 9 },
        { file: "step.ts", line: 6, column: 21 },
        { file: "step.ts", line: 6, column: 7 },
      ],
    });
    expect(error.stack).toMatch(
      /^TypeError: no such thing\n {4}at deep \(lib\/deep\.ts:2:9\)\n {4}at step\.ts:6:21\n/,
    );
    expect(error.stack).not.toMatch(/node:|runner/);
  });

  test("causes and what an AggregateError holds stay readable", async () => {
    project.body(`try { JSON.parse("{"); } catch (cause) { throw new Error("bad config", { cause }); }`);
    const chained = await project.failure();
    expect(chained.message).toMatch(/^Error: bad config, caused by SyntaxError: /);
    expect(chained.stack).toMatch(/\ncaused by SyntaxError: /);

    project.body(`await Promise.any([Promise.reject(new Error("a")), Promise.reject(new RangeError("b"))]);`);
    const several = await project.failure();
    expect(several.message).toBe("AggregateError: All promises were rejected (Error: a; RangeError: b)");
    expect(several.stack).toContain("one of them: RangeError: b\n    at ");
  });

  test.each([
    ['"just text"', 'thrown without an error: "just text"'],
    ["{ code: 7 }", 'thrown without an error: {"code":7}'],
    ["undefined", "thrown without an error: undefined"],
    ["7n", "thrown without an error: 7"],
    ["ring", "thrown without an error: <ref *1> { n: 1, self: [Circular *1] }"],
  ])("a thrown %s", async (value, message) => {
    project.body(`throw ${value};`, "const ring = { n: 1 }; ring.self = ring;");
    expect(await project.failure()).toMatchObject({ code: "MLP3010", message });
  });

  test("what a schema refuses is told in one line, and an error's own words are left", async () => {
    project.body(`z.object({ q: z.number(), rows: z.array(z.string()) }).parse({ q: "no", rows: [1] });`);
    const refused = await project.failure();
    const line =
      "ZodError: q: Invalid input: expected number, received string; " +
      "rows.0: Invalid input: expected string, received number";
    expect(refused.message).toBe(line);
    expect(refused.stack?.split("\n")[0]).toBe(line);

    project.body(`z.array(z.string()).parse(Array.from({ length: 5_000 }, () => 1));`);
    expect((await project.failure()).message).toMatch(/^ZodError: 0: .*; 9: [^;]*; and 4990 more$/);

    project.body(`throw Object.assign(new Error("[1] is no row"), { issues: [{ message: "another" }] });`);
    expect((await project.failure()).message).toBe("Error: [1] is no row");
    project.body(`throw Object.assign(new Error("[{}]"), { issues: [{ path: 7 }] });`);
    expect((await project.failure()).message).toBe("Error: [{}]");
  });

  test("of a message with megabytes the beginning is told", async () => {
    project.body(`throw new Error("start " + "x".repeat(5_000_000));`);
    const { message, stack = "" } = await project.failure();
    expect(message).toMatch(/^Error: start x+… \(5,000,006 characters\)$/);
    expect(message.length + stack.length).toBeLessThan(50_000);
  });

  test("a row its schema refuses is named, with its place in the file and in the step", async () => {
    project.step(`data("step", { inputs: { rows: csv(z.object({ x: z.number() })) }, outputs: {},
  async run({ rows }) {
    for await (const row of rows) console.log(row.x);
  } })`);
    project.write({ "data/points.csv": "x\n1\nmany\n" });
    symlinkSync(join(project.root, "data/points.csv"), join(project.root, "attempt/in/rows.csv"));
    const ran = await project.run({ inputs: { rows: path("attempt/in/rows.csv", { kind: "csv" }) } });
    expect(ran.stdout).toBe("1\n");
    expect(errorOf(ran)).toMatchObject({
      code: "MLP3021",
      message:
        "Row 2 (line 3) of the input rows (data/points.csv) does not fit its schema: " +
        'x is "many": Invalid input: expected number, received string.',
      hint: expect.any(String),
      at: [
        { file: "data/points.csv", line: 3, column: 1 },
        { file: "step.ts", line: 6 },
      ],
    });
  });

  test("a value its schema refuses is refused before the step starts", async () => {
    project.step(`data("step", { inputs: { n: z.int() }, outputs: {}, run() { console.log("started"); } })`);
    const ran = await project.run({ inputs: { n: { type: "value", value: 1.5 } } });
    expect(ran.stdout).toBe("");
    expect(errorOf(ran)).toMatchObject({
      code: "MLP3023",
      message: expect.stringMatching(/^The input n does not fit its schema: /),
    });
  });
});

describe("a step that ends otherwise than by returning", () => {
  test("a rejection that nobody awaits", async () => {
    project.body(
      `void Promise.reject(new Error("forgotten"));\n  await new Promise((done) => setTimeout(done, 10_000));`,
    );
    expect(await project.failure()).toMatchObject({
      code: "MLP3016",
      message: "A promise was rejected and nobody awaited it: Error: forgotten",
      at: [{ file: "step.ts", line: 5 }],
    });
  });

  test("an error thrown in a callback", async () => {
    project.body(`setTimeout(() => { throw new Error("late"); }, 1);\n  await new Promise(() => {});`);
    expect(await project.failure()).toMatchObject({
      code: "MLP3016",
      message: "An error was thrown where nobody could catch it: Error: late",
      at: [{ file: "step.ts", line: 5 }],
    });
  });

  test("process.exit, whatever the code", async () => {
    project.body("process.exit(0);");
    expect(await project.failure()).toMatchObject({
      code: "MLP3017",
      message: "The step ended its process with process.exit(0).",
      at: [{ file: "step.ts", line: 5, column: 9 }],
    });
  });

  test("a promise that never settles", async () => {
    project.body("await new Promise(() => {});");
    expect(await project.failure()).toMatchObject({ code: "MLP3018" });
  });

  test("a module that never finishes loading", async () => {
    project.body("", "await new Promise(() => {});");
    expect(await project.failure()).toMatchObject({ code: "MLP3018" });
  });
});

describe("a module that cannot be imported", () => {
  test("it is not there", async () => {
    expect(await project.failure()).toMatchObject({
      code: "MLP3011",
      message: "The module step.ts of the step is not there.",
    });
  });

  test("what it imports is not there", async () => {
    project.write({ "step.ts": '\nimport { x } from "./gone";\nexport const step = x;\n' });
    expect(await project.failure()).toMatchObject({
      code: "MLP3011",
      message: "step.ts imports ./gone, and there is no such file.",
      hint: "Was it moved or renamed?",
      at: [{ file: "step.ts", line: 2, column: 20 }],
    });
    project.write({ "step.ts": 'import "left-pad/sub";\n' });
    expect(await project.failure()).toMatchObject({
      code: "MLP3011",
      message: "step.ts imports the package left-pad, which is not installed.",
      hint: "npm install left-pad",
      at: [{ file: "step.ts", line: 1 }],
    });
  });

  test("it is CommonJS and has an enum", async () => {
    project.write({ "step.ts": 'import "./split.cts";\n', "split.cts": "\n  enum Split { Train, Test }\n" });
    expect(await project.failure()).toMatchObject({
      code: "MLP3013",
      message:
        "split.cts has TypeScript that is more than types: TypeScript enum is not supported in strip-only mode.",
      hint: expect.stringContaining("are compiled in ES modules alone"),
      at: [{ file: "split.cts", line: 2, column: 3 }],
    });
  });

  test("it has a syntax error, or imports what is not exported", async () => {
    project.write({ "step.ts": "export const a = 1;\nexport const b = = 2;\n" });
    expect(await project.failure()).toMatchObject({
      code: "MLP3012",
      at: [{ file: "step.ts", line: 2, column: 18 }],
    });
    project.write({ "step.ts": 'import { nope } from "./lib.ts";\n', "lib.ts": "export const yes = 1;\n" });
    expect(await project.failure()).toMatchObject({
      code: "MLP3012",
      message: expect.stringContaining("does not provide an export named 'nope'"),
      at: [{ file: "step.ts", line: 1 }],
    });
  });

  test("it throws while it is imported", async () => {
    project.body("", 'throw new Error("at load");');
    expect(await project.failure()).toMatchObject({
      code: "MLP3014",
      message: "step.ts failed while it was imported: Error: at load",
      at: [{ file: "step.ts", line: 3 }],
    });
  });

  test("it does not export the step", async () => {
    project.body("");
    expect(await project.failure({ export: "stop" })).toMatchObject({
      code: "MLP3015",
      message: "The export stop of step.ts does not exist.",
      hint: "The steps it exports: step.",
    });
    expect(await project.failure({ mode: "check" })).toMatchObject({ code: "MLP3015" });
    project.write({ "step.ts": "export const step = 1;\n" });
    expect(await project.failure()).toMatchObject({
      code: "MLP3015",
      message: "The export step of step.ts is no step.",
    });
  });
});

test("a task that cannot be read, or of another version, is said in the result", async () => {
  project.write({ "attempt/task.json": "{" });
  expect(errorOf(await project.start()).code).toBe("MLP3019");
  expect((await project.failure({ schemaVersion: 99 as never })).message).toBe(
    "The task has version 99, and this runner knows version 1.",
  );
});

test("every code is documented", () => {
  const codes = Object.keys(runnerErrors);
  expect(codes).toEqual(codes.toSorted());
  expect(codes.filter((code) => !/^MLP30[12]\d$/.test(code))).toEqual([]);
});
