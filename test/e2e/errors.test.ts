/**
 * What a user reads when something is wrong: a stable code, the file and line, what to do, the
 * right exit code; and nothing of it is ever cached.
 */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { type Finished, mlpipe, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

/** A pipeline of one step, and the rest of its file. */
const onePipeline = (step: string, body: string, extra = ""): Readonly<Record<string, string>> => ({
  "steps.ts": `import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";\nimport { z } from "zod";\n${step}`,
  "one.pipeline.ts": `import { csv, file, pipeline, source } from "mlpipe";
import { z } from "zod";
import * as steps from "./steps.ts";
export default pipeline("one", z.object({ count: z.int().max(9).default(1) }), (p) => {
  ${body}
});
${extra}`,
});

/** What was printed, without what differs from run to run. */
function message(project: Project, { stdout, stderr }: Finished): string {
  return `${stdout}${stderr}`
    .replaceAll(project.root, "<root>")
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<id>")
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}\b/g, "<id>")
    .replaceAll(/\b\d+(?:\.\d+)? ?(?:ms|s)\b/g, "<time>")
    .replaceAll(/[ \t]+$/gm, "");
}

async function said(
  files: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<{ exit: number | null; text: string }> {
  using project = new Project(files);
  const finished = await project.mlpipe("run", ...args);
  // Whatever failed is not cached: the same again fails the same way.
  const again = await project.mlpipe("run", ...args);
  expect(message(project, again).replaceAll(/ +did not succeed last time.*| +never ran before/g, "")).toBe(
    message(project, finished).replaceAll(/ +did not succeed last time.*| +never ran before/g, ""),
  );
  return { exit: finished.exit, text: message(project, finished) };
}

describe("a step that fails", () => {
  it("a command that exits with 3", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", {
  outputs: { text: file("txt") },
  command: (_i, o) => cmd\`python3 -c \${"import sys; print('reading'); sys.exit('no such table')"} \${o.text}\`,
});`,
        "return steps.load({});",
      ),
    );
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "
      one failed in <time>  1 step: 1 failed  run <id>

        ✗ load  failed  <time>  "load" failed with exit code 1.

      MLP3001  "load" failed with exit code 1.

        steps.ts:3:21
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | export const load = data("load", {
            |                     ^
          4 |   outputs: { text: file("txt") },
          5 |   command: (_i, o) => cmd\`python3 -c \${"import sys; print('reading'); sys.exit('no such table')"} \${o.text}\`,

        The last it said:
        | reading
        | no such table

        → mlpipe logs <id> load shows everything it said.
      ▸ load  started  never ran before
        load  | reading
        load  | no such table
      ✗ load  failed  "load" failed with exit code 1.
      "
    `);
  });

  it("a program that may not be executed", async () => {
    const { exit, text } = await said({
      ...onePipeline(
        `export const load = data("load", { outputs: { text: file("txt") }, command: (_i, o) => cmd\`./tool \${o.text}\` });`,
        "return steps.load({});",
      ),
      tool: "#!/bin/sh\n",
    });
    expect(exit).toBe(1);
    expect(text).toMatch(/^MLP3002 {2}"load" could not start .*: spawn .*tool EACCES\.$/m);
    expect(text).toContain("→ It may not be executed (chmod +x)");
  });

  it("a program that does not exist", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", { outputs: { text: file("txt") }, command: (_i, o) => cmd\`no-such-tool \${o.text}\` });`,
        "return steps.load({});",
      ),
    );
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "
      one failed in <time>  1 step: 1 failed  run <id>

        ✗ load  failed  <time>  "load" starts "no-such-tool", and there is no such program.

      MLP3002  "load" starts "no-such-tool", and there is no such program.

        steps.ts:3:21
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | export const load = data("load", { outputs: { text: file("txt") }, command: (_i, o) => cmd\`no-such-tool \${o.text}\` });
            |                     ^

        → Is it installed, and on PATH? A program of the project needs its path: ./tool.
      ▸ load  started  not cached: command not found: no-such-tool
      ✗ load  failed  "load" starts "no-such-tool", and there is no such program.
      "
    `);
  });

  it("a thrown error", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", {
  outputs: { text: file("txt") },
  async run() {
    await Promise.resolve();
    throw new TypeError("the table is empty");
  },
});`,
        "return steps.load({});",
      ),
    );
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "
      one failed in <time>  1 step: 1 failed  run <id>

        ✗ load  failed  <time>  TypeError: the table is empty

      MLP3010  load: TypeError: the table is empty

        steps.ts:7:11
          5 |   async run() {
          6 |     await Promise.resolve();
        > 7 |     throw new TypeError("the table is empty");
            |           ^
          8 |   },
          9 | });

        → Nothing of the step was kept. Fix it and run again: what succeeded before it is not run again.
      ▸ load  started  never ran before
      ✗ load  failed  TypeError: the table is empty
      "
    `);
  });

  it("a missing output", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", {
  outputs: { text: file("txt") },
  async run() {},
});`,
        "return steps.load({});",
      ),
    );
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "
      one failed in <time>  1 step: 1 failed  run <id>

        ✗ load  failed  <time>  "load" did not make its output text (file("txt")): nothing is there.

      MLP3005  "load" did not make its output text (file("txt")): nothing is there.

        steps.ts:3:21
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | export const load = data("load", {
            |                     ^
          4 |   outputs: { text: file("txt") },
          5 |   async run() {},

        → Write it through out.text.
      ▸ load  started  never ran before
      ✗ load  failed  "load" did not make its output text (file("txt")): nothing is there.
      "
    `);
  });

  it("a bad row", async () => {
    const { exit, text } = await said({
      ...onePipeline(
        `const Row = z.object({ day: z.iso.date(), rain: z.number() });
export const load = data("load", {
  inputs: { days: csv(Row) },
  outputs: { rows: z.int() },
  async run({ days }) {
    return { rows: (await days.all()).length };
  },
});
export const days = source("days.csv", csv(Row));`,
        "return steps.load({ days: steps.days });",
      ),
      "days.csv": "day,rain\n2026-01-01,0.5\n2026-01-02,wet\n",
    });
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "
      one failed in <time>  1 step: 1 failed  run <id>

        ✗ load  failed  <time>  Row 2 (line 3) of the input days (days.csv) does not fit its schema: rain is "wet": Invalid input: expected number, received string.

      MLP3021  load: Row 2 (line 3) of the input days (days.csv) does not fit its schema: rain is "wet": Invalid input: expected number, received string.

        days.csv:3:1
          1 | day,rain
          2 | 2026-01-01,0.5
        > 3 | 2026-01-02,wet
            | ^
        from steps.ts:8:21

        → Correct the file, or what made it, or say in the schema that such rows are right.
      ▸ load  started  never ran before
      ✗ load  failed  Row 2 (line 3) of the input days (days.csv) does not fit its schema: rain is "wet": Invalid input: expected number, received string.
      "
    `);
  });

  it("a metric that is no number", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const score = evaluate("score", {
  outputs: { metrics: metrics({ mae: "min" }) },
  run: () => ({ metrics: { mae: 0 / 0 } }),
});`,
        "return steps.score({});",
      ),
    );
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot(`
      "
      one failed in <time>  1 step: 1 failed  run <id>

        ✗ score  failed  <time>  The returned metrics has NaN as mae, and a metric is a finite number.

      MLP3025  score: The returned metrics has NaN as mae, and a metric is a finite number.

        steps.ts:3:22
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | export const score = evaluate("score", {
            |                      ^
          4 |   outputs: { metrics: metrics({ mae: "min" }) },
          5 |   run: () => ({ metrics: { mae: 0 / 0 } }),

        → Nothing of the step was kept. Fix it and run again: what succeeded before it is not run again.
      ▸ score  started  never ran before
      ✗ score  failed  The returned metrics has NaN as mae, and a metric is a finite number.
      "
    `);
  });
});

