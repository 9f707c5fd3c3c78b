/** What `mlpipe check` says about steps that depend on more than they declare. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, mlpipe, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

/** A project with every kind of finding. */
const careless: Readonly<Record<string, string>> = {
  "data/prices.csv": "day,price\n1,2\n",
  "lib/stopwords.txt": "the\n",
  "lib/ambient.ts": `import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const stopwords = readFileSync(join(import.meta.dirname, "stopwords.txt"), "utf8");

export function stamp(): string {
  return new Date().toISOString();
}

export const newId = (): string => randomUUID();
`,
  "lib/state.ts": `let rows = 0;

export function remember(count: number): void {
  rows = count;
}

export function remembered(): number {
  return rows;
}
`,
  "steps.ts": `import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cmd, data, file, metrics, evaluate, model, train } from "mlpipe";
import { z } from "zod";
import { newId, stamp, stopwords } from "./lib/ambient.ts";
import { remember, remembered } from "./lib/state.ts";

const { API_TOKEN, REGION = "eu" } = process.env;

export const load = data("load", {
  env: ["REGION"],
  outputs: { text: file("txt") },
  async run(_inputs, out) {
    const answer = await fetch(\`https://example.com/\${REGION}?token=\${API_TOKEN}\`);
    const prices = readFileSync("data/prices.csv", "utf8");
    remember(prices.length);
    await out.text.write(\`\${await answer.text()} \${prices} \${stopwords} \${stamp()}\`);
  },
});

const trainer = (name: string, rate: number, base: number) =>
  train(name, {
    inputs: { text: file("txt") },
    outputs: { model: model("json") },
    async run({ text }, out) {
      const weight = Math.random() * rate * base;
      writeFileSync("report.txt", stamp());
      await out.model.write(JSON.stringify({ weight, text: await text.text() }));
    },
  });

export const fit = trainer("fit", Number(process.env.RATE), 2);

export const score = evaluate("score", {
  inputs: { model: model("json") },
  outputs: { metrics: metrics({ mae: "min" }), id: z.string() },
  run() {
    const version = execFileSync("git", ["describe"], { encoding: "utf8" });
    return { metrics: { mae: remembered() }, id: version + newId() + stamp() };
  },
});

export const pack = data("pack", {
  inputs: { model: model("json") },
  outputs: { archive: file("tar") },
  command: (i, o) => cmd\`sh pack.sh \${i.model} \${o.archive}\`,
});
`,
  "pack.sh": 'tar cf "$2" "$1"\n',
  "careless.pipeline.ts": `import { pipeline } from "mlpipe";
import { fit, load, pack, score } from "./steps.ts";

export default pipeline("careless", () => {
  const { text } = load({});
  const { model } = fit({ text });
  return { ...score({ model }), ...pack({ model }) };
});
`,
};

