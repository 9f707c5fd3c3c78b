/**
 * A run in MLflow: an experiment for the pipeline, a run for its run, and one in that for each step. What is there is
 * found by its tags and never made twice, what is missing is added, so it can be broken off anywhere and done again.
 */
import type { Store } from "@mlpipe/store";
import type { StepRun } from "../../records.ts";
import { inputsOf, type MakerOf, makersOf, outputsOf } from "../artifact.ts";
import type { ExportedRun, ExportedStep } from "../exported-run.ts";
import { list, record, tagsOf, text } from "./mlflow-answer.ts";
import { type MlflowBatch, mlflowBatches } from "./mlflow-batch.ts";
import {
  datasetsOf,
  type MlflowRun,
  type MlflowStatus,
  mlflowTags,
  runBatch,
  runIdentity,
  runStatuses,
  stepBatch,
  stepIdentity,
  stepStatuses,
} from "./mlflow-data.ts";
import { MlflowModels } from "./mlflow-models.ts";
import { cut, longestTag } from "./mlflow-names.ts";
import { register, registeredOf } from "./mlflow-registry.ts";
import { type MlflowAnswer, MlflowRefusal, type MlflowServer } from "./mlflow-server.ts";

/** A run of MLflow. */
interface Logged {
  readonly id: string;
  status: string;
  /** Whether something of it may be there from an earlier attempt. */
  isBegun: boolean;
}

/** The models that a run is linked with. */
interface Linked {
  readonly read: ReadonlySet<string>;
  readonly made: ReadonlySet<string>;
}

const nothing: Linked = { read: new Set(), made: new Set() };

/** Runs on a page of what is found: each comes with all its params and metrics. */
const pageSize = 100;

export class MlflowSink {
  readonly #server: MlflowServer;
  readonly #models: MlflowModels;
  readonly #remarks = new Set<string>();
  #experiment = "";
  #parent: Logged | undefined;
  /** By the id of the step. */
  readonly #steps = new Map<string, Logged>();

  constructor(server: MlflowServer, store: Store) {
    this.#server = server;
    this.#models = new MlflowModels(server, store, (message) => this.#remarks.add(message));
  }

  /** What was left out, and why. */
  get remarks(): readonly string[] {
    return [...this.#remarks];
  }

  /** The page of the run, for people. */
  get page(): string {
    return `${this.#server.url}/#/experiments/${this.#experiment}/runs/${this.#parent?.id ?? ""}`;
  }

  /** Everything that is recorded of a run. @throws Error that says what the server answered, or that it did not */
  async put(exported: ExportedRun): Promise<void> {
    await this.begin(exported.run);
    await this.end(exported);
  }

  /** Finds what is there of the run already, or begins it. */
  async begin(run: MlflowRun): Promise<void> {
    if (this.#parent !== undefined) return;
    const { name } = run.pipeline;
    this.#experiment = (await this.#findExperiment(name)) ?? (await this.#createExperiment(name));
    const parent = await this.#find(run);
    this.#parent = parent ?? (await this.#create(Date.parse(run.startedAt), runIdentity(run)));
  }

  /** Shows that a step is under way. */
  async stepStarted(run: MlflowRun, step: string, startedAt: string): Promise<void> {
    await this.#child(run, step, startedAt);
  }

  /** All that is known of a step that ended, or was taken from the cache. */
  async step(run: MlflowRun, step: ExportedStep, makerOf: MakerOf): Promise<void> {
    if (!isExecuted(step)) return;
    const { stepRun } = step;
    // A cached step took no time: its execution was another run's.
    const startedAt = step.isReused ? run.startedAt : stepRun.startedAt;
    const child = await this.#child(run, step.id, startedAt);
    if (isOver(child)) return;
    const read = await this.#modelsRead(step, makerOf);
    const original = step.isReused ? await this.#idOf(stepRun.id) : undefined;
    const parent = this.#parent?.id ?? "";
    // Measured once: a cached step measured nothing.
    const model = read.length === 1 && !step.isReused ? read[0] : undefined;
    await this.#log(child, stepBatch(run, step, { parent, model, original }));
    const linked = await this.#linked(child);
    const datasets = datasetsOf(run, step, makerOf);
    const models = read.filter((id) => !linked.read.has(id)).map((id) => ({ model_id: id }));
    if (datasets.length > 0 || models.length > 0) {
      await this.#server.post("runs/log-inputs", {
        run_id: child.id,
        datasets,
        ...(models.length > 0 && { models }),
      });
    }
    await this.#putModels(run, step, child, linked);
    await this.#end(child, stepStatuses[stepRun.status], step.isReused ? run.startedAt : stepRun.endedAt);
  }

