/**
 * The task: what the process of a TypeScript step is told, and what it answers. Both are JSON
 * files in the attempt's folder, so that any engine which shares the store can run a task.
 */
import type { KindSpec } from "@mlpipe/dsl";
import type { Usage } from "@mlpipe/provenance";
import type { StepError } from "./events.ts";

/** Raised when a reader of tasks or results must know of a change. */
export const taskVersion = 1;

/** A step to run. All paths are relative to the working folder, which is the project's root. */
export interface Task {
  readonly schemaVersion: typeof taskVersion;
  readonly step: string;
  readonly key: string;
  /** `check` runs a gate. */
  readonly mode: "run" | "check";
  /** The module that exports the step. */
  readonly module: string;
  readonly export: string;
  readonly inputs: Readonly<Record<string, TaskInput>>;
  readonly outputs: Readonly<Record<string, { readonly kind: KindSpec; readonly path: string }>>;
  /** Of a deploy. */
  readonly target?: string;
  /** Absolute paths that the step may read without a word; nothing if what it does not declare is refused. */
  readonly watched?: readonly string[];
}

/** Something that a step opened, or tried to, and does not declare. */
export interface Undeclared {
  /** Absolute, as the step named it. Of `start` what it is that was refused. */
  readonly path: string;
  readonly access: "read" | "list" | "write" | "start";
}

/** What an input port holds; `kind` is the kind of the content, without `approved` or `optional`. */
export type TaskInput =
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "path"; readonly path: string; readonly kind: KindSpec }
  | { readonly type: "many"; readonly items: readonly { readonly key: string; readonly input: TaskInput }[] }
  | { readonly type: "absent" };

/** The answer, in `result.json` beside the task; the exit codes 0, 3 and 1 say the same in short. */
export type TaskResult = TaskOutcome & {
  readonly usage: Usage;
  /** What was noted while the step ran. */
  readonly undeclared?: readonly Undeclared[];
  /** What the error is about, if something was refused. */
  readonly refused?: Undeclared;
};

/** What became of a task. */
export type TaskOutcome =
  | {
      readonly status: "ok";
      /** Values and metrics by port, as JSON. */
      readonly returned: Readonly<Record<string, unknown>>;
    }
  | { readonly status: "rejected"; readonly reason: string }
  | { readonly status: "error"; readonly error: StepError };
