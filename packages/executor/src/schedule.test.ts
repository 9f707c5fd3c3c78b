import type { ManifestStep } from "@mlpipe/dsl";
import { describe, expect, it, test } from "vitest";
import { type Amounts, Pools } from "./pools.ts";
import { type Placed, Schedule } from "./schedule.ts";

const step = (id: string, scheduling: ManifestStep["scheduling"] = {}): ManifestStep => ({
  id,
  kind: "data",
  module: "steps.ts",
  export: "step",
  inputs: {},
  outputs: {},
  body: { type: "run" },
  env: [],
  cache: { mode: "keyed" },
  scheduling,
});

const pools = (sizes: Amounts, devices: readonly string[] = []): Pools =>
  new Pools(new Map(Object.entries(sizes)), devices);

/**
 * Plays a run through without running anything: time passes in steps of what each is said to take,
 * and what comes out is who started when.
 */
function played(options: {
  readonly steps: readonly (ManifestStep & { readonly takes?: number })[];
  readonly needs?: Readonly<Record<string, readonly string[]>>;
  readonly pools: Pools;
  /** What is expected of each; the truth if it is left out. */
  readonly expected?: (step: string) => number;
}): { readonly order: string; readonly starts: Readonly<Record<string, number>> } {
  const { steps, needs = {} } = options;
  const takes = new Map(steps.map((each) => [each.id, each.takes ?? 1]));
  const schedule = new Schedule({
    steps,
    needs: (id) => needs[id] ?? [],
    pools: options.pools,
    durationOf: options.expected ?? ((id) => takes.get(id) ?? 1),
  });
  const done = new Set<string>();
  const added = new Set<string>();
  const running: { readonly placed: Placed; readonly until: number }[] = [];
  const starts: Record<string, number> = {};
  const order: string[] = [];
  for (let now = 0; done.size < steps.length;) {
    for (const each of steps) {
      if (added.has(each.id) || !(needs[each.id] ?? []).every((need) => done.has(need))) continue;
      added.add(each.id);
      schedule.add(each);
    }
    const together: string[] = [];
    for (let placed = schedule.take(); placed !== undefined; placed = schedule.take()) {
      together.push(placed.step.id);
      starts[placed.step.id] = now;
      running.push({ placed, until: now + (takes.get(placed.step.id) ?? 1) });
    }
    if (together.length > 0) order.push(together.join(" "));
    if (running.length === 0) throw new Error(`stuck after ${order.join(", ")}`);
    now = Math.min(...running.map(({ until }) => until));
    for (let index = running.length - 1; index >= 0; index--) {
      const each = running[index];
      if (each === undefined || each.until > now) continue;
      running.splice(index, 1);
      schedule.release(each.placed);
      done.add(each.placed.step.id);
    }
  }
  return { order: order.join(", "), starts };
}

describe("the order", () => {
  it("the longest remaining path goes first, by what steps took before", () => {
    // Two wide steps and the head of a chain that takes longer than they do.
    const steps = [
      { ...step("wide"), takes: 5 },
      { ...step("head"), takes: 1 },
      { ...step("middle"), takes: 1 },
      { ...step("tail"), takes: 4 },
      { ...step("small"), takes: 2 },
    ];
    const needs = { middle: ["head"], tail: ["middle"] };
    expect(played({ steps, needs, pools: pools({ cpu: 1 }) }).order).toBe("head, wide, middle, tail, small");
    expect(played({ steps, needs, pools: pools({ cpu: 2 }) }).order).toBe("head wide, middle, tail, small");
  });

  it("with nothing known of any, the longest chain goes first, and equals in wiring order", () => {
    const steps = ["a", "b", "c", "d"].map((id) => step(id));
    const { order } = played({ steps, needs: { d: ["c"] }, pools: pools({ cpu: 1 }), expected: () => 1 });
    expect(order).toBe("c, a, b, d");
  });

  it("is by the path behind a step, and not by the step", () => {
    const steps = [
      { ...step("long"), takes: 9 },
      { ...step("short"), takes: 1 },
      { ...step("longest"), takes: 10 },
    ];
    const { order } = played({ steps, needs: { longest: ["short"] }, pools: pools({ cpu: 1 }) });
    expect(order).toBe("short, longest, long");
  });
});

