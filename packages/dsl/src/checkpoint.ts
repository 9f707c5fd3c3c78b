import type { FolderWriter } from "./handles.ts";
import { kind, type Kind } from "./kinds.ts";

/** A folder for what an interrupted step wants to go on from. A call never gives it: mlpipe does. */
export interface CheckpointKind extends Kind<never, undefined, FolderWriter, "never", never, "free"> {
  // Left out by every call, as an optional port may be.
  readonly "~optional": true;
}

/**
 * A folder that survives the attempts of one key: a training that was killed finds there what it saved and
 * goes on. It is empty the first time and removed once the step has succeeded; another key has another.
 * It is no part of the key, and what is in it must not change what the step makes, only how soon.
 *
 * Inputs of data, train and evaluate steps only; a command is given its path: `${i.checkpoint}`.
 */
export function checkpoint(): CheckpointKind {
  return kind({ kind: "checkpoint" });
}
