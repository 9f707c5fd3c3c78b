/** Executes a step outside of any run, to see what it makes: nothing is kept, claimed or recorded. */
import { mkdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { type ManifestStep, secretsOf } from "@mlpipe/dsl";
import { secretValues } from "@mlpipe/provenance";
import type { Planner } from "@mlpipe/planner";
import type { Content, Store } from "@mlpipe/store";
import { Attempt, type RunDecision } from "./attempt.ts";
import type { StepError } from "./events.ts";
import { MemoryWatch } from "./failure-kind.ts";
import { Enclosure, Surroundings } from "./fence/enclosure.ts";
import { LocalEngine } from "./local-engine.ts";
import { WorkFolders } from "./work-folders.ts";

/** An output, where it was put aside. */
export interface OutputAgain {
  readonly content: Content;
  /** Absolute; empty for what a gate passed, which is the input itself. */
  readonly path: string;
}

/** What an execution came to. */
export type Again =
  | {
      readonly type: "made";
      readonly outputs: Readonly<Record<string, OutputAgain>>;
      /** What it opened and does not declare, a line each. */
      readonly remarks: readonly string[];
    }
  | { readonly type: "failed"; readonly error: StepError }
  | { readonly type: "cancelled" };

/** Where steps are executed again. */
export interface AgainPlace {
  /** Absolute path of the project's root: a scratch copy. */
  readonly root: string;
  /** The store of the scratch copy. */
  readonly store: Store;
  readonly planner: Planner;
  /** An id for logs and the lock. */
  readonly run: string;
}

/**
 * Executes a step once.
 *
 * @param asideIn an absolute folder, made if it is not there, that its outputs are moved to
 * @param env variables over those of the decision
 */
export async function executeAgain(
  place: AgainPlace,
  step: ManifestStep,
  decision: RunDecision,
  options: {
    readonly asideIn: string;
    readonly env: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Again> {
  const { root, store, planner, run } = place;
  const folders = new WorkFolders();
  const around = new Surroundings({ root, store });
  const identity = planner.identityOf(step.id);
  const engine = new LocalEngine(store.claims.enterBeside(run));
  const { inputs } = decision;
  const secrets = secretValues(secretsOf([step], decision.environment));
  try {
    await engine.ready();
    const attempt = new Attempt({
      place: { root, store, run, engine, folders, secrets },
      step,
      decision: { ...decision, environment: { ...decision.environment, ...options.env } },
      enclosed: (folder) => new Enclosure(around, { step, identity, inputs, folder, checkpoint: undefined }),
      number: 1,
      share: { devices: [], watch: new MemoryWatch() },
      onLine: () => {},
    });
    const stop = (): void => {
      attempt.stop("gently");
    };
    options.signal?.addEventListener("abort", stop);
    try {
      const { outcome, remarks } = await attempt.run();
      if (outcome.type === "cancelled") return { type: "cancelled" };
      if (outcome.type !== "made") return { type: "failed", error: outcome.error };
      mkdirSync(options.asideIn, { recursive: true });
      const outputs = Object.entries(outcome.outputs).map(([port, { content, path }]) => {
        if (path === "") return [port, { content, path }] as const;
        const aside = join(options.asideIn, basename(path));
        renameSync(path, aside);
        return [port, { content, path: aside }] as const;
      });
      return { type: "made", outputs: Object.fromEntries(outputs), remarks };
    } finally {
      options.signal?.removeEventListener("abort", stop);
      if (step.checkpoints !== undefined) attempt.folder.removeCheckpoint();
      attempt.folder.discard();
    }
  } finally {
    await folders.settle();
    store.claims.leave(run);
    await engine.close();
  }
}