describe("pools", () => {
  it("a step that takes no processor starts beside a full machine", () => {
    const steps = [step("busy"), step("idle", { resources: { cpu: 0 } })];
    expect(played({ steps, pools: pools({ cpu: 1 }) }).order).toBe("busy idle");
  });

  it("steps run side by side as far as every pool has room", () => {
    const steps = [
      step("a", { resources: { memory: 6e9 } }),
      step("b", { resources: { memory: 6e9, license: 1 } }),
      step("c", { resources: { memory: 2e9, license: 1 } }),
      step("d", { resources: { license: 1 } }),
    ];
    const { order } = played({ steps, pools: pools({ cpu: 8, memory: 8e9, license: 1 }) });
    expect(order).toBe("a c, b, d");
  });

  it("amounts that are fractions add up", () => {
    const steps = Array.from({ length: 10 }, (_, i) => step(`s${i}`, { resources: { cpu: 0.1 } }));
    const all = [...steps, step("whole")];
    expect(played({ steps: all, pools: pools({ cpu: 1 }) }).order).toBe(
      `${steps.map(({ id }) => id).join(" ")}, whole`,
    );
  });

  it("each step has devices of its own, and the first free ones", () => {
    const wants = (id: string, gpu: number): ManifestStep => step(id, { resources: { gpu } });
    const steps = [wants("a", 1), wants("b", 2), wants("c", 1), wants("d", 3)];
    const schedule = new Schedule({
      steps,
      needs: () => [],
      pools: pools({ cpu: 8, gpu: 3 }, ["0", "2", "GPU-7"]),
      durationOf: () => 1,
    });
    for (const each of steps) schedule.add(each);
    const [a, b, none] = [schedule.take(), schedule.take(), schedule.take()];
    expect([a?.devices, b?.devices, none]).toEqual([["0"], ["2", "GPU-7"], undefined]);
    if (a !== undefined) schedule.release(a);
    const c = schedule.take();
    expect([c?.step.id, c?.devices]).toEqual(["c", ["0"]]);
    for (const each of [b, c]) if (each !== undefined) schedule.release(each);
    expect(schedule.take()?.devices).toEqual(["0", "2", "GPU-7"]);
  });

  it("a later attempt asks for more, and for no more than there is", () => {
    const grows = step("grows", {
      resources: { memory: 2 },
      escalation: [{ memory: 4 }, { memory: 8 }, { memory: 16 }],
      retry: { attempts: 4 },
    });
    const machine = pools({ cpu: 2, memory: 10 });
    expect([1, 2, 3, 4, 5].map((attempt) => machine.request(grows, attempt)["memory"])).toEqual([
      2, 4, 8, 10, 10,
    ]);
  });

  it("a step that could never start is named with its pool, what it asks for and what there is", () => {
    const greedy = {
      ...step("fit", { resources: { memory: 32e9 } }),
      called: { file: "a.ts", line: 3, column: 4 },
    };
    const check = (): void => {
      pools({ cpu: 2, memory: 16e9 }).checkRoom([step("small"), greedy], "/project");
    };
    expect(check).toThrow(
      expect.objectContaining({
        code: "MLP3037",
        exit: 2,
        message: '"fit" asks for 32GB of the pool memory, and there is 16GB.',
        at: [{ file: "/project/a.ts", line: 3, column: 4 }],
        hint: expect.stringContaining("--pool memory=32GB"),
      }),
    );
  });

  it("a pool that nobody sized holds what the greediest step asks for", () => {
    const steps = [step("a", { resources: { database: 1 } }), step("b", { resources: { database: 2 } })];
    expect(Pools.of(steps, { cpu: 4 }, {}).sizes.get("database")).toBe(2);
    expect(Pools.of(steps, { cpu: 4, database: 9 }, {}).sizes.get("database")).toBe(9);
  });
});

