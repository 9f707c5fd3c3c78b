/** Reproduces recorded step runs, each from the code of the run that executed it, and records the verdict. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Content, Store } from "@mlpipe/store";
import { isDigest, openStore, uuid7 } from "@mlpipe/store";
import { Planner } from "@mlpipe/planner";
import { type Run, runOf, type StepRun, timestamp } from "@mlpipe/provenance";
import { hostFacts } from "@mlpipe/provenance/host";
import { type ReproducedStep, type Reproduction, worst } from "@mlpipe/provenance/reproduction";
import { version } from "../package-files.ts";
import { loadManifest } from "../project/load.ts";
import type { Project } from "../project/project.ts";
import { type HowToReproduce, notRerun, reproduceStep, type Workshop } from "./reproduce-step.ts";
import { scratchProject } from "./scratch-project.ts";
import type { Variation } from "./variations.ts";

/** What is asked for. */
export interface ReproduceOptions {
  readonly executions: number;
  readonly tolerance: number;
  readonly varied: readonly Variation[];
  readonly strictEnvironment: boolean;
  readonly cascade: boolean;
  readonly signal: AbortSignal;
  /** Told of each step as it is done. */
  readonly onStep: (step: ReproducedStep) => void;
  /** Told how the code of a run came back. */
  readonly onCode: (run: string, code: string) => void;
}

/**
 * Reproduces step runs and appends the verdict to the records of the run that was asked about.
 * @param asked the run that the steps are of, whichever runs executed them
 * @param stepRuns every one after those whose outputs it used
 */
export async function reproduce(
  project: Project,
  store: Store,
  asked: Run,
  stepRuns: readonly StepRun[],
  options: ReproduceOptions,
): Promise<Reproduction> {
  const startedAt = timestamp(new Date());
  const steps = new Map<string, ReproducedStep>();
  const madeAgain: HowToReproduce["madeAgain"] = new Map();
  const shops = new Map<string, Opened>();
  const host = await hostFacts(project.root, process.env);
  try {
    for (const stepRun of stepRuns) {
      let shop = shops.get(stepRun.run);
      if (shop === undefined) {
        shop = await open(project, store, stepRun.run, { ...options, host });
        shops.set(stepRun.run, shop);
        if (shop.type === "open") options.onCode(stepRun.run, shop.code);
      }
      const done =
        shop.type === "missing"
          ? notRerun(stepRun, shop.reason)
          : await reproduceStep(shop.workshop, shop.run, stepRun, { ...options, madeAgain });
      steps.set(stepRun.id, done);
      options.onStep(done);
    }
  } finally {
    for (const shop of shops.values()) if (shop.type === "open") shop[Symbol.dispose]();
  }
  const reproduction: Reproduction = {
    schema: "mlpipe/reproduction/v1",
    id: uuid7(),
    run: asked.id,
    pipeline: asked.pipeline.name,
    mode: options.cascade ? "cascade" : "isolated",
    varied: [...options.varied],
    tolerance: options.tolerance,
    startedAt,
    endedAt: timestamp(new Date()),
    verdict: worst([...steps.values()].map(({ verdict }) => verdict)),
    steps: [...steps.values()],
    tool: { name: "mlpipe", version: version() },
  };
  store.runs.appendRecord(asked.id, { type: "reproduction", reproduction });
  return reproduction;
}

type Opened =
  | {
      readonly type: "open";
      readonly run: Run;
      readonly code: string;
      readonly workshop: Workshop;
      [Symbol.dispose](): void;
    }
  | { readonly type: "missing"; readonly reason: string };

/** Brings the code of a run back and loads its pipeline with the recorded params. */
async function open(
  project: Project,
  store: Store,
  id: string,
  { signal, host }: Pick<Workshop, "host" | "signal">,
): Promise<Opened> {
  const row = store.runs.get(id);
  if (row === undefined) return { type: "missing", reason: `the record of run ${id} is no longer there` };
  const run = runOf(row, []);
  const scratch = scratchProject(project.root, store, run);
  if (scratch.type === "missing") return scratch;
  try {
    const { root } = scratch;
    const paramsFile = join(root, ".mlpipe", "recorded-params.json");
    writeFileSync(paramsFile, JSON.stringify(run.params));
    const own: Project = { root, storeRoot: join(root, ".mlpipe") };
    const { manifest, keyFunctions } = await loadManifest(own, join(root, run.pipeline.file), {
      cwd: root,
      paramsFile,
    });
    const scratchStore = openStore(own.storeRoot);
    const planner = new Planner({ manifest, keyFunctions, store: scratchStore, root, env: process.env });
    // Items of lists are those that the run found.
    const outputOf = recordedOutputs(run);
    for (const node of planner.graph.nodes()) if ("fanOut" in node) planner.expand(node.fanOut, outputOf);
    return {
      type: "open",
      run,
      code: scratch.code,
      workshop: {
        store,
        projectRoot: project.root,
        root,
        scratchStore,
        manifest: planner.graph.manifest,
        planner,
        host,
        id: uuid7(),
        signal,
      },
      [Symbol.dispose]: () => {
        scratchStore.close();
        scratch[Symbol.dispose]();
      },
    };
  } catch (error) {
    scratch[Symbol.dispose]();
    const message = error instanceof Error ? error.message : String(error);
    return { type: "missing", reason: `its pipeline could not be loaded as it was: ${message}` };
  }
}

function recordedOutputs(run: Run): (step: string, port: string) => Content | undefined {
  const steps = new Map(run.steps.map(({ id, outputs }) => [id, outputs]));
  return (step, port) => {
    const output = steps.get(step)?.[port];
    if (output === undefined || !isDigest(output.digest)) return undefined;
    return { type: output.type, digest: output.digest, size: output.size };
  };
}
