/** What each finding of `mlpipe check` means, for `docs/errors.md` and `mlpipe help CODE`. */
export const checkFindings = {
  MLP6101: {
    title: "A variable that is read and not declared",
    explain:
      "A step sees the environment variables that its `env` names, and no others: what is read without being " +
      'declared is always undefined there. `env: ["RATE"]` puts the value into the key; `env: [secret("TOKEN")]` ' +
      "only the name. `PATH`, `HOME`, `TMPDIR`, `USER` and `LOGNAME` are visible to every step and in no key.",
  },
  MLP6102: {
    title: "A result that depends on when it was made",
    explain:
      "The clock is no part of a key, so a kept result goes on holding the time at which it was made. Make the " +
      "date a param and an input port, or say how long the result holds: `cache: false` or " +
      '`cache: { maxAge: "1d" }`. `performance.now()` measures how long something takes, and is not reported.',
  },
  MLP6103: {
    title: "Randomness without a seed",
    explain:
      "A result made with `Math.random()` or random bytes cannot be made again. Take a seed through a `seed()` " +
      "port and feed a generator of your own with it. A step with `cache: false` is not reported.",
  },
  MLP6104: {
    title: "A step that asks the network and does not say so",
    explain:
      "What the network answers is no part of a key: the first answer would be kept for ever. " +
      '`cache: { maxAge: "1d" }` says how long an answer holds, `cache: false` that it does not.',
  },
  MLP6105: {
    title: "A captured value that does not come from code",
    explain:
      "A factory may make steps: what it is given in the source is code, and so part of the key. A value that comes " +
      "from the environment, the clock, a file or the like is not, and the step's process makes it anew. Give it to the " +
      "step through an input port.",
  },
  MLP6106: {
    title: "State of a module that another step writes",
    explain:
      "Each step runs in a process of its own, which loads its modules anew. What another step, or the function of the " +
      "pipeline, writes into a variable is never seen there. Pass it on through ports.",
  },
  MLP6107: {
    title: "A file that is read past the ports",
    explain:
      "A file that a step opens by a path in its source is no input: a change to it re-runs nothing, and no record " +
      'names it. Data comes in through a port and `source("data/x.csv", csv(Row))`; files that belong to the code ' +
      "are named by `files: [...]`.",
  },
  MLP6108: {
    title: "A file that is written past the ports",
    explain:
      "What a step writes to a path in its source is neither kept nor recorded, and a cached step does not write it again. " +
      "Declare an output port and write through it. A deploy writes its `target`, and nothing else.",
  },
  MLP6109: {
    title: "A program that a function starts",
    explain:
      "A TypeScript step's key holds its modules and packages, and nothing of the programs it starts. In a step with " +
      "a `command` the program, its scripts and their imports are part of the key.",
  },
  MLP6110: {
    title: "A step that is never cached",
    explain:
      "Something of what the step consists of cannot be found out, so no key could be trusted and the step runs every " +
      "time. Name what it is made of with `files: [...]`, or say that this is meant with `cache: false`.",
  },
  MLP6111: {
    title: "A warning about the pipeline or the code of a step",
    explain: "Nothing is wrong for certain. `mlpipe plan` prints the same.",
  },
  MLP6112: {
    title: "A step whose function was not found",
    explain:
      "`mlpipe check` looks for the definition of a step in the source of its module. It found none that it could read, " +
      "so nothing of this step was checked.",
  },
  MLP6113: {
    title: "A finding silenced without a reason",
    explain:
      "`// mlpipe-check-ignore MLP6102: only a log line` on a finding's line, or on the one above, silences it. Without a " +
      "code or without a reason it silences nothing.",
  },
} as const;

/** A code of a finding. */
export type FindingCode = keyof typeof checkFindings;