describe("a step that asks for much", () => {
  it("is not starved by small ones: they fill its gaps for a while, and then it has its turn", () => {
    // While one small step ends another begins, so that the whole machine is never free by itself.
    const steps = [
      { ...step("s0"), takes: 1 },
      { ...step("big", { resources: { cpu: 2 } }), takes: 3 },
      ...Array.from({ length: 39 }, (_, i) => ({ ...step(`s${i + 1}`), takes: 2 })),
    ];
    const { order, starts } = played({
      steps,
      pools: pools({ cpu: 2 }),
      // The first has its place when the big one comes, which has the longest way of those that are left.
      expected: (id) => ({ s0: 100, big: 50 })[id] ?? 1,
    });
    // Four may pass, twice as many as there are processors; then the machine empties for it.
    expect(order).toMatch(/^s0 s1, s2, s3, s4, big, s5 s6, /);
    expect(starts["big"]).toBe(5);
    expect(Object.keys(starts)).toHaveLength(steps.length);
  });

  it("while room is kept for it, what takes nothing of that goes on", () => {
    const steps = [
      { ...step("first", { resources: { cpu: 1, gpu: 1 } }), takes: 20 },
      { ...step("big", { resources: { cpu: 1, gpu: 2 } }), takes: 1 },
      ...Array.from({ length: 12 }, (_, i) => ({
        ...step(`g${i}`, { resources: { cpu: 1, gpu: 1 } }),
        takes: 1,
      })),
      ...Array.from({ length: 3 }, (_, i) => ({ ...step(`c${i}`, { resources: { cpu: 1 } }), takes: 1 })),
    ];
    const rank: Record<string, number> = { first: 9, big: 8 };
    const { starts } = played({
      steps,
      pools: pools({ cpu: 4, gpu: 2 }, ["0", "1"]),
      expected: (id) => rank[id] ?? (id.startsWith("g") ? 2 : 1),
    });
    expect(starts["big"]).toBe(20);
    // The devices are kept free for it after it was passed often enough, the processors are not.
    const passed = Object.keys(starts).filter((id) => id.startsWith("g") && (starts[id] ?? 0) < 20);
    expect(passed.length).toBeLessThanOrEqual(8);
    for (const id of ["c0", "c1", "c2"]) expect(starts[id]).toBeLessThan(20);
  });
});

test("a chain and a fan of 20,000 are handed out in time that grows as they do", () => {
  const handOut = (length: number): number => {
    const steps = Array.from({ length }, (_, i) => step(`s${i}`));
    const common = { steps, pools: pools({ cpu: 2 }), durationOf: () => 1 };
    const before = (id: string): string => `s${Number(id.slice(1)) - 1}`;
    // Processor time: on a busy machine the clock says nothing.
    const since = process.threadCpuUsage();
    const chain = new Schedule({ ...common, needs: (id) => (id === "s0" ? [] : [before(id)]) });
    const fan = new Schedule({ ...common, needs: () => [] });
    let taken = 0;
    for (const each of steps) {
      chain.add(each);
      fan.add(each);
      for (let next = chain.take(); next !== undefined; next = chain.take()) {
        taken++;
        chain.release(next);
      }
    }
    for (let next = fan.take(); next !== undefined; next = fan.take()) {
      taken++;
      fan.release(next);
    }
    expect(taken).toBe(2 * length);
    const { user, system } = process.threadCpuUsage(since);
    return (user + system) / 1000;
  };
  // The quickest of several, so that neither a collection of the heap nor code that is not compiled yet counts.
  const quickest = (length: number): number => Math.min(...[1, 2, 3, 4].map(() => handOut(length)));
  // Ten times as many: a hundred times as long where every step is looked at each time.
  expect(quickest(20_000)).toBeLessThan(40 * Math.max(quickest(2_000), 2));
});

test("a step is made ready ahead if it is the next and asks for one processor; it takes its room when it begins", () => {
  const schedule = new Schedule({
    steps: [step("a"), step("b"), step("wide", { resources: { cpu: 2 } }), step("c")],
    needs: () => [],
    pools: pools({ cpu: 2 }),
    durationOf: () => 1,
  });
  for (const id of ["a", "b"]) schedule.add(step(id));
  schedule.add(step("wide", { resources: { cpu: 2 } }));
  const first = schedule.take();
  const second = schedule.takeAhead(() => true);
  expect([first?.step.id, second?.step.id]).toEqual(["a", "b"]);
  // Whoever asks for more than one waits until all of it is there.
  expect([schedule.takeAhead(() => true), schedule.waiting]).toEqual([undefined, 1]);
  if (first === undefined || second === undefined) throw new Error("nobody was first");
  expect([schedule.hasRoomFor(second), schedule.isFull]).toEqual([true, false]);
  schedule.occupy(second);
  expect([schedule.hasRoomFor(second), schedule.isFull]).toEqual([false, true]);
  // One more has begun in the place of the first, which is given back a moment later.
  schedule.occupy(second);
  schedule.release(first);
  expect(schedule.hasRoomFor(second)).toBe(false);
  schedule.release(second);
  expect(schedule.take()).toBeUndefined();
  schedule.release(second);
  expect(schedule.take()?.step.id).toBe("wide");
});
