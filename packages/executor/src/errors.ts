/** What each error of a step that was executed means, for `docs/errors.md` and `mlpipe help CODE`. */
export const executorErrors = {
  MLP3001: {
    title: "A command that failed",
    explain:
      "The program of a step ended with another exit code than 0, so its outputs are not believed. " +
      "`mlpipe logs RUN STEP` shows everything it wrote.",
  },
  MLP3002: {
    title: "A program that does not exist",
    explain:
      "A command starts a program that is not on `PATH`, or not at the path that it names. Steps see the `PATH` that " +
      "mlpipe was started with, and no shell functions or aliases. Of a script the interpreter counts too, that its first " +
      "line names: where the line ends as on Windows, there is none.",
  },
  MLP3003: {
    title: "A step that was killed",
    explain:
      "A signal ended the step's process. `SIGKILL` from outside often means that the machine ran out of memory.",
  },
  MLP3004: {
    title: "A step that took too long",
    explain: 'The step was stopped after the time its call allows: `.with({ timeout: "2h" })`.',
  },
  MLP3005: {
    title: "An output that is missing",
    explain:
      "A step succeeds only if everything it promises is there: files written through `out` or to the path of the " +
      "port, values and metrics returned, or written as JSON by a command. `NaN` and `Infinity` are no JSON, though " +
      "Python writes them.",
  },
  MLP3006: {
    title: "An output of the wrong sort",
    explain:
      "A `dir()` output must be a folder and every other output a file; metrics and values of a command must be JSON " +
      "of the right shape.",
  },
  MLP3007: {
    title: "An input that changed while the step ran",
    explain:
      "The file was edited, or a step that had it wrote to it: which of them, where several had it, cannot be seen. " +
      "Nobody can say which content the result belongs to, so it is not kept. Run again; steps must never write to " +
      "their inputs.",
  },
  MLP3008: {
    title: "A gate that did not let the model pass",
    explain: "The gate's `check` returned `false` or a reason. What stands behind it is blocked.",
  },
  MLP3009: {
    title: "An upstream result that is not there",
    explain:
      "With `--only` or `--from`, steps that are not selected are not run, and one of them has no kept result for its " +
      "present inputs. Select it too.",
  },
  MLP3030: {
    title: "A deploy that left nothing behind",
    explain: "After a deploy its `target` must exist: that is how mlpipe tells whether it still stands.",
  },
  MLP3031: {
    title: "A step whose process went wrong",
    explain:
      "The process of a TypeScript step ended without saying how: it was killed, or Node itself failed.",
  },
  MLP3032: {
    title: "A result that could not be kept",
    explain:
      "The store refused the outputs: the disk is full, or not writable. Nothing of the step was kept.",
  },
  MLP3034: {
    title: "An input that was damaged in the store",
    explain:
      "A file in `.mlpipe/objects` is no longer what a step made: it was edited, or the disk failed. It was dropped, so " +
      "the next run makes it again.",
  },
  MLP3035: {
    title: "Outputs that could not be copied",
    explain:
      "The run succeeded, and what the pipeline returns could not be copied to `artifacts/`: the folder cannot be " +
      "written, or an object in the store was damaged. `mlpipe get` takes an output out of the store.",
  },
  MLP3036: {
    title: "A run without its supervisor",
    explain:
      "The processes of steps are started by a small process of mlpipe's, which ends them when mlpipe itself is gone. " +
      "It could not be started, or somebody killed it; what ran under it is not believed. Without it nothing can be " +
      "started, so the run ends, also with `--keep-going`. Run again: what has succeeded is not run again.",
  },
  MLP3038: {
    title: "A step that ran out of memory",
    explain:
      "V8 stopped a Node process whose heap was full, Python raised `MemoryError`, or the kernel ended the process. " +
      'A request says how much a step needs, `.with({ resources: { memory: "8GB" } })`: as many steps run side by side ' +
      "as fit into the machine, and the heap of a TypeScript step may grow so far. A retry can ask for more each time: " +
      "`memory: (attempt) => attempt * 8e9`.",
  },
  MLP3037: {
    title: "A step that asks for more than there is",
    explain:
      "A step asks for more of a pool than the whole pool holds, so it could never start, and the run stops before " +
      "anything was executed. How much there is was found on the machine, or set by `--jobs`, `--pool NAME=AMOUNT` or " +
      "`pools` in `mlpipe.config.ts`.",
  },
  MLP3050: {
    title: "Something that a step may not read",
    explain:
      "Under `run --hermetic` a step opens only what it declares: its inputs, its code, the packages and programs that " +
      "the code reaches. What it read beyond that is no part of its key, and an edit of it would re-run nothing. Make it " +
      "an input by `source(…)`, or name it in the step's `files`. `docs/hermetic.md` says what is seen and what is not.",
  },
  MLP3051: {
    title: "A place that a step may not write to",
    explain:
      "Under `run --hermetic` a step writes to the places of its outputs and below `TMPDIR`, and a deploy to its target. " +
      "What it writes elsewhere nobody keeps, restores or removes, and another step may come to depend on it.",
  },
  MLP3052: {
    title: "No fence",
    explain:
      "`run --hermetic` needs something that keeps other programs than Node to what a step declares: Linux 5.13 or later " +
      "with Landlock and a python3, or bubblewrap. Without it TypeScript steps alone can be run hermetic, and in part.",
  },
  MLP3033: {
    title: "A step that is not deterministic",
    explain:
      "Run again with everything its key knows of unchanged, the step made other outputs. Either it depends on " +
      "something that is not declared (the clock, randomness without a seed, a file or variable that no port names), " +
      "or its tool is not deterministic (threads, hashing order). The cache keeps the first result. `mlpipe check` " +
      "finds many of the causes.",
  },
} as const;
