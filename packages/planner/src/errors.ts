/** What each planning error means, for `docs/errors.md` and `mlpipe help CODE`. */
export const plannerErrors = {
  MLP2001: {
    title: "A source that is not there",
    explain:
      "A `source(path, kind)` names a file or folder relative to the project's root. A step cannot be planned " +
      "without its content. Fetch the file, correct the path, or declare the port as `optional(…)`.",
  },
  MLP2002: {
    title: "A source of the wrong sort",
    explain: "A `dir()` source must be a folder, and every other source a file.",
  },
  MLP2003: {
    title: "A step that this pipeline does not have",
    explain: "A command named a step id that is not in the pipeline. `mlpipe graph` lists the ids.",
  },
  MLP2004: {
    title: "Nothing to compare with",
    explain:
      "`mlpipe why STEP --against RUN` compares with what an earlier step run was made of, and that is no longer kept.",
  },
} as const;

/** The stable code of a planning error. */
export type PlannerErrorCode = keyof typeof plannerErrors;
