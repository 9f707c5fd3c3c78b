/** What each error inside a TypeScript step means, for `docs/errors.md` and `mlpipe help CODE`. */
export const runnerErrors = {
  MLP3010: {
    title: "A step that threw",
    explain: "The step's function threw, or its promise was rejected. The stack shows the step's own frames.",
  },
  MLP3011: {
    title: "A module that is not there",
    explain:
      "The step's module, or one it imports, could not be found: a file that was moved, a path without its ending, " +
      "or a package that is not installed.",
  },
  MLP3012: {
    title: "A module that cannot be parsed",
    explain:
      "The step's module, or one it imports, has a syntax error, or imports a name that is not exported.",
  },
  MLP3013: {
    title: "TypeScript that is more than types",
    explain:
      "Node strips the types and runs the rest. `enum`, `namespace` with content and parameter properties are compiled, " +
      "in ES modules: not in CommonJS (`.cts`, or `require`), and not under `--hermetic` where only Node's permission model " +
      "keeps a step. `import x = …` and decorators have to be written otherwise. The option `erasableSyntaxOnly` of `tsc` " +
      "finds all but decorators.",
  },
  MLP3014: {
    title: "A module that failed while it was imported",
    explain: "Code at the top of the step's module, or of one it imports, threw before the step could start.",
  },
  MLP3015: {
    title: "An export that is not the step",
    explain:
      "The process imported the module of the step, and its export is missing, or is no step of that kind.",
  },
  MLP3016: {
    title: "An error that nobody caught",
    explain:
      "While the step ran, an error was thrown in a callback, or a promise was rejected that nobody awaited. " +
      "What the step did after it cannot be believed.",
  },
  MLP3017: {
    title: "A step that ended its process",
    explain:
      "A step ends when its function returns, and fails when it throws. It never calls `process.exit()`.",
  },
  MLP3018: {
    title: "A step that never settled",
    explain:
      "The function awaits something that can no longer happen: no timer, file or connection is left that could " +
      "wake it. Often a promise whose `resolve` is never called.",
  },
  MLP3019: {
    title: "A task that cannot be read",
    explain: "The process was not given a task it knows. Tasks are written by mlpipe, of the same version.",
  },
  MLP3020: {
    title: "CSV that is not well formed",
    explain:
      "A `csv` file has a header line with a name for each column, and every row has as many fields as the header. " +
      'A field with a comma, quote or line end is in quotes, and a quote in it is written twice: `"6"" pipe"`.',
  },
  MLP3021: {
    title: "A row that its schema refuses",
    explain:
      "Rows are validated as they are read. The message names the row, counted from 1 without the header, the line " +
      "of the file, and the column.",
  },
  MLP3022: {
    title: "Text that is not JSON",
    explain: "A `json` file is one JSON document, a `jsonl` file one document a line.",
  },
  MLP3023: {
    title: "An input that its schema refuses",
    explain:
      "A JSON document or a value does not fit the schema of the port it was given to. Values made by another step " +
      "are validated where they are read.",
  },
  MLP3024: {
    title: "Text that is not UTF-8",
    explain: "Text files are read as UTF-8. Convert the file, or read its `bytes()`.",
  },
  MLP3025: {
    title: "An output that its schema refuses",
    explain:
      "Rows, documents, values and metrics are validated before they are kept, so that a mistake shows in the step " +
      "that made it. Metrics are finite numbers.",
  },
  MLP3026: {
    title: "A value that its format cannot hold",
    explain:
      "A cell of a `csv` holds a string, a number, a boolean or nothing. JSON holds no `NaN`, `Infinity`, " +
      "`undefined`, dates, maps or class instances: it would change them silently. Convert the value first.",
  },
  MLP3027: {
    title: "An output that was not written in one piece",
    explain:
      "`write` writes the whole output and must be awaited; rows are written with one call. To add rows as they come, " +
      "give `write` a generator.",
  },
  MLP3028: {
    title: "A step that returned the wrong ports",
    explain:
      "A function returns its values and metrics by port, `return { rows, metrics }`, and writes all other outputs " +
      "through `out`.",
  },
  MLP3029: {
    title: "A gate without an answer",
    explain: "`check` returns `true`, or `false` or the reason why not.",
  },
} as const;

/** The stable code of an error inside a TypeScript step. */
export type RunnerErrorCode = keyof typeof runnerErrors;
