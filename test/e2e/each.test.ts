/** `each` over a list that a step makes, through the real command line. */
import { chmodSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project, type RunJson } from "./project.ts";
import { sweepPipeline } from "./sweep-pipeline.ts";

interface Trial {
  readonly lr: number;
  readonly depth: number;
}

const trials = (...lrs: readonly number[]): readonly Trial[] => lrs.map((lr) => ({ lr, depth: 3 }));

function sweep(list: unknown, files: Readonly<Record<string, string>> = {}): Project {
  return new Project({ ...sweepPipeline, "trials.json": JSON.stringify(list), ...files });
}

/** The ids of the steps that were executed. */
async function ran(project: Project, ...args: readonly string[]): Promise<readonly string[]> {
  return ranIn(await project.run(...args));
}

function ranIn({ steps, status }: RunJson): readonly string[] {
  expect(status).toBe("succeeded");
  return steps.filter((step) => step.status === "ran").map(({ id }) => id);
}

function table(project: Project): string {
  return project.read("artifacts/sweep/table.txt");
}

describe("a large sweep is told in few lines", () => {
  it("of trials that fail for one reason: the reason once, with the names of some and the number of the others", async () => {
    using project = sweep(trials(...Array.from({ length: 20 }, (_, index) => index)));
    project.edit("fit.sh", "echo", 'test "$1" -lt 7 || { echo "loss is nan"; exit 1; }\necho');
    project.edit("fit.sh", "exit 1", 'test "$1" = 19 && exit 9; exit 1');
    const { exit, stdout } = await project.mlpipe("run", "--keep-going");
    expect(exit).toBe(1);
    expect(stdout.match(/^MLP3001 .*/gm)).toEqual([
      'MLP3001  "fit[lr=7]" failed with exit code 1.',
      'MLP3001  "fit[lr=19]" failed with exit code 9.',
    ]);
    expect(stdout.match(/loss is nan/g)).toHaveLength(2);
    expect(stdout).toContain("  Failed likewise: fit[lr=8], fit[lr=9], fit[lr=10] and 8 more.\n");
  });

  it("of reasons that are all different: some in full, and how many others there are", async () => {
    using project = sweep(trials(...Array.from({ length: 20 }, (_, index) => index)));
    project.edit("fit.sh", "echo", 'echo "no $1"; exit 1\necho');
    const { stdout } = await project.mlpipe("run", "--keep-going");
    expect(stdout.match(/^MLP3001 .*/gm)).toHaveLength(8);
    expect(stdout).toMatch(/… and 12 more that failed otherwise: mlpipe show \S+ lists them\n/);
  });

  it("of metrics: those of what joins the trials, and where the others are", async () => {
    using project = sweep(trials(...Array.from({ length: 50 }, (_, index) => index)));
    project.edit("steps.ts", "table: file", 'metrics: metrics({ least: "min" }), table: file');
    project.edit("steps.ts", "return { best:", "return { metrics: { least: 0.5 }, best:");
    const run = await project.mlpipe("run");
    expect(run.stdout).toMatch(
      /metrics\n {2}pick\.least {2}0\.5 {2}lower is better\n {2}… and 50 more: mlpipe runs --csv has them all\n/,
    );
    const runs = await project.mlpipe("runs");
    expect(runs.stdout).toMatch(/ {2}102 ran, 0 cached {2}pick\.least 0\.5 {2}… and 50 more\n$/);
    expect((await project.mlpipe("runs", "--csv")).stdout).toContain("metrics.score[lr=49].loss");
  });
});

