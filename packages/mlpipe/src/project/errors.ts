/** What each error about a project or a command line means, for `docs/errors.md` and `mlpipe help CODE`. */
export const projectErrors = {
  MLP6001: {
    title: "No pipeline found",
    explain:
      "mlpipe looks for `*.pipeline.ts` below the project's root: the nearest folder upwards that has a " +
      "`mlpipe.config.ts`, a `package.json` or a `.git`. A folder below with a `package.json` of its own, such as a package " +
      "of a workspace, is a project of its own: `mlpipe -C packages/churn run`. `mlpipe init` makes a first one.",
  },
  MLP6002: {
    title: "More than one pipeline",
    explain:
      "The project has several pipelines and the command names none. Name one (`mlpipe run weather`), or let " +
      '`mlpipe.config.ts` decide: `export default { pipeline: "weather" }`.',
  },
  MLP6003: {
    title: "No such pipeline",
    explain:
      "A command named a pipeline that is neither a file nor the name of one of the project's pipelines.",
  },
  MLP6004: {
    title: "A pipeline file that cannot be loaded",
    explain:
      "The module of the pipeline, or one it imports, failed while it was imported, awaited what never " +
      "comes, or ended the process. Modules of pipelines should define and export, and do nothing else.",
  },
  MLP6005: {
    title: "A pipeline file without a pipeline",
    explain: "The default export of a `*.pipeline.ts` is what `pipeline(…)` returns.",
  },
  MLP6006: {
    title: "A param that the pipeline does not have",
    explain: "`-s KEY=VALUE` names a param of the pipeline's schema; nested params are named with dots.",
  },
  MLP6007: {
    title: "A param that cannot be read",
    explain: "`-s` takes `KEY=VALUE`; `--params` takes a YAML or JSON file with an object in it.",
  },
  MLP6008: {
    title: "A configuration that does not hold",
    explain:
      "`mlpipe.config.ts` has a default export with the known settings: `pipeline`, and `pools` with the size of each.",
  },
  MLP6009: {
    title: "A pipeline() that threw",
    explain:
      "The function given to `pipeline(…)` threw while it was called to find out what the pipeline is. It runs before " +
      "any step, with the params alone: what needs data belongs into a step.",
  },
  MLP6011: {
    title: "A place that can be no store",
    explain:
      "`MLPIPE_STORE`, or `mlpipe.store` in package.json, says where a project keeps its things. It names a folder that " +
      "is new, empty, or a store already; several clones and work trees may name the same one.",
  },
} as const;
