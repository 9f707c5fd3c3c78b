/** The example of a fan-out, as its README tells it, on the real data, through the real command line. */
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Project } from "../e2e/project.ts";

const example = join(import.meta.dirname, "../../examples/industries");
const data = "node_modules/vega-datasets/data/unemployment-across-industries.json";
let project: Project;
beforeAll(() => {
  project = new Project({});
  cpSync(example, project.root, {
    recursive: true,
    filter: (path) => !/\/(?:node_modules|\.mlpipe|artifacts)$/.test(path),
  });
  // A copy, to be changed.
  mkdirSync(dirname(join(project.root, data)), { recursive: true });
  cpSync(join(example, data), join(project.root, data));
});
afterAll(() => {
  project[Symbol.dispose]();
});

type Months = readonly { readonly series: string; readonly month: number; readonly rate: number }[];
const months = (): Months => JSON.parse(project.read(data)) as Months;

it("is one node before the first run, and trains a model for each industry", async () => {
  const { stdout } = await project.mlpipe("plan");
  expect(stdout).toContain("each(industries.list)  waits  waits for the list from industries");
  const { status, steps } = await project.run();
  expect([status, steps.length]).toEqual(["succeeded", 44]);
  const better = steps.find(({ id }) => id === "compare")?.metrics;
  // The README shows these figures.
  expect(readFileSync(join(example, "README.md"), "utf8")).toContain(
    `**${better?.["better"]} of ${better?.["of"]}**`,
  );
  expect((await project.mlpipe("plan")).stdout).toContain("44 steps: 0 to run, 44 cached");
}, 60_000);

it("an industry more trains one model, one less none", async () => {
  const before = months();
  const finance = before.filter(({ series }) => series === "Finance");
  project.write({
    [data]: JSON.stringify([
      ...before,
      ...finance.map((row) => ({ ...row, series: "Fishing", rate: row.rate + row.month / 10 })),
    ]),
  });
  const more = await project.statuses();
  expect(more["ran"]?.filter((id) => !id.startsWith("extract["))).toEqual([
    "industries",
    "fit[fishing]",
    "score[fishing]",
    "compare",
  ]);

  project.write({ [data]: JSON.stringify(before.filter(({ series }) => series !== "Finance")) });
  const less = await project.statuses();
  expect(less["ran"]?.filter((id) => !id.startsWith("extract["))).toEqual(["industries", "compare"]);
  expect(less["cached"]).not.toContain("fit[finance]");
}, 60_000);
