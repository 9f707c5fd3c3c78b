import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";

/** Bytes of the young generation of a process that did something with its steps, and then made what survives. */
function youngBytes(something: string): number {
  const script = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { holdWhileBuilt, holdYoungGeneration } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    ${something}
    globalThis.surviving = Array.from({ length: 500_000 }, (_, i) => ({ i, text: [i] }));
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);
  `;
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" }),
  );
}

/** Of three, because one in 25 processes is looked at in the middle of a collection, when it has more pages for a moment. */
function least(measure: () => number): number {
  return Math.min(measure(), measure(), measure());
}

/** The largest heap of a process that started so many steps, with garbage after it, when it was last collected before. */
function heapBytes(started: number): number {
  const script = `
    import { holdOldGeneration, holdYoungGeneration } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    holdYoungGeneration(10_000);
    const make = (count) => Array.from({ length: count }, (_, i) => ({ i, text: [i] }));
    globalThis.surviving = make(150_000);
    gc();
    for (let i = 0; i < ${started}; i++) holdOldGeneration();
    const late = [];
    let most = 0;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 800; i++) {
      late.push(make(1_000));
      if (late.length > 20) late.shift();
      // The heap is marked by other threads meanwhile: they get the time that they have while steps run.
      Atomics.wait(pause, 0, 0, 1);
      most = Math.max(most, process.memoryUsage().heapUsed);
    }
    console.log(most);
  `;
  return Number(
    execFileSync(process.execPath, ["--expose-gc", "--input-type=module", "--eval", script], {
      encoding: "utf8",
    }),
  );
}

/** Whether the heap of a process that has started some of so many steps gives its pages back when it is collected. */
function isReduced(steps: number, started: number): boolean {
  const script = `
    import { holdOldGeneration, holdYoungGeneration } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    holdYoungGeneration(${steps});
    for (let i = 0; i < ${started}; i++) holdOldGeneration();
    const late = [];
    for (let i = 0; i < 900; i++) {
      late.push(Array.from({ length: 1_000 }, (_, i) => ({ i, text: [i] })));
      if (late.length > 20) late.shift();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  `;
  const said = execFileSync(process.execPath, ["--trace-gc", "--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  return said.includes("Mark-Compact (reduce)");
}

/** Bytes of the young generation of a process in which it is full while something loads, and much survives. */
function youngBytesAfterLoading(steps: number): number {
  const script = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { holdYoungGeneration, withNodesFlags } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const surviving = [];
    const fill = (count) => { for (let i = 0; i < count; i++) surviving.push({ i, text: [i] }); };
    holdYoungGeneration(${steps});
    const size = young().space_size;
    while (young().space_available_size > 60_000 || young().space_size < size) fill(500);
    withNodesFlags(() => fill(5_000));
    for (let i = 0; i < 20; i++) fill(5_000);
    console.log(young().space_size);
  `;
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" }),
  );
}

/** The heap of a process that has started some of so many steps, with garbage after them, before its end. */
function leftAtEnd(steps: number, started: number): number {
  const script = `
    import { collectBeforeEnd, holdOldGeneration, holdYoungGeneration } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    holdYoungGeneration(${steps});
    for (let i = 0; i < ${started}; i++) holdOldGeneration();
    globalThis.garbage = Array.from({ length: 200_000 }, (_, i) => ({ i, text: [i] }));
    delete globalThis.garbage;
    collectBeforeEnd();
    console.log(process.memoryUsage().heapUsed);
  `;
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" }),
  );
}

/** Whether V8 has begun to mark the heap beside the work of a process that has started so many steps of a thousand. */
function isMarkedBeside(started: number): boolean {
  const script = `
    import { holdOldGeneration, holdYoungGeneration } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    holdYoungGeneration(1_000);
    for (let i = 0; i < ${started}; i++) holdOldGeneration();
    globalThis.surviving = [];
    for (let i = 0; i < 150; i++) {
      globalThis.surviving.push(Array.from({ length: 10_000 }, (_, i) => ({ i, text: [i] })));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  `;
  const said = execFileSync(
    process.execPath,
    ["--trace-incremental-marking", "--input-type=module", "--eval", script],
    { encoding: "utf8" },
  );
  return said.includes("Start marking");
}

