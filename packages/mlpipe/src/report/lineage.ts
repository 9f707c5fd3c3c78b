/** Events of OpenLineage as a run goes on. Whatever goes wrong with them, the run goes on. */
import type { Manifest } from "@mlpipe/dsl";
import type { ExecutorEvent } from "@mlpipe/executor";
import { redactDocument, secretValues, stepRunOf, whoAndWhere } from "@mlpipe/provenance";
import {
  exportedRun,
  exportedStep,
  Lineage,
  type LineageEndpoint,
  type LineageEvent,
  type LineageRun,
  type MakerOf,
  sendLineage,
  storedMakerOf,
} from "@mlpipe/provenance/export";
import type { Store } from "@mlpipe/store";
import { count } from "../cli/format.ts";

/** What the events of a run are made of. */
export interface LineageOptions {
  readonly endpoint: LineageEndpoint;
  readonly namespace: string | undefined;
  readonly store: Store;
  readonly root: string;
  readonly manifest: Manifest;
  readonly toolVersion: string;
  /** Values of secrets: nothing that is sent contains them. */
  readonly redact: readonly string[];
  /** Told once what could not be sent, and why. */
  readonly warn: (message: string) => void;
  /** Gives up on what is still unsent. */
  readonly signal: AbortSignal;
}

/** After so many refusals in a row nobody is listening. */
const mostFailures = 3;

/** How long the end of a run may wait for what is still unsent. */
const lastCallMs = 10_000;

/** Sends START and the end of every execution, and of the run around them. */
export class LineageReporter {
  readonly #options: LineageOptions;
  readonly #lineage: Lineage;
  readonly #secrets: readonly string[];
  readonly #modules: ReadonlyMap<string, string>;
  readonly #makerOf: MakerOf;
  readonly #giveUp = new AbortController();
  #run: LineageRun | undefined;
  #sending: Promise<void> = Promise.resolve();
  #failures = 0;
  #lost = 0;
  #reason = "";

  constructor(options: LineageOptions) {
    this.#options = options;
    this.#lineage = new Lineage(options.namespace);
    this.#makerOf = storedMakerOf(options.store);
    this.#secrets = secretValues(options.redact);
    this.#modules = new Map(options.manifest.steps.map(({ id, module }) => [id, module]));
  }

  event(event: ExecutorEvent): void {
    switch (event.type) {
      case "run-started": {
        const { manifest, root, toolVersion } = this.#options;
        this.#run = {
          id: event.run,
          pipeline: { name: manifest.pipeline, file: manifest.file, digest: null, graph: "" },
          tool: { name: "mlpipe", version: toolVersion },
          by: whoAndWhere(root),
          startedAt: event.at,
          // Gathered while the first step runs: the event that ends the run has it.
          git: null,
          params: manifest.params,
        };
        this.#send(this.#lineage.runStarted(this.#run));
        return;
      }
      case "step-started":
        if (this.#run === undefined || event.attempt > 1) return;
        this.#send(
          this.#lineage.stepStarted(this.#run, {
            id: event.stepRun,
            run: this.#run.id,
            startedAt: event.at,
            step: { id: event.step, module: this.#modules.get(event.step) },
          }),
        );
        return;
      case "step-finished":
        if (this.#run === undefined || event.outcome.status === "cached") return;
        this.#stepEnded(this.#run, event.outcome);
        return;
      default:
    }
  }

  /** Sends what ends the run, and waits a little for what is still unsent. */
  async end(): Promise<void> {
    const { store, warn, signal } = this.#options;
    const exported = this.#run && exportedRun(store, this.#run.id);
    if (exported !== undefined) this.#send(...this.#lineage.runEnded(exported));
    const stop = (): void => {
      this.#giveUp.abort();
    };
    const limit = setTimeout(stop, lastCallMs);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    await this.#sending;
    clearTimeout(limit);
    signal.removeEventListener("abort", stop);
    if (this.#lost === 0) return;
    warn(
      `${count(this.#lost, "event")} of OpenLineage ${this.#lost === 1 ? "was" : "were"} not delivered: ${this.#reason}. ` +
        "mlpipe export last --format openlineage --to URL sends them again.",
    );
  }

  #stepEnded(run: LineageRun, outcome: Extract<ExecutorEvent, { type: "step-finished" }>["outcome"]): void {
    const { store } = this.#options;
    const row = outcome.stepRun === null ? undefined : store.runs.stepRun(outcome.stepRun);
    if (row === undefined) return;
    const { id, kind, status } = outcome;
    const step = exportedStep(store, { id, kind, status }, stepRunOf(row), run.id);
    this.#send(...this.#lineage.stepEnded(run, step, this.#makerOf));
  }

  /** One after the other: an end that comes before its beginning confuses some receivers. */
  #send(...events: readonly LineageEvent[]): void {
    for (const event of events) {
      const redacted = redactDocument(event, this.#secrets);
      this.#sending = this.#sending.then(() => this.#deliver(redacted));
    }
  }

  async #deliver(event: LineageEvent): Promise<void> {
    if (this.#failures >= mostFailures || this.#giveUp.signal.aborted) {
      this.#lost++;
      if (this.#reason === "") this.#reason = "there was no time left";
      return;
    }
    try {
      await sendLineage(event, this.#options.endpoint, this.#giveUp.signal);
      this.#failures = 0;
    } catch (error) {
      this.#failures++;
      this.#lost++;
      this.#reason = error instanceof Error ? error.message : String(error);
    }
  }
}
