/** What the end of a step's process means to the user, if it did not end well. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { ManifestStep } from "@mlpipe/dsl";
import type { Ended } from "./engine.ts";
import type { StepError } from "./events.ts";
import { type FailureKindFound, memoryFailure } from "./failure-kind.ts";
import type { TaskResult } from "./task.ts";

/** What to do about an error that is the step's own. */
const keptNothing =
  "Nothing of the step was kept. Fix it and run again: what succeeded before it is not run again.";

/** What to do about a program that the system did not start, by what it said. */
const startHints: Readonly<Record<string, string>> = {
  E2BIG: "An argument is too long for the system: pass such a value as a file.",
  EACCES:
    "It may not be executed (chmod +x), or is not found where a folder of PATH may not be looked into, or lies where nothing may be executed.",
  ENOEXEC: "It is no program of this system: a script begins with #! and what runs it.",
};

/** An error of a step, at the place where the step is defined. */
export function stepError(
  { defined }: ManifestStep,
  code: string,
  message: string,
  hint?: string,
): StepError {
  return {
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...(defined !== undefined && { at: [defined] }),
  };
}

/** How a process ended, and what is known of why. */
export interface ProcessEnd {
  readonly ended: Ended;
  /** What the runner of a TypeScript step wrote. */
  readonly result: TaskResult | undefined;
  readonly found: FailureKindFound;
  /** The last lines that it wrote. */
  readonly tail: readonly string[];
}

/**
 * Why an attempt failed; nothing if its process ended well.
 * @param root of the project
 */
export function failureOfProcess(step: ManifestStep, end: ProcessEnd, root: string): StepError | undefined {
  const { tail } = end;
  const { failure } = end.ended;
  if (failure !== undefined && failure.code !== "MLP3036") return startFailure(step, failure, root);
  const error = endFailure(step, end);
  return error === undefined || tail.length === 0 ? error : { ...error, logTail: [...tail] };
}

function endFailure(step: ManifestStep, { ended, result, found }: ProcessEnd): StepError | undefined {
  const { id, body, scheduling, defined } = step;
  if (ended.failure !== undefined) {
    return stepError(step, "MLP3036", ended.failure.message, "Nothing of the step was kept. Run again.");
  }
  if (ended.timedOut) {
    return stepError(step, "MLP3004", `"${id}" was stopped after ${(scheduling.timeoutMs ?? 0) / 1000} s.`);
  }
  if (result?.status === "error") {
    const { at = [], hint = keptNothing } = result.error;
    return { ...result.error, hint, at: at.length > 0 || defined === undefined ? at : [defined] };
  }
  if (found.memory !== undefined) {
    const { message, hint } = memoryFailure(step, found.memory);
    return stepError(step, "MLP3038", message, hint);
  }
  if (ended.signal !== null) {
    const hint =
      ended.signal === "SIGKILL" ? "Nobody here sent it: the system may have run out of memory." : undefined;
    return stepError(step, "MLP3003", `"${id}" was killed by ${ended.signal}.`, hint);
  }
  if (body.type !== "command" && result === undefined) {
    return stepError(step, "MLP3031", `The process of "${id}" ended with ${ended.code} and left no result.`);
  }
  if (ended.code !== 0) return stepError(step, "MLP3001", `"${id}" failed with exit code ${ended.code}.`);
  return undefined;
}

/** Why the system did not start it. */
function startFailure(
  step: ManifestStep,
  { code, message }: NonNullable<Ended["failure"]>,
  root: string,
): StepError {
  const path = programOf(step);
  const program = JSON.stringify(path);
  if (code === "ENOENT") return noProgram(step, path, root);
  const said = `"${step.id}" could not start ${program}: ${message}.`;
  return stepError(step, "MLP3002", said, startHints[code ?? ""]);
}

/** The system says the same of a program that is not there and of a script whose interpreter is not. */
function noProgram(step: ManifestStep, path: string, root: string): StepError {
  const starts = `"${step.id}" starts ${JSON.stringify(path)}`;
  if (path.includes("/") && existsSync(resolve(root, path))) {
    return stepError(
      step,
      "MLP3002",
      `${starts}, and the interpreter that its first line names is not there.`,
      "Look at the line that begins with #!, and whether it ends as lines do on Windows. Scripts of a Python environment that was moved need it made again.",
    );
  }
  const hint = path.includes("/")
    ? "Nothing is at this path; it is relative to the project's root. A Python environment is made by python3 -m venv or uv sync."
    : "Is it installed, and on PATH? A program of the project needs its path: ./tool.";
  return stepError(step, "MLP3002", `${starts}, and there is no such program.`, hint);
}

function programOf({ body }: ManifestStep): string {
  const [first = []] = body.type === "command" ? body.argv : [];
  return first.map((part) => (typeof part === "string" ? part : "…")).join("");
}
