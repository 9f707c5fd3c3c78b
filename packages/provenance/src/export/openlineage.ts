/**
 * A run as OpenLineage events, version 2-0-2: one job for the pipeline and one for each step, one run for each
 * execution. https://openlineage.io/spec/2-0-2/OpenLineage.json
 */
import { basename, isAbsolute, posix } from "node:path";
import type { Run, StepRun } from "../records.ts";
import {
  type Artifact,
  type Consumed,
  inputsOf,
  type MakerOf,
  makersOf,
  outputsOf,
  sourcesOf,
} from "./artifact.ts";
import type { ExportedRun, ExportedStep } from "./exported-run.ts";
import { Facets } from "./openlineage-facets.ts";

/** One event: what a line of a file or the body of a request holds. */
export interface LineageEvent {
  readonly eventTime: string;
  readonly eventType: "START" | "COMPLETE" | "FAIL" | "ABORT";
  readonly producer: string;
  readonly schemaURL: string;
  readonly run: { readonly runId: string; readonly facets: Readonly<Record<string, unknown>> };
  readonly job: {
    readonly namespace: string;
    readonly name: string;
    readonly facets: Readonly<Record<string, unknown>>;
  };
  readonly inputs: readonly LineageDataset[];
  readonly outputs: readonly LineageDataset[];
}

/** A dataset as an event names it. */
export interface LineageDataset {
  readonly namespace: string;
  readonly name: string;
  readonly facets: Readonly<Record<string, unknown>>;
  readonly inputFacets?: Readonly<Record<string, unknown>>;
  readonly outputFacets?: Readonly<Record<string, unknown>>;
}

const schemaURL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/** The facts about a run that its steps' events take from it. */
export type LineageRun = Pick<Run, "id" | "pipeline" | "tool" | "by" | "startedAt" | "git" | "params">;

/** Turns records into events. All jobs are in one namespace. */
export class Lineage {
  readonly #namespace: string | undefined;

  /** @param namespace of the jobs; default: the name of the project's folder */
  constructor(namespace?: string) {
    this.#namespace = namespace;
  }

  /**
   * All events of a run in the order of time. Steps taken from the cache come as what they are: executions of an
   * earlier run, which a receiver that knows them already knows to be the same by their ids.
   */
  events(exported: ExportedRun): readonly LineageEvent[] {
    const { run, steps } = exported;
    const makerOf = makersOf(exported);
    const own = steps.filter(({ stepRun, isReused }) => stepRun !== undefined && !isReused);
    const earlier = steps.filter(({ isReused }) => isReused);
    const inTime = (of: readonly ExportedStep[]): readonly LineageEvent[] =>
      of
        .flatMap((step) => this.#stepEvents(run, step, makerOf))
        .toSorted((a, b) => Date.parse(a.eventTime) - Date.parse(b.eventTime));
    return [...inTime(earlier), this.runStarted(run), ...inTime(own), ...this.runEnded(exported)];
  }

  runStarted(run: LineageRun): LineageEvent {
    return this.#event(run, { time: run.startedAt, type: "START", ...this.#pipeline(run) });
  }

  /** The event that ends a run; none while it goes on. Its inputs are the sources, its outputs what was returned. */
  runEnded(exported: ExportedRun): readonly LineageEvent[] {
    const { run, steps } = exported;
    if (run.status === "running") return [];
    const facets = new Facets(run);
    const artifacts = steps.flatMap(outputsOf);
    const outputs = Object.values(run.outputs).flatMap(({ digest, path }) => {
      const artifact = artifacts.find((each) => each.digest === digest);
      return artifact === undefined ? [] : [this.#made(run, artifact, path)];
    });
    const failed = steps.find(({ status }) => status === "failed" || status === "rejected")?.stepRun?.error;
    const { job, run: named } = this.#pipeline(run);
    return [
      this.#event(run, {
        time: run.endedAt ?? steps.at(-1)?.stepRun?.endedAt ?? run.startedAt,
        type: runTypes[run.status],
        run: {
          ...named,
          facets: {
            ...named.facets,
            ...facets.tags({ status: run.status, trigger: run.trigger.kind, user: run.by.user }),
            ...(failed !== undefined && facets.error(failed)),
          },
        },
        job,
        inputs: distinct(sourcesOf(exported).map((source) => this.#read(run, source))),
        outputs: distinct(outputs),
      }),
    ];
  }

  /** START and the end of an execution. */
  #stepEvents(run: LineageRun, step: ExportedStep, makerOf: MakerOf): readonly LineageEvent[] {
    const { stepRun } = step;
    return stepRun === undefined
      ? []
      : [this.stepStarted(run, stepRun), ...this.stepEnded(run, step, makerOf)];
  }

  /** The event that an execution has begun, of which little is known then. */
  stepStarted(
    run: LineageRun,
    {
      id,
      run: parent,
      step,
      startedAt,
    }: Pick<StepRun, "id" | "run" | "startedAt"> & { readonly step: StepName },
  ): LineageEvent {
    return this.#event(run, {
      time: startedAt,
      type: "START",
      run: { runId: id, facets: this.#parent(run, parent) },
      job: this.#stepJob(run, step),
    });
  }

