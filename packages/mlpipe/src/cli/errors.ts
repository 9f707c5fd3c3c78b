/** What each error about a command line means, for `docs/errors.md` and `mlpipe help CODE`. */
export const commandLineErrors = {
  MLP6010: {
    title: "A command line that does not hold",
    explain:
      "The command or one of its options does not exist, or lacks its value. `mlpipe help COMMAND` shows them.",
  },
  MLP6012: {
    title: "A Node that is too old",
    explain:
      "mlpipe needs Node 24.15 or later: earlier ones cannot run TypeScript as it is, or have no SQLite built in.",
  },
  MLP6013: {
    title: "A system that is not supported",
    explain:
      "mlpipe runs on Linux and macOS. On Windows it runs inside WSL. Steps are processes of their own that find packages in " +
      "`node_modules`, so with Yarn's Plug'n'Play set `nodeLinker: node-modules` in `.yarnrc.yml`. mlpipe's parser is native " +
      "code: packages are to be installed on the machine that they are used on, optional dependencies included.",
  },
  MLP6014: {
    title: "No such output",
    explain:
      "`mlpipe get STEP.PORT` names an output that a step of the run made. `mlpipe show RUN` lists them.",
  },
  MLP6015: {
    title: "A place that is taken",
    explain:
      "mlpipe does not write over files that it did not make. Name another place, or remove what is there.",
  },
  MLP6016: {
    title: "No log",
    explain:
      "The step was not executed in that run, or said nothing. A cached step's log is with the run that made it.",
  },
  MLP6017: {
    title: "No such error code",
    explain: "`docs/errors.md` lists every code.",
  },
  MLP6018: {
    title: "A lock that would change",
    explain:
      "`mlpipe run --frozen` found that code, packages, inputs or proven results are not what `mlpipe.lock` says. " +
      "Run without `--frozen`, look at what changed, and commit the lock with it.",
  },
  MLP6019: {
    title: "No lock to go by",
    explain:
      "`mlpipe run --from-lock` takes results that `mlpipe.lock` names, and there is none that can be read.",
  },
  MLP6020: {
    title: "A lock that could not be written",
    explain: "The run succeeded and is kept, but `mlpipe.lock` beside the pipeline could not be replaced.",
  },
  MLP7000: {
    title: "A bug in mlpipe",
    explain:
      "Something happened that mlpipe's own code says cannot happen. Nothing of yours is at fault; please report it " +
      "with the text that was printed.",
  },
} as const;
