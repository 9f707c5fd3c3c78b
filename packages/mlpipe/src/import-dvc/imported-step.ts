/** A stage with its files found: what its step takes, and from whom. */
import type { Site } from "@mlpipe/dsl";
import type { ImportedStepKind, KindCode } from "./kinds.ts";
import type { Mark } from "./params-file.ts";
import type { Stage } from "./stage.ts";
import type { Text, Variable } from "./template.ts";

export interface ImportedStep {
  readonly stage: Stage;
  readonly kind: ImportedStepKind;
  readonly inputs: readonly InputFile[];
  readonly outputs: readonly OutputFile[];
  readonly params: readonly ParamInput[];
  /** Items of `foreach` and `matrix` that its texts name, each a port. */
  readonly items: readonly ItemInput[];
  readonly commands: readonly Text[];
  /** Python scripts, whose imports mlpipe follows. */
  readonly scripts: readonly string[];
  /** Other code, by its bytes. */
  readonly files: readonly string[];
  /** Variables of the environment that its commands name. */
  readonly env: readonly string[];
  readonly isCached: boolean;
}

/** A file or folder that a step is given. */
export interface InputFile {
  readonly port: string;
  readonly kind: KindCode;
  /** Where the command looks for it; nothing for a path outside of the project. */
  readonly place: Text | undefined;
  readonly from:
    | { readonly type: "source"; readonly path: string }
    | { readonly type: "output"; readonly stage: string; readonly port: string };
  readonly at: Site;
}

/** A file or folder that a step makes. */
export interface OutputFile {
  readonly port: string;
  readonly kind: KindCode;
  readonly place: Text;
  readonly path: string;
  readonly role: "out" | "metrics" | "plots";
}

/** A param that a step is given. */
export interface ParamInput {
  readonly port: string;
  readonly schema: string;
  readonly isText: boolean;
  readonly file: string;
  /** The way to it in its file; empty for all of it. */
  readonly path: readonly string[];
  /** The same as the command line of the step has it; nothing if only a command's text names it. */
  readonly name: Text | undefined;
  readonly marks: readonly Mark[];
}

/** A value of an item. */
export interface ItemInput {
  readonly port: string;
  readonly variable: Variable;
}