  /** The event that an execution has ended, with all that is known of it; none for a step without an execution. */
  stepEnded(run: LineageRun, step: ExportedStep, makerOf: MakerOf): readonly LineageEvent[] {
    const { stepRun } = step;
    if (stepRun === undefined) return [];
    const facets = new Facets(run);
    const { target } = stepRun;
    const event = this.#event(run, {
      time: stepRun.endedAt,
      type: stepTypes[stepRun.status],
      run: {
        runId: stepRun.id,
        facets: {
          ...this.#parent(run, stepRun.run),
          ...facets.parameters(stepRun.params),
          ...facets.environment(step.environment),
          ...facets.tests(stepRun.checks),
          ...facets.tags({
            kind: stepRun.step.kind,
            key: stepRun.key,
            ...Object.fromEntries(
              Object.entries(stepRun.seeds).map(([port, seed]) => [`seed.${port}`, `${seed}`]),
            ),
          }),
          ...facets.metrics(stepRun.metrics),
          ...(stepRun.error !== undefined && facets.error(stepRun.error)),
        },
      },
      job: this.#stepJob(run, stepRun.step),
      inputs: distinct(inputsOf(step, makerOf).map((input) => this.#read(run, input))),
      outputs: [
        ...outputsOf(step).map((artifact) => this.#made(run, artifact)),
        ...(target === undefined || stepRun.status !== "ran" ? [] : [this.#deployed(run, target)]),
      ],
    });
    return [event];
  }

  #event(
    run: LineageRun,
    event: Pick<LineageEvent, "run" | "job"> &
      Partial<Pick<LineageEvent, "inputs" | "outputs">> & {
        readonly time: string;
        readonly type: LineageEvent["eventType"];
      },
  ): LineageEvent {
    const { time, type, inputs = [], outputs = [] } = event;
    const { producer } = new Facets(run);
    return {
      eventTime: time,
      eventType: type,
      producer,
      schemaURL,
      run: event.run,
      job: event.job,
      inputs,
      outputs,
    };
  }

  #pipeline(run: LineageRun): Pick<LineageEvent, "run" | "job"> {
    const facets = new Facets(run);
    return {
      run: { runId: run.id, facets: { ...facets.engine(), ...facets.parameters(run.params) } },
      job: {
        namespace: this.#namespaceOf(run),
        name: run.pipeline.name,
        facets: { ...facets.jobType("PIPELINE"), ...facets.source(run.git, run.pipeline.file) },
      },
    };
  }

  #stepJob(run: LineageRun, step: StepName): LineageEvent["job"] {
    const facets = new Facets(run);
    return {
      namespace: this.#namespaceOf(run),
      name: `${run.pipeline.name}.${step.id}`,
      facets: {
        ...facets.jobType("STEP"),
        ...(step.module !== undefined && facets.source(run.git, step.module)),
      },
    };
  }

  #parent(run: LineageRun, parent: string): Readonly<Record<string, unknown>> {
    const facets = new Facets(run);
    const job = { namespace: this.#namespaceOf(run), name: run.pipeline.name };
    return { ...facets.parent(parent, job), ...facets.engine() };
  }

  #namespaceOf({ by }: LineageRun): string {
    return this.#namespace ?? (basename(by.cwd) || "default");
  }

  #read(run: LineageRun, input: Consumed): LineageDataset {
    const facets = new Facets(run);
    return {
      ...(input.from === undefined
        ? this.#place(run, input.path)
        : this.#output(run, input.from.step, input.from.port)),
      facets: { ...facets.version(input.digest), ...facets.kind(input.kind), ...facets.schema(input.detail) },
      inputFacets: facets.inputStatistics(input),
    };
  }

  #made(run: LineageRun, artifact: Artifact, copy: string | null = null): LineageDataset {
    const facets = new Facets(run);
    return {
      ...this.#output(run, artifact.step, artifact.port),
      facets: {
        ...facets.version(artifact.digest),
        ...facets.kind(artifact.kind),
        // Where people find it.
        ...(copy !== null && facets.symlink(this.#place(run, copy))),
      },
      outputFacets: facets.outputStatistics(artifact),
    };
  }

  #deployed(run: LineageRun, { path, digest }: NonNullable<StepRun["target"]>): LineageDataset {
    const facets = new Facets(run);
    return { ...this.#place(run, path), facets: digest === null ? {} : facets.version(digest) };
  }

  /** Files are named by their absolute path, as OpenLineage's naming has it. */
  #place({ by }: LineageRun, path: string): Pick<LineageDataset, "namespace" | "name"> {
    return { namespace: "file", name: isAbsolute(path) ? path : posix.join(by.cwd, path) };
  }

  /** What a step makes has no place of its own, it has a port; each content of it is a version. */
  #output(run: LineageRun, step: string, port: string): Pick<LineageDataset, "namespace" | "name"> {
    return { namespace: this.#namespaceOf(run), name: `${run.pipeline.name}/${step}.${port}` };
  }
}

/** What the name of a job needs of a step. */
interface StepName {
  readonly id: string;
  readonly module?: string | undefined;
}

const stepTypes: Readonly<Record<StepRun["status"], LineageEvent["eventType"]>> = {
  ran: "COMPLETE",
  failed: "FAIL",
  rejected: "FAIL",
  cancelled: "ABORT",
};

const runTypes: Readonly<Record<Exclude<Run["status"], "running">, LineageEvent["eventType"]>> = {
  succeeded: "COMPLETE",
  failed: "FAIL",
  rejected: "FAIL",
  waiting: "ABORT",
  cancelled: "ABORT",
  crashed: "ABORT",
};

/** A dataset that is read through two ports is one. */
function distinct(datasets: readonly LineageDataset[]): readonly LineageDataset[] {
  return [...new Map(datasets.map((each) => [`${each.namespace}\0${each.name}`, each])).values()];
}
