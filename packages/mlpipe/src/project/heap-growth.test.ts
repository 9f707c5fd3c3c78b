import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";

/** Bytes of the young generation of a process that held it for so many steps, and then made what survives. */
function youngBytes(steps: number): number {
  const script = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { holdYoungGeneration } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    holdYoungGeneration(${steps});
    globalThis.surviving = Array.from({ length: 500_000 }, (_, i) => ({ i, text: [i] }));
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size);
  `;
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" }),
  );
}

describe("the heap while a large pipeline is worked on", () => {
  test("the young generation keeps its size for a thousand steps, and grows for a hundred", () => {
    expect(youngBytes(1_000)).toBeLessThan(youngBytes(100) / 4);
  });
});
