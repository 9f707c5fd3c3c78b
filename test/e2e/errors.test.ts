/**
 * What a user reads when something is wrong: a stable code, the file and line, what to do, the
 * right exit code; and nothing of it is ever cached.
 */
import { describe, expect, it } from "vitest";
import { type Finished, Project } from "./project.ts";
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
  expect(message(project, again).replaceAll(/did not succeed last time.*|never ran before/g, "")).toBe(
    message(project, finished).replaceAll(/did not succeed last time.*|never ran before/g, ""),
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
    expect(text).toMatchInlineSnapshot();
  });

  it("a program that does not exist", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", { outputs: { text: file("txt") }, command: (_i, o) => cmd\`no-such-tool \${o.text}\` });`,
        "return steps.load({});",
      ),
    );
    expect(exit).toBe(1);
    expect(text).toMatchInlineSnapshot();
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
    expect(text).toMatchInlineSnapshot();
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
    expect(text).toMatchInlineSnapshot();
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
    expect(text).toMatchInlineSnapshot();
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
    expect(text).toMatchInlineSnapshot();
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
    expect(text).toMatchInlineSnapshot();
  });

  it("a misspelt param", async () => {
    const { exit, text } = await said(
      onePipeline(load, "return steps.load({ count: p.count });"),
      "-s",
      "cuont=2",
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a missing source file", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const load = data("load", { inputs: { text: file("txt") }, outputs: { n: z.int() }, run: () => ({ n: 1 }) });`,
        `return steps.load({ text: source("notes.txt", file("txt")) });`,
      ),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
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
    expect(text).toMatchInlineSnapshot();
  });

  it("two steps with one id", async () => {
    const { exit, text } = await said(
      onePipeline(load, "steps.load({ count: 1 });\n  return steps.load({ count: 2 });"),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a step defined inside pipeline()", async () => {
    const { exit, text } = await said(
      onePipeline(
        `export const make = () => data("load", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });`,
        "return steps.make()({});",
      ),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a misspelt import", async () => {
    const { exit, text } = await said(
      onePipeline(`import "./helper";\n${load}`, "return steps.load({ count: 1 });"),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a syntax that type stripping refuses", async () => {
    const { exit, text } = await said(
      onePipeline(`enum Color { Red }\nvoid Color;\n${load}`, "return steps.load({ count: 1 });"),
    );
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("no pipeline at all", async () => {
    const { exit, text } = await said({});
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a misspelt pipeline", async () => {
    const { exit, text } = await said(smallPipeline, "lime");
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a misspelt step", async () => {
    const { exit, text } = await said(smallPipeline, "--only", "splt");
    expect(exit).toBe(2);
    expect(text).toMatchInlineSnapshot();
  });

  it("a misspelt command", async () => {
    using project = new Project(smallPipeline);
    const finished = await project.mlpipe("rnu");
    expect(finished.exit).toBe(2);
    expect(message(project, finished)).toMatchInlineSnapshot();
  });
});