describe("mlpipe check", () => {
  it("finds everything that a careless pipeline does not declare", async () => {
    using project = new Project(careless);
    const { exit, stdout, stderr } = await project.mlpipe("check");
    expect(stderr).toBe("");
    expect(stdout).toMatchInlineSnapshot(`
      "MLP6107  lib/stopwords.txt is read by load, fit and 2 more, and not through a port: its path is made of import.meta and cannot be followed, so the step runs every time.

        lib/ambient.ts:5:26
          3 | import { join } from "node:path";
          4 |
        > 5 | export const stopwords = readFileSync(join(import.meta.dirname, "stopwords.txt"), "utf8");
            |                          ^
          6 |
          7 | export function stamp(): string {

        → Data comes in through a port: source("lib/stopwords.txt", …). What belongs to the code is named: files: ["lib/stopwords.txt"],
          or opened by new URL("./stopwords.txt", import.meta.url), which is followed.

      MLP6102  new Date() is reached by load, fit and score: the result depends on when it was made, and the key does not.

        lib/ambient.ts:8:14
           6 |
           7 | export function stamp(): string {
        >  8 |   return new Date().toISOString();
             |              ^
           9 | }

        → Make the date a param and give it to an input port, or say how long the result holds: cache: false or
          cache: { maxAge: "1d" }. To measure how long something takes, use performance.now().

      MLP6103  crypto.randomUUID() is reached by score: no seed determines it, so the result cannot be made again.

        lib/ambient.ts:11:36
           9 | }
          10 |
        > 11 | export const newId = (): string => randomUUID();
             |                                    ^

        → Take a seed through a port, seed: seed(), and draw from a generator made with it; or declare cache: false.

      MLP6106  The variable rows is read by score and written by remember(): each step has a process of its own, and what is written there is not seen here.

        lib/state.ts:8:10
           6 |
           7 | export function remembered(): number {
        >  8 |   return rows;
             |          ^
           9 | }

        → Pass the value on through ports: an output of the one step, an input of the other.

      MLP6110  No result of pack is ever cached: pack.sh is a script in a language whose imports are not followed.

        pack.sh:1:1
        > 1 | tar cf "$2" "$1"
            | ^

        → If that is all there is to it: files: ["pack.sh"]; name what else it starts beside it.

      MLP6101  process.env.API_TOKEN is read by load and not declared: there it is always undefined.

        steps.ts:8:9
           6 | import { remember, remembered } from "./lib/state.ts";
           7 |
        >  8 | const { API_TOKEN, REGION = "eu" } = process.env;
             |         ^
           9 |
          10 | export const load = data("load", {

        → Declare it: env: [secret("API_TOKEN")]. Its name is then part of the key, its value is not.

      MLP6104  fetch() is reached by load: what the network answers is not part of the key.

        steps.ts:14:26
          12 |   outputs: { text: file("txt") },
          13 |   async run(_inputs, out) {
        > 14 |     const answer = await fetch(\`https://example.com/\${REGION}?token=\${API_TOKEN}\`);
             |                          ^
          15 |     const prices = readFileSync("data/prices.csv", "utf8");
          16 |     remember(prices.length);

        → Say how long an answer holds, cache: { maxAge: "1d" }, or that it does not: cache: false.

      MLP6107  data/prices.csv is read by load, and not through a port: what is in it is not part of the key.

        steps.ts:15:20
          13 |   async run(_inputs, out) {
          14 |     const answer = await fetch(\`https://example.com/\${REGION}?token=\${API_TOKEN}\`);
        > 15 |     const prices = readFileSync("data/prices.csv", "utf8");
             |                    ^
          16 |     remember(prices.length);
          17 |     await out.text.write(\`\${await answer.text()} \${prices} \${stopwords} \${stamp()}\`);

        → Data comes in through a port: source("data/prices.csv", …). What belongs to the code is named: files: ["data/prices.csv"].

      MLP6111  Warning: The training "fit" has no seed() port, so nobody can tell whether it can be repeated.

        steps.ts:22:3
          20 |
          21 | const trainer = (name: string, rate: number, base: number) =>
        > 22 |   train(name, {
             |   ^
          23 |     inputs: { text: file("txt") },
          24 |     outputs: { model: model("json") },

        → Take a seed through a port: seed: seed().

      MLP6103  Math.random() is reached by fit: no seed determines it, so the result cannot be made again.

        steps.ts:26:22
          24 |     outputs: { model: model("json") },
          25 |     async run({ text }, out) {
        > 26 |       const weight = Math.random() * rate * base;
             |                      ^
          27 |       writeFileSync("report.txt", stamp());
          28 |       await out.model.write(JSON.stringify({ weight, text: await text.text() }));

        → Take a seed through a port, seed: seed(), and draw from a generator made with it; or declare cache: false.

      MLP6105  rate is captured by fit from the function around it: its value comes from process.env.RATE (steps.ts:32) and is not part of the key.

        steps.ts:26:38
          24 |     outputs: { model: model("json") },
          25 |     async run({ text }, out) {
        > 26 |       const weight = Math.random() * rate * base;
             |                                      ^
          27 |       writeFileSync("report.txt", stamp());
          28 |       await out.model.write(JSON.stringify({ weight, text: await text.text() }));

        → Make rate an input port, and give it in the pipeline.

      MLP6108  report.txt is written by fit, and not through a port: it is not kept, and a cached step does not write it again.

        steps.ts:27:7
          25 |     async run({ text }, out) {
          26 |       const weight = Math.random() * rate * base;
        > 27 |       writeFileSync("report.txt", stamp());
             |       ^
          28 |       await out.model.write(JSON.stringify({ weight, text: await text.text() }));
          29 |     },

        → Declare an output port and write through it: out.NAME.write(…), or to the path out.NAME.path.

      MLP6109  git, started with child_process.execFileSync(), is reached by score: what the program is and reads is not part of the key.

        steps.ts:38:21
          36 |   outputs: { metrics: metrics({ mae: "min" }), id: z.string() },
          37 |   run() {
        > 38 |     const version = execFileSync("git", ["describe"], { encoding: "utf8" });
             |                     ^
          39 |     return { metrics: { mae: remembered() }, id: version + newId() + stamp() };
          40 |   },

        → Make it a step with a command: cmd\`…\`. Its program and what that loads are then part of the key.

      12 errors, 1 warning
      "
    `);
    expect(exit).toBe(2);
  });

  it("says the same as JSON", async () => {
    using project = new Project(careless);
    const { exit, stdout, stderr } = await project.mlpipe("check", "--json");
    expect(stderr).toBe("");
    expect(exit).toBe(2);
    const document: unknown = JSON.parse(stdout);
    expect(document).toMatchObject({ schemaVersion: 1, pipeline: "careless" });
    expect(document).toHaveProperty("findings.1", {
      code: "MLP6102",
      severity: "error",
      message:
        "new Date() is reached by load, fit and score: the result depends on when it was made, and the key does not.",
      hint: expect.stringContaining("Make the date a param"),
      at: { file: "lib/ambient.ts", line: 8, column: 14 },
      steps: ["load", "fit", "score"],
    });
  });

  it("executes nothing of the steps", async () => {
    using project = new Project(careless);
    project.edit("steps.ts", "const weight", 'writeFileSync("ran.txt", ""); const weight');
    await project.mlpipe("check");
    expect(existsSync(join(project.root, "ran.txt"))).toBe(false);
    expect((await project.mlpipe("runs")).stdout).toBe("Nothing has run here yet.\n");
  });

  it("warnings alone are no failure", async () => {
    using project = new Project(smallPipeline);
    project.edit("steps/fit.ts", "seed: seed()", "seed: z.int()");
    const { exit, stdout } = await project.mlpipe("check");
    expect(stdout).toMatchInlineSnapshot(`
      "MLP6111  Warning: The training "fit" has no seed() port, so nobody can tell whether it can be repeated.

        steps/fit.ts:4:20
          2 | import { z } from "zod";
          3 | import { Point } from "../rows.ts";
        > 4 | export const fit = train("fit", {
            |                    ^
          5 |   inputs: { points: csv(Point), shrink: z.number(), seed: z.int() },
          6 |   outputs: { model: model("json") },

        → Take a seed through a port: seed: seed().

      1 warning
      "
    `);
    expect(exit).toBe(0);
  });

  it("prints nothing where there is nothing to say", async () => {
    using project = new Project(smallPipeline);
    expect(await project.mlpipe("check")).toMatchObject({ exit: 0, stdout: "", stderr: "" });
    expect(JSON.parse((await project.mlpipe("check", "--json")).stdout)).toEqual({
      schemaVersion: 1,
      pipeline: "line",
      findings: [],
    });
  });

  it("has nothing to say of the example", async () => {
    const weather = join(import.meta.dirname, "../../examples/weather");
    const child = spawn(process.execPath, [mlpipe, "-C", weather, "check"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    expect(await finished(child)).toMatchObject({ exit: 0, stdout: "", stderr: "" });
  });
});

describe("a deploy", () => {
  it("may look at the clock, ask the network and write its target, and no more", async () => {
    using project = new Project(smallPipeline);
    project.edit(
      "steps/publish.ts",
      "await mkdir(target",
      `await fetch(\`https://example.com/\${Date.now()}\`).catch(() => {});
    await writeFile("deployed/when.txt", new Date().toISOString());
    await writeFile("published.txt", String(Math.random()));
    await mkdir(target`,
    );
    const { exit, stdout } = await project.mlpipe("check");
    expect(stdout).toMatchInlineSnapshot(`
      "MLP6108  published.txt is written by publish and lies outside of the target: nobody looks whether it is still there.

        steps/publish.ts:9:11
           7 |     await fetch(\`https://example.com/\${Date.now()}\`).catch(() => {});
           8 |     await writeFile("deployed/when.txt", new Date().toISOString());
        >  9 |     await writeFile("published.txt", String(Math.random()));
             |           ^
          10 |     await mkdir(target, { recursive: true });
          11 |     await writeFile(\`\${target}/model.json.new\`, await model.text());

        → A deploy writes its target and nothing else: write below deployed.

      1 error
      "
    `);
    expect(exit).toBe(2);
  });
});

describe("a gate", () => {
  it("is checked like any other step", async () => {
    using project = new Project(smallPipeline);
    project.edit(
      "steps/gate.ts",
      "metrics.mae <= limit",
      "metrics.mae <= Number(process.env.LIMIT ?? limit)",
    );
    const { exit, stdout } = await project.mlpipe("check");
    expect(stdout).toMatchInlineSnapshot(`
      "MLP6101  process.env.LIMIT is read by good-enough and not declared: there it is always undefined.

        steps/gate.ts:6:56
          4 |   inputs: { model: model("json"), metrics: metrics({ mae: "min" }), limit: z.number() },
          5 |   pass: "model",
        > 6 |   check: ({ metrics, limit }) => metrics.mae <= Number(process.env.LIMIT ?? limit) || \`mae \${metrics.mae} is above \${limit}\`,
            |                                                        ^
          7 | });

        → Declare it: env: ["LIMIT"], or env: [secret("LIMIT")] if its value must not be recorded.

      1 error
      "
    `);
    expect(exit).toBe(2);
  });
});

describe("a pipeline that does not hold", () => {
  it("is an error of its own, as for every command", async () => {
    using project = new Project(smallPipeline);
    const { exit, stderr } = await project.mlpipe("check", "other");
    expect(exit).toBe(2);
    expect(stderr).toContain("MLP6003");
  });
});