describe("a pipeline that cannot run", () => {
  const load = `export const load = data("load", { inputs: { count: z.int() }, outputs: { n: z.int() }, run: ({ count }) => ({ n: count }) });`;

  it("a bad param", async () => {
    const { exit, text } = await said(
      onePipeline(load, "return steps.load({ count: p.count });"),
      "-s",
      "count=12",
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP1009  The params of "one" do not fit: count: Too big: expected number to be <=9.

        one.pipeline.ts:4:16
          2 | import { z } from "zod";
          3 | import * as steps from "./steps.ts";
        > 4 | export default pipeline("one", z.object({ count: z.int().max(9).default(1) }), (p) => {
            |                ^
          5 |   return steps.load({ count: p.count });
          6 | });

        → Set a param with -s KEY=VALUE, or many with --params FILE.yaml.
      "
    `);
  });

  it("a misspelt param", async () => {
    const { exit, text } = await said(
      onePipeline(load, "return steps.load({ count: p.count });"),
      "-s",
      "cuont=2",
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6006  The pipeline "one" has no param cuont.

        one.pipeline.ts:4:16
          2 | import { z } from "zod";
          3 | import * as steps from "./steps.ts";
        > 4 | export default pipeline("one", z.object({ count: z.int().max(9).default(1) }), (p) => {
            |                ^
          5 |   return steps.load({ count: p.count });
          6 | });

        → Did you mean count?
      "
    `);
  });

  it("a missing source file", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", { inputs: { text: file("txt") }, outputs: { n: z.int() }, run: () => ({ n: 1 }) });`,
        `return steps.load({ text: source("notes.txt", file("txt")) });`,
      ),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP2001  The source notes.txt of load.text does not exist.

        one.pipeline.ts:5:29
          3 | import * as steps from "./steps.ts";
          4 | export default pipeline("one", z.object({ count: z.int().max(9).default(1) }), (p) => {
        > 5 |   return steps.load({ text: source("notes.txt", file("txt")) });
            |                             ^
          6 | });

        → Sources are relative to the project's root. Fetch the file, correct the path, or declare the port as optional(…).
      "
    `);
  });

  it("a step that is not exported", async () => {
    const { exit, text } = await said(
      onePipeline(
        `const load = data("load", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });
export const loaded = () => load({});`,
        "return steps.loaded();",
      ),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP1004  The step "load" is not exported by the module that defines it.

        steps.ts:3:14
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | const load = data("load", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });
            |              ^
          4 | export const loaded = () => load({});

        → Its process imports the module and looks for the step there: export const load = data(…).
      "
    `);
  });

  it("two steps with one id", async () => {
    const { exit, text } = await said(
      onePipeline(load, "steps.load({ count: 1 });\n  return steps.load({ count: 2 });"),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP1002  The step "load" is called twice in this pipeline.

        one.pipeline.ts:6:16
          4 | export default pipeline("one", z.object({ count: z.int().max(9).default(1) }), (p) => {
          5 |   steps.load({ count: 1 });
        > 6 |   return steps.load({ count: 2 });
            |                ^
          7 | });
        from one.pipeline.ts:5:9

        → Name the second call: .as("load-2")({ … }). Inside each, the item's key tells the calls apart.
      "
    `);
  });

  it("a step defined inside pipeline()", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const make = () => data("load", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });`,
        "return steps.make()({});",
      ),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP1003  The step "load" is defined inside pipeline().

        steps.ts:3:27
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | export const make = () => data("load", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });
            |                           ^

        → Move it to the top of a module and export it: export const load = ….
      "
    `);
  });

  it("a misspelt import", async () => {
    const { exit, text } = await said(
      onePipeline(`import "./helper";\n${load}`, "return steps.load({ count: 1 });"),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6004  one.pipeline.ts could not be loaded: it imports ./helper, which is not there.

        steps.ts:3:9
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | import "./helper";
            |         ^
          4 | export const load = data("load", { inputs: { count: z.int() }, outputs: { n: z.int() }, run: ({ count }) => ({ n: count }) });

        → Was it moved or renamed? A relative import starts at the module that has it.
      "
    `);
  });

  it("a package of the workspace that was not built", async () => {
    const { exit, text } = await said({
      ...onePipeline(`import { ratio } from "@acme/features";\n${load}`, "return steps.load({ count: 1 });"),
      "node_modules/@acme/features/package.json": `{"name":"@acme/features","type":"module","exports":"./dist/index.js"}`,
    });
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6004  one.pipeline.ts could not be loaded: it imports @acme/features, and dist/index.js of @acme/features is not there.

        steps.ts:3:24
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | import { ratio } from "@acme/features";
            |                        ^
          4 | export const load = data("load", { inputs: { count: z.int() }, outputs: { n: z.int() }, run: ({ count }) => ({ n: count }) });

        → Its package.json names that file: build the package first.
      "
    `);
  });

  it("a syntax that nothing compiles", async () => {
    const { exit, text } = await said(
      onePipeline(`import fs = require("node:fs");\nvoid fs;\n${load}`, "return steps.load({ count: 1 });"),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6004  one.pipeline.ts could not be loaded: TypeScript import equals declaration is not supported in strip-only mode.

        steps.ts:3:1
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | import fs = require("node:fs");
            | ^
          4 | void fs;
          5 | export const load = data("load", { inputs: { count: z.int() }, outputs: { n: z.int() }, run: ({ count }) => ({ n: count }) });

        → Enums, namespaces and parameter properties are compiled in ES modules alone (.ts or .mts, without require); write the rest as JavaScript has it.
      "
    `);
  });

  it("a variable that a schema refuses while the module is loaded", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const env = z.object({ NO_BUCKET: z.string(), NO_LIMIT: z.coerce.number() }).parse(process.env);\n${load}`,
        "return steps.load({ count: 1 });",
      ),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6004  one.pipeline.ts could not be loaded: ZodError: NO_BUCKET: Invalid input: expected string, received undefined; NO_LIMIT: Invalid input: expected number, received NaN.

        steps.ts:3:85
          1 | import { cmd, csv, data, file, metrics, evaluate, source } from "mlpipe";
          2 | import { z } from "zod";
        > 3 | export const env = z.object({ NO_BUCKET: z.string(), NO_LIMIT: z.coerce.number() }).parse(process.env);
            |                                                                                     ^
          4 | export const load = data("load", { inputs: { count: z.int() }, outputs: { n: z.int() }, run: ({ count }) => ({ n: count }) });

        → Modules of pipelines should define and export; what takes work belongs into a step.
      "
    `);
  });

  it("no pipeline at all", async () => {
    const { exit, text } = await said({});
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6001  There is no *.pipeline.ts below <root>.

        → Make a first one with mlpipe init, or go to the project's folder.
      "
    `);
  });

  it("a misspelt pipeline", async () => {
    const { exit, text } = await said(smallPipeline, "lime");
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP6003  There is no pipeline "lime".

        → Did you mean line?
      "
    `);
  });

  it("a misspelt step", async () => {
    const { exit, text } = await said(smallPipeline, "--only", "splt");
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot(`
      "MLP2003  The pipeline "line" has no step "splt".

        → Did you mean split?
      "
    `);
  });

  it("a misspelt command", async () => {
    using project = new Project(smallPipeline);
    const finished = await project.mlpipe("rnu");
    expect(finished.exit).toBe(2);
    expect(message(project, finished)).toMatchInlineSnapshot(`
      "MLP6010  Unknown command 'rnu'.

        → Did you mean run?
      "
    `);
  });

  it("a folder that was removed under the shell", () => {
    using project = new Project({});
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$1" status', process.execPath, mlpipe],
      { cwd: project.root, encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^MLP6010 {2}The folder that mlpipe was started in/),
    ]);
  });
});
