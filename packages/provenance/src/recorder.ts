import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "@mlpipe/dsl";
import { type Digest, digestOf, type Store } from "@mlpipe/store";
import { gitState } from "./git.ts";
import { graphDigest, wiringOf } from "./graph-digest.ts";
import type { Run, StepRun } from "./records.ts";
import { redactDocument, secretValues } from "./redact.ts";
import { triggerOf } from "./trigger.ts";
import { whoAndWhere } from "./who.ts";

/** What a recorder needs to know. */
export interface RunRecorderOptions {
  readonly store: Store;
  /** Absolute path of the project's root. */
  readonly root: string;
  readonly manifest: Manifest;
  /** The id of the run. */
  readonly run: string;
  /** As `timestamp` writes it. */
  readonly startedAt: string;
  /** The command line. */
  readonly argv: readonly string[];
  readonly toolVersion: string;
  readonly env: NodeJS.ProcessEnv;
  /** Values of secrets: nothing that is recorded contains them. */
  readonly redact?: readonly string[];
}

/** How a run ended. */
export interface RunEnd {
  readonly status: Exclude<Run["status"], "running">;
  readonly endedAt: string;
  readonly durationMs: number;
  readonly steps: Run["steps"];
  readonly outputs: Run["outputs"];
  readonly warnings: string[];
}

/** What is known of a run when it begins. */
type Beginning = Pick<Run, "pipeline" | "trigger" | "by" | "prev">;

/** What is gathered once something is executed. */
interface Facts {
  readonly git: Run["git"];
  readonly env: Digest;
  readonly wiring: Digest;
}

/** Writes the records of one run. One that executes nothing is written whole when it ends, in one transaction. */
export class RunRecorder {
  readonly #options: RunRecorderOptions;
  readonly #secrets: readonly string[];
  #beginning: Beginning | undefined;
  #graph: Digest | undefined;
  #facts: Promise<Facts> | undefined;
  /** What the executed steps are made of. */
  readonly #code = new Set<string>();
  #begun = false;

  constructor(options: RunRecorderOptions) {
    this.#options = options;
    this.#secrets = secretValues(options.redact ?? []);
  }

  /** The digest of what is wired. Found out once: that of a large graph takes its time. */
  get graph(): Digest {
    return (this.#graph ??= graphDigest(this.#options.manifest));
  }

  /**
   * Finds out what the beginning of a run that executes something has to say, while whoever executes gets ready. Writes
   * nothing.
   */
  prepare(): void {
    this.#begins();
    // Whoever needs it waits for it, and is told.
    this.#gathered().catch(() => {});
  }

  /** Writes that the run has begun: before its first step is executed. Twice is fine. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const { store, run, manifest, startedAt } = this.#options;
    const document = this.#document({ status: "running" });
    store.runs.begin({ id: run, pipeline: manifest.pipeline, startedAt, document });
    store.runs.appendRecord(run, { type: "run-started", run: document });
  }

  /**
   * Gathers what is known of repository and machine, once, when the first step is executed.
   * @param code absolute paths of the files that the step which is about to be executed is made of
   */
  async facts(code: readonly string[] = []): Promise<void> {
    for (const file of code) this.#code.add(file);
    await this.#gathered();
  }

  /** What is known of the repository, for those who speak of the run before it ends. */
  async git(): Promise<Run["git"]> {
    return (await this.#gathered()).git;
  }

  /** Records an executed step; of what succeeded, inside the transaction that keeps its outputs. */
  add(stepRun: StepRun): void {
    const { store, manifest } = this.#options;
    const document = redactDocument(stepRun, this.#secrets);
    store.runs.addStepRun({
      id: stepRun.id,
      run: stepRun.run,
      pipeline: manifest.pipeline,
      step: stepRun.step.id,
      kind: stepRun.step.kind,
      // Both were made by `digestOfJson`; a record holds them as text.
      key: stepRun.key as Digest,
      status: stepRun.status,
      startedAt: stepRun.startedAt,
      endedAt: stepRun.endedAt,
      preimage: stepRun.preimage as Digest,
      document,
    });
    store.runs.appendRecord(stepRun.run, { type: "step-run", stepRun: document });
  }

  async end(end: RunEnd): Promise<Run> {
    const { store, run } = this.#options;
    const facts = this.#facts === undefined ? undefined : await this.#withCode(await this.#facts);
    const document = this.#document({ ...end, ...facts });
    const rows = (): void => {
      this.begin();
      store.runs.appendRecord(run, { type: "run", run: document });
      store.runs.end(run, { status: end.status, endedAt: end.endedAt, document });
    };
    store.publish([{ objects: [], rows }]);
    return document;
  }

  /** With the code that git does not have: which that is, is known at the end. */
  async #withCode(facts: Facts): Promise<Facts> {
    const { root, store, startedAt } = this.#options;
    if (facts.git?.commit == null || this.#code.size === 0) return facts;
    const { withUntrackedCode } = await import("./untracked-code.ts");
    const since = new Date(startedAt);
    return { ...facts, git: await withUntrackedCode(facts.git, this.#code, { root, store, since }) };
  }

  #gathered(): Promise<Facts> {
    const { store, root, env, manifest } = this.#options;
    // Loaded by the first step that is executed: where nothing is, the machine is not looked at. It stays as it is, and can
    // wait until the step has been started; the repository cannot.
    const host = async (): Promise<unknown> => {
      await new Promise(setImmediate);
      return (await import("./host.ts")).hostFacts(root, env);
    };
    return (this.#facts ??= Promise.all([gitState(root, store), host()]).then(([git, machine]) => ({
      git,
      env: store.parts.put(machine),
      wiring: store.parts.put(wiringOf(manifest)),
    })));
  }

  /** Once: the pipeline is that of the beginning. */
  #begins(): Beginning {
    const { store, manifest, env, root } = this.#options;
    return (this.#beginning ??= {
      pipeline: {
        name: manifest.pipeline,
        file: manifest.file,
        digest: fileDigest(join(root, manifest.file)),
        graph: this.graph,
      },
      trigger: triggerOf(env),
      by: whoAndWhere(root),
      // So that a run that is taken away as a whole is missed.
      prev: store.runs.lastEnded() ?? null,
    });
  }

  #document(end: Partial<Omit<RunEnd, "status">> & Partial<Facts> & { status: Run["status"] }): Run {
    const { manifest, run, startedAt, argv, toolVersion } = this.#options;
    const { pipeline, trigger, by, prev } = this.#begins();
    const document: Run = {
      schema: "mlpipe/run/v1",
      id: run,
      pipeline: end.wiring === undefined ? pipeline : { ...pipeline, wiring: end.wiring },
      tool: { name: "mlpipe", version: toolVersion },
      git: end.git ?? null,
      trigger,
      by,
      argv: [...argv],
      params: manifest.params,
      startedAt,
      endedAt: end.endedAt ?? null,
      durationMs: end.durationMs ?? null,
      status: end.status,
      env: end.env ?? null,
      steps: end.steps ?? [],
      outputs: end.outputs ?? {},
      warnings: end.warnings ?? [],
      ...(prev !== undefined && { prev }),
    };
    return redactDocument(document, this.#secrets);
  }
}

function fileDigest(path: string): string | null {
  try {
    return digestOf(readFileSync(path));
  } catch {
    return null;
  }
}
