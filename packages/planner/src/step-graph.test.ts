import { type Binding, data, each, type Manifest, many, pipeline, type PipelineOutputs } from "@mlpipe/dsl";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { upstreamOf } from "./inputs.ts";
import { StepGraph } from "./step-graph.ts";

const Trial = z.object({ name: z.string(), n: z.int(), parts: z.array(z.int()) });
const list = data("list", { outputs: { trials: z.array(Trial) }, run: () => ({ trials: [] }) });
const work = data("work", { inputs: { n: z.int() }, outputs: { n: z.int() }, run: ({ n }) => ({ n }) });
const total = data("total", {
  inputs: { numbers: many(z.int()) },
  outputs: { n: z.int() },
  run: ({ numbers }) => ({ n: numbers.size }),
});

async function graphOf(build: () => PipelineOutputs): Promise<{ graph: StepGraph; manifest: Manifest }> {
  const built = await pipeline("test", build).build({});
  const manifest = built.toManifest({
    file: "test.pipeline.ts",
    relative: (path) => path,
    locate: ({ name }) => ({ module: "steps.ts", export: name }),
  });
  return { manifest, graph: new StepGraph(manifest, built.keyFunctions) };
}

const flat = (): Promise<{ graph: StepGraph; manifest: Manifest }> =>
  graphOf(() => {
    const { trials } = list({});
    const numbers = each(trials, "name", (trial) => {
      const { n } = work({ n: trial.at("n") });
      return { worked: work.as("again")({ n }).n, given: trial.at("n") };
    });
    const { n } = total({ numbers: numbers.worked });
    return { n, given: numbers.given };
  });

const trial = (name: string, n: number, ...parts: readonly number[]): z.infer<typeof Trial> => ({
  name,
  n,
  parts: [...parts],
});
const ids = (graph: StepGraph): readonly string[] => graph.steps.map(({ id }) => id);

/** Every step stands after those it needs, each id once. */
function expectOrdered(graph: StepGraph): void {
  const seen = new Set<string>();
  for (const step of graph.steps) {
    for (const need of upstreamOf(step)) expect(seen, `${step.id} needs ${need}`).toContain(need);
    expect(seen).not.toContain(step.id);
    seen.add(step.id);
  }
}

