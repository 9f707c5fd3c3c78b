/** Writes the page of the benchmarks. */
import { budgets } from "./budgets.ts";
import { type Entry, median, type Results } from "./results.ts";
import type { Measure } from "./tool.ts";
import type { Shape } from "./workload.ts";

/** @param cores of the machine */
export function page(results: Results, cores: number): string {
  const { file } = results;
  const notes = new Footnotes();
  const versions = Object.entries(file.versions).map(([name, version]) => `${name} ${version}`);
  const missing = Object.entries(file.missing).map(([name, reason]) => `${name}: ${reason}.`);
  return `${[
    "# Benchmarks",
    `Measured ${file.date.slice(0, 10)} on a machine with ${file.machine}, by \`pnpm bench\`, which writes this page.`,
    file.complete
      ? "Compare within a table only: another machine has other numbers, and much the same ratios."
      : "**A partial run**: not every tool, workload or size was asked for. What is here was measured; what is not, was not.",
    ...earlierRows(file.earlier ?? []),
    "Every tool has the same trivial work, `cp` of one small file per step, and may do two things at once. All are " +
      "measured in turn, A B C A B C …; a number is the median in milliseconds of wall clock, from the start of the " +
      `process to its end, of ${runs(file.repeat)}. A run of everything has ${file.minutes} minutes: what would not fit is a dash with its reason, and is not asked for more.`,
    "## Budgets",
    ...budgetTable(results, cores),
    "Where a budget is missed, or only just met, this is why:",
    reasons,
    "## No-op: nothing has changed",
    "![No-op by number of steps](no-op.svg)",
    ...times(results, "fan", "no-op", notes),
    "In a chain, where each step takes what the one before it made:",
    ...times(results, "chain", "no-op", notes),
    "## Cold: nothing is kept from before",
    "![Cold run by number of steps](cold.svg)",
    ...times(results, "fan", "cold", notes),
    "In a chain:",
    ...times(results, "chain", "cold", notes),
    "## One leaf: one source of a fan was edited",
    ...times(results, "fan", "leaf", notes),
    "## Plan: what would run?",
    "`mlpipe plan`, `make -n`, `ninja -n`, `scons -n`, `snakemake -n`, `doit list --status`, `turbo --dry`, `dvc repro --dry`.",
    ...times(results, "fan", "plan", notes),
    "## Peak memory",
    `MiB of the largest process of a tool, over all measures of a fan. Less than ${mib(file.memoryFloor)} cannot be told apart here.`,
    ...memory(results),
    "## Many small and few large inputs",
    "One step with a folder of many small files among its inputs, cold and with nothing changed:",
    ...times(results, "files", "cold", notes),
    ...times(results, "files", "no-op", notes),
    "One step with four large files among its inputs, in MiB (0: four files of one byte):",
    ...times(results, "large", "cold", notes),
    ...times(results, "large", "no-op", notes),
    "## Starting",
    ...times(results, "start", "no-op", notes),
    "## What is compared",
    `Versions: ${versions.join(", ")}.`,
    ...(missing.length === 0 ? [] : [`Left out: ${missing.join(" ")}`]),
    [
      "- mlpipe is what users get: built, packed, installed by npm, started as `node node_modules/mlpipe/bin/mlpipe.js`.",
      "- Floors are no tools. The bare planner reads a manifest and an index, looks at every input and prints a count; the " +
        "least promised imports zod, makes a key of each input's content, looks for each output and writes a chained record, " +
        "which is what mlpipe promises of a run, has another process start a step that has to run, makes what it made durable, and " +
        "types, checks and explains nothing; " +
        "the bare spawner starts the commands two at a time; the durable one also captures their output and syncs what they wrote.",
      "- make, ninja, snakemake and redun go by modification times, doit looks at content when times differ; the others by content.",
      "- turbo is started as its native binary, without its npm wrapper. It starts each task by `npm run`: beyond 100 " +
        "tasks its first run is made by a stand-in for npm, and not measured.",
      "- doit keeps its state as JSON; DVC runs stages one at a time; daemons, telemetry and update checks are off.",
    ].join("\n"),
    "## Again",
    "```sh\npnpm bench\npnpm bench --only mlpipe,floors,ninja --sizes 10,100 --workloads fan --repeat 3 --minutes 5\n```",
    "Raw results: [results.json](results.json).",
    ...notes.lines(),
  ].join("\n\n")}\n`;
}

/** Ratios hold within a workload. Who compares two should know if another build of mlpipe was measured on one of them. */
function earlierRows(earlier: NonNullable<Results["file"]["earlier"]>): readonly string[] {
  if (earlier.length === 0) return [];
  const names = earlier.map(({ shape, size }) => `${shape} of ${size.toLocaleString("en")}`);
  return [`Measured before the others, perhaps with an earlier build of mlpipe: ${names.join(", ")}.`];
}

/** What is known of where the time and the memory go. */
const reasons = [
  "- **No-op.** Node's start takes 25 ms, zod without its languages 15 more, mlpipe and the project's code another 40; a " +
    "native tool has ended by then. A step then costs about 0.07 ms: its input is looked at, its key computed, its output " +
    "looked for, and its line written to the run's record. The least promised, a bare program that does no more than that, " +
    "takes by itself nearly all that is allowed against the bare planner and against doit, which goes by modification times, " +
    "looks for no output by content and writes no record. The runs of turbo differ by two thirds, from 160 to 270 ms.",
  "- **One leaf.** What executes is loaded, a supervisor and the step are started, the beginning of the run, its result and " +
    "its end are made durable one after the other, and mlpipe.lock is compared and written. The least promised starts its " +
    "other process while it looks at the rest, and has nothing but that, the step, and one result to make durable: what it " +
    "takes more than a run in which nothing has to run is what another process and a disk ask for.",
  "- **Cold.** Every output is synced to disk before it counts, and every step has a private folder, a link to its input, a " +
    "record of its own in the database and in a file, is watched for processor time, memory and daemons, and is started by " +
    "another process than the one that decides. Both processors are busy with it all the while. A file system that is slow " +
    "to make files, as ext4 without a journal is after many were deleted, shows twice: a step makes three where the " +
    "spawner makes one. What mlpipe holds in memory does not matter: taken in turn, runs with and without 1 GiB took the " +
    "same time to within 4 %. Here the two are measured minutes apart, and 0.92 to 1.28 was found.",
  "- **Memory.** Of Node itself 55 MiB are in use once it has done all that a cold run asks for, zod and the code of mlpipe " +
    "take 15, the parser of TypeScript 10, and a run of 10,000 steps writes one record with the outcome of each. The first run " +
    "after a pipeline of few steps was edited into one of many, as happens here between 100 and 1,000, takes 25 more: " +
    "Node strips the types itself, for which it keeps a parser. For pipelines that are known to be large another process " +
    "does that, for which a small one would have to wait 50 ms after each edit.",
  "- **Small files.** Each is opened, looked at and read by itself, so that the rate is that of the file system: on one " +
    "machine 79,000 to 112,000 a second were found, the fewest shortly after many files had been deleted.",
].join("\n");

function runs(repeat: number | null): string {
  if (repeat === null) return "5 runs (3 for the largest sizes, 15 for starting), or as many as is noted";
  return repeat === 1 ? "one run only, which says little" : `${repeat} runs`;
}

/** Fewer runs than this are no ground for a verdict, on a machine that does other things as well. */
const enoughRuns = 3;

function budgetTable(results: Results, cores: number): readonly string[] {
  const few = results.file.repeat !== null && results.file.repeat < enoughRuns;
  const rows = budgets(results, cores).map(({ work, limit, found }) => {
    if (found === undefined) return [work, limit, "–", "not measured"];
    return [work, limit, found.text, few ? "too few runs to say" : found.met ? "met" : "**not met**"];
  });
  return [table(["work", "budget", "found", ""], rows)];
}

/** Numbers what is to be said of single cells, each once. */
class Footnotes {
  readonly #numbers = new Map<string, number>();

  mark(reason: string): string {
    const number = this.#numbers.get(reason) ?? this.#numbers.size + 1;
    this.#numbers.set(reason, number);
    return `[^${number}]`;
  }

  lines(): readonly string[] {
    return [...this.#numbers].map(([reason, number]) => `[^${number}]: ${reason}`);
  }
}

function times(results: Results, shape: Shape, measure: Measure, notes: Footnotes): readonly string[] {
  const sizes = results.sizes(shape);
  const tools = results.tools(shape, measure);
  if (tools.length === 0) return ["Not measured."];
  const heads = shape === "start" ? ["ms"] : sizes.map((size) => size.toLocaleString("en"));
  const rows = tools.map((tool) => [
    named(results, tool),
    ...sizes.map((size) => cell(results, results.entry(shape, size, measure, tool), notes)),
  ]);
  return [table(["", ...heads], rows)];
}

function cell(results: Results, entry: Entry | undefined, notes: Footnotes): string {
  const ms = median(entry?.ms ?? []);
  if (entry === undefined || ms === undefined) {
    return entry?.reason === undefined ? "–" : `–${notes.mark(entry.reason)}`;
  }
  const count = entry.ms.length;
  const few = results.file.repeat === null && count < enoughRuns;
  const note = few
    ? notes.mark(count === 1 ? "one run, for want of time" : `${count} runs, for want of time`)
    : "";
  return bold(entry.tool, rounded(ms)) + note;
}

function memory(results: Results): readonly string[] {
  const tools = results.tools("fan", "no-op");
  const sizes = results.sizes("fan");
  if (tools.length === 0) return ["Not measured."];
  const rows = tools.map((tool) => [
    named(results, tool),
    ...sizes.map((size) => {
      const peak = results.peak("fan", size, tool);
      if (peak === undefined) return "–";
      const visible = peak > results.file.memoryFloor + 512 * 1024;
      return bold(tool, visible ? mib(peak) : `< ${mib(results.file.memoryFloor)}`);
    }),
  ]);
  return [table(["", ...sizes.map((size) => size.toLocaleString("en"))], rows)];
}

function named(results: Results, tool: string): string {
  const floor = results.file.entries.some((entry) => entry.tool === tool && entry.role === "floor");
  return floor ? `*${tool}*` : bold(tool, tool);
}

function bold(tool: string | undefined, text: string): string {
  return tool === "mlpipe" ? `**${text}**` : text;
}

/** Three digits say as much as a noisy machine knows. */
function rounded(ms: number): string {
  if (ms < 10) return ms.toFixed(1);
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(ms)) - 2);
  return (Math.round(ms / unit) * unit).toLocaleString("en");
}

function mib(bytes: number): string {
  return String(Math.round(bytes / 1024 / 1024));
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = heads.map((_, i) => (i === 0 ? "---" : "---:"));
  return [line(heads), line(rule), ...rows.map(line)].join("\n");
}
