/** A run in MLflow as it goes on. Whatever goes wrong with that, the run goes on. */
import type { Manifest } from "@mlpipe/dsl";
import type { ExecutorEvent } from "@mlpipe/executor";
import {
  redactDocument,
  type Run,
  secretValues,
  stepRunOf,
  triggerOf,
  whoAndWhere,
} from "@mlpipe/provenance";
import {
  exportedRun,
  exportedStep,
  type MakerOf,
  type MlflowAddress,
  type MlflowRun,
  MlflowServer,
  MlflowSink,
  storedMakerOf,
} from "@mlpipe/provenance/export";
import type { Store } from "@mlpipe/store";

/** What a run is shown with. */
export interface MlflowOptions {
  readonly address: MlflowAddress;
  readonly store: Store;
  readonly root: string;
  readonly manifest: Manifest;
  readonly toolVersion: string;
  readonly env: NodeJS.ProcessEnv;
  /** Values of secrets: nothing that is sent contains them. */
  readonly redact: readonly string[];
  /** What is known of the repository once a step is executed. */
  readonly git: () => Promise<Run["git"]>;
  /** Told where the run is to be seen, or what could not be sent, and why. */
  readonly say: (message: string) => void;
  /** Gives up on what is still unsent. */
  readonly signal: AbortSignal;
}

/** After so many refusals in a row nobody is listening. */
const mostFailures = 3;

/** How long the end of a run may wait for what is still unsent. */
const lastCallMs = 10_000;

/** Shows a run, and in it each step from its start to its end. */
export class MlflowReporter {
  readonly #options: MlflowOptions;
  readonly #sink: MlflowSink;
  readonly #makerOf: MakerOf;
  readonly #giveUp = new AbortController();
  #run: MlflowRun | undefined;
  #sending: Promise<void> = Promise.resolve();
  #failures = 0;
  #reason = "there was no time left";

  constructor(options: MlflowOptions) {
    this.#options = options;
    this.#makerOf = storedMakerOf(options.store);
    this.#sink = new MlflowSink(new MlflowServer(options.address, this.#giveUp.signal), options.store);
  }

  event(event: ExecutorEvent): void {
    switch (event.type) {
      case "run-started":
        this.#begin(event);
        return;
      case "step-started":
        if (event.attempt > 1) return;
        this.#queue(async (run) => this.#sink.stepStarted(run, event.step, event.at));
        return;
      case "step-finished":
        this.#queue(async (run) => this.#stepEnded(run, event.outcome));
        return;
      default:
    }
  }

  /** Sends what is missing and the end, and waits a little for it. */
  async end(): Promise<void> {
    const { signal, say, address } = this.#options;
    const run = this.#run?.id;
    if (run === undefined) return;
    const stop = (): void => {
      this.#giveUp.abort();
    };
    const limit = setTimeout(stop, lastCallMs);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    const isWhole = await this.#finish(run);
    clearTimeout(limit);
    signal.removeEventListener("abort", stop);
    if (isWhole) say(`MLflow: ${this.#sink.page}`);
    else {
      say(
        `MLflow has not all of this run: ${this.#reason}. mlpipe export ${run} --to mlflow=${address.url} completes it.`,
      );
    }
    for (const remark of this.#sink.remarks) say(`MLflow: ${remark}`);
  }

  #begin({ run: id, at: startedAt }: Extract<ExecutorEvent, { type: "run-started" }>): void {
    const { manifest, root, toolVersion, env, redact } = this.#options;
    const run: MlflowRun = {
      id,
      pipeline: { name: manifest.pipeline, file: manifest.file, digest: null, graph: "" },
      tool: { name: "mlpipe", version: toolVersion },
      trigger: triggerOf(env),
      by: whoAndWhere(root),
      startedAt,
      git: null,
      params: manifest.params,
    };
    this.#run = redactDocument(run, secretValues(redact));
    // Whatever is sent begins with the run, if it is not there yet.
    this.#queue(async () => Promise.resolve());
  }

  async #stepEnded(
    run: MlflowRun,
    outcome: Extract<ExecutorEvent, { type: "step-finished" }>["outcome"],
  ): Promise<void> {
    const { store, git } = this.#options;
    const row = outcome.stepRun === null ? undefined : store.runs.stepRun(outcome.stepRun);
    if (row === undefined) return;
    const { id, kind, status } = outcome;
    const step = exportedStep(store, { id, kind, status }, stepRunOf(row), run.id);
    // Nothing is asked of git for a run that executes nothing.
    const known = step.isReused ? run : { ...run, git: await git() };
    await this.#sink.step(known, step, this.#makerOf);
  }

  /** One after the other: a step is there after the run it is in, and a measurement after what was measured. */
  #queue(send: (run: MlflowRun) => Promise<void>): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#sending = this.#sending.then(async () => this.#deliver(run, send));
  }

  async #deliver(run: MlflowRun, send: (run: MlflowRun) => Promise<void>): Promise<void> {
    if (this.#failures >= mostFailures || this.#giveUp.signal.aborted) return;
    await this.#attempt(async () => {
      await this.#sink.begin(run);
      await send(run);
    });
  }

  async #finish(id: string): Promise<boolean> {
    await this.#sending;
    const exported = exportedRun(this.#options.store, id);
    if (exported === undefined || this.#failures >= mostFailures || this.#giveUp.signal.aborted) return false;
    // What was not taken the first time is sent again.
    return this.#attempt(async () => this.#sink.put(exported));
  }

  async #attempt(send: () => Promise<void>): Promise<boolean> {
    try {
      await send();
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#failures++;
      if (!this.#giveUp.signal.aborted) this.#reason = error instanceof Error ? error.message : String(error);
      return false;
    }
  }
}
