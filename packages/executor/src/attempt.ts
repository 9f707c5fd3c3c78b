/** One attempt at a step: prepare its folder, run its process, gather what it made. */
import { lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FailureKind, ManifestStep } from "@mlpipe/dsl";
import { type Decision, givenConditions } from "@mlpipe/planner";
import { redactDocument, type StepRun, type Usage } from "@mlpipe/provenance";
import { type Content, hashPath, type Store } from "@mlpipe/store";
import { failureOfProcess, stepError } from "./attempt-failure.ts";
import { AttemptFolder, type PreparedInput } from "./attempt-folder.ts";
import { commandLine } from "./command-line.ts";
import { attemptVariable, type Ended, type Engine, type StartedProcess } from "./engine.ts";
import type { StepError } from "./events.ts";
import { failureKindOf, type MemoryWatch } from "./failure-kind.ts";
import type { Enclosure } from "./fence/enclosure.ts";
import type { Sandbox } from "./fence/fence.ts";
import { GivenInputs } from "./given-inputs.ts";
import { logSlot } from "./log-slot.ts";
import { gatherOutputs, type MadeOutput, placesLeft } from "./outputs.ts";
import { type Task, type TaskInput, type TaskResult, taskVersion } from "./task.ts";
import { TextLog } from "./text-log.ts";
import type { WorkFolders } from "./work-folders.ts";

/** A decision to run. */
export type RunDecision = Decision & { readonly decision: "run" };

/** Where attempts take place. */
export interface Workplace {
  readonly root: string;
  readonly store: Store;
  readonly run: string;
  readonly engine: Engine;
  readonly folders: WorkFolders;
  /** Values that no log may show: those of all steps of the run, since one hands on what another was told. */
  readonly secrets: readonly string[];
  /** All attempts of the run that are under way, this one among them. @default it is alone */
  readonly underWay?: Iterable<Attempt>;
}

/** What an attempt is given of the machine. */
export interface MachineShare {
  /** Devices that are its own, as `CUDA_VISIBLE_DEVICES` names them. */
  readonly devices: readonly string[];
  /** Bytes, if it asked for memory. */
  readonly memory?: number | undefined;
  readonly watch: MemoryWatch;
  /** When its process has ended well, the first in line may have its place. */
  readonly handsOver?: boolean;
}

/** An attempt that is made ready before there is a place for it. */
export interface Turn {
  /** Its process is in line. */
  ready(process: StartedProcess): void;
  /** It has got its place. */
  began(at: Date): void;
}

/** What one attempt did. */
export interface AttemptResult {
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly argv: readonly string[];
  readonly ended: Ended;
  readonly usage: Usage | null;
  readonly stdout: TextLog;
  readonly stderr: TextLog;
  /** What kept it to what the step declares. */
  readonly sandbox: Sandbox;
  /** What Python had imported when it ended; null if it did not tell, nothing of a step that is no Python. */
  readonly imported?: StepRun["imported"];
  /** What it opened and does not declare, a line each. */
  readonly remarks: readonly string[];
  /** Whether it ran code that its key does not hold. */
  readonly ranUnkeyedCode: boolean;
  readonly outcome:
    | {
        readonly type: "made";
        readonly outputs: Readonly<Record<string, MadeOutput>>;
        readonly target?: Content;
      }
    | { readonly type: "rejected"; readonly error: StepError }
    | {
        readonly type: "failed";
        readonly error: StepError;
        /** Whether it may end otherwise the next time. */
        readonly again: boolean;
        /** @default "failed" */
        readonly kind?: FailureKind;
      }
    | { readonly type: "cancelled" };
}

/** An attempt under way. */
export class Attempt {
  readonly #place: Workplace;
  readonly #step: ManifestStep;
  readonly #decision: RunDecision;
  readonly #folder: AttemptFolder;
  readonly #enclosure: Enclosure;
  readonly #number: number;
  readonly #share: MachineShare;
  readonly #turn: Turn | undefined;
  readonly #onLine: (stream: "stdout" | "stderr", line: string) => void;
  #process: StartedProcess | undefined;
  readonly #inputs: GivenInputs;
  #stop: "gently" | "now" | undefined;

