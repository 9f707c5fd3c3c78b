/** The budgets of mlpipe's design, as ratios of what was measured side by side. */
import type { Results } from "./results.ts";

export interface Budget {
  readonly work: string;
  readonly limit: string;
  /** Nothing where what it needs was not measured. */
  readonly found?: { readonly text: string; readonly met: boolean };
}

/** @param cores of the machine, for how many of the four large files can be hashed at once */
export function budgets(results: Results, cores: number): readonly Budget[] {
  const start = (tool: string): number | undefined => results.ms("start", 0, "no-op", tool);
  const noop = (size: number, tool = "mlpipe"): number | undefined => results.ms("fan", size, "no-op", tool);
  const cold = (size: number, tool = "mlpipe"): number | undefined => results.ms("fan", size, "cold", tool);
  const peak = (size: number): number | undefined => mebibytes(results.peak("fan", size, "mlpipe"));
  const leafLimit = sum(noop(1000), 15, start("one command"));

  return [
    most("`mlpipe --version`", 1.6, "`node -e 0`", start("mlpipe --version"), start("node -e 0")),
    most("`mlpipe --help`", 1.6, "`node -e 0`", start("mlpipe --help"), start("node -e 0")),
    most("no-op, fan of 1,000", 0.7, "turbo native", noop(1000), noop(1000, "turbo native")),
    most("no-op, fan of 1,000", 2.1, "the bare planner", noop(1000), noop(1000, "bare planner")),
    most("no-op, fan of 10,000", 0.3, "doit", noop(10_000), noop(10_000, "doit")),
    most("no-op, fan of 10,000: linear", 1, "10 × the fan of 1,000", noop(10_000), times(10, noop(1000))),
    most(
      "no-op, chain of 1,000",
      1.1,
      "the fan of 1,000",
      results.ms("chain", 1000, "no-op", "mlpipe"),
      noop(1000),
    ),
    most("cold, fan of 1,000", 1.5, "the durable spawner", cold(1000), cold(1000, "bare spawner, durable")),
    most("cold, fan of 1,000 (goal)", 1.5, "the bare spawner", cold(1000), cold(1000, "bare spawner")),
    most("cold, fan of 1,000 (goal)", 1.4, "doit", cold(1000), cold(1000, "doit")),
    most(
      "cold less no-op, holding 1 GiB",
      1.1,
      "the same without",
      minus(cold(1000, "mlpipe holding 1024 MiB"), noop(1000, "mlpipe holding 1024 MiB")),
      minus(cold(1000), noop(1000)),
    ),
    most(
      "one leaf of 1,000",
      1,
      "no-op + 15 ms + one command",
      results.ms("fan", 1000, "leaf", "mlpipe"),
      leafLimit,
    ),
    hashing(results, cores),
    smallFiles(results),
    most(
      "no-op over 100,000 files",
      2,
      "the stat walk",
      results.ms("files", 100_000, "no-op", "mlpipe"),
      results.ms("files", 100_000, "no-op", "stat walk"),
    ),
    most("peak memory, fan of 1,000", 1, "100 MiB", peak(1000), 100),
    most("peak memory, fan of 10,000", 1, "200 MiB", peak(10_000), 200),
  ];
}

function most(
  work: string,
  limit: number,
  of: string,
  value: number | undefined,
  base: number | undefined,
): Budget {
  const budget = { work, limit: limit === 1 ? `≤ ${of}` : `≤ ${limit} × ${of}` };
  if (value === undefined || base === undefined || base <= 0) return budget;
  const ratio = value / base;
  return { ...budget, found: { text: `${ratio.toFixed(2)} ×`, met: ratio <= limit } };
}

/** What hashing adds to a cold run, against reading and hashing the same on each core at once. */
function hashing(results: Results, cores: number): Budget {
  const budget = {
    work: "hashing 2 GiB in 4 files",
    limit: "≥ 0.85 × one-shot sha256 per core, all cores used",
  };
  const took = minus(results.ms("large", 2048, "cold", "mlpipe"), results.ms("large", 0, "cold", "mlpipe"));
  const alone = minus(
    results.ms("large", 2048, "cold", "one-shot sha256, one core"),
    results.ms("large", 0, "cold", "one-shot sha256, one core"),
  );
  if (took === undefined || alone === undefined || took <= 0) return budget;
  const ratio = alone / Math.min(cores, 4) / took;
  return { ...budget, found: { text: `${ratio.toFixed(2)} ×`, met: ratio >= 0.85 } };
}

function smallFiles(results: Results): Budget {
  const budget = {
    work: "hashing 100,000 small files, within a cold run",
    limit: "≥ 100,000 files a second",
  };
  const took = minus(
    results.ms("files", 100_000, "cold", "mlpipe"),
    results.ms("files", 1, "cold", "mlpipe"),
  );
  if (took === undefined || took <= 0) return budget;
  const rate = 100_000 / (took / 1000);
  const text = `${Math.round(rate).toLocaleString("en")} a second`;
  return { ...budget, found: { text, met: rate >= 100_000 } };
}

function mebibytes(bytes: number | undefined): number | undefined {
  return times(1 / 1024 / 1024, bytes);
}

function times(factor: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : factor * value;
}

function minus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a - b;
}

function sum(...values: readonly (number | undefined)[]): number | undefined {
  return values.reduce((total, value) =>
    total === undefined || value === undefined ? undefined : total + value,
  );
}
