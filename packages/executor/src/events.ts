/**
 * The events: what the executor says while it works. Reporters turn them into a live view, plain
 * lines, NDJSON or CI annotations; records are made of the same facts. Every event is plain JSON.
 */
import type { ManifestSite, ManifestStep } from "@mlpipe/dsl";
import type { Reason } from "@mlpipe/planner";

/** What became of a step. */
export type StepStatus =
  /** Executed and succeeded. */
  | "ran"
  /** Its kept result holds. */
  | "cached"
  | "failed"
  /** A gate said no. */
  | "rejected"
  /** An upstream step failed or was rejected. */
  | "blocked"
  /** Needs an approval that is not there yet. */
  | "waiting"
  | "cancelled"
  /** Not selected in this run. */
  | "skipped";

/** What became of a run. */
export type RunStatus = "succeeded" | "failed" | "rejected" | "waiting" | "cancelled" | "crashed";

/** Why a step failed, as data. */
export interface StepError {
  /** A stable code: `MLP3001`. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** The user's own stack, without frames of mlpipe. */
  readonly stack?: string;
  /** Where, nearest first; files relative to the project's root. */
  readonly at?: readonly ManifestSite[];
  /** The last lines the step wrote. */
  readonly logTail?: readonly string[];
}

/** The outcome of one step. */
export interface StepOutcome {
  readonly id: string;
  readonly kind: ManifestStep["kind"];
  readonly status: StepStatus;
  readonly key: string | null;
  /** The step run that made the outputs: of this run, or of an earlier one if cached. */
  readonly stepRun: string | null;
  readonly reasons: readonly Reason[];
  readonly durationMs: number;
  readonly outputs: Readonly<
    Record<string, { readonly digest: string; readonly size: number; readonly type: "file" | "tree" }>
  >;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly error?: StepError;
}

export type ExecutorEvent =
  | {
      readonly type: "run-started";
      readonly run: string;
      readonly pipeline: string;
      readonly at: string;
      readonly steps: readonly {
        readonly id: string;
        readonly kind: ManifestStep["kind"];
        readonly needs: readonly string[];
      }[];
    }
  | {
      readonly type: "step-started";
      readonly step: string;
      readonly stepRun: string;
      readonly key: string;
      /** 1 for the first. */
      readonly attempt: number;
      readonly at: string;
      readonly reasons: readonly Reason[];
    }
  | {
      readonly type: "step-output";
      readonly step: string;
      readonly attempt: number;
      readonly stream: "stdout" | "stderr";
      /** One line without its end, made safe for a terminal; very long lines are cut. */
      readonly line: string;
    }
  | {
      readonly type: "step-retrying";
      readonly step: string;
      readonly attempt: number;
      readonly of: number;
      readonly error: StepError;
    }
  | { readonly type: "step-finished"; readonly at: string; readonly outcome: StepOutcome }
  | { readonly type: "warning"; readonly step?: string; readonly message: string; readonly at?: ManifestSite }
  | {
      readonly type: "run-finished";
      readonly run: string;
      readonly status: RunStatus;
      readonly at: string;
      readonly durationMs: number;
    };