  constructor(options: {
    readonly place: Workplace;
    readonly step: ManifestStep;
    readonly decision: RunDecision;
    /** What keeps an attempt in a folder to what the step declares. */
    readonly enclosed: (folder: AttemptFolder) => Enclosure;
    /** 1 for the first. */
    readonly number: number;
    readonly share: MachineShare;
    /** @default it has its place */
    readonly turn?: Turn | undefined;
    readonly onLine: (stream: "stdout" | "stderr", line: string) => void;
  }) {
    this.#place = options.place;
    this.#step = options.step;
    this.#decision = options.decision;
    this.#number = options.number;
    this.#share = options.share;
    this.#turn = options.turn;
    this.#onLine = options.onLine;
    const { root, store, folders } = options.place;
    const { key, inputs } = options.decision;
    this.#folder = new AttemptFolder({ root, store, step: options.step, key, folders });
    this.#enclosure = options.enclosed(this.#folder);
    this.#inputs = new GivenInputs(options.step, inputs, store);
    this.#inputs.isTaken = options.turn === undefined;
  }

  get folder(): AttemptFolder {
    return this.#folder;
  }

  get inputs(): GivenInputs {
    return this.#inputs;
  }

  /** Stops the attempt's process, now or as soon as it is there. */
  stop(how: "gently" | "now"): void {
    this.#stop = how;
    this.#process?.stop(how);
  }

