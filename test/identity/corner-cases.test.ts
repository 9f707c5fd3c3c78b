/** What the tables and the random sequences do not reach, through the real command line. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "@mlpipe/store";
import { afterEach, expect, it } from "vitest";
import { Project } from "../e2e/project.ts";

let project: Project;
afterEach(() => {
  project[Symbol.dispose]();
});

const readsFolder = {
  "steps.ts": `import { data, dir } from "mlpipe";
import { readFileSync } from "node:fs";
import { z } from "zod";
export const read = data("read", {
  inputs: { folder: dir() },
  outputs: { text: z.string() },
  run: ({ folder }) => ({ text: readFileSync(folder.path + "/latest.txt", "utf8") }),
});
`,
  "one.pipeline.ts": `import { dir, pipeline, source } from "mlpipe";
import { read } from "./steps.ts";
export default pipeline("one", () => ({ text: read({ folder: source("data", dir()) }).text }));
`,
};

it("a folder's link that leads to another of its files", async () => {
  project = new Project({ ...readsFolder, "data/one.txt": "first" });
  symlinkSync("one.txt", join(project.root, "data/latest.txt"));
  expect(await project.statuses()).toEqual({ ran: ["read"] });
  project.write({ "data/one.txt": "other" });
  expect(await project.statuses()).toEqual({ ran: ["read"] });
});

// The digest of a folder holds where its links lead, and not what is there: such a step is not cached.
it("a folder's link that leads out of it, to a file that changed", async () => {
  project = new Project({ ...readsFolder, "elsewhere/one.txt": "first" });
  mkdirSync(join(project.root, "data"));
  symlinkSync("../elsewhere/one.txt", join(project.root, "data/latest.txt"));
  expect(await project.statuses()).toEqual({ ran: ["read"] });
  project.write({ "elsewhere/one.txt": "other" });
  expect(await project.statuses()).toEqual({ ran: ["read"] });
});

it("a file that was absent, and is there with whatever content", async () => {
  project = new Project({
    "steps.ts": `import { data, json, optional } from "mlpipe";
import { z } from "zod";
export const look = data("look", {
  inputs: { before: optional(json(z.unknown())) },
  outputs: { found: z.boolean() },
  run: ({ before }) => ({ found: before !== undefined }),
});
`,
    "one.pipeline.ts": `import { json, pipeline, source } from "mlpipe";
import { z } from "zod";
import { look } from "./steps.ts";
export default pipeline("one", () => look({ before: source("before.json", json(z.unknown())) }));
`,
  });
  expect(await project.statuses()).toEqual({ ran: ["look"] });
  expect(await project.statuses()).toEqual({ cached: ["look"] });
  project.write({ "before.json": '{"absent":true}' });
  expect(await project.statuses()).toEqual({ ran: ["look"] });
});

it("an object written in another order, which the step does not see", async () => {
  project = new Project({
    "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const list = data("list", {
  inputs: { weights: z.record(z.string(), z.number()) },
  outputs: { names: z.string() },
  run: ({ weights }) => ({ names: Object.keys(weights).join(" ") }),
});
`,
    "one.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { list } from "./steps.ts";
const Params = z.object({ weights: z.record(z.string(), z.number()) });
export default pipeline("one", Params, ({ weights }) => list({ weights }));
`,
  });
  for (const weights of ['{"b":1,"a":2}', '{"a":2,"b":1}', '{"b":1,"a":2}']) {
    const { steps } = await project.run("-s", `weights=${weights}`, "--force");
    expect(steps[0]?.outputs["names"]?.digest).toBe(digestOf('"a b"'));
  }
});

it("why compares with what the last run used, and not with what was executed last", async () => {
  project = new Project({
    "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const double = data("double", {
  inputs: { n: z.number() },
  outputs: { n: z.number() },
  run: ({ n }) => ({ n: n * 2 }),
});
`,
    "one.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { double } from "./steps.ts";
export default pipeline("one", z.object({ n: z.number() }), ({ n }) => double({ n }));
`,
  });
  for (const n of [1, 2, 1]) await project.run("-s", `n=${n}`);
  const { steps } = await project.run("-s", "n=3");
  expect(steps[0]?.reasons.map(({ message }) => message)).toEqual(["input n 1 → 3 (params.n)"]);
});

it("two steps that are made of the same, side by side: one is executed", async () => {
  project = new Project({
    "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const wait = data("wait", {
  inputs: { n: z.number() },
  outputs: { n: z.number() },
  run: ({ n }) => new Promise((done) => setTimeout(() => done({ n }), 500)),
});
`,
    "one.pipeline.ts": `import { pipeline } from "mlpipe";
import { wait } from "./steps.ts";
export default pipeline("one", () => ({ a: wait.as("a")({ n: 1 }).n, b: wait.as("b")({ n: 1 }).n }));
`,
  });
  const { steps } = await project.run("--jobs", "2");
  expect(steps.map(({ status }) => status).toSorted()).toEqual(["cached", "ran"]);
});
