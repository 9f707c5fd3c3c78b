import { isDigest, type Store } from "@mlpipe/store";
import { stepRunOf } from "../questions.ts";
import type { MakerOf } from "./artifact.ts";

/** Finds the makers of what is read while a run goes on, among all that is recorded. */
export function storedMakerOf(store: Store): MakerOf {
  return (stepRun, digest) => {
    const row = stepRun === null || !isDigest(digest) ? undefined : store.runs.stepRun(stepRun);
    if (row === undefined) return undefined;
    const { step, outputs } = stepRunOf(row);
    const port = Object.keys(outputs).find((name) => outputs[name]?.digest === digest);
    return port === undefined ? undefined : { step: step.id, port };
  };
}
