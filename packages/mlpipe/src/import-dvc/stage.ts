/** A stage of DVC as it is run: those of `foreach` and `matrix` one by one. */
import type { Site } from "@mlpipe/dsl";
import type { Text } from "./template.ts";

/** A stage. Paths are relative to the project's root, though not made normal. */
export interface Stage {
  /** `train`, or `train@us`; with the folder of its file before it, where there are several files. */
  readonly name: string;
  /** The name under `stages`, which those of one `foreach` share. */
  readonly group: string;
  /** What tells it from its siblings. */
  readonly key: string | undefined;
  readonly description: string | undefined;
  readonly commands: readonly Text[];
  /** The folder its commands run in. */
  readonly folder: string;
  readonly deps: readonly StagePath[];
  readonly outs: readonly StageOut[];
  readonly params: readonly StageParam[];
  readonly alwaysChanged: boolean;
  readonly frozen: boolean;
  readonly at: Site;
}

/** A path that a stage names. */
export interface StagePath {
  readonly text: Text;
  /** The path today, normal; a URL as it is. */
  readonly path: string;
  readonly at: Site;
}

/** An output of a stage. */
export interface StageOut extends StagePath {
  readonly role: "out" | "metrics" | "plots";
}

/** A value of a params file, or the whole of it. */
export interface StageParam {
  /** Relative to the project's root. */
  readonly file: string;
  /** Nothing for the whole file. */
  readonly name: Text | undefined;
  readonly at: Site;
}
