/** What mlpipe says when something is not as its user thinks: that it is true, and names what to do. */
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";
import { sweepPipeline } from "./sweep-pipeline.ts";

const measured = (content: string): Readonly<Record<string, string>> => ({
  "measure.py": `import sys
open(sys.argv[1], "w").write(${JSON.stringify(content)})
`,
  "steps.ts": `import { cmd, evaluate, metrics } from "mlpipe";
export const measure = evaluate("measure", {
  outputs: { metrics: metrics({ loss: "min" }) },
  command: (_i, o) => cmd\`python3 measure.py \${o.metrics}\`,
});
`,
  "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { measure } from "./steps.ts";
export default pipeline("a", () => measure({}));
`,
});

const started = (program: string): Readonly<Record<string, string>> => ({
  "steps.ts": `import { cmd, data, file } from "mlpipe";
export const go = data("go", {
  outputs: { out: file("txt") },
  command: (_i, o) => cmd\`${program} \${o.out}\`,
});
`,
  "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { go } from "./steps.ts";
export default pipeline("a", () => go({}));
`,
});

describe("a step", () => {
  it.each(["NaN", "Infinity", "-Infinity"])("whose training diverged: Python writes %s", async (number) => {
    using project = new Project(measured(`{"loss": ${number}}`));
    const { exit, stderr } = await project.mlpipe("run");
    const { stdout } = await project.mlpipe("run");
    expect([exit, stderr]).toEqual([
      1,
      expect.stringContaining(`(metrics(loss)): it holds ${number}, which JSON has no number for.`),
    ]);
    expect(stdout).toContain("json.dump(…, allow_nan=False)");
    expect(stdout).not.toContain("must write .mlpipe");
  });

  it("that writes what is no JSON is told what it should be, and not where to write", async () => {
    using project = new Project(measured("loss: NaN"));
    const { exit, stdout } = await project.mlpipe("run");
    expect([exit, stdout]).toEqual([1, expect.stringContaining("it is not JSON: ")]);
    expect(stdout).toContain("must be JSON: 0.5");
  });

  it.each(["[1, 1e999]", '["\\ud800"]', `${"[".repeat(1_100)}${"]".repeat(1_100)}`])(
    "whose value JSON reads and cannot hold fails, and no other step: %s",
    async (content) => {
      using project = new Project({
        "value.json": content,
        "steps.ts": `import { cmd, data } from "mlpipe";
import { z } from "zod";
export const list = data("list", {
  outputs: { values: z.array(z.any()) },
  files: ["value.json"],
  command: (_i, o) => cmd\`cp value.json \${o.values}\`,
});
export const other = data("other", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });
`,
        "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { list, other } from "./steps.ts";
export default pipeline("a", () => ({ ...list({}), ...other({}) }));
`,
      });
      const { exit, steps } = await project.run("--keep-going");
      expect([exit, steps.map(({ status }) => status)]).toEqual([1, ["failed", "ran"]]);
      expect(steps[0]?.error).toMatchObject({
        code: "MLP3006",
        message: expect.stringContaining(
          "is not what was promised: expected a value that JSON can hold, got ",
        ),
      });
    },
  );

  it("that writes metrics which it does not declare", async () => {
    using project = new Project({
      "metrics.json": JSON.stringify({ mae: 1, "top-5": 2, r2: 3 }),
      "steps.ts": `import { cmd, evaluate, metrics } from "mlpipe";
export const score = evaluate("score", {
  outputs: { metrics: metrics({ mae: "min" }) },
  files: ["metrics.json"],
  command: (_i, o) => cmd\`cp metrics.json \${o.metrics}\`,
});
`,
      "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { score } from "./steps.ts";
export default pipeline("a", () => score({}));
`,
    });
    const { exit, stdout } = await project.mlpipe("run");
    expect([exit, stdout]).toEqual([
      1,
      expect.stringContaining("it has the metrics top-5, r2, and does not"),
    ]);
    expect(stdout).toContain(
      '→ Declare each with what is better, "min" or "max": metrics({ …, "top-5": "max" }).',
    );
  });

  it("whose Python environment was deleted", async () => {
    using project = new Project(started(".venv/bin/python"));
    const { exit, stdout } = await project.mlpipe("run");
    expect([exit, stdout]).toEqual([
      1,
      expect.stringContaining('"go" starts ".venv/bin/python", and there is'),
    ]);
    expect(stdout).toContain("python3 -m venv");
    expect(stdout).not.toContain("on PATH");
  });

  it("that starts a script whose interpreter is not there", async () => {
    using project = new Project({ ...started("./go.sh"), "go.sh": "#!/bin/sh\r\necho x > $1\r\n" });
    chmodSync(join(project.root, "go.sh"), 0o755);
    const { exit, stdout } = await project.mlpipe("run");
    expect([exit, stdout]).toEqual([1, expect.stringContaining("MLP3002")]);
    expect(stdout).toContain("the interpreter that its first line names is not there");
  });
});

describe("a pipeline", () => {
  const workspace: Readonly<Record<string, string>> = {
    "packages/line/package.json": '{"name":"line","type":"module"}',
    ...Object.fromEntries(
      Object.entries(smallPipeline).map(([path, text]) => [`packages/line/${path}`, text]),
    ),
  };

  it("in a package of a workspace, asked for at its root", async () => {
    using project = new Project(workspace);
    const any = await project.mlpipe("plan");
    expect([any.exit, any.stderr]).toEqual([
      2,
      expect.stringMatching(/but in projects of their own: packages\/line\.[^]*mlpipe -C packages\/line run/),
    ]);
    const named = await project.mlpipe("run", "line");
    expect([named.exit, named.stderr]).toEqual([
      2,
      expect.stringContaining("It is in packages/line, a project of its own"),
    ]);
    expect((await project.mlpipe("-C", "packages/line", "run", "line")).exit).toBe(0);
  });

  it("that nobody named is asked for in a way that the command takes", async () => {
    using project = new Project({
      ...smallPipeline,
      "other.pipeline.ts": readFileSync(join(import.meta.dirname, "project.ts"), "utf8"),
    });
    const { exit, stderr } = await project.mlpipe("why", "fit");
    expect([exit, stderr]).toEqual([2, expect.stringContaining("mlpipe why STEP -p line")]);
  });

  it("that only mlpipe.config.ts names", async () => {
    using project = new Project({
      ...smallPipeline,
      "mlpipe.config.ts": 'export default { pipeline: "weather" };',
    });
    const { exit, stderr } = await project.mlpipe("plan");
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining('There is no pipeline "weather", which mlpipe.config.ts names.'),
    ]);
  });

  it("that imports what a module does not export, or a type as if it were a value", async () => {
    using project = new Project({ ...smallPipeline, "types.ts": "export type Row = { a: number };\n" });
    project.write({
      "line.pipeline.ts": `import { Row } from "./types.ts";\n${project.read("line.pipeline.ts")}`,
    });
    const { exit, stderr } = await project.mlpipe("plan");
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining("it imports Row from ./types.ts, which does not export it."),
    ]);
    expect(stderr).toContain('import type { Row } from "./types.ts"');
  });

  it("that is exported by name alone", async () => {
    using project = new Project(smallPipeline);
    project.edit("line.pipeline.ts", "export default", "export const line =");
    const { exit, stderr } = await project.mlpipe("plan");
    expect([exit, stderr]).toEqual([
      2,
      expect.stringMatching(/MLP6005 {2}line\.pipeline\.ts has no default export\.[^]*export default line/),
    ]);
  });
});

describe("children of an each", () => {
  it("are each explained, and fetched one by one", async () => {
    using project = new Project(sweepPipeline);
    await project.run();
    const why = await project.mlpipe("why", "fit");
    expect(why.stdout.match(/^fit\[.*$/gm)).toEqual(
      ["0.1", "0.2", "0.3"].map((lr) => `fit[lr=${lr}] is cached`),
    );
    const json = await project.mlpipe("why", "fit", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ step: "fit[lr=0.1]", decision: "cached" });
    expect(json.stderr).toContain("fit means 3 steps, and this is the first of them.");
    const get = await project.mlpipe("get", "fit.model", "-o", "model.json");
    expect([get.exit, get.stderr]).toEqual([
      2,
      expect.stringContaining("mlpipe get 'fit[lr=0.1].model' -o PATH"),
    ]);
  });
});

describe("runs", () => {
  it("of a pipeline that has none: not that there are no runs", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const { exit, stdout, stderr } = await project.mlpipe("runs", "-p", "lime");
    expect([exit, stdout]).toEqual([0, "No run is like that.\n"]);
    expect(stderr).toContain('No run is of a pipeline "lime"; there are runs of line.');
  });

  it("that have a status as no run has", async () => {
    using project = new Project(smallPipeline);
    expect((await project.mlpipe("runs", "--status", "running")).exit).toBe(0);
    const { exit, stderr } = await project.mlpipe("runs", "--status", "fail");
    expect([exit, stderr]).toEqual([2, expect.stringContaining("Did you mean failed?")]);
    expect((await project.mlpipe("runs", "--status", "done")).stderr).toContain(
      "There are running, succeeded, failed",
    );
  });
});

describe("where there is nothing to show, that is said", () => {
  it("of logs: by whom a step was executed, that a run executed none, that none said anything", async () => {
    using project = new Project(smallPipeline);
    const { run } = await project.run();
    expect((await project.mlpipe("logs", "last", "publish")).stderr).toBe("Nothing was said.\n");
    const second = await project.run();
    const all = await project.mlpipe("logs");
    expect([all.exit, all.stdout, all.stderr]).toEqual([
      0,
      "",
      expect.stringContaining(`The run ${second.run.slice(0, 18)} executed no step`),
    ]);
    const one = await project.mlpipe("logs", "last", "fit");
    expect([one.exit, one.stderr]).toEqual([
      2,
      expect.stringContaining(`executed it: mlpipe logs ${run.slice(0, 18)} fit`),
    ]);
    expect((await project.mlpipe("logs", run.slice(0, 18), "fit")).exit).toBe(0);
  });

  it.each(["runs", "logs", "verify", "gc", "reproduce last", "trace x"])(
    "of %s, and no store is made",
    async (command) => {
      using project = new Project({});
      const { stdout, stderr } = await project.mlpipe(...command.split(" "));
      expect(stdout + stderr).not.toBe("");
      expect(existsSync(join(project.root, ".mlpipe"))).toBe(false);
    },
  );
});

describe("init", () => {
  it("shows commands that can be copied, and says what the compiler wants", async () => {
    using project = new Project({});
    const inside = await project.mlpipe("init", "it's mine");
    expect(inside.stdout).toContain("cd 'it'\\''s mine' && ");
    const { exit, stdout } = await project.mlpipe("init");
    expect([exit, stdout]).toEqual([
      0,
      expect.stringMatching(/Next: {2}npx mlpipe run\nFor the compiler.*npm i -D typescript @types\/node\n/),
    ]);
  });
});

describe("a pipeline's module", () => {
  it.each([
    ["awaits what never comes", "await new Promise(() => {});", "awaits what never comes"],
    ["ends the process", "process.exit(0);", "called process.exit(0)"],
  ])("that %s", async (_, text, said) => {
    using project = new Project({
      "a.pipeline.ts": `import { pipeline } from "mlpipe";\n${text}\nexport default pipeline("a", () => ({}));\n`,
    });
    const { exit, stdout, stderr } = await project.mlpipe("plan", "--json");
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining("MLP6004  The process ended before mlpipe was done."),
    ]);
    expect(stderr).toContain(said);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "MLP6004" } });
  });

  it.each([
    ["./list.ts", 'Write "./list.js".'],
    ["./list.cjs", 'Write "./list.cts".'],
    ["./table", 'Write "./table.json".'],
    ["./nowhere.ts", "Was it moved or renamed?"],
    ["@/steps.ts", "Node knows no paths of tsconfig.json."],
    ["~/steps.ts", "Node knows no paths of tsconfig.json."],
    ["#steps", "Node knows no paths of tsconfig.json."],
    ["app/steps.ts", "Node knows no paths of tsconfig.json."],
    ["apparel", "npm install apparel\n"],
    ["@acme/rows/csv", "npm install @acme/rows\n"],
    ["JSONStream", "npm install JSONStream\n"],
  ])("that imports %s, which is not there", async (specifier, hint) => {
    using project = new Project({
      ...smallPipeline,
      "list.js": "",
      "list.cts": "",
      "table.json": "{}",
      "tsconfig.json":
        '{ "compilerOptions": { /* ours */ "paths": { "app/*": ["./*"], "*": ["./types/*"] } } }',
    });
    project.write({ "line.pipeline.ts": `import "${specifier}";\n${project.read("line.pipeline.ts")}` });
    const { exit, stderr } = await project.mlpipe("plan");
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining(`it imports ${specifier}, which is not there.`),
    ]);
    expect(stderr).toContain(hint);
  });

  it("that throws when nobody awaits it any more is told by Node alone", async () => {
    using project = new Project({
      "a.pipeline.ts": `import { pipeline } from "mlpipe";
setTimeout(() => { throw new Error("late"); });
await new Promise((resolve) => setTimeout(resolve, 1_000));
export default pipeline("a", () => ({}));
`,
    });
    const { exit, stderr } = await project.mlpipe("plan");
    expect([exit, stderr]).toEqual([1, expect.stringContaining("Error: late")]);
    expect(stderr).not.toContain("MLP6004");
  });
});

it("packages in Yarn's archives are named as what steps cannot load, before anything is tried", async () => {
  // What Yarn has every Node of a project load, and what it says there.
  using project = new Project({ ".pnp.cjs": 'process.versions.pnp = "3";\n' });
  const env = { NODE_OPTIONS: `--require=${join(project.root, ".pnp.cjs")}` };
  const { exit, stderr } = await finished(project.start(["run"], env));
  expect([exit, stderr]).toEqual([4, expect.stringContaining("MLP6013")]);
  expect(stderr).toContain("nodeLinker: node-modules");
});
