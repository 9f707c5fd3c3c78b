/**
 * Measures mlpipe and other tools side by side on the same work, and writes `docs/benchmarks`.
 *
 *     node test/bench/run.ts --only mlpipe,ninja --sizes 10,100 --workloads fan --repeat 3 --minutes 5
 *
 * Without options everything is measured, in 25 minutes at most. With `--add` what was measured before of other
 * workloads stays: ratios are only taken within a workload, so a table may be made of several quiet hours.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
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

type Case = readonly [Workload, weight: number];

/** What a full run measures, in this order, and its part of the time: what matters most comes first. */
const plan: readonly Case[] = [
  [{ shape: "start", size: 0 }, 10],
  [{ shape: "fan", size: 10 }, 60],
  [{ shape: "fan", size: 100 }, 120],
  [{ shape: "fan", size: 1000 }, 330],
  [{ shape: "files", size: 1 }, 20],
  [{ shape: "files", size: 100_000 }, 90],
  [{ shape: "large", size: 0 }, 20],
  [{ shape: "large", size: 2048 }, 90],
  [{ shape: "fan", size: 10_000 }, 400],
  [{ shape: "chain", size: 10 }, 40],
  [{ shape: "chain", size: 100 }, 80],
  [{ shape: "chain", size: 1000 }, 200],
  [{ shape: "chain", size: 10_000 }, 100],
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
      /** Keeps what the results have of workloads that are not measured now. */
      add: { type: "boolean" },
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
    add: values.add === true,
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
    const before = options.add ? earlier(options.output, installer.versions) : undefined;
    const isMeasured = ([{ shape, size }]: Case): boolean =>
      before?.entries.some((entry) => entry.shape === shape && entry.size === size) === true;
    const kept = plan.filter((each) => !options.cases.includes(each) && isMeasured(each));
    const results: ResultsFile = {
      schemaVersion: 1,
      date: new Date().toISOString(),
      machine: machine(),
      complete:
        options.only.size === toolNames.length &&
        options.cases.length + kept.length === plan.length &&
        before?.isOfAllTools !== false,
      isOfAllTools: options.only.size === toolNames.length && before?.isOfAllTools !== false,
      ...(kept.length > 0 && { earlier: kept.map(([{ shape, size }]) => ({ shape, size })) }),
      minutes: options.minutes + (before?.minutes ?? 0),
      repeat: options.repeat ?? null,
      memoryFloor: before?.memoryFloor ?? 0,
      versions: installer.versions,
      missing: installer.missing,
      entries: kept.flatMap(([{ shape, size }]) =>
        (before?.entries ?? []).filter((entry) => entry.shape === shape && entry.size === size),
      ),
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

/**
 * The results that lie in a folder, to be added to.
 * @throws Error if they are of other versions: then nothing of them stands beside what is measured now
 */
function earlier(folder: string, versions: ResultsFile["versions"]): ResultsFile {
  const { file } = new Results(JSON.parse(readFileSync(join(folder, "results.json"), "utf8")) as ResultsFile);
  const other = Object.entries(versions).find(
    ([tool, version]) => tool in file.versions && file.versions[tool] !== version,
  );
  if (other === undefined) return file;
  throw new Error(`${other[0]} was ${file.versions[other[0]]}, and is ${other[1]}: measure everything again`);
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
