/** What was measured: the contents of `docs/benchmarks/results.json`. */
import type { Measure, Tool } from "./tool.ts";
import type { Shape, Workload } from "./workload.ts";

/** All samples of one measure of one tool on one workload. */
export interface Entry {
  readonly shape: Shape;
  readonly size: number;
  readonly measure: Measure;
  readonly tool: string;
  readonly role: Tool["role"];
  /** Wall milliseconds. */
  readonly ms: number[];
  /** Bytes at the peak, of the largest process. */
  readonly peak: number[];
  /** Why there is no sample. */
  reason?: string;
}

/** Contents of the file. */
export interface ResultsFile {
  readonly schemaVersion: 1;
  readonly date: string;
  readonly machine: string;
  /** Whether all tools were measured on all workloads in all sizes. */
  readonly complete: boolean;
  /** Whether all tools were measured on what was measured. */
  readonly isOfAllTools: boolean;
  /** Workloads that were measured by an earlier run, and kept by `--add`. */
  readonly earlier?: readonly Pick<Workload, "shape" | "size">[];
  readonly minutes: number;
  /** Runs of each, where somebody asked for other than the usual number. */
  readonly repeat: number | null;
  /** Bytes: peaks below this cannot be told apart. */
  memoryFloor: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: Readonly<Record<string, string>>;
  readonly entries: Entry[];
}

/** Questions to the results. */
export class Results {
  readonly file: ResultsFile;

  constructor(file: ResultsFile) {
    this.file = file;
  }

  entry(shape: Shape, size: number, measure: Measure, tool: string): Entry | undefined {
    return this.file.entries.find(
      (entry) =>
        entry.shape === shape && entry.size === size && entry.measure === measure && entry.tool === tool,
    );
  }

  /** The median in ms. */
  ms(shape: Shape, size: number, measure: Measure, tool: string): number | undefined {
    return median(this.entry(shape, size, measure, tool)?.ms ?? []);
  }

  /** The highest peak over some measures, in bytes. */
  peak(shape: Shape, size: number, tool: string): number | undefined {
    const peaks = this.file.entries
      .filter((entry) => entry.shape === shape && entry.size === size && entry.tool === tool)
      .flatMap(({ peak }) => peak);
    return peaks.length === 0 ? undefined : Math.max(...peaks);
  }

  /** Sizes of a shape that were measured, ascending. */
  sizes(shape: Shape): readonly number[] {
    const sizes = this.file.entries.filter((entry) => entry.shape === shape).map(({ size }) => size);
    return [...new Set(sizes)].sort((a, b) => a - b);
  }

  /** Tools that a shape was given to, in the order in which they were measured. */
  tools(shape: Shape, measure: Measure): readonly string[] {
    const found = this.file.entries.filter((entry) => entry.shape === shape && entry.measure === measure);
    return [...new Set(found.map(({ tool }) => tool))];
  }
}

export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
