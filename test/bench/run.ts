/**
 * Measures mlpipe and other tools side by side on the same work, and writes `docs/benchmarks`.
 *
 *     node test/bench/run.ts --only mlpipe,ninja --sizes 10,100 --workloads fan --repeat 3 --minutes 5
 *
 * Without options everything is measured, in 25 minutes at most.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { Installer } from "./install.ts";
import { Launcher } from "./launcher.ts";
import { measure } from "./measure.ts";
import { page } from "./page.ts";
import { logLogPlot } from "./plot.ts";
import { Results, type ResultsFile } from "./results.ts";
import { openToolbox, toolNames } from "./toolbox.ts";
import type { Measure, Tool } from "./tool.ts";
import type { Shape, Workload } from "./workload.ts";

const repository = join(import.meta.dirname, "../..");

/** What a full run measures, in this order, and its part of the time: what matters most comes first. */
const plan: readonly (readonly [Workload, weight: number])[] = [
  [{ shape: "start", size: 0 }, 10],
  [{ shape: "fan", size: 10 }, 60],
  [{ shape: "fan", size: 100 }, 120],
  [{ shape: "fan", size: 1000 }, 330],
  [{ shape: "files", size: 1 }, 20],
  [{ shape: "files", size: 100_000 }, 90],
  [{ shape: "large", size: 0 }, 20],
  [{ shape: "large", size: 2048 }, 90],
  [{ shape: "fan", size: 10_000 }, 300],
  [{ shape: "chain", size: 10 }, 40],
  [{ shape: "chain", size: 100 }, 80],
  [{ shape: "chain", size: 1000 }, 200],
  [{ shape: "chain", size: 10_000 }, 200],
];

/** To remove a few hundred thousand files at the end takes its time as well. */
const cleaningSeconds = 45;

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

function optionsOf(args: readonly string[]) {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"),
    options: {
      only: { type: "string" },
      sizes: { type: "string" },
      workloads: { type: "string" },
      repeat: { type: "string" },
      minutes: { type: "string" },
      /** Where to write, for a try that should not change the page. */
      output: { type: "string" },
      /** Takes mlpipe as it was installed the last time. */
      installed: { type: "boolean" },
    },
  });
  const listOf = (text: string | undefined): readonly string[] | undefined => text?.split(",");
  const unknown = listOf(values.only)?.find((name) => !toolNames.includes(name));
  if (unknown !== undefined) throw new Error(`--only knows ${toolNames.join(", ")}, and not ${unknown}`);
  const minutes = Number(values.minutes ?? 25);
  const repeat = values.repeat === undefined ? undefined : Number(values.repeat);
  if (!(minutes > 0) || (repeat !== undefined && !(repeat >= 1))) {
    throw new Error("--minutes and --repeat take numbers");
  }
  const sizes = listOf(values.sizes)?.map(Number);
  const shapes = listOf(values.workloads);
  return {
    only: new Set(listOf(values.only) ?? toolNames),
    minutes,
    repeat,
    output: values.output ?? join(repository, "docs/benchmarks"),
    rebuild: values.installed !== true,
    cases: plan.filter(
      ([{ shape, size }]) =>
        (shapes?.includes(shape) ?? true) && (shape === "start" || (sizes?.includes(size) ?? true)),
    ),
  };
}

async function main(): Promise<void> {
  const started = performance.now();
  const options = optionsOf(process.argv.slice(2));
  const base = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-bench-")));
  const clean = (): void => {
    rmSync(base, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    for (const folder of ["home", "tmp"]) mkdirSync(join(base, folder));
    const path = `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`;
    const env = { PATH: path, HOME: join(base, "home"), TMPDIR: join(base, "tmp"), LANG: "C.UTF-8" };
    const installer = new Installer(say);
    const where = { base, path, node: process.execPath, rebuild: options.rebuild };
    const tools = openToolbox(installer, options.only, where);
    const python = installer.onSystem("python3");
    if (python === undefined) throw new Error("python3 is needed to start what is measured");
    using launcher = new Launcher(python, base);
    // Also when somebody stops it: no tool goes on, and 2 GiB of files are not left behind.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        launcher.stop();
        clean();
        process.exit(130);
      });
    }
    const results: ResultsFile = {
      schemaVersion: 1,
      date: new Date().toISOString(),
      machine: machine(),
      complete: options.cases.length === plan.length && options.only.size === toolNames.length,
      minutes: options.minutes,
      repeat: options.repeat ?? null,
      memoryFloor: 0,
      versions: installer.versions,
      missing: installer.missing,
      entries: [],
    };

    let weights = options.cases.reduce((sum, [, weight]) => sum + weight, 0);
    const gaveUp = new Map<Shape, Map<string, string>>();
    for (const [workload, weight] of options.cases) {
      const left = options.minutes * 60 - cleaningSeconds - (performance.now() - started) / 1000;
      const seconds = Math.max(0, left) * (weight / weights);
      weights -= weight;
      say(`${workload.shape} ${workload.size}: ${Math.round(seconds)} s of ${Math.round(left)}`);
      const given = gaveUp.get(workload.shape) ?? new Map<string, string>();
      gaveUp.set(workload.shape, given);
      const repeat = options.repeat ?? repeatOf(workload);
      const found = await measure({
        workload,
        tools,
        launcher,
        base,
        env,
        repeat,
        seconds,
        gaveUp: given,
        say,
      });
      results.entries.push(...found.entries);
      results.memoryFloor = Math.max(results.memoryFloor, found.floor);
      // After each, so that a run that is cut short has left what it found.
      write(options.output, new Results(results), tools);
    }
    say(`done in ${Math.round((performance.now() - started) / 1000)} s`);
  } finally {
    clean();
  }
}

function repeatOf({ shape, size }: Workload): number {
  if (shape === "start") return 15;
  return size === 10_000 || size === 2048 ? 3 : 5;
}

/** In words, with nothing that tells whose machine it is. */
function machine(): string {
  const memory = Math.round(totalmem() / 1024 ** 3);
  return `${availableParallelism()} cores, ${memory} GiB of memory, ${process.platform} ${process.arch}`;
}

function write(folder: string, results: Results, tools: readonly Tool[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(results.file, null, 2)}\n`);
  writeFileSync(join(folder, "README.md"), page(results, availableParallelism()));
  for (const [measure, title] of [
    ["no-op", "No-op: nothing has changed"],
    ["cold", "Cold: nothing is kept from before"],
  ] as const) {
    const lines = seriesOf(results, tools, measure);
    writeFileSync(join(folder, `${measure}.svg`), logLogPlot(title, "steps in a fan", "milliseconds", lines));
  }
  execFileSync(join(repository, "node_modules/.bin/oxfmt"), [folder], { stdio: "ignore" });
}

function seriesOf(
  results: Results,
  tools: readonly Tool[],
  measure: Measure,
): Parameters<typeof logLogPlot>[3] {
  const shown = tools.filter(({ role }) => role !== "variant");
  return shown.map(({ name, role }) => ({
    name,
    strong: role === "subject",
    floor: role === "floor",
    points: results.sizes("fan").flatMap((size) => {
      const ms = results.ms("fan", size, measure, name);
      return ms === undefined ? [] : [[size, ms] as const];
    }),
  }));
}

await main();
