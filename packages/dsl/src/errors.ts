import { Call, type Site } from "./site.ts";

/** What each authoring error means, for `docs/errors.md` and `mlpipe help CODE`. */
export const dslErrors = {
  MLP1001: {
    title: "A name that cannot be used",
    explain:
      "Names of pipelines, steps and ports become ids on the command line, in records and in file names. " +
      "They start with a letter and go on with letters, digits, `-` and `_`.",
  },
  MLP1002: {
    title: "Two steps with one id",
    explain:
      "Every step of a pipeline has its own id. Calling a step a second time needs a name for the second call: " +
      '`score.as("score-baseline")({ … })`. Two steps of one pipeline may not be defined with one name either.',
  },
  MLP1003: {
    title: "A step defined inside pipeline()",
    explain:
      "A step runs in a process of its own, which imports the step's module and takes the exported value. " +
      "A step that exists only while the pipeline is built cannot be found there: define it at the top of a module and export it.",
  },
  MLP1004: {
    title: "A step that is not exported",
    explain:
      "The process that runs a step imports the step's module and looks for the step among its exports. " +
      "Write `export const fit = train(…)`.",
  },
  MLP1005: {
    title: "A step called outside pipeline()",
    explain:
      "Calling a step wires it into the pipeline being built. Outside the function given to `pipeline(…)` there is none.",
  },
  MLP1006: {
    title: "A port given the wrong thing",
    explain:
      "A port takes a ref of its own kind, or a value that its schema accepts. The compiler says the same, " +
      "unless an `any` was in the way.",
  },
  MLP1007: {
    title: "A ref used as a value",
    explain:
      "A ref stands for something that will exist when the pipeline runs. While the pipeline is built it has no " +
      "content: it cannot be printed, compared, put into JSON or decide an `if`. Pass it to a step.",
  },
  MLP1008: {
    title: "A value that is not JSON",
    explain:
      "Values that travel between steps are kept and hashed as JSON: no `NaN`, `Infinity`, `undefined`, dates, " +
      "functions, maps or class instances. Convert the value first (a date to its ISO string, say).",
  },
  MLP1009: {
    title: "Params that do not fit their schema",
    explain:
      "The params of a run (`-s KEY=VALUE`, `--params FILE`) are parsed by the schema given to `pipeline(…)` " +
      "before anything else happens.",
  },
  MLP1010: {
    title: "A step definition that does not hold together",
    explain:
      "A step has exactly one of `run` and `command`; a gate has a `check` and passes one of its model ports; " +
      "a deploy names its `target` and takes approved models only.",
  },
  MLP1011: {
    title: "A pipeline() that returns something else than refs",
    explain:
      "What a pipeline returns is what its users see: an object of refs. A promise is not one: building is synchronous.",
  },
  MLP1012: {
    title: "Two items with one key",
    explain:
      "`each` names its children by key, so that inserting an item never renames another. Every item needs a key of its own.",
  },
  MLP1013: {
    title: "An item of another shape",
    explain:
      "`each` over a list that a step makes reads fields of its items: those that make the key, and those the body " +
      'asks for with `item.at("lr")`. An item that lacks one, or has something else there, cannot have its steps.',
  },
  MLP1014: {
    title: "A ref taken out of the body of each",
    explain:
      "Over a list that a step makes, the body of `each` runs once and stands for all items: a ref made in it has no " +
      "single content outside. Return it from the body; what `each` gives holds that of every item, by key.",
  },
} as const;

/** The stable code of an authoring error. */
export type DslErrorCode = keyof typeof dslErrors;

/** A user's mistake, with a stable code, the place, and what to do. Never thrown for a bug in mlpipe. */
export class MlpipeError<Code extends `MLP${number}` = `MLP${number}`> extends Error {
  override readonly name = "MlpipeError";
  /** Stable over versions; `docs/errors.md` explains each. */
  readonly code: Code;
  /** The exit code of a command that ends with this error. */
  readonly exit: number;
  /** What to do about it. */
  readonly hint?: string;
  /** Where it happened, nearest first. */
  readonly at: readonly Site[];

  constructor(
    code: Code,
    message: string,
    options: {
      /** @default 2 (usage, configuration or authoring) */
      readonly exit?: number;
      readonly hint?: string | undefined;
      readonly at?: Call | Site | readonly Site[] | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.exit = options.exit ?? 2;
    if (options.hint !== undefined) this.hint = options.hint;
    const at = options.at instanceof Call ? options.at.site : options.at;
    this.at = at === undefined ? [] : isSite(at) ? [at] : at;
  }
}

function isSite(at: Site | readonly Site[]): at is Site {
  return "file" in at;
}
