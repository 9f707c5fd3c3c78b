import type { Copy, Workload } from "./workload.ts";

/**
 * - `cold`: the first run, with nothing kept from before
 * - `no-op`: a run after which nothing has changed
 * - `plan`: the question what would run, asked when nothing would
 * - `leaf`: a run after one source of a fan was edited
 */
export type Measure = "cold" | "no-op" | "plan" | "leaf";

export const measures: readonly Measure[] = ["cold", "no-op", "plan", "leaf"];

/** A tool, a form of mlpipe, or a floor: something that is started and measured. */
export interface Tool {
  readonly name: string;
  /**
   * The subject is mlpipe, a variant is it in some other form; a floor is not a tool that does the
   * work, but the least that any would need.
   */
  readonly role: "subject" | "variant" | "rival" | "floor";
  /** What is measured of it on a workload. */
  does(workload: Workload): readonly Measure[];
  /** Describes the workload in the tool's own language. */
  write(project: string, workload: Workload): void;
  /** The program's absolute path first. */
  run(workload: Workload): readonly string[];
  plan?(workload: Workload): readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Globs of everything a run leaves behind. */
  readonly leaves: readonly string[];
  /** Where a copy's files are, if not where the workload has them. */
  place?(copy: Copy, i: number): Copy;
  /** Whether outputs are where {@link place} says, to be looked at; else its exit code is believed. */
  readonly checkable: boolean;
  /**
   * Environment of a first run that is not measured, for workloads whose cold run would take too
   * long but whose other measures are wanted.
   */
  readonly prime?: Readonly<Record<string, string>>;
}

/** Fans and chains up to a size, all four measures; a chain has no leaf that is not its root. */
export function fansAndChains(
  largest: number,
  without: readonly Measure[] = [],
): (workload: Workload) => readonly Measure[] {
  return ({ shape, size }) => {
    if ((shape !== "fan" && shape !== "chain") || size > largest) return [];
    return measures.filter(
      (measure) => !without.includes(measure) && (measure !== "leaf" || shape === "fan"),
    );
  };
}

/** The same, and cold and no-op of one command with many or large inputs. */
export function allShapes(
  largest: number,
  without: readonly Measure[] = [],
): (workload: Workload) => readonly Measure[] {
  const wide = fansAndChains(largest, without);
  return (workload) =>
    workload.shape === "files" || workload.shape === "large" ? ["cold", "no-op"] : wide(workload);
}
