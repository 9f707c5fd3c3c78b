/**
 * What a start and a no-op run cost, counted and not timed, so that a slow or busy machine changes
 * nothing. A bound has some head room; who needs more says here why it is worth it.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";

const steps = 100;

/** As `count-calls.mjs` writes it: paths, addresses and programs, one for each call. */
interface Counts {
  readonly modules: readonly string[];
  readonly stats: readonly string[];
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly spawns: readonly string[];
  readonly workers: readonly string[];
  readonly queries: number;
  readonly rows: number;
}

let project: Project;

beforeAll(async () => {
  const sources = Array.from({ length: steps }, (_, i) => [`data/${i}.txt`, `source ${i}\n`]);
  project = new Project({
    ...Object.fromEntries(sources),
    "steps.ts": `import { cmd, data, file } from "mlpipe";
export const copy = data("copy", {
  inputs: { from: file("txt") },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`cp \${i.from} \${o.to}\`,
});
`,
    "fan.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
export default pipeline("fan", z.object({}), () => {
  for (let i = 0; i < ${steps}; i++) copy.as(\`copy-\${i}\`)({ from: source(\`data/\${i}.txt\`, file("txt")) });
  return {};
});
`,
  });
  await project.mlpipe("run");
  // What was written just before it was read is read once more.
  await project.mlpipe("run");
});
afterAll(() => {
  project[Symbol.dispose]();
});

async function counted(...args: readonly string[]): Promise<Counts> {
  const child = project.start(args, {
    NODE_OPTIONS: `--import=${join(import.meta.dirname, "count-calls.mjs")}`,
    COUNTS_FILE: join(project.root, "counts.json"),
  });
  const { exit, stderr } = await finished(child);
  expect(exit, stderr).toBe(0);
  return JSON.parse(project.read("counts.json")) as Counts;
}

/** Calls that name something in a folder of the project, relative to the project. */
function within(folder: string, calls: readonly string[]): readonly string[] {
  const start = join(project.root, folder);
  return calls.flatMap((call) => (call.startsWith(start) ? [call.slice(project.root.length + 1)] : []));
}

/** The most frequent calls: what a failure shows of what grew. */
function most(calls: readonly string[]): string {
  const kinds = Object.groupBy(calls, (call) => call.replaceAll(/\d+|[0-9a-f]{8,}/g, "…"));
  const lines = Object.entries(kinds).map(([kind, all = []]) => ({ kind, count: all.length }));
  const top = lines.sort((a, b) => b.count - a.count).slice(0, 15);
  return `the most frequent of ${calls.length}:\n${top.map(({ kind, count }) => `${count} × ${kind}`).join("\n")}`;
}

/** npm packages among modules. */
function packagesOf({ modules }: Counts): readonly string[] {
  const names = modules.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []);
  return [...new Set(names)].sort();
}

/** mlpipe's own packages among modules, which run from source here. */
function roomsOf({ modules }: Counts): readonly string[] {
  return [
    ...new Set(modules.flatMap((url) => /\/packages\/(\w+)\/(?:src|bin)\//.exec(url)?.[1] ?? [])),
  ].sort();
}

describe("a no-op run of 100 steps", () => {
  let counts: Counts;
  beforeAll(async () => {
    counts = await counted("run");
  });

  it("loads a bounded number of modules", () => {
    const own = counts.modules.filter((url) => url.includes("/packages/"));
    expect(own.length, most(own)).toBeLessThanOrEqual(185);
    expect(counts.modules.length, most(counts.modules)).toBeLessThanOrEqual(310);
  });

  it("loads those npm packages that deciding needs, and none for reports, tables or processes", () => {
    const needed = /^(?:zod|commander|fastest-levenshtein|@?oxc-(?:parser|resolver)(?:\/.*)?)$/;
    expect(packagesOf(counts).filter((name) => !needed.test(name))).toEqual([]);
  });

  it("opens no source", () => {
    expect(within("data/", counts.reads)).toEqual([]);
  });

  it("looks at each source three times at most, and at the store once a step", () => {
    const sources = within("data/", counts.stats);
    expect(sources.length, most(sources)).toBeLessThanOrEqual(3 * steps + 5);
    const store = [...within(".mlpipe", counts.stats), ...within(".mlpipe", counts.reads)];
    expect(store.length, most(store)).toBeLessThanOrEqual(steps + 25);
  });

  it("asks the database about once a step, and writes a handful of rows and files whatever the number of steps", () => {
    expect(counts.queries).toBeLessThanOrEqual(steps + 25);
    expect(counts.rows).toBeLessThanOrEqual(6);
    expect(counts.writes.length, most(counts.writes)).toBeLessThanOrEqual(12);
  });

  it("starts no process and no thread", () => {
    expect(counts.spawns).toEqual([]);
    expect(counts.workers).toEqual([]);
  });
});

describe("what is asked without a pipeline", () => {
  it("--version loads nothing beside its own file", async () => {
    const counts = await counted("--version");
    expect(packagesOf(counts)).toEqual([]);
    expect(counts.modules.filter((url) => url.startsWith("file:"))).toHaveLength(1);
  });

  it("--help loads the command line alone: no store, no planner, no zod", async () => {
    const counts = await counted("--help");
    expect(packagesOf(counts)).toEqual(["commander"]);
    expect(roomsOf(counts)).toEqual(["dsl", "mlpipe"]);
    expect(counts.modules.length, most(counts.modules)).toBeLessThanOrEqual(45);
  });
});