describe("a fan-out in the graph", () => {
  it("stands for all items until it expands, and then its children stand in its place", async () => {
    const { graph } = await flat();
    expect(ids(graph)).toEqual(["list", "work[*]", "again[*]", "total"]);
    expectOrdered(graph);
    const expansion = graph.expand("each(list.trials)", [trial("b", 2), trial("a", 1)]);
    expect(ids(graph)).toEqual([
      "list",
      "work[name=b]",
      "again[name=b]",
      "work[name=a]",
      "again[name=a]",
      "total",
    ]);
    expectOrdered(graph);
    expect(expansion).toMatchObject({ templates: ["work[*]", "again[*]"], joins: ["total"], fanOuts: [] });
    expect(graph.step("work[*]")).toBeUndefined();
    expect(graph.step("work[name=a]")).toMatchObject({
      template: "work[*]",
      inputs: { n: { from: { type: "value", value: 1, from: { step: "list", port: "trials" } } } },
    });
  });

  it("what joins it is ordered by key, values of items among it", async () => {
    const { graph } = await flat();
    graph.expand("each(list.trials)", [trial("b", 2), trial("a", 1)]);
    const from = (key: string): unknown => ({
      key: `name=${key}`,
      from: { type: "step", step: `again[name=${key}]`, port: "n" },
    });
    expect(graph.step("total")?.inputs["numbers"]?.from).toEqual({
      type: "many",
      items: [from("a"), from("b")],
    });
    const given = graph.manifest.outputs["given"]?.from as Binding & { type: "many" };
    expect(given.items.map(({ key, from: { type } }) => [key, type])).toEqual([
      ["name=a", "value"],
      ["name=b", "value"],
    ]);
    expect(graph.manifest.fanOuts).toBeUndefined();
  });

  it("is as it was when an item is refused, in a body or where values are joined", async () => {
    const { graph } = await flat();
    const before = ids(graph);
    for (const items of [
      [trial("a", 1), trial("a", 2)],
      [trial("a", 1), { name: "b" }],
      [trial("a b", 1)],
      [trial("a", 1), trial("b", Infinity)],
      [trial("a", 1), { name: "b", n: "\ud800" }],
      [{ n: 1 }],
      [1, null],
    ]) {
      expect(() => graph.expand("each(list.trials)", items)).toThrow(/./);
      expect(ids(graph)).toEqual(before);
    }
    const onlyValues = await graphOf(() => ({
      given: each(list({}).trials, "name", (item) => ({ n: item.at("n") })).n,
    }));
    expect(() => onlyValues.graph.expand("each(list.trials)", [{ name: "a" }])).toThrow("has no field n");
    onlyValues.graph.expand("each(list.trials)", [trial("a", 1)]);
    expect(onlyValues.graph.manifest.outputs["given"]?.from).toMatchObject({
      type: "many",
      items: [{ key: "name=a", from: { type: "value", value: 1 } }],
    });
  });

  it("inherited names are no fields", async () => {
    const { graph } = await graphOf(() => {
      const { trials } = list({});
      // A name that every object has.
      return { n: each(trials, "constructor" as "name", (item) => work({ n: item.at("n") }).n) };
    });
    expect(() => graph.expand("each(list.trials)", [trial("a", 1)])).toThrow(
      "Items are keyed by their constructor",
    );
  });

  it("inside another expands once for each child, in whatever order the lists come", async () => {
    const { graph } = await graphOf(() => {
      const { trials } = list({});
      const sums = each(trials, "name", (item) => {
        const numbers = each(item.at("parts"), "part", (n) => work({ n }).n);
        return { sum: total({ numbers }).n, numbers };
      });
      return { n: total.as("all")({ numbers: sums.sum }).n, numbers: sums.numbers };
    });
    expect(ids(graph)).toEqual(["list", "work[*][*]", "total[*]", "all"]);
    const outer = graph.expand("each(list.trials)", [trial("a", 1, 7, 8), trial("b", 2)]);
    expect(outer.fanOuts.map(({ id }) => id)).toEqual([
      "each(list.trials.parts)[name=a]",
      "each(list.trials.parts)[name=b]",
    ]);
    expect(ids(graph)).toEqual([
      "list",
      "work[name=a][*]",
      "total[name=a]",
      "work[name=b][*]",
      "total[name=b]",
      "all",
    ]);
    expectOrdered(graph);
    graph.expand("each(list.trials.parts)[name=b]", []);
    const inner = graph.expand("each(list.trials.parts)[name=a]", [7, 8]);
    expect(inner.joins).toEqual(["total[name=a]"]);
    expect(ids(graph)).toEqual([
      "list",
      "work[name=a][part=7]",
      "work[name=a][part=8]",
      "total[name=a]",
      "total[name=b]",
      "all",
    ]);
    expect(graph.step("work[name=a][part=8]")?.template).toBe("work[*][*]");
    expect(graph.manifest.outputs["numbers"]?.from).toMatchObject({
      type: "many",
      items: [
        { key: "name=a", from: { type: "many", items: [{ key: "part=7" }, { key: "part=8" }] } },
        { key: "name=b", from: { type: "many", items: [] } },
      ],
    });
    expectOrdered(graph);
  });

  it("that takes what another gives: each child has all of the other's", async () => {
    const { graph } = await graphOf(() => {
      const { trials } = list({});
      const first = each(trials, "name", (item) => work({ n: item.at("n") }).n);
      const second = each(trials, "name", (item) => ({
        all: total({ numbers: first }).n,
        own: work.as("own")({ n: item.at("n") }).n,
      }));
      return { n: total.as("end")({ numbers: second.all }).n };
    });
    const others = graph.expand("each(list.trials, 2)", [trial("x", 1), trial("y", 1)]);
    expect(others.steps.slice(0, 1).map((step) => graph.fanOutsOf(step))).toEqual([["each(list.trials)"]]);
    const { joins } = graph.expand("each(list.trials)", [trial("a", 1)]);
    expect(joins).toEqual(["total[name=x]", "total[name=y]"]);
    expect(graph.step("total[name=y]")?.inputs["numbers"]?.from).toEqual({
      type: "many",
      items: [{ key: "name=a", from: { type: "step", step: "work[name=a]", port: "n" } }],
    });
    expectOrdered(graph);
  });

  it("of ten times as many items takes about ten times as long", async () => {
    const time = async (count: number): Promise<number> => {
      const { graph } = await flat();
      const items = Array.from({ length: count }, (_, n) => trial(`t${n}`, n));
      // Processor time: on a busy machine the clock says nothing.
      const since = process.threadCpuUsage();
      graph.expand("each(list.trials)", items);
      expect(graph.steps).toHaveLength(2 * count + 2);
      const { user, system } = process.threadCpuUsage(since);
      return (user + system) / 1_000;
    };
    // The quickest of several, so that neither a collection of the heap nor code that is not compiled yet counts.
    const quickest = async (count: number): Promise<number> =>
      Math.min(await time(count), await time(count), await time(count));
    const [small, large] = [await quickest(2_000), await quickest(20_000)];
    // A quadratic way would take a hundred times as long.
    expect(large).toBeLessThan(Math.max(small, 2) * 40);
  });
});

describe("what is made in the body of each", () => {
  it("cannot be taken out of it, nor into another", async () => {
    const built = (use: (leaked: ReturnType<typeof work>) => void): Promise<unknown> =>
      graphOf(() => {
        const { trials } = list({});
        const leaks: ReturnType<typeof work>[] = [];
        const numbers = each(trials, "name", (item) => {
          const leaked = work({ n: item.at("n") });
          leaks.push(leaked);
          return leaked.n;
        });
        for (const leaked of leaks) use(leaked);
        return { n: total({ numbers }).n };
      });
    const outside = 'work[*].n was given to "late" outside of the body of each(list.trials).';
    await expect(built((leaked) => void work.as("late")({ n: leaked.n }))).rejects.toThrow(outside);
    await expect(built((leaked) => void total.as("late")({ numbers: { a: leaked.n } }))).rejects.toThrow(
      outside,
    );
    await expect(
      built((leaked) => {
        each(list.as("list-2")({}).trials, "name", () => work.as("late")({ n: leaked.n }).n);
      }),
    ).rejects.toThrow('was given to "late[*]" outside');
    let kept: ReturnType<typeof work> | undefined;
    const returned = graphOf(() => {
      each(list({}).trials, "name", (item) => (kept = work({ n: item.at("n") })).n);
      return kept === undefined ? {} : { n: kept.n };
    });
    await expect(returned).rejects.toThrow('was given to "test" outside');
  });
});
