import { describe, expect, it, test } from "vitest";
import { amountOf, schedulingOf } from "./scheduling.ts";
import { parseSize } from "./size.ts";

describe("what a call says about its scheduling becomes plain data", () => {
  it("amounts, memory in bytes", () => {
    expect(
      schedulingOf({ resources: { cpu: 2, memory: "8GB", gpu: 1, license: 0.5 }, timeout: "2h" }),
    ).toEqual({
      resources: { cpu: 2, memory: 8e9, gpu: 1, license: 0.5 },
      timeoutMs: 7_200_000,
    });
  });

  it("an amount that depends on the attempt is a list, one for each that is allowed", () => {
    const scheduling = schedulingOf({
      resources: { cpu: 1, memory: (attempt) => `${2 ** attempt}GiB` },
      retry: { attempts: 2, on: ["memory", 137], backoff: "2s", factor: 3, maxBackoff: "1m" },
    });
    expect(scheduling).toEqual({
      resources: { cpu: 1, memory: 2 * 2 ** 30 },
      escalation: [
        { cpu: 1, memory: 4 * 2 ** 30 },
        { cpu: 1, memory: 8 * 2 ** 30 },
      ],
      retry: { attempts: 2, on: ["memory", 137], backoffMs: 2_000, factor: 3, maxBackoffMs: 60_000 },
    });
  });

  it.each([
    [{ retry: -1 }, "retry is -1, and must be a whole number from 0 to 1000"],
    [
      { retry: { attempts: 1, backoff: "soon" } },
      'retry.backoff is "soon", and must be a duration such as "2s"',
    ],
    [{ retry: { attempts: 1, factor: 0 } }, "retry.factor is 0, and must be a number from 1 up"],
    [
      { retry: { attempts: 1, on: ["tuesday"] } },
      'retry.on has "tuesday", and takes "failed", "timeout", "memory", "killed" and exit codes',
    ],
    [{ resources: { gpu: 0.5 } }, "the resource gpu is 0.5, and must be a whole number"],
    [
      { resources: { memory: "lots" } },
      'the resource memory is "lots", and must be bytes or a size such as "8GB"',
    ],
    [{ resources: { cpu: -1 } }, "the resource cpu is -1, and must be a number from 0 up"],
    [
      { resources: { memory: (n: number) => n - 2 }, retry: 1 },
      'the resource memory is -1, and must be bytes or a size such as "8GB"',
    ],
    [
      { resources: { "a b": 1 } },
      '"a b" is no name of a pool: it starts with a letter, and has letters, digits, - and _',
    ],
  ])("%o is refused", (options, problem) => {
    // What the compiler would refuse comes from plain JavaScript too.
    expect(schedulingOf(options as never)).toEqual({ problem });
  });
});

test("sizes", () => {
  expect(
    ["1B", "1.5KB", "2MB", "8GB", "1TB", "4KiB", "1MiB", "2GiB", "16 GB"].map((size) => parseSize(size)),
  ).toEqual([1, 1_500, 2e6, 8e9, 1e12, 4096, 2 ** 20, 2 * 2 ** 30, 16e9]);
  expect(["", "8", "8gb", "-1GB", "8GBs", "GB"].map((size) => parseSize(size))).toEqual(
    Array(6).fill(undefined),
  );
  expect(amountOf("license", "2")).toHaveProperty("problem");
});
