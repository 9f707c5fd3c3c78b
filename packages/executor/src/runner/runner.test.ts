/** The real process of a step, in a project outside the repository as a user's is. */
import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Task, TaskResult } from "../task.ts";
import { runnerErrors } from "./errors.ts";

const repository = realpathSync(join(import.meta.dirname, "../../../.."));
const main = join(import.meta.dirname, "main.ts");

let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-runner-")));
  mkdirSync(join(root, "node_modules"));
  mkdirSync(join(root, "attempt/out"), { recursive: true });
  symlinkSync(join(repository, "packages/mlpipe"), join(root, "node_modules/mlpipe"));
  symlinkSync(realpathSync(join(repository, "node_modules/zod")), join(root, "node_modules/zod"));
  write({ "package.json": '{ "type": "module" }' });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly result: TaskResult;
}

/** Runs a task of the module `step.ts`. */
async function run(task: Partial<Task> = {}, nodeOptions: readonly string[] = []): Promise<Ran> {
  const whole: Task = {
    schemaVersion: 1,
    step: "step",
    key: "k",
    mode: "run",
    module: "step.ts",
    export: "step",
    inputs: {},
    outputs: {},
    ...task,
  };
  write({ "attempt/task.json": JSON.stringify(whole) });
  return start(["attempt/task.json"], nodeOptions);
}

