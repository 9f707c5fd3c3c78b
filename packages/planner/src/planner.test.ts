/**
 * The planner over real files and a real store. Nothing is executed: a step's result is put into
 * the store as the executor would, and the next plan must follow from it.
 */
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Manifest, ManifestStep } from "@mlpipe/dsl";
import { type Content, openStore, type Store, uuid7 } from "@mlpipe/store";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Decision } from "./plan.ts";
import { Planner } from "./planner.ts";

let root = "";
let store: Store;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-planner-")));
  mkdirSync(join(root, "node_modules/@mlpipe"), { recursive: true });
  symlinkSync(join(import.meta.dirname, "../../dsl"), join(root, "node_modules/@mlpipe/dsl"));
  write({
    "package.json": '{ "type": "module" }',
    "days.csv": "day,rain\n1,2\n",
    "lag.ts": "export const lag = (n: number): number => n - 1;\n",
    "steps.ts": `import { data } from "@mlpipe/dsl";
import { lag } from "./lag.ts";
export const split = data("split", { outputs: {}, run: () => { lag(2); } });
export const fit = data("fit", { outputs: {}, run() {} });
`,
  });
  store = openStore(join(root, ".mlpipe"));
});
afterEach(() => {
  store.close();
  rmSync(root, { recursive: true, force: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const step = (id: string, more: Partial<ManifestStep> = {}): ManifestStep => ({
  id,
  kind: "data",
  module: "steps.ts",
  export: id,
  inputs: {},
  outputs: { rows: { kind: "csv" } },
  body: { type: "run" },
  env: [],
  cache: { mode: "keyed" },
  scheduling: {},
  ...more,
});

const value = (content: unknown): ManifestStep["inputs"][string] => ({
  kind: { kind: "value" },
  from: { type: "value", value: content },
});

function manifest(
  params: Readonly<Record<string, never>> | Record<string, number>,
  split: Partial<ManifestStep> = {},
  fit: Partial<ManifestStep> = {},
): Manifest {
  return {
    schemaVersion: 1,
    pipeline: "test",
    file: "test.pipeline.ts",
    params,
    steps: [
      step("split", {
        inputs: {
          days: { kind: { kind: "csv" }, from: { type: "source", path: "days.csv", keep: "reference" } },
          from: value(params["from"] ?? 1),
        },
        ...split,
      }),
      step("fit", {
        inputs: {
          rows: { kind: { kind: "csv" }, from: { type: "step", step: "split", port: "rows" } },
          trees: value(params["trees"] ?? 10),
        },
        outputs: { model: { kind: "model", format: "json" } },
        ...fit,
      }),
    ],
    outputs: {},
    warnings: [],
  };
}

function planner(given: Manifest, env: NodeJS.ProcessEnv = {}, force?: "all"): Planner {
  return new Planner({
    manifest: given,
    store,
    root,
    env: { PATH: process.env["PATH"], ...env },
    ...(force && { force }),
  });
}

/** Keeps a result for a decided step, as a run that succeeded does. */
function keep(
  by: Planner,
  given: Manifest,
  id: string,
  decision: Decision,
  text: string,
  now = new Date(),
): Record<string, Content> {
  if (decision.decision !== "run") throw new Error(`${id} is ${decision.decision}`);
  const [port = "rows"] = Object.keys(given.steps.find((candidate) => candidate.id === id)?.outputs ?? {});
  const outputs = { [port]: store.objects.putBytes(text) };
  const run = uuid7();
  const stepRun = uuid7();
  const at = now.toISOString().replace("Z", "+00:00");
  store.runs.begin({ id: run, pipeline: "test", startedAt: at, document: { params: given.params } });
  by.keep(decision, {});
  if (decision.cacheable)
    store.cache.put(decision.key, { stepRun, run, outputs, createdAt: at, durationMs: 1 });
  store.runs.addStepRun({
    id: stepRun,
    run,
    pipeline: "test",
    step: id,
    kind: "data",
    key: decision.key,
    status: "ran",
    startedAt: at,
    endedAt: at,
    preimage: decision.preimage,
    document: {},
  });
  store.runs.end(run, { status: "succeeded", endedAt: at, document: { params: given.params } });
  return outputs;
}

/** Runs the whole manifest in the sense of the planner. */
function runAll(given: Manifest, env: NodeJS.ProcessEnv = {}, now = new Date()): void {
  const by = planner(given, env);
  const outputs = new Map<string, Readonly<Record<string, Content>>>();
  for (const { id } of given.steps) {
    const decision = by.decide(id, (from, port) => outputs.get(from)?.[port]);
    outputs.set(
      id,
      decision.decision === "cached"
        ? decision.entry.outputs
        : keep(by, given, id, decision, `result of ${id}`, now),
    );
  }
}

/** The plan in one line a step. */
function plan(given: Manifest, env: NodeJS.ProcessEnv = {}, force?: "all"): readonly string[] {
  return planner(given, env, force)
    .plan()
    .steps.map(
      ({ id, decision, reasons }) => `${id} ${decision}: ${reasons.map(({ message }) => message).join("; ")}`,
    );
}

describe("a plan", () => {
  it("of a new pipeline runs the first step and waits for the rest", () => {
    expect(plan(manifest({}))).toEqual(["split run: never ran before", "fit unknown: waits for split"]);
  });

  it("after a run finds everything kept", () => {
    runAll(manifest({}), {}, new Date("2026-01-02T03:04:05Z"));
    expect(plan(manifest({}))).toEqual([
      "split cached: nothing changed since 2026-01-02 03:04:05 UTC",
      "fit cached: nothing changed since 2026-01-02 03:04:05 UTC",
    ]);
  });

  it("names the param behind a changed value", () => {
    runAll(manifest({ from: 1, trees: 200 }));
    expect(plan(manifest({ from: 1, trees: 50 }))[1]).toBe("fit run: input trees 200 → 50 (params.trees)");
  });

  it("does not guess between two params that changed alike", () => {
    runAll(manifest({ trees: 200, leaves: 200 }));
    expect(plan(manifest({ trees: 50, leaves: 50 }))[1]).toBe("fit run: input trees 200 → 50");
  });

  it("names the source that changed, and does not mind one that was touched", () => {
    runAll(manifest({}));
    utimesSync(join(root, "days.csv"), new Date(), new Date(Date.now() + 5_000));
    expect(plan(manifest({}))[0]).toContain("split cached");
    write({ "days.csv": "day,rain\n1,3\n" });
    expect(plan(manifest({}))).toEqual([
      "split run: input days changed (days.csv)",
      "fit unknown: waits for split",
    ]);
  });

  it("names the declaration that changed, two modules away", () => {
    runAll(manifest({}));
    write({ "lag.ts": "export const lag = (n: number): number => n - 2;\n" });
    expect(plan(manifest({}))[0]).toBe("split run: code: lag in lag.ts changed");
  });

  it("does not mind a comment", () => {
    runAll(manifest({}));
    write({ "lag.ts": "// the day before\nexport const lag = (n: number): number => n - 1;\n" });
    expect(plan(manifest({}))[0]).toContain("split cached");
  });

  it("stops at a step whose output did not change", () => {
    runAll(manifest({ from: 1 }));
    const next = manifest({ from: 2 });
    const by = planner(next);
    const outputs = keep(
      by,
      next,
      "split",
      by.decide("split", () => undefined),
      "result of split",
    );
    expect(by.decide("fit", (_step, port) => outputs[port]).decision).toBe("cached");
  });

  it("names a declared variable by its values, and a secret not at all", () => {
    const env = [
      { name: "REGION", secret: false },
      { name: "TOKEN", secret: true },
    ];
    const given = manifest({}, { env });
    runAll(given, { REGION: "north", TOKEN: "old-secret" });
    expect(plan(given, { REGION: "north", TOKEN: "new-secret" })[0]).toContain("split cached");
    expect(plan(given, { REGION: "south", TOKEN: "new-secret" })[0]).toBe(
      "split run: env REGION north → south",
    );
  });

  it("names a port whose kind changed", () => {
    runAll(manifest({}));
    const given = manifest({}, { outputs: { rows: { kind: "jsonl" } } });
    expect(plan(given)[0]).toBe("split run: output port rows changed its kind");
  });

  it("runs everything by force", () => {
    runAll(manifest({}));
    expect(plan(manifest({}), {}, "all")[0]).toBe("split run: forced (--force)");
  });

  it("never keeps what says so, and lets age what says so", () => {
    const off = manifest({}, { cache: { mode: "off" } });
    runAll(off);
    expect(plan(off)[0]).toBe("split run: never cached (cache: false)");
    const aging = manifest({}, { cache: { mode: "aging", maxAgeMs: 60_000 } });
    runAll(aging, {}, new Date(Date.now() - 120_000));
    expect(plan(aging)[0]).toMatch(/^split run: older than its maxAge/);
  });

  it("says that a result is gone from the store", () => {
    const given = manifest({});
    runAll(given);
    rmSync(join(root, ".mlpipe/objects"), { recursive: true, force: true });
    expect(plan(given)[0]).toBe("split run: its output rows is no longer in the store");
  });

  it("says what failed last time", () => {
    const given = manifest({});
    const by = planner(given);
    const decision = by.decide("split", () => undefined);
    if (decision.decision !== "run") throw new Error("expected run");
    const at = "2026-01-02T03:04:05.000+00:00";
    store.runs.addStepRun({
      id: uuid7(),
      run: uuid7(),
      pipeline: "test",
      step: "split",
      kind: "data",
      key: decision.key,
      status: "failed",
      startedAt: at,
      endedAt: at,
      preimage: decision.preimage,
      document: {},
    });
    expect(plan(given)[0]).toBe("split run: did not succeed last time (failed)");
  });

  it("refuses a source that is not there, unless the port is optional", () => {
    const missing = {
      kind: { kind: "csv" as const },
      from: { type: "source" as const, path: "none.csv", keep: "reference" as const },
    };
    expect(() => plan(manifest({}, { inputs: { days: missing } }))).toThrow(
      "The source none.csv of split.days does not exist.",
    );
    const optional = { ...missing, kind: { kind: "optional" as const, of: { kind: "csv" as const } } };
    expect(plan(manifest({}, { inputs: { days: optional } }))[0]).toContain("split run");
  });

  it("refuses a folder for a file", () => {
    mkdirSync(join(root, "folder"));
    const folder = {
      kind: { kind: "csv" as const },
      from: { type: "source" as const, path: "folder", keep: "reference" as const },
    };
    expect(() => plan(manifest({}, { inputs: { days: folder } }))).toThrow(
      "The source folder of split.days is a folder, and csv is not.",
    );
  });

  it("gives equal steps one key, whatever their ids", () => {
    const given = manifest(
      {},
      {},
      {
        module: "steps.ts",
        export: "split",
        inputs: manifest({}).steps[0]?.inputs ?? {},
        outputs: { rows: { kind: "csv" } },
      },
    );
    const by = planner(given);
    const keys = ["split", "fit"]
      .map((id) => by.decide(id, () => undefined))
      .map((decision) => (decision.decision === "unknown" ? "" : decision.key));
    expect(keys[0]).toBe(keys[1]);
  });
});
