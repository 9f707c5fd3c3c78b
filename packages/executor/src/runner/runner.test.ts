import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Task } from "../task.ts";
import { errorOf, path, type Ran, StepProject } from "./fixtures/step-project.ts";

let project: StepProject;

beforeEach(() => {
  project = new StepProject();
});
afterEach(() => {
  project[Symbol.dispose]();
});

describe("a step that does its work", () => {
  test("reads every kind of input, writes and returns every kind of output", async () => {
    project.step(`data("step", {
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
    project.write({
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
    mkdirSync(join(project.root, "attempt/out/folder"));
    const { exit, result, stdout, stderr } = await project.run({
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
          absolute: join(project.root, "in/text.txt"),
        },
      },
    });
    expect(exit).toBe(0);
    expect([stdout, stderr]).toEqual(["", ""]);
    expect(project.read("attempt/out/text.txt")).toBe("ä");
    expect(project.read("attempt/out/rows.csv")).toBe("x\n1\n2.5\n");
    expect(project.read("attempt/out/lines.jsonl")).toBe('{"x":1}\n');
    expect(project.read("attempt/out/config.json")).toBe('{\n  "n": 2\n}\n');
    expect(project.read("attempt/out/folder/inner.txt")).toBe("a/c,b");
  });

  test("is found as the default export, and what it cost is told", async () => {
    project.write({
      "step.ts": 'import { data } from "mlpipe";\nexport default data("step", { outputs: {}, run() {} });\n',
    });
    const { result } = await project.run({ export: "default" });
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
    project.step(`deploy("step", { inputs: { model: approved(model("json")) }, target: "live",
  async run({ model }, _out, { target }) { console.log(target, await model.text()); } })`);
    project.write({ "in/model.json": "{}" });
    const { stdout } = await project.run({
      target: "live",
      inputs: { model: path("in/model.json", { kind: "model", format: "json" }) },
    });
    expect(stdout).toBe(`${join(project.root, "live")} {}\n`);
  });

  test("inputs are not touched before the step asks for them", async () => {
    project.step(
      `data("step", { inputs: { rows: csv(z.object({})), text: file("txt") }, outputs: {}, run() {} })`,
    );
    const { result } = await project.run({
      inputs: {
        rows: path("in/none.csv", { kind: "csv" }),
        text: path("in/none.txt", { kind: "file", extension: "txt" }),
      },
    });
    expect(result.status).toBe("ok");
  });

  test("timers left running do not keep it alive, and no output is lost", async () => {
    project.body(`setInterval(() => {}, 1000);
  for (let line = 0; line < 200_000; line++) console.log("line " + line);
  console.error("last");`);
    const { exit, stdout, stderr } = await project.run();
    expect(exit).toBe(0);
    expect(stdout.endsWith("line 199999\n")).toBe(true);
    expect(stderr).toBe("last\n");
  });

  test("a step that changes the working folder still has its result written", async () => {
    project.body('process.chdir("/");');
    expect((await project.run()).result.status).toBe("ok");
  });
});

describe("a gate", () => {
  const check = async (answer: string): Promise<Ran> => {
    project.step(`gate("step", { inputs: { model: model("json"), limit: z.number() }, pass: "model",
  check: ({ limit }) => ${answer} })`);
    project.write({ "in/model.json": "{}" });
    return project.run({
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
    expect(errorOf(await check("undefined as never"))).toMatchObject({
      code: "MLP3029",
      message: "The check of the gate returned nothing.",
    });
  });
});

describe("what a step returns", () => {
  const returns = async (expression: string): Promise<Ran> => {
    project.step(`data("step", {
  outputs: { rows: z.int(), scores: metrics({ mae: "min" }), info: z.any(), text: file("txt") },
  run() { return ${expression}; },
} as never)`);
    return project.run({
      outputs: { text: { kind: { kind: "file", extension: "txt" }, path: "attempt/out/text.txt" } },
    });
  };

  test("is kept as JSON, as it was returned", async () => {
    project.step(
      `data("step", { outputs: { n: z.string().transform(Number) }, run() { return { n: "3" }; } })`,
    );
    expect(await project.run()).toMatchObject({ result: { status: "ok", returned: { n: "3" } } });
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
      "The returned scores has the metric r2, and does not declare it.",
    ],
    [
      "{ rows: 1, scores: { mae: 1 }, info: { at: new Date(0) } }",
      "MLP3026",
      "The returned info is not JSON: an instance of Date at .at.",
    ],
  ])("%s", async (expression, code, message) => {
    expect(errorOf(await returns(expression))).toMatchObject({ code, message });
  });

  test("what its schema refuses", async () => {
    expect(errorOf(await returns("{ rows: 1.5, scores: { mae: 1 }, info: 1 }"))).toMatchObject({
      code: "MLP3025",
      message: expect.stringMatching(/^The returned rows does not fit its schema: /),
    });
  });

  test("an output that is still being written when it returns", async () => {
    project.step(`data("step", { outputs: { rows: csv(z.object({ x: z.number() })) },
  async run(_, out) { void out.rows.write([{ x: 1 }]); } })`);
    const outputs: Task["outputs"] = { rows: { kind: { kind: "csv" }, path: "attempt/out/rows.csv" } };
    expect(await project.failure({ outputs })).toMatchObject({
      code: "MLP3027",
      message: "The step returned while its output rows was still being written.",
    });
  });
});

test("a million rows go through a step that has no room for them", async () => {
  project.step(
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
  project.write({ "in/rows.csv": `id,x,note\n${lines.join("\n")}\n` });
  const { result, stderr } = await project.run(
    {
      inputs: { rows: path("in/rows.csv", { kind: "csv" }) },
      outputs: { rows: { kind: { kind: "csv" }, path: "attempt/out/rows.csv" } },
    },
    ["--max-old-space-size=64"],
  );
  expect(stderr).toBe("");
  expect(result).toMatchObject({ status: "ok", returned: { seen: 1_000_000 } });
  expect(project.read("attempt/out/rows.csv") === project.read("in/rows.csv")).toBe(true);
});