/** Whether V8 would take what it has cached under its own flags: as it begins, held, while something loads, and after. */
function takesCaches(load: string): readonly boolean[] {
  const script = `
    import { cachedDataVersionTag } from "node:v8";
    import { holdOldGeneration, holdYoungGeneration, withNodesFlags } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    const own = cachedDataVersionTag();
    const seen = [];
    const look = () => seen.push(cachedDataVersionTag() === own);
    look();
    holdYoungGeneration(1_000);
    holdOldGeneration();
    look();
    ${load};
    look();
    process.on("exit", () => {
      look();
      console.log(JSON.stringify(seen));
    });
  `;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  return JSON.parse(said) as readonly boolean[];
}

describe("the heap while a large pipeline is worked on", () => {
  test("the young generation keeps its size for a thousand steps, and grows for a hundred", () => {
    expect(least(() => youngBytes("holdYoungGeneration(1_000);"))).toBeLessThan(
      youngBytes("holdYoungGeneration(100);") / 4,
    );
  });

  test("it keeps its size while a pipeline is built, from the 500th step on", () => {
    const built = (steps: number): number =>
      youngBytes(`for (let step = 1; step <= ${steps}; step++) holdWhileBuilt(step);`);
    expect(least(() => built(500))).toBeLessThan(built(499) / 4);
  });

  test("it keeps its size although something is loaded when it is full, where there are thousands of steps", () => {
    expect(least(() => youngBytesAfterLoading(2_000))).toBeLessThan(youngBytesAfterLoading(1_999) / 1.5);
  });

  test.each([1_000, 10_000])(
    "what a long run of %i steps has left is collected before it ends, and that of a short one is not",
    (steps) => {
      expect(leftAtEnd(steps, 100)).toBeLessThan(leftAtEnd(steps, 99) / 2);
    },
  );

  test("once a hundred of 10,000 steps were started, what planning allowed it does no longer count", () => {
    expect(heapBytes(100)).toBeLessThan(heapBytes(99) / 1.5);
  });

  test("that of a thousand steps gives its pages back once twenty were started, that of 10,000 keeps them", () => {
    expect([isReduced(1_000, 19), isReduced(1_000, 20), isReduced(10_000, 20)]).toEqual([false, true, false]);
  });

  test("it is marked beside the work once twenty steps were started, and not while little happens", () => {
    expect([19, 20].map((started) => isMarkedBeside(started))).toEqual([false, true]);
  });

  test.each([
    ["at once", "withNodesFlags(() => look())"],
    ["after a while", "await withNodesFlags(async () => { await null; look(); await null; })"],
    ["in vain", "try { withNodesFlags(() => { look(); throw new Error(); }); } catch {}"],
    [
      "in vain, after a while",
      "await withNodesFlags(async () => { look(); throw new Error(); }).catch(() => {})",
    ],
  ])(
    "what is loaded %s is taken from where it was cached, and so is what others cache at the end",
    (_, load) => {
      expect(takesCaches(load)).toEqual([true, false, true, false, true]);
    },
  );
});

/** Whether Turbofan has compiled a hot function of a process whose pipeline was built with so many steps. */
function isCompiledByTurbofan(steps: number): boolean {
  const script = `
    import { holdWhileBuilt } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    for (let step = 1; step <= ${steps}; step++) holdWhileBuilt(step);
    const hot = (n) => n % 7;
    let sum = 0;
    for (let i = 0; i < 5_000_000; i++) sum += hot(i);
    console.log(sum);
  `;
  const said = execFileSync(
    process.execPath,
    ["--trace-opt", "--no-concurrent-recompilation", "--input-type=module", "--eval", script],
    { encoding: "utf8" },
  );
  return said.includes("TURBOFAN");
}

describe("the last compiler of V8", () => {
  test.each([
    [499, true],
    [500, false],
    [1_999, false],
    [2_000, true],
  ])("while %i steps are worked on: %o", (steps, used) => {
    expect(isCompiledByTurbofan(steps)).toBe(used);
  });
});