describe("a sweep over a list that a step makes", () => {
  it("of 200: inserting, removing and changing an item runs exactly that item and what joins them", async () => {
    const all = Array.from({ length: 200 }, (_, index): Trial => ({ lr: index / 1000, depth: 3 }));
    using project = sweep(all);
    expect(await ran(project)).toHaveLength(1 + 200 * 2 + 1);
    expect(table(project).trim().split("\n")).toHaveLength(200);
    expect(await ran(project)).toEqual([]);

    const write = (list: readonly Trial[]): void => project.write({ "trials.json": JSON.stringify(list) });
    // In the middle of the list: the others keep their names and their results.
    const inserted = all.toSpliced(100, 0, { lr: 0.5, depth: 3 });
    write(inserted);
    expect(await ran(project)).toEqual(["grid", "fit[lr=0.5]", "score[lr=0.5]", "pick"]);
    expect(table(project)).toContain("lr=0.5 0.5\n");

    const removed = inserted.toSpliced(50, 1);
    write(removed);
    expect(await ran(project)).toEqual(["grid", "pick"]);
    expect(table(project)).not.toContain("lr=0.05 ");

    // The same key with another field: fit runs, and what it makes is the same again, so the wave stops there.
    write(removed.with(10, { lr: 0.01, depth: 4 }));
    expect(await ran(project)).toEqual(["grid", "fit[lr=0.01]"]);

    // Another order is another list, and the same children.
    write(removed.with(10, { lr: 0.01, depth: 4 }).toReversed());
    expect(await ran(project)).toEqual(["grid"]);
  }, 120_000);

  it("copies what the children made by key, and what an item made that is no more is not left beside them", async () => {
    using project = sweep(trials(0.1, 0.2, 0.3));
    project.edit("sweep.pipeline.ts", "scores: metrics }), model }", "scores: metrics }), model, metrics }");
    await project.run();
    const files = (name: string): readonly string[] =>
      readdirSync(join(project.root, "artifacts/sweep", name));
    expect(files("model")).toEqual(["lr=0.1.json", "lr=0.2.json", "lr=0.3.json"]);
    // What is not mlpipe's own stays: another file, and one that was edited.
    project.write({ "artifacts/sweep/model/notes.md": "mine", "artifacts/sweep/metrics/lr=0.1.json": "{}" });
    project.write({ "trials.json": JSON.stringify(trials(0.2)) });
    expect(await ran(project)).toEqual(["grid", "pick"]);
    expect(files("model")).toEqual(["lr=0.2.json", "notes.md"]);
    expect(files("metrics")).toEqual(["lr=0.1.json", "lr=0.2.json"]);
    project.write({ "trials.json": JSON.stringify([]) });
    await project.run();
    expect(files("model")).toEqual(["notes.md"]);
  });

  it("what the pipeline no longer returns is not left in artifacts/ either; what is somebody's own is", async () => {
    using project = sweep(trials(0.1, 0.2));
    const all = "return { ...pick({ scores: metrics }), model }";
    await project.run();
    const there = (): readonly string[] => readdirSync(join(project.root, "artifacts/sweep"));
    expect(there()).toEqual(["best.json", "model", "table.txt"]);
    // A copy of an output under a name of one's own has the same bytes as what is in the store.
    project.write({ "artifacts/sweep/keep.txt": table(project) });
    project.edit("sweep.pipeline.ts", all, "return { best: pick({ scores: metrics }).best }");
    expect(await ran(project)).toEqual([]);
    expect(there()).toEqual(["best.json", "keep.txt"]);

    // One that was edited, and a file that was put beside the items.
    project.edit("sweep.pipeline.ts", "return { best: pick({ scores: metrics }).best }", all);
    await project.run();
    project.write({ "artifacts/sweep/table.txt": "mine", "artifacts/sweep/model/notes.md": "mine" });
    project.edit("sweep.pipeline.ts", all, "pick({ scores: metrics });\n  return {}");
    await project.run();
    expect(there()).toEqual(["keep.txt", "model", "table.txt"]);
    expect(readdirSync(join(project.root, "artifacts/sweep/model"))).toEqual(["notes.md"]);
  });

  it("of none: what joins them is given an empty many", async () => {
    using project = sweep([]);
    expect(await ran(project)).toEqual(["grid", "pick"]);
    expect(table(project)).toBe("");
    expect(JSON.parse(project.read("artifacts/sweep/best.json"))).toBe("none");
    project.write({ "trials.json": JSON.stringify(trials(0.1)) });
    expect(await ran(project)).toEqual(["grid", "fit[lr=0.1]", "score[lr=0.1]", "pick"]);
  });

  it("two items with one key: said by name, and nothing of the fan-out is started", async () => {
    using project = sweep(trials(0.1, 0.2, 0.1));
    const { exit, status, steps } = await project.run();
    expect([exit, status]).toEqual([1, "failed"]);
    expect(steps.map(({ id, status: each }) => [id, each])).toEqual([
      ["grid", "ran"],
      ["fit[*]", "failed"],
      ["score[*]", "blocked"],
      ["pick", "blocked"],
    ]);
    expect(steps[1]?.error).toMatchObject({
      code: "MLP1012",
      message: 'each(grid.trials) cannot fan out: Two items of each have the key "lr=0.1".',
    });
    const { stdout } = await project.mlpipe("run");
    expect(stdout).toContain("sweep.pipeline.ts:");
    const plan = await project.mlpipe("plan");
    expect([plan.exit, plan.stdout]).toEqual([0, expect.stringContaining('the key "lr=0.1"')]);
    // Mended, it goes on; what made the list is kept.
    project.write({ "trials.json": JSON.stringify(trials(0.1, 0.2)) });
    expect(await ran(project)).toHaveLength(6);
  });

  it("an item without a field, one whose key cannot be made, and one that its step refuses are named", async () => {
    using project = sweep(trials(0.1));
    // A schema that lets everything pass: then only the fan-out can notice.
    project.edit("steps.ts", "trials: z.array(Trial) },", "trials: z.any() },");
    project.edit("steps.ts", "file: json(z.array(Trial))", "file: json(z.any())");
    project.edit("sweep.pipeline.ts", "json(z.array(Trial))", "json(z.any())");
    const failure = async (list: unknown): Promise<unknown> => {
      project.write({ "trials.json": JSON.stringify(list) });
      const { exit, steps } = await project.run();
      expect(exit).toBe(1);
      const failed = steps.find(({ status }) => status === "failed");
      return [failed?.id, failed?.error?.code, failed?.error?.message];
    };
    expect(await failure([{ lr: 0.1, depth: 1 }, { lr: 0.2 }])).toEqual([
      "fit[*]",
      "MLP1013",
      'each(grid.trials) cannot fan out: The item lr=0.2 has no field depth: it is {"lr":0.2}.',
    ]);
    expect(await failure([{ lr: [1], depth: 1 }])).toEqual([
      "fit[*]",
      "MLP1013",
      "each(grid.trials) cannot fan out: Items are keyed by their lr, and that of one is [1].",
    ]);
    expect(await failure([{ lr: "a/b", depth: 1 }])).toEqual([
      "fit[*]",
      "MLP1001",
      'each(grid.trials) cannot fan out: "lr=a/b" cannot be the key of an item.',
    ]);
    expect(await failure({ lr: 1 })).toEqual([
      "fit[*]",
      "MLP1013",
      "each(grid.trials) cannot fan out: What each(grid.trials) is to fan out over is no list but an object.",
    ]);
    expect(await failure([{ lr: "fast", depth: 1 }])).toEqual([
      "score[lr=fast]",
      "MLP3005",
      expect.anything(),
    ]);
  });

  it("is one node in the plan until the list is known, and every child from then on", async () => {
    using project = sweep(trials(0.1, 0.2));
    const before = await project.mlpipe("plan");
    expect(before.stdout.replaceAll(/ +\n/g, "\n")).toContain(`
  each(grid.trials)  waits  waits for the list from grid
    fit[*]           waits  once for each item
    score[*]         waits  once for each item
`);
    const planned = JSON.parse((await project.mlpipe("plan", "--json")).stdout) as { steps: unknown };
    expect(planned.steps).toMatchObject([
      { id: "grid", decision: "run" },
      { id: "fit[*]", each: "each(grid.trials)", decision: "unknown" },
      { id: "score[*]", each: "each(grid.trials)", decision: "unknown" },
      { id: "pick", decision: "unknown" },
    ]);
    expect((await project.mlpipe("why", "fit")).stdout).toContain("waits for the list from grid");
    await project.run("--only", "grid");
    const after = await project.mlpipe("plan");
    expect(after.stdout).toContain("fit[lr=0.1]    run     never ran before");
    expect(after.stdout).toContain("6 steps: 2 to run, 1 cached, 3 known once the steps before have run");
    await project.run();
    project.write({ "fit.sh": `${project.read("fit.sh")}# edited\n` });
    const why = await project.mlpipe("why", "fit[lr=0.2]");
    expect(why.stdout).toContain("fit[lr=0.2] would run\n  code: fit.sh changed");
    const status = await project.mlpipe("status");
    expect(status.stdout).toContain("fit[lr=0.1]    stale  code: fit.sh changed");
    expect(status.stdout).toContain("score[lr=0.2]  after  fit[lr=0.2]");
    const mistaken = await project.mlpipe("why", "fit[lr=0.3]");
    expect([mistaken.exit, mistaken.stderr]).toEqual([2, expect.stringContaining("MLP2003")]);
  });

  it("all children are explained against an earlier run, and one that is newer keeps no answer from the others", async () => {
    using project = sweep(trials(0.1, 0.3));
    const { run } = await project.run();
    project.write({ "trials.json": JSON.stringify([...trials(0.1, 0.2), { lr: 0.3, depth: 4 }]) });
    await project.run();
    const { exit, stdout } = await project.mlpipe("why", "fit", "--against", run);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/fit\[lr=0\.1\] is cached\n {2}every part of its key is the same\n/);
    expect(stdout).toMatch(/fit\[lr=0\.2\] has no result in run \S+ to compare with\n/);
    expect(stdout).toMatch(/fit\[lr=0\.3\] is cached\n.*depth 3 → 4/);
    // Asked for alone, that is an error.
    const alone = await project.mlpipe("why", "fit[lr=0.2]", "--against", run);
    expect([alone.exit, alone.stderr]).toEqual([2, expect.stringContaining("MLP5001")]);
  });

  it("is drawn once in the graph, with a mark", async () => {
    using project = sweep(trials(0.1));
    expect((await project.mlpipe("graph")).stdout).toContain(
      "fit[*]    train     ← grid  (each(grid.trials))",
    );
    expect((await project.mlpipe("graph", "--format", "dot")).stdout).toContain(
      '"fit[*]" [shape=box3d, peripheries=2];',
    );
    expect((await project.mlpipe("graph", "--format", "mermaid")).stdout).toContain('[["fit[*]"]]');
    const graph = JSON.parse((await project.mlpipe("graph", "--json")).stdout) as { steps: unknown };
    expect(graph.steps).toMatchObject([
      {},
      { id: "fit[*]", each: "each(grid.trials)", needs: ["grid"] },
      {},
      {},
    ]);
  });

  it("children are chosen, forced, logged and fetched by name", async () => {
    using project = sweep(trials(0.1, 0.2));
    const early = await project.mlpipe("run", "--only", "fit");
    expect([early.exit, early.stderr]).toEqual([4, expect.stringContaining('"fit[*]" needs "grid"')]);
    const one = await project.mlpipe("run", "--only", "fit[lr=0.2]");
    expect([one.exit, one.stderr]).toEqual([4, expect.stringContaining('"fit[lr=0.2]" needs "grid"')]);
    expect(one.stderr).toContain('Select it too: --only grid "fit[lr=0.2]".');
    expect(await ran(project, "--only", "grid,fit[lr=0.2]")).toEqual(["grid", "fit[lr=0.2]"]);
    const wrong = await project.mlpipe("run", "--only", "grid,fit[lr=0.7]");
    expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringContaining('no step "fit[lr=0.7]"')]);
    expect(await ran(project, "--only", "fit")).toEqual(["fit[lr=0.1]"]);
    await project.run();
    const forced = ["fit[lr=0.1]", "fit[lr=0.2]"];
    expect(await ran(project, "--force", "fit")).toEqual(forced);
    expect(await ran(project, "--force", "fit[lr=0.2]")).toEqual(["fit[lr=0.2]"]);
    const misspelt = await project.mlpipe("run", "--force", "fit[lr=0.25]");
    expect([misspelt.exit, misspelt.stderr]).toEqual([
      0,
      expect.stringMatching(/warning .*has no step "fit\[lr=0.25\]"\. Did you mean fit\[lr=0.2\]\?/),
    ]);
    expect(await ran(project, "--from", "fit[lr=0.2]", "--force")).toEqual([
      "fit[lr=0.2]",
      "score[lr=0.2]",
      "pick",
    ]);
    expect(await ran(project, "--from", "grid", "--force")).toEqual([
      "grid",
      "fit[lr=0.1]",
      "score[lr=0.1]",
      "fit[lr=0.2]",
      "score[lr=0.2]",
      "pick",
    ]);
    const log = await project.mlpipe("logs", "last", "fit[lr=0.2]");
    expect(log.stdout).toBe("training with lr 0.2 and depth 3\n");
    expect((await project.mlpipe("logs", "last", "fit")).stdout).toContain("training with lr 0.1");
    expect((await project.mlpipe("get", "fit[lr=0.1].model", "-o", "-")).stdout).toBe('{"loss": 0.1}\n');
    const checked = await project.run("--check", "fit");
    expect(checked.steps.filter(({ check }) => check !== undefined).map(({ id }) => id)).toEqual(forced);
  });

  it("records the children, and whose item each of their inputs was", async () => {
    using project = sweep(trials(0.1));
    const { steps } = await project.run();
    const grid = steps.find(({ id }) => id === "grid");
    const shown = JSON.parse((await project.mlpipe("show", "last", "--json")).stdout) as {
      run: { steps: readonly { id: string }[] };
      stepRuns: readonly { step: { id: string; name: string }; inputs: unknown; params: unknown }[];
    };
    expect(shown.run.steps.map(({ id }) => id)).toEqual(["grid", "fit[lr=0.1]", "score[lr=0.1]", "pick"]);
    expect(shown.stepRuns.find(({ step }) => step.id === "fit[lr=0.1]")).toMatchObject({
      step: { name: "fit" },
      params: { lr: 0.1, depth: 3, seed: 1 },
      inputs: { lr: { value: 0.1, from: { step: "grid", port: "trials", stepRun: grid?.stepRun } } },
    });
  });

  it("says as events which steps stand in its place", async () => {
    using project = sweep(trials(0.1, 0.2));
    const { stdout } = await project.mlpipe("run", "--ndjson");
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(events[0]).toMatchObject({
      type: "run-started",
      steps: [
        { id: "grid" },
        { id: "fit[*]", each: "each(grid.trials)" },
        { id: "score[*]" },
        { id: "pick" },
      ],
    });
    const expanded = events.findIndex(({ type }) => type === "steps-expanded");
    expect(events[expanded]).toMatchObject({
      each: "each(grid.trials)",
      templates: ["fit[*]", "score[*]"],
      steps: [
        { id: "fit[lr=0.1]", needs: ["grid"] },
        { id: "score[lr=0.1]", needs: ["fit[lr=0.1]"] },
        { id: "fit[lr=0.2]" },
        { id: "score[lr=0.2]" },
      ],
    });
    expect(events.findIndex((event) => "step" in event && event.step === "fit[lr=0.1]")).toBeGreaterThan(
      expanded,
    );
  });

  it("a child that fails blocks what joins it, and with --keep-going no sibling", async () => {
    using project = sweep(trials(0.1, 0.2, 0.3));
    project.edit("fit.sh", 'echo "training', 'test $1 != 0.2 || exit 7\necho "training');
    const { exit, steps } = await project.run("--keep-going");
    expect(exit).toBe(1);
    const statuses = Object.fromEntries(steps.map(({ id, status }) => [id, status]));
    expect(statuses).toMatchObject({
      "fit[lr=0.1]": "ran",
      "fit[lr=0.2]": "failed",
      "score[lr=0.2]": "blocked",
      "score[lr=0.3]": "ran",
      pick: "blocked",
    });
  });

  it("when the step that makes the list fails, the steps that wait for it are blocked", async () => {
    using project = sweep("no list");
    const { exit, steps } = await project.run();
    expect(exit).toBe(1);
    expect(steps.map(({ id, status }) => [id, status])).toEqual([
      ["grid", "failed"],
      ["fit[*]", "blocked"],
      ["score[*]", "blocked"],
      ["pick", "blocked"],
    ]);
  });

  it("a child starts while its siblings still wait for what they need", async () => {
    using project = sweep(trials(0.1, 0.2));
    // The score of the first lets the second training end: with a barrier between them nothing would.
    project.write({
      "fit.sh": `if [ "$1" = 0.2 ]; then
  for i in $(seq 100); do test -e scored && break; sleep 0.05; done
  test -e scored || exit 9
fi
echo "{\\"loss\\": $1}" > "$3"
`,
      "score.sh": `cp "$1" "$2" && touch scored\n`,
    });
    project.edit("steps.ts", "cmd`cp ${i.model}", "cmd`sh score.sh ${i.model}");
    expect(await ran(project, "--jobs", "2")).toHaveLength(6);
  });

  it("a list of plain values, keys made by a function, items given whole and joined", async () => {
    using project = new Project({
      "steps.ts": `import { data, jsonl, json, many } from "mlpipe";
import { z } from "zod";
export const lists = data("lists", {
  outputs: { sizes: z.array(z.int()), rows: jsonl(z.object({ name: z.string(), n: z.int() })), file: json(z.array(z.string())) },
  async run(_inputs, out) {
    await out.rows.write([{ name: "b", n: 2 }, { name: "a", n: 1 }]);
    await out.file.write(["x", "y"]);
    return { sizes: [10, 20] };
  },
});
export const double = data("double", { inputs: { n: z.int() }, outputs: { n: z.int() }, run: ({ n }) => ({ n: 2 * n }) });
export const name = data("name", {
  inputs: { row: z.object({ name: z.string(), n: z.int() }) },
  outputs: { text: z.string() },
  run: ({ row }) => ({ text: row.name + row.n }),
});
export const shout = data("shout", { inputs: { text: z.string() }, outputs: { text: z.string() }, run: ({ text }) => ({ text: text + "!" }) });
export const all = data("all", {
  inputs: { doubled: many(z.int()), sizes: many(z.int()), names: many(z.string()), shouted: many(z.string()) },
  outputs: { all: z.record(z.string(), z.unknown()) },
  run: (inputs) => ({ all: Object.fromEntries(Object.entries(inputs).map(([port, items]) => [port, [...items]])) }),
});
`,
      "lists.pipeline.ts": `import { each, pipeline } from "mlpipe";
import { all, double, lists, name, shout } from "./steps.ts";
export default pipeline("lists", () => {
  const { sizes, rows, file } = lists({});
  const doubled = each(sizes, "size", (n) => ({ n: double({ n }).n, size: n }));
  const named = each(rows, (row) => row.name.toUpperCase(), (row) => name({ row }).text);
  const shouted = each(file, (text) => text, (text) => shout({ text }).text);
  return all({ doubled: doubled.n, sizes: doubled.size, names: named, shouted });
});
`,
    });
    expect(await ran(project)).toEqual([
      "lists",
      "double[size=10]",
      "double[size=20]",
      "name[B]",
      "name[A]",
      "shout[x]",
      "shout[y]",
      "all",
    ]);
    expect(JSON.parse(project.read("artifacts/lists/all.json"))).toEqual({
      doubled: [
        ["size=10", 20],
        ["size=20", 40],
      ],
      sizes: [
        ["size=10", 10],
        ["size=20", 20],
      ],
      names: [
        ["A", "a1"],
        ["B", "b2"],
      ],
      shouted: [
        ["x", "x!"],
        ["y", "y!"],
      ],
    });
    expect(await ran(project)).toEqual([]);
  });

  it("in a sweep: over an array, over a list of the item, and over a list that a step of the body makes", async () => {
    using project = new Project({
      "groups.json": JSON.stringify([
        { group: "a", sizes: [1, 2] },
        { group: "b", sizes: [] },
        { group: "c", sizes: [3] },
      ]),
      "steps.ts": `import { data, json, many } from "mlpipe";
import { z } from "zod";
export const Group = z.object({ group: z.string(), sizes: z.array(z.int()) });
export const groups = data("groups", {
  inputs: { file: json(z.array(Group)) },
  outputs: { groups: z.array(Group) },
  run: async ({ file }) => ({ groups: await file.read() }),
});
export const split = data("split", {
  inputs: { group: Group },
  outputs: { parts: z.array(z.string()) },
  run: ({ group }) => ({ parts: group.sizes.map((size) => group.group + size) }),
});
const text = { outputs: { text: z.string() } };
export const bySize = data("by-size", { ...text, inputs: { group: z.string(), size: z.int() }, run: ({ group, size }) => ({ text: group + ":" + size }) });
export const byPart = data("by-part", { ...text, inputs: { part: z.string() }, run: ({ part }) => ({ text: part }) });
export const byFold = data("by-fold", { ...text, inputs: { group: z.string(), fold: z.int() }, run: ({ group, fold }) => ({ text: group + "/" + fold }) });
const texts = many(z.string());
export const join = data("join", { ...text, inputs: { texts }, run: ({ texts }) => ({ text: [...texts].map(([key, value]) => key + "=" + value).join() }) });
export const joinAll = data("join-all", {
  ...text,
  inputs: { sizes: many(texts), parts: texts, folds: many(texts) },
  run: ({ sizes, parts, folds }) => ({
    text: JSON.stringify({
      sizes: [...sizes].map(([group, inner]) => [group, [...inner.values()]]),
      parts: [...parts],
      folds: [...folds].map(([group, inner]) => [group, [...inner.values()]]),
    }),
  }),
});
`,
      "nested.pipeline.ts": `import { each, json, pipeline, source } from "mlpipe";
import { z } from "zod";
import { byFold, byPart, bySize, Group, groups, join, joinAll, split } from "./steps.ts";
export default pipeline("nested", () => {
  const { groups: all } = groups({ file: source("groups.json", json(z.array(Group))) });
  const { sizes, parts, folds } = each(all, "group", (group) => {
    const { parts } = split({ group });
    return {
      sizes: each(group.at("sizes"), "size", (size) => bySize({ group: group.at("group"), size }).text),
      parts: join({ texts: each(parts, (part) => part, (part) => byPart({ part }).text) }).text,
      folds: each([1, 2], "fold", (fold) => byFold({ group: group.at("group"), fold }).text),
    };
  });
  return joinAll({ sizes, parts, folds });
});
`,
    });
    const first = await project.run();
    expect(ranIn(first)).toEqual([
      "groups",
      "split[group=a]",
      "by-size[group=a][size=1]",
      "by-size[group=a][size=2]",
      "by-part[group=a][a1]",
      "by-part[group=a][a2]",
      "join[group=a]",
      "by-fold[group=a][fold=1]",
      "by-fold[group=a][fold=2]",
      "split[group=b]",
      "join[group=b]",
      "by-fold[group=b][fold=1]",
      "by-fold[group=b][fold=2]",
      "split[group=c]",
      "by-size[group=c][size=3]",
      "by-part[group=c][c3]",
      "join[group=c]",
      "by-fold[group=c][fold=1]",
      "by-fold[group=c][fold=2]",
      "join-all",
    ]);
    expect(JSON.parse(JSON.parse(project.read("artifacts/nested/text.json")) as string)).toEqual({
      sizes: [
        ["group=a", ["a:1", "a:2"]],
        ["group=b", []],
        ["group=c", ["c:3"]],
      ],
      parts: [
        ["group=a", "a1=a1,a2=a2"],
        ["group=b", ""],
        ["group=c", "c3=c3"],
      ],
      folds: [
        ["group=a", ["a/1", "a/2"]],
        ["group=b", ["b/1", "b/2"]],
        ["group=c", ["c/1", "c/2"]],
      ],
    });
    expect(await ran(project)).toEqual([]);
    project.edit("groups.json", `"sizes":[]`, `"sizes":[7]`);
    expect(await ran(project)).toEqual([
      "groups",
      "split[group=b]",
      "by-size[group=b][size=7]",
      "by-part[group=b][b7]",
      "join[group=b]",
      "join-all",
    ]);
    expect(await ran(project, "--force", "by-size[group=a]")).toEqual([
      "by-size[group=a][size=1]",
      "by-size[group=a][size=2]",
    ]);
  });

  it("that is a file of the project: its children are there from the beginning", async () => {
    using project = sweep(trials(0.1, 0.2));
    project.edit("sweep.pipeline.ts", "const { trials } = grid({ file: source(", "const trials = (source(");
    project.edit("sweep.pipeline.ts", "json(z.array(Trial))) });", "json(z.array(Trial))));");
    const { stdout } = await project.mlpipe("plan");
    expect(stdout).toContain("fit[lr=0.2]");
    expect(await ran(project)).toHaveLength(5);
    project.write({ "trials.json": JSON.stringify(trials(0.1, 0.2, 0.3)) });
    expect(await ran(project)).toEqual(["fit[lr=0.3]", "score[lr=0.3]", "pick"]);
    expect(existsSync(join(project.root, "artifacts/sweep/model"))).toBe(true);
  });

  it("a list that was damaged in the store is found before anything is made of it", async () => {
    using project = sweep(trials(0.1, 0.2));
    const { steps } = await project.run();
    const digest = steps[0]?.outputs["trials"]?.digest ?? "";
    const path = `.mlpipe/objects/${digest.slice(0, 2)}/${digest.slice(2)}`;
    chmodSync(join(project.root, path), 0o600);
    project.edit(path, "0.2", "0.9");
    const damaged = await project.mlpipe("run");
    expect([damaged.exit, damaged.stderr]).toEqual([4, expect.stringContaining("MLP4009")]);
    expect(await ran(project)).toEqual(["grid"]);
  });
});