  /** Whatever of the run is not there yet, and its end; a run that goes on is not ended. */
  async end(exported: ExportedRun): Promise<void> {
    const { run, steps } = exported;
    const parent = this.#parent;
    if (parent === undefined) throw new Error("it was not begun");
    const makerOf = makersOf(exported);
    // In the order of the pipeline: what was measured is there before its measurements.
    for (const step of steps) await this.step(run, step, makerOf);
    if (run.status === "running" || isOver(parent)) return;
    const executed = new Set(steps.filter(isExecuted).map(({ id }) => id));
    for (const [id, child] of this.#steps) {
      // It was shown as under way, and never came to an end that anybody could record.
      if (!executed.has(id) && !isOver(child)) await this.#end(child, "KILLED", run.endedAt ?? run.startedAt);
    }
    await this.#log(parent, runBatch(exported));
    await this.#register(exported);
    const end = run.endedAt ?? steps.at(-1)?.stepRun?.endedAt ?? run.startedAt;
    await this.#end(parent, runStatuses[run.status], end);
  }

  async #register(exported: ExportedRun): Promise<void> {
    const { run, steps } = exported;
    for (const each of registeredOf(exported)) {
      const maker = steps.find(({ id }) => id === each.model.step);
      const child = this.#steps.get(each.model.step);
      if (maker === undefined || child === undefined) continue;
      const origin = this.#origin(run, maker);
      const model = await this.#models.put(each.model, {
        experiment: this.#experiment,
        run: child.id,
        tags: origin,
      });
      if (model !== undefined) await register(this.#server, each, model, origin);
    }
  }

  async #putModels(
    run: MlflowRun,
    step: ExportedStep & { stepRun: StepRun },
    child: Logged,
    { made }: Linked,
  ): Promise<void> {
    const models = new Set<string>();
    for (const artifact of outputsOf(step)) {
      if (artifact.kind?.kind !== "model") continue;
      // A gate passes on what it was given.
      const isPassed = Object.values(step.stepRun.inputs).some(({ digest }) => digest === artifact.digest);
      if (isPassed) continue;
      const tags = this.#origin(run, step);
      const model = await this.#models.put(artifact, { experiment: this.#experiment, run: child.id, tags });
      if (model?.id !== undefined && !made.has(model.id)) models.add(model.id);
    }
    if (models.size === 0) return;
    await this.#server.post("runs/outputs", {
      run_id: child.id,
      models: [...models].map((id) => ({ model_id: id, step: 0 })),
    });
  }

  /** Params, metrics, tags and datasets can be logged twice, and are there once; a model that is linked twice is refused. */
  async #linked(logged: Logged): Promise<Linked> {
    if (!logged.isBegun) {
      logged.isBegun = true;
      return nothing;
    }
    const { id } = logged;
    const run = record(await this.#server.get("runs/get", { run_id: id }), "run");
    const models = (of: string, kind: string): ReadonlySet<string> =>
      new Set(list(record(run, of), kind).map((model) => text(model, "model_id")));
    return { read: models("inputs", "model_inputs"), made: models("outputs", "model_outputs") };
  }

  async #modelsRead(step: ExportedStep, makerOf: MakerOf): Promise<readonly string[]> {
    const ids = new Set<string>();
    for (const { kind, digest } of inputsOf(step, makerOf)) {
      if (kind?.kind !== "model") continue;
      // It may have been handed over in an earlier attempt, or by an earlier run.
      const model = await this.#models.find(digest, this.#experiment);
      if (model?.id !== undefined) ids.add(model.id);
    }
    return [...ids];
  }

  /** Of the execution: a cached step's is another run's. */
  #origin(run: MlflowRun, { id, stepRun }: ExportedStep): Readonly<Record<string, string>> {
    return {
      "mlpipe.pipeline": run.pipeline.name,
      "mlpipe.runId": stepRun?.run ?? run.id,
      "mlpipe.step": id,
      ...(stepRun !== undefined && {
        "mlpipe.stepRun": stepRun.id,
        "mlpipe.stepKey": `sha256:${stepRun.key}`,
      }),
    };
  }

  async #findExperiment(name: string): Promise<string | undefined> {
    try {
      const answer = await this.#server.get("experiments/get-by-name", { experiment_name: name });
      const experiment = record(answer, "experiment");
      if (text(experiment, "lifecycle_stage") === "deleted") {
        throw new Error(
          `the experiment ${name} at ${this.#server.url} was deleted; restore it, or delete it for good`,
        );
      }
      return named(text(experiment, "experiment_id"), "experiment");
    } catch (error) {
      if (error instanceof MlflowRefusal && error.code === "RESOURCE_DOES_NOT_EXIST") return undefined;
      throw error;
    }
  }

  async #createExperiment(name: string): Promise<string> {
    try {
      const answer = await this.#server.post("experiments/create", { name });
      return named(text(answer, "experiment_id"), "experiment");
    } catch (error) {
      // Another run has just made it.
      const isThere = error instanceof MlflowRefusal && error.code === "RESOURCE_ALREADY_EXISTS";
      const found = isThere ? await this.#findExperiment(name) : undefined;
      if (found === undefined) throw error;
      return found;
    }
  }

  /** The run and the steps of it that are there. */
  async #find({ id }: MlflowRun): Promise<Logged | undefined> {
    let parent: Logged | undefined;
    let page = "";
    do {
      const answer = await this.#search(`tags.\`mlpipe.runId\` = '${id}'`, page);
      for (const found of list(answer, "runs")) {
        const logged = asLogged(found, true);
        const step = tagsOf(record(found, "data")).get("mlpipe.step");
        if (step === undefined) parent ??= logged;
        else if (!this.#steps.has(step)) this.#steps.set(step, logged);
      }
      page = text(answer, "next_page_token");
    } while (page !== "");
    return parent;
  }

  /** MLflow's run of an execution of an earlier run, if that was exported. */
  async #idOf(stepRun: string): Promise<string | undefined> {
    const answer = await this.#search(
      `tags.\`mlpipe.stepRun\` = '${stepRun}' and tags.\`mlpipe.cached\` = 'false'`,
      "",
    );
    const [found] = list(answer, "runs");
    return found && asLogged(found, true).id;
  }

  async #search(filter: string, page: string): Promise<MlflowAnswer> {
    return this.#server.post("runs/search", {
      experiment_ids: [this.#experiment],
      filter,
      max_results: pageSize,
      ...(page !== "" && { page_token: page }),
    });
  }

  async #child(run: MlflowRun, step: string, startedAt: string): Promise<Logged> {
    // As the tag has it, so that it is found again.
    const name = cut(step, longestTag).text;
    const known = this.#steps.get(name);
    if (known !== undefined) return known;
    const made = await this.#create(Date.parse(startedAt), stepIdentity(run, step, this.#parent?.id ?? ""));
    this.#steps.set(name, made);
    return made;
  }

  async #create(startedAt: number, tags: Readonly<Record<string, string | undefined>>): Promise<Logged> {
    const answer = await this.#server.post("runs/create", {
      experiment_id: this.#experiment,
      run_name: tags["mlflow.runName"],
      user_id: tags["mlflow.user"],
      start_time: startedAt,
      tags: mlflowTags(tags),
    });
    return asLogged(record(answer, "run"), false);
  }

  async #log({ id }: Logged, batch: MlflowBatch): Promise<void> {
    for (const each of mlflowBatches(batch))
      await this.#server.post("runs/log-batch", { run_id: id, ...each });
  }

  /** Last of all: a run that is over has everything. */
  async #end(logged: Logged, status: MlflowStatus, at: string): Promise<void> {
    await this.#server.post("runs/update", { run_id: logged.id, status, end_time: Date.parse(at) });
    logged.status = status;
  }
}

function isExecuted(step: ExportedStep): step is ExportedStep & { readonly stepRun: StepRun } {
  return step.stepRun !== undefined;
}

function isOver({ status }: Logged): boolean {
  return status === "FINISHED" || status === "FAILED" || status === "KILLED";
}

function asLogged(run: MlflowAnswer, isBegun: boolean): Logged {
  const info = record(run, "info");
  return { id: named(text(info, "run_id"), "run"), status: text(info, "status"), isBegun };
}

/** Something that answers everything with 200 would take a run without a trace. */
function named(id: string, what: string): string {
  if (id === "") throw new Error(`what answered is no server of MLflow: it made a ${what} without an id`);
  return id;
}