async function start(args: readonly string[], nodeOptions: readonly string[] = []): Promise<Ran> {
  const { FORCE_COLOR: _force, NODE_OPTIONS: _options, ...env } = process.env;
  const flags = ["--conditions=@mlpipe/source", "--disable-warning=ExperimentalWarning", ...nodeOptions];
  const child = spawn(process.execPath, [...flags, main, ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exit = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const file = join(root, "attempt/result.json");
  if (!existsSync(file)) throw new Error(`No result (exit ${exit}):\n${stdout}${stderr}`);
  // The contract under test; what it holds is asserted.
  return { exit, stdout, stderr, result: JSON.parse(readFileSync(file, "utf8")) as TaskResult };
}

/** A module with the one step `step`, its definition given as the text of an object. */
function step(definition: string, before = ""): void {
  write({
    "step.ts": `import { approved, csv, data, deploy, dir, file, gate, json, jsonl, many, metrics, model, optional, seed } from "mlpipe";
import { z } from "zod";
${before}
export const step = ${definition};
`,
  });
}

/** A step whose function has this body and returns nothing. */
const body = (text: string, before = ""): void => {
  step(`data("step", { outputs: {}, async run() {\n${text}\n} })`, before);
};

function failed({ exit, result }: Ran): TaskResult & { status: "error" } {
  if (result.status !== "error") throw new Error(`It did not fail: ${JSON.stringify(result)}`);
  expect(exit).toBe(1);
  expect(Object.keys(runnerErrors)).toContain(result.error.code);
  return result;
}

async function failure(task?: Partial<Task>): Promise<(TaskResult & { status: "error" })["error"]> {
  return failed(await run(task)).error;
}

const path = (place: string, kind: Task["outputs"][string]["kind"]) =>
  ({ type: "path", path: place, kind }) as const;

describe("a step that does its work", () => {
  test("reads every kind of input, writes and returns every kind of output", async () => {
    step(`data("step", {
  inputs: {
    text: file("txt"), rows: csv(z.object({ x: z.number() })), lines: jsonl(z.object({ x: z.number() })),
    config: json(z.object({ deep: z.array(z.int()) })), folder: dir(), scores: metrics({ mae: "min" }),
    seed: seed(), limit: z.number().default(3), made: z.object({ n: z.int() }), gone: optional(model("json")),
    ok: many(file("txt")), numbers: many(z.int()),
  },
  outputs: {
    text: file("txt"), rows: csv(z.object({ x: z.number() })), lines: jsonl(z.object({ x: z.number() })),
    config: json(z.object({ n: z.int() })), folder: dir(), all: z.unknown(), scores: metrics({ mae: "min" }),
  },
  async run(i, out, context) {
    await out.text.write(await i.text.text());
    await out.rows.write(i.rows);
    await out.lines.write(await i.lines.all());
    await out.config.write({ n: (await i.config.read()).deep.length });
    const { writeFile } = await import("node:fs/promises");
    await writeFile(out.folder.path + "/inner.txt", i.folder.files().join());
    const texts = [];
    for (const [key, each] of i.ok) texts.push(key + "=" + await each.text());
    return {
      all: { scores: i.scores, seed: i.seed, limit: i.limit, made: i.made, gone: i.gone === undefined, texts,
        numbers: [...i.numbers], context, absolute: i.text.path },
      scores: { mae: 0.5 },
    };
  },
})`);
    write({
      "in/text.txt": "ä",
      "in/rows.csv": "x\n1\n2.5\n",
      "in/lines.jsonl": '{"x":1}\n',
      "in/config.json": '{"deep":[1,2]}',
      "in/folder/b": "",
      "in/folder/a/c": "",
      "in/scores.json": '{"mae":0.25}',
      "in/made.json": '{"n":4}',
      "in/seed.json": "7",
      "in/two.txt": "2",
    });
    mkdirSync(join(root, "attempt/out/folder"));
    const { exit, result, stdout, stderr } = await run({
      inputs: {
        text: path("in/text.txt", { kind: "file", extension: "txt" }),
        rows: path("in/rows.csv", { kind: "csv" }),
        lines: path("in/lines.jsonl", { kind: "jsonl" }),
        config: path("in/config.json", { kind: "json" }),
        folder: path("in/folder", { kind: "dir" }),
        scores: path("in/scores.json", { kind: "metrics", directions: { mae: "min" } }),
        seed: path("in/seed.json", { kind: "value" }),
        limit: { type: "value", value: 9 },
        made: path("in/made.json", { kind: "value" }),
        gone: { type: "absent" },
        ok: {
          type: "many",
          items: [
            { key: "z", input: path("in/two.txt", { kind: "file", extension: "txt" }) },
            { key: "a", input: path("in/text.txt", { kind: "file", extension: "txt" }) },
          ],
        },
        numbers: { type: "many", items: [{ key: "one", input: { type: "value", value: 1 } }] },
      },
      outputs: {
        text: { kind: { kind: "file", extension: "txt" }, path: "attempt/out/text.txt" },
        rows: { kind: { kind: "csv" }, path: "attempt/out/rows.csv" },
        lines: { kind: { kind: "jsonl" }, path: "attempt/out/lines.jsonl" },
        config: { kind: { kind: "json" }, path: "attempt/out/config.json" },
        folder: { kind: { kind: "dir" }, path: "attempt/out/folder" },
        all: { kind: { kind: "value" }, path: "attempt/out/all.json" },
        scores: { kind: { kind: "metrics", directions: { mae: "min" } }, path: "attempt/out/scores.json" },
      },
    });
    expect(result).toMatchObject({
      status: "ok",
      returned: {
        scores: { mae: 0.5 },
        all: {
          scores: { mae: 0.25 },
          seed: 7,
          limit: 9,
          made: { n: 4 },
          gone: true,
          texts: ["z=2", "a=ä"],
          numbers: [["one", 1]],
          context: { step: "step", key: "k" },
          absolute: join(root, "in/text.txt"),
        },
      },
    });
    expect(exit).toBe(0);
    expect([stdout, stderr]).toEqual(["", ""]);
    expect(read("attempt/out/text.txt")).toBe("ä");
    expect(read("attempt/out/rows.csv")).toBe("x\n1\n2.5\n");
    expect(read("attempt/out/lines.jsonl")).toBe('{"x":1}\n');
    expect(read("attempt/out/config.json")).toBe('{\n  "n": 2\n}\n');
    expect(read("attempt/out/folder/inner.txt")).toBe("a/c,b");
  });

  test("is found as the default export, and what it cost is told", async () => {
    write({
      "step.ts": 'import { data } from "mlpipe";\nexport default data("step", { outputs: {}, run() {} });\n',
    });
    const { result } = await run({ export: "default" });
    expect(result).toEqual({
      status: "ok",
      returned: {},
      usage: {
        cpuUserMs: expect.any(Number),
        cpuSystemMs: expect.any(Number),
        maxRssBytes: expect.any(Number),
        source: "getrusage",
      },
    });
    expect(result.usage.maxRssBytes).toBeGreaterThan(10_000_000);
  });

  test("a deploy is told its target, absolute", async () => {
    step(`deploy("step", { inputs: { model: approved(model("json")) }, target: "live",
  async run({ model }, _out, { target }) { console.log(target, await model.text()); } })`);
    write({ "in/model.json": "{}" });
    const { stdout } = await run({
      target: "live",
      inputs: { model: path("in/model.json", { kind: "model", format: "json" }) },
    });
    expect(stdout).toBe(`${join(root, "live")} {}\n`);
  });

  test("inputs are not touched before the step asks for them", async () => {
    step(`data("step", { inputs: { rows: csv(z.object({})), text: file("txt") }, outputs: {}, run() {} })`);
    const { result } = await run({
      inputs: {
        rows: path("in/none.csv", { kind: "csv" }),
        text: path("in/none.txt", { kind: "file", extension: "txt" }),
      },
    });
    expect(result.status).toBe("ok");
  });

  test("timers left running do not keep it alive, and no output is lost", async () => {
    body(`setInterval(() => {}, 1000);
  for (let line = 0; line < 200_000; line++) console.log("line " + line);
  console.error("last");`);
    const { exit, stdout, stderr } = await run();
    expect(exit).toBe(0);
    expect(stdout.endsWith("line 199999\n")).toBe(true);
    expect(stderr).toBe("last\n");
  });

  test("a step that changes the working folder still has its result written", async () => {
    body('process.chdir("/");');
    expect((await run()).result.status).toBe("ok");
  });
});

describe("a gate", () => {
  const check = async (answer: string): Promise<Ran> => {
    step(`gate("step", { inputs: { model: model("json"), limit: z.number() }, pass: "model",
  check: ({ limit }) => ${answer} })`);
    write({ "in/model.json": "{}" });
    return run({
      mode: "check",
      inputs: {
        model: path("in/model.json", { kind: "model", format: "json" }),
        limit: { type: "value", value: 2 },
      },
    });
  };

  test("passes, says why not, or just no", async () => {
    expect(await check("limit === 2")).toMatchObject({ exit: 0, result: { status: "ok", returned: {} } });
    expect(await check("`above ${limit}`")).toMatchObject({
      exit: 3,
      result: { status: "rejected", reason: "above 2" },
    });
    expect(await check("Promise.resolve(false)")).toMatchObject({
      exit: 3,
      result: { status: "rejected", reason: "The check returned false." },
    });
  });

  test("without an answer fails", async () => {
    expect(failed(await check("undefined as never")).error).toMatchObject({
      code: "MLP3029",
      message: "The check of the gate returned nothing.",
    });
  });
});

describe("a step that throws", () => {
  test("the message and the user's own frames are told, relative to the project", async () => {
    write({ "lib/deep.ts": "export function deep(): never {\n  throw new TypeError('no such thing');\n}\n" });
    body("  await null;\n  [1].forEach(() => deep());", 'import { deep } from "./lib/deep.ts";');
    const error = await failure();
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
    body(`try { JSON.parse("{"); } catch (cause) { throw new Error("bad config", { cause }); }`);
    const chained = await failure();
    expect(chained.message).toMatch(/^Error: bad config, caused by SyntaxError: /);
    expect(chained.stack).toMatch(/\ncaused by SyntaxError: /);

    body(`await Promise.any([Promise.reject(new Error("a")), Promise.reject(new RangeError("b"))]);`);
    const several = await failure();
    expect(several.message).toBe("AggregateError: All promises were rejected (Error: a; RangeError: b)");
    expect(several.stack).toContain("one of them: RangeError: b\n    at ");
  });

  test.each([
    ['"just text"', 'thrown without an error: "just text"'],
    ["{ code: 7 }", 'thrown without an error: {"code":7}'],
    ["undefined", "thrown without an error: undefined"],
    ["7n", "thrown without an error: 7"],
  ])("a thrown %s", async (value, message) => {
    body(`throw ${value};`);
    expect(await failure()).toMatchObject({ code: "MLP3010", message });
  });

  test("a row its schema refuses is named, with its place in the file and in the step", async () => {
    step(`data("step", { inputs: { rows: csv(z.object({ x: z.number() })) }, outputs: {},
  async run({ rows }) {
    for await (const row of rows) console.log(row.x);
  } })`);
    write({ "data/points.csv": "x\n1\nmany\n" });
    mkdirSync(join(root, "attempt/in"));
    symlinkSync(join(root, "data/points.csv"), join(root, "attempt/in/rows.csv"));
    const ran = await run({ inputs: { rows: path("attempt/in/rows.csv", { kind: "csv" }) } });
    expect(ran.stdout).toBe("1\n");
    expect(failed(ran).error).toMatchObject({
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
    step(`data("step", { inputs: { n: z.int() }, outputs: {}, run() { console.log("started"); } })`);
    const ran = await run({ inputs: { n: { type: "value", value: 1.5 } } });
    expect(ran.stdout).toBe("");
    expect(failed(ran).error).toMatchObject({
      code: "MLP3023",
      message: expect.stringMatching(/^The input n does not fit its schema: /),
    });
  });
});

describe("a step that ends otherwise than by returning", () => {
  test("a rejection that nobody awaits", async () => {
    body(
      `void Promise.reject(new Error("forgotten"));\n  await new Promise((done) => setTimeout(done, 10_000));`,
    );
    expect(await failure()).toMatchObject({
      code: "MLP3016",
      message: "A promise was rejected and nobody awaited it: Error: forgotten",
      at: [{ file: "step.ts", line: 5 }],
    });
  });

  test("an error thrown in a callback", async () => {
    body(`setTimeout(() => { throw new Error("late"); }, 1);\n  await new Promise(() => {});`);
    expect(await failure()).toMatchObject({
      code: "MLP3016",
      message: "An error was thrown where nobody could catch it: Error: late",
      at: [{ file: "step.ts", line: 5 }],
    });
  });

  test("process.exit, whatever the code", async () => {
    body("process.exit(0);");
    expect(await failure()).toMatchObject({
      code: "MLP3017",
      message: "The step ended its process with process.exit(0).",
      at: [{ file: "step.ts", line: 5, column: 9 }],
    });
  });

  test("a promise that never settles", async () => {
    body("await new Promise(() => {});");
    expect(await failure()).toMatchObject({ code: "MLP3018" });
  });

  test("a module that never finishes loading", async () => {
    body("", "await new Promise(() => {});");
    expect(await failure()).toMatchObject({ code: "MLP3018" });
  });
});

describe("a module that cannot be imported", () => {
  test("it is not there", async () => {
    expect(await failure()).toMatchObject({
      code: "MLP3011",
      message: "The module step.ts of the step is not there.",
    });
  });

  test("what it imports is not there", async () => {
    write({ "step.ts": '\nimport { x } from "./gone";\nexport const step = x;\n' });
    expect(await failure()).toMatchObject({
      code: "MLP3011",
      message: "step.ts imports gone, and there is no such file.",
      hint: "A path in an import needs the file's ending: ./rows.ts.",
      at: [{ file: "step.ts", line: 2, column: 22 }],
    });
    write({ "step.ts": 'import "left-pad/sub";\n' });
    expect(await failure()).toMatchObject({
      code: "MLP3011",
      message: "step.ts imports the package left-pad, which is not installed.",
      hint: "npm install left-pad",
      at: [{ file: "step.ts", line: 1 }],
    });
  });

  test("it has an enum", async () => {
    write({ "step.ts": "export {};\n  enum Split { Train, Test }\n" });
    expect(await failure()).toMatchObject({
      code: "MLP3013",
      message:
        "step.ts has TypeScript that is more than types: TypeScript enum is not supported in strip-only mode.",
      hint: expect.stringContaining("enum and other syntax that is more than types does not run"),
      at: [{ file: "step.ts", line: 2, column: 3 }],
    });
  });

  test("it has a syntax error, or imports what is not exported", async () => {
    write({ "step.ts": "export const a = 1;\nexport const b = = 2;\n" });
    expect(await failure()).toMatchObject({
      code: "MLP3012",
      at: [{ file: "step.ts", line: 2, column: 18 }],
    });
    write({ "step.ts": 'import { nope } from "./lib.ts";\n', "lib.ts": "export const yes = 1;\n" });
    expect(await failure()).toMatchObject({
      code: "MLP3012",
      message: expect.stringContaining("does not provide an export named 'nope'"),
      at: [{ file: "step.ts", line: 1 }],
    });
  });

  test("it throws while it is imported", async () => {
    body("", 'throw new Error("at load");');
    expect(await failure()).toMatchObject({
      code: "MLP3014",
      message: "step.ts failed while it was imported: Error: at load",
      at: [{ file: "step.ts", line: 3 }],
    });
  });

  test("it does not export the step", async () => {
    body("");
    expect(await failure({ export: "stop" })).toMatchObject({
      code: "MLP3015",
      message: "The export stop of step.ts does not exist.",
      hint: "The steps it exports: step.",
    });
    expect(await failure({ mode: "check" })).toMatchObject({ code: "MLP3015" });
    write({ "step.ts": "export const step = 1;\n" });
    expect(await failure()).toMatchObject({
      code: "MLP3015",
      message: "The export step of step.ts is no step.",
    });
  });
});

describe("what a step returns", () => {
  const returns = async (expression: string): Promise<Ran> => {
    step(`data("step", {
  outputs: { rows: z.int(), scores: metrics({ mae: "min" }), info: z.any(), text: file("txt") },
  run() { return ${expression}; },
} as never)`);
    return run({
      outputs: { text: { kind: { kind: "file", extension: "txt" }, path: "attempt/out/text.txt" } },
    });
  };

  test("is kept as JSON, as it was returned", async () => {
    step(`data("step", { outputs: { n: z.string().transform(Number) }, run() { return { n: "3" }; } })`);
    expect(await run()).toMatchObject({ result: { status: "ok", returned: { n: "3" } } });
  });

  test.each([
    ["undefined", "MLP3028", "The step returned nothing, and rows and scores and info are missing."],
    ["7", "MLP3028", "The step returned 7, and rows and scores and info are missing."],
    ["{ rows: 1, info: 1 }", "MLP3028", "The step did not return its output scores."],
    [
      "{ rows: 1, scores: { mae: 1 }, info: 1, x: 2 }",
      "MLP3028",
      "The step returned x, which is none of its outputs.",
    ],
    [
      "{ rows: 1, scores: { mae: 1 }, info: 1, text: 'a' }",
      "MLP3028",
      "The step returned text, which is written through out.text.",
    ],
    ["{ rows: 1, scores: {}, info: 1 }", "MLP3025", "The returned scores lacks the metric mae."],
    [
      "{ rows: 1, scores: { mae: NaN }, info: 1 }",
      "MLP3025",
      "The returned scores has NaN as mae, and a metric is a finite number.",
    ],
    [
      "{ rows: 1, scores: { mae: 1, r2: 1 }, info: 1 }",
      "MLP3025",
      "The returned scores has the metric r2, which was not declared.",
    ],
    [
      "{ rows: 1, scores: { mae: 1 }, info: { at: new Date(0) } }",
      "MLP3026",
      "The returned info is not JSON: an instance of Date at .at.",
    ],
  ])("%s", async (expression, code, message) => {
    expect(failed(await returns(expression)).error).toMatchObject({ code, message });
  });

  test("what its schema refuses", async () => {
    expect(failed(await returns("{ rows: 1.5, scores: { mae: 1 }, info: 1 }")).error).toMatchObject({
      code: "MLP3025",
      message: expect.stringMatching(/^The returned rows does not fit its schema: /),
    });
  });

  test("an output that is still being written when it returns", async () => {
    step(`data("step", { outputs: { rows: csv(z.object({ x: z.number() })) },
  async run(_, out) { void out.rows.write([{ x: 1 }]); } })`);
    const outputs: Task["outputs"] = { rows: { kind: { kind: "csv" }, path: "attempt/out/rows.csv" } };
    expect(await failure({ outputs })).toMatchObject({
      code: "MLP3027",
      message: "The step returned while its output rows was still being written.",
    });
  });
});

test("a task that cannot be read, or of another version, is said in the result", async () => {
  write({ "attempt/task.json": "{" });
  expect(failed(await start(["attempt/task.json"])).error.code).toBe("MLP3019");
  expect((await failure({ schemaVersion: 99 as never })).message).toBe(
    "The task has version 99, and this runner knows version 1.",
  );
});

test("a million rows go through a step that has no room for them", async () => {
  step(
    `data("step", { inputs: { rows: csv(Row) }, outputs: { rows: csv(Row), seen: z.int() },
  async run({ rows }, out) {
    const seen = await out.rows.write(rows);
    return { seen };
  } })`,
    "const Row = z.object({ id: z.string(), x: z.number(), note: z.string().optional() });",
  );
  const lines = Array.from(
    { length: 1_000_000 },
    (_, row) => `${row},${row / 8},${row % 9 === 0 ? "" : "sunny"}`,
  );
  write({ "in/rows.csv": `id,x,note\n${lines.join("\n")}\n` });
  const { result, stderr } = await run(
    {
      inputs: { rows: path("in/rows.csv", { kind: "csv" }) },
      outputs: { rows: { kind: { kind: "csv" }, path: "attempt/out/rows.csv" } },
    },
    ["--max-old-space-size=64"],
  );
  expect(stderr).toBe("");
  expect(result).toMatchObject({ status: "ok", returned: { seen: 1_000_000 } });
  expect(read("attempt/out/rows.csv") === read("in/rows.csv")).toBe(true);
});