  async run(): Promise<AttemptResult> {
    const startedAt = new Date();
    try {
      return await this.#run(startedAt);
    } catch (error) {
      if (!(error instanceof Error && "syscall" in error)) throw error;
      // A full disk, say, while its folder was made: no fault of the step's, and none of mlpipe's.
      const refused = stepError(
        this.#step,
        "MLP4005",
        `The system refused what "${this.#step.id}" needs to run: ${error.message}.`,
        "Nothing of the step was kept. Run again when the cause is gone.",
      );
      return notStarted(startedAt, refused, this.#log("stdout"), this.#log("stderr"));
    }
  }

  async #run(preparedAt: Date): Promise<AttemptResult> {
    let startedAt = preparedAt;
    const obstacle = this.#enclosure.obstacle() ?? this.#inputs.damaged();
    if (obstacle !== undefined)
      return notStarted(startedAt, obstacle, this.#log("stdout"), this.#log("stderr"));
    const { root } = this.#place;
    const step = this.#step;
    this.#folder.make();
    const inputs: Record<string, PreparedInput> = {};
    for (const [port, input] of Object.entries(this.#decision.inputs)) {
      const kind = step.inputs[port]?.kind;
      if (kind !== undefined) inputs[port] = this.#folder.input(port, kind, input);
    }
    const { checkpoints = [] } = step;
    for (const port of checkpoints) inputs[port] = this.#folder.checkpoint(port, checkpoints.length > 1);
    const places: Record<string, string> = {};
    for (const [port, kind] of Object.entries(step.outputs)) places[port] = this.#folder.output(port, kind);

    // A deploy writes its target and need not make the folders above it.
    if (step.target !== undefined) mkdirSync(dirname(join(root, step.target)), { recursive: true });
    this.#inputs.remember();
    const stdout = this.#log("stdout");
    const stderr = this.#log("stderr");
    const argv =
      step.body.type === "command"
        ? commandLine(step.body.argv, { root, inputs, outputs: places, target: step.target })
        : this.#runner(inputs, places);
    const env = {
      ...this.#decision.environment,
      TMPDIR: this.#folder.path,
      [attemptVariable]: this.#folder.path,
      ...this.#runnerEnvironment(),
      ...(this.#share.devices.length > 0 && { CUDA_VISIBLE_DEVICES: this.#share.devices.join(",") }),
    };
    const turn = this.#turn;
    this.#process = this.#place.engine.start({
      ...this.#enclosure.enclose({ argv, env }),
      cwd: root,
      timeoutMs: step.scheduling.timeoutMs,
      handsOver: this.#share.handsOver,
      leaves: placesLeft(step, places),
      ...(turn !== undefined && {
        onBegin: (at) => {
          startedAt = at;
          this.#inputs.isTaken = true;
          turn.began(at);
        },
      }),
      onOutput: (stream, bytes) => {
        (stream === "stdout" ? stdout : stderr).write(bytes);
      },
    });
    if (this.#stop !== undefined) this.#process.stop(this.#stop);
    else turn?.ready(this.#process);
    const processEnded = await this.#process.ended;
    stdout.end();
    stderr.end();
    const failure = processEnded.failure ?? this.#enclosure.startFailure();
    const ended = failure === undefined ? processEnded : { ...processEnded, failure };
    this.#enclosure.clear();
    const result = step.body.type === "command" ? undefined : this.#taskResult();
    const judged = this.#judge(ended, result, places, [stdout, stderr]);
    const outcome = this.#explained(judged, result);
    return {
      startedAt,
      endedAt: new Date(),
      argv: step.body.type === "command" ? argv : [],
      ended,
      usage: wholeUsage(result?.usage, ended.usage),
      stdout,
      stderr,
      sandbox: this.#enclosure.sandbox,
      imported: this.#enclosure.imported(),
      remarks: outcome.type === "made" ? this.#enclosure.remarks(result?.undeclared ?? []) : [],
      ranUnkeyedCode: outcome.type === "made" && this.#enclosure.unkeyedCode().length > 0,
      outcome,
    };
  }

  /** What was refused is refused again: such a failure is not tried a second time. */
  #explained(outcome: AttemptResult["outcome"], result: TaskResult | undefined): AttemptResult["outcome"] {
    if (outcome.type !== "failed" || (outcome.kind !== undefined && outcome.kind !== "failed"))
      return outcome;
    const error = this.#enclosure.explain(outcome.error, result?.refused);
    return error === outcome.error ? outcome : { ...outcome, error, again: false };
  }

  #judge(
    ended: Ended,
    result: TaskResult | undefined,
    places: Readonly<Record<string, string>>,
    logs: readonly TextLog[],
  ): AttemptResult["outcome"] {
    if (ended.stopped || ended.neverBegan === true) return { type: "cancelled" };
    if (!ended.timedOut && result?.status === "rejected") {
      const { reason } = result;
      return {
        type: "rejected",
        error: stepError(
          this.#step,
          "MLP3008",
          reason,
          `The gate let nothing pass. What stands behind it was not touched.`,
        ),
      };
    }
    const unkept = logs.find((log) => log.failure !== undefined)?.failure;
    if (unkept !== undefined) {
      const message = `What "${this.#step.id}" said could not be kept: ${unkept.message}.`;
      const error = stepError(
        this.#step,
        "MLP3032",
        message,
        "Nothing of the step was kept. Run again when the cause is gone.",
      );
      return { type: "failed", error, again: false };
    }
    const found = failureKindOf(ended, logs[1]?.path ?? "", this.#share.watch);
    const tail = logs.flatMap((log) => log.tail).slice(-10);
    const failure = failureOfProcess(this.#step, { ended, result, found, tail }, this.#place.root);
    if (failure !== undefined)
      return { type: "failed", error: failure, again: ended.failure === undefined, kind: found.kind };
    const underWay = [...(this.#place.underWay ?? [this])].map(({ inputs }) => inputs);
    const changed = this.#inputs.changed(underWay);
    if (changed !== undefined) return { type: "failed", error: changed, again: false };

    const { root } = this.#place;
    const step = this.#step;
    if (step.body.type === "check") return this.#passed(step.body.pass);
    const returned = result?.status === "ok" ? result.returned : undefined;
    const gathered = gatherOutputs({ root, step, folder: this.#folder, places, returned });
    if ("error" in gathered) return { type: "failed", error: gathered.error, again: false };
    if (step.target === undefined) return { type: "made", outputs: gathered.outputs };
    const target = join(root, step.target);
    if (lstatSync(target, { throwIfNoEntry: false }) === undefined) {
      const error = stepError(
        this.#step,
        "MLP3030",
        `"${step.id}" left nothing at its target ${step.target}.`,
      );
      return { type: "failed", error, again: false };
    }
    return { type: "made", outputs: gathered.outputs, target: hashPath(target) };
  }

  /** What a gate passes is the very content it was given: there is nothing new to keep. */
  #passed(port: string): AttemptResult["outcome"] {
    const input = this.#decision.inputs[port];
    if (input?.type !== "object" && input?.type !== "source") {
      return {
        type: "failed",
        error: stepError(this.#step, "MLP3005", `The gate was given no ${port}.`),
        again: false,
      };
    }
    const path = input.type === "source" ? this.#folder.copyOf(port, input.absolute) : "";
    return { type: "made", outputs: { [port]: { content: input.content, path } } };
  }

  #log(stream: "stdout" | "stderr"): TextLog {
    const slot = logSlot({ step: this.#step.id, attempt: this.#number, stream });
    const path = this.#place.store.runs.logPath(this.#place.run, slot);
    return new TextLog(
      path,
      (line) => {
        this.#onLine(stream, line);
      },
      this.#place.secrets,
    );
  }

  /** The runner of TypeScript steps, and the task it is to do. */
  #runner(
    inputs: Readonly<Record<string, PreparedInput>>,
    places: Readonly<Record<string, string>>,
  ): string[] {
    const step = this.#step;
    const watched = this.#enclosure.watched();
    const task: Task = {
      schemaVersion: taskVersion,
      step: step.id,
      key: this.#decision.key,
      mode: step.body.type === "check" ? "check" : "run",
      module: step.module,
      export: step.export,
      inputs: Object.fromEntries(Object.entries(inputs).map(([port, input]) => [port, taskInput(input)])),
      outputs: Object.fromEntries(
        Object.entries(step.outputs).map(([port, kind]) => [port, { kind, path: places[port] ?? "" }]),
      ),
      ...(step.target !== undefined && { target: step.target }),
      ...(watched !== undefined && { watched }),
    };
    writeFileSync(this.#folder.inner("task.json"), JSON.stringify(task));
    const ownFile = fileURLToPath(import.meta.url);
    const fromSource = ownFile.endsWith(".ts");
    const runner = fileURLToPath(
      new URL(fromSource ? "./runner/main.ts" : "./runner/main.js", import.meta.url),
    );
    return [
      process.execPath,
      ...this.#enclosure.nodeFlags(),
      ...(fromSource ? ["--conditions=@mlpipe/source"] : []),
      ...givenConditions().map((condition) => `--conditions=${condition}`),
      ...heapArguments(this.#share.memory),
      "--disable-warning=ExperimentalWarning",
      // How the project declares its modules is said once, by whoever loads the pipeline.
      "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
      runner,
      this.#folder.shown("task.json"),
    ];
  }

  #runnerEnvironment(): Record<string, string> {
    // What one step writes there another would load: behind a fence there is none.
    if (this.#step.body.type === "command" || this.#enclosure.sandbox !== "none") return {};
    // Compiled code of modules that did not change: a cache of Node's own, whose loss costs only time.
    return { NODE_COMPILE_CACHE: join(this.#place.store.root, "compile-cache") };
  }

  #taskResult(): TaskResult | undefined {
    try {
      // Written by the runner, whole or not at all.
      const result = JSON.parse(readFileSync(this.#folder.inner("result.json"), "utf8")) as TaskResult;
      // What a step returns is its own affair; what it complains of is shown and recorded.
      return result.status === "ok" ? result : redactDocument(result, this.#place.secrets);
    } catch {
      return undefined;
    }
  }
}

/**
 * The system accounts exactly for the step's own process, and sampling sees the processes below it:
 * each is a lower bound, so the larger one is nearer to the truth.
 */
function wholeUsage(exact: Usage | undefined, sampled: Usage | null): Usage | null {
  if (exact === undefined || sampled === null) return exact ?? sampled;
  const larger = (a: number | null, b: number | null): number | null =>
    a === null || b === null ? (a ?? b) : Math.max(a, b);
  return {
    cpuUserMs: larger(exact.cpuUserMs, sampled.cpuUserMs),
    cpuSystemMs: larger(exact.cpuSystemMs, sampled.cpuSystemMs),
    maxRssBytes: larger(exact.maxRssBytes, sampled.maxRssBytes),
    ...(sampled.readBytes !== undefined && { readBytes: sampled.readBytes }),
    ...(sampled.writtenBytes !== undefined && { writtenBytes: sampled.writtenBytes }),
    source: `${exact.source}; ${sampled.source}`,
  };
}

/** A step that asked for memory may fill it: left alone, Node stops a heap at a size of its own. */
function heapArguments(memory: number | undefined): readonly string[] {
  // With less than this Node itself does not come up.
  return memory === undefined ? [] : [`--max-old-space-size=${Math.max(64, Math.floor(memory / 2 ** 20))}`];
}

/** An attempt that could not even begin. */
function notStarted(at: Date, error: StepError, stdout: TextLog, stderr: TextLog): AttemptResult {
  const ended = { code: null, signal: null, timedOut: false, stopped: false, usage: null };
  const outcome = { type: "failed" as const, error, again: false };
  const logs = { stdout, stderr };
  return {
    startedAt: at,
    endedAt: new Date(),
    argv: [],
    ended,
    usage: null,
    ...logs,
    sandbox: "none",
    remarks: [],
    ranUnkeyedCode: false,
    outcome,
  };
}

function taskInput(input: PreparedInput): TaskInput {
  if (input.type !== "many") return input;
  return {
    type: "many",
    items: input.items.map(({ key, input: item }) => ({ key, input: taskInput(item) })),
  };
}

/** The file outputs that the store has to take; what a gate passes is there already. */
export function publishable(
  outputs: Readonly<Record<string, MadeOutput>>,
): { path: string; content: Content }[] {
  return Object.values(outputs).flatMap(({ path, content }) => (path === "" ? [] : [{ path, content }]));
}
