/** Errors that end a run and are no step's. */
import { type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import { absoluteSite } from "@mlpipe/planner";
import { StoreError } from "@mlpipe/store";

/** A selected step needs one that is neither selected nor kept. @param root absolute path of the project's root */
export function notSelected({ id, called }: ManifestStep, missing: string, root: string): MlpipeError {
  return new MlpipeError(
    "MLP3009",
    `"${id}" needs "${missing}", which is not selected and has no kept result.`,
    {
      exit: 4,
      at: absoluteSite(root, called),
      // A shell would take brackets for a pattern of file names.
      hint: `Select it too: --only ${[missing, id].map((word) => (word.includes("[") ? `"${word}"` : word)).join(" ")}. Or run the whole pipeline.`,
    },
  );
}

/** A gc has dropped what a run was about to take from the cache. */
export function collectedMeanwhile(step: string): StoreError {
  return new StoreError("MLP4017", `The result of "${step}" was collected while the run was being planned.`, {
    hint: "Run again: it is made anew.",
  });
}

/** What a run that has succeeded returns could not be copied to its place. */
export function notCopied(cause: Error): MlpipeError {
  return new MlpipeError("MLP3035", `What the pipeline returns could not be copied: ${cause.message}`, {
    exit: 4,
    hint:
      "The run itself succeeded and is kept: mlpipe get STEP.PORT -o PATH writes an output elsewhere. " +
      "Correct the cause and run again: only the copying is left.",
    cause,
  });
}

/**
 * The error of a run that has succeeded, and of which the system refused to keep the record: to whoever reads it the first
 * question is what that means for the results.
 */
export function unrecorded(error: unknown): unknown {
  if (!(error instanceof StoreError) || error.code !== "MLP4005") return error;
  const meaning =
    "All results are kept and up to date: only what the store notes of this run could not be written.";
  return new MlpipeError("MLP4005", error.message, {
    exit: error.exit,
    hint: error.hint === undefined ? meaning : `${error.hint}\n${meaning}`,
    cause: error,
  });
}
