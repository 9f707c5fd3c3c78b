/**
 * The command line as data: every command with its arguments and options. What a command does is
 * imported when it is called, so that `--help` loads none of it.
 */
import { type Argument, Command, Option } from "commander";
import type { GcOptions } from "./commands/gc.ts";
import type { ExportOptions } from "./commands/export.ts";
import type { GraphOptions } from "./commands/graph.ts";
import type { InitOptions } from "./commands/init.ts";
import type { LogsOptions } from "./commands/logs.ts";
import type { PipelineOptions } from "./commands/session.ts";
import type { RunsOptions } from "./commands/runs.ts";
import type { ReportOptions } from "./commands/report.ts";
import type { ReproduceCommandOptions } from "./commands/reproduce.ts";
import type { RunOptions } from "./commands/run.ts";
import type { WhyOptions } from "./commands/why.ts";

/** Gathers an option that may be given several times. */
const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** A command that nobody asks for: its name, arguments and description are there, and its options are of no use. */
class Unasked extends Command {
  override option(): this {
    return this;
  }

  override requiredOption(): this {
    return this;
  }

  override addOption(): this {
    return this;
  }
}

/** The program itself: makes commands with all there is of them only for those whose names are among the words. */
class Program extends Command {
  readonly #words: ReadonlySet<string> | undefined;

  constructor(words: ReadonlySet<string> | undefined) {
    super("mlpipe");
    this.#words = words;
  }

  override createCommand(name?: string): Command {
    const isAsked = name === undefined || this.#words === undefined || this.#words.has(name);
    return isAsked ? new Command(name) : new Unasked(name);
  }
}

/**
 * The program.
 * @param finish is told the exit code of the command that ran
 * @param argv what it is made for: options of commands that are not named there are left out. @default all there is
 */
export function createProgram(finish: (exit: number) => void, argv?: readonly string[]): Command {
  const program = new Program(argv && new Set(argv))
    .description("Declarative ML pipelines in TypeScript: typed, cached, explained and recorded.")
    .version("", "-V, --version", "print the version")
    .option("-C, --cwd <folder>", "act as if started in this folder")
    .helpCommand(false)
    .helpOption("-h, --help", "print help")
    .configureHelp({
      subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(termOf)].join(" "),
    })
    .addHelpText("after", "\nErrors have codes: mlpipe help MLP1006 explains one.");

  const command = (name: string, description: string): Command => {
    const [word = "", ...args] = name.split(" ");
    const created = program.command(word).description(description);
    for (const argument of args) created.argument(argument, argumentTexts[argument] ?? "");
    return created;
  };
  const withParams = (created: Command): Command =>
    created
      .option("-s, --set <KEY=VALUE>", "set a param, its value as JSON or text; may be repeated", gather)
      .option("--params <FILE>", "read params from a YAML or JSON file");

  withParams(command("run [PIPELINE]", "run what must run"))
    .option("--only <STEP...>", "run these steps alone, on the kept results of those before them")
    .option("--from <STEP...>", "run these steps and everything after them")
    .option("--force [STEP...]", "run these steps, or all, whatever is kept")
    .option("--check [STEP...]", "run cached steps again beside the cache and compare; 20% takes a sample")
    .option("--hermetic", "refuse to steps whatever they do not declare")
    .option("-j, --jobs <N>", "how many steps run at once: the size of the pool cpu (default: one a core)")
    .option(
      "--pool <NAME=AMOUNT>",
      "how much there is of a pool: memory=16GB, gpu=2, license=1; may be repeated",
      gather,
    )
    .option(
      "--openlineage <URL>",
      "post events of OpenLineage there as they happen (default: OPENLINEAGE_URL)",
    )
    .option("--mlflow <URL>", "show the run in MLflow as it goes on (default: MLPIPE_MLFLOW)")
    .option("--keep-going", "after a failure, go on with what does not depend on it")
    .option("--frozen", "fail with exit 3 if mlpipe.lock would change")
    .option("--strict-env", "with --frozen: also if the environment is not the one of the lock")
    .addOption(
      new Option(
        "--from-lock [any]",
        "take what mlpipe.lock names where only the environment differs: of steps proven deterministic, or of any",
      ).choices(["any"]),
    )
    .option("--dry-run", "print the plan and run nothing")
    .addOption(new Option("--ndjson", "print every event as a line of JSON").conflicts("json"))
    .action(async (pipeline: string | undefined, options: RunOptions) => {
      finish(await (await import("./commands/run.ts")).run(pipeline, options));
    });
  withParams(command("plan [PIPELINE]", "what would run, and why"))
    .option("--force [STEP...]", "plan as if these steps, or all, were forced")
    .action(async (pipeline: string | undefined, options: PipelineOptions) => {
      finish(await (await import("./commands/plan.ts")).plan(pipeline, options));
    });
  withParams(command("why <STEP>", "what of a step's key changed"))
    .option("-p, --pipeline <PIPELINE>", "the pipeline of the step")
    .option("--against <RUN>", "compare with this run, not with the last success")
    .action(async (step: string, options: WhyOptions) => {
      finish(await (await import("./commands/why.ts")).why(step, options));
    });
  withParams(command("status [PIPELINE]", "what is up to date and what is stale")).action(
    async (pipeline: string | undefined, options: PipelineOptions) => {
      finish(await (await import("./commands/status.ts")).status(pipeline, options));
    },
  );
  withParams(command("graph [PIPELINE]", "the steps and what feeds them"))
    .addOption(
      new Option("--format <FORMAT>", "how to print it")
        .choices(["text", "dot", "mermaid", "json"])
        .default("text"),
    )
    .action(async (pipeline: string | undefined, options: GraphOptions) => {
      finish(await (await import("./commands/graph.ts")).graph(pipeline, options));
    });
  withParams(
    command("check [PIPELINE]", "what steps depend on and do not declare; executes none of them"),
  ).action(async (pipeline: string | undefined, options: PipelineOptions) => {
    finish(await (await import("./commands/check.ts")).check(pipeline, options));
  });
  command("runs", "the runs, newest first")
    .option("-n, --limit <N>", "how many", "20")
    .option("-p, --pipeline <PIPELINE>", "those of one pipeline")
    .option("--where <CONDITION>", "those like that: 'metrics.mae<50', branch=main; may be repeated", gather)
    .option("--step <STEP>", "those that executed this step")
    .option(
      "--status <STATUS>",
      "those that are or ended so: running, succeeded, failed, rejected, cancelled, crashed",
    )
    .option("--since <TIME>", "those begun since then: 7d, 12h, 2026-11-01")
    .option("--tag <TAG>", "those with this tag; may be repeated", gather)
    .option("--sort <FIELD>", "by a field, metrics best first: metrics.mae, params.trees, duration")
    .option("--reverse", "the other way round")
    .option("--columns <FIELDS>", "show these: metrics.mae,params.trees,commit")
    .addOption(new Option("--csv", "as CSV, with all params and metrics").conflicts("json"))
    .action(async (options: RunsOptions) => {
      finish((await import("./commands/runs.ts")).runs(options));
    });
  command("tag <RUN> <TAG...>", "give tags to a run")
    .option("--remove", "take them off")
    .action(async (run: string, tags: readonly string[], options: { remove?: true; json?: true }) => {
      finish((await import("./commands/annotate.ts")).tag(run, tags, options));
    });
  command("note <RUN> <TEXT>", "say something of a run").action(
    async (run: string, text: string, options: { json?: true }) => {
      finish((await import("./commands/annotate.ts")).note(run, text, options));
    },
  );
  command("show <RUN>", "everything about a run").action(async (run: string, options: { json?: true }) => {
    finish((await import("./commands/show.ts")).show(run, options));
  });
  command("report [RUN]", "a run as one HTML page that loads nothing: results, graph, timeline, data, logs")
    .option("-o, --output <PATH>", "where to put it; - prints it", "report.html")
    .option("-f, --overwrite", "replace what is there, also if it is no report")
    .action(async (run: string | undefined, options: ReportOptions) => {
      finish((await import("./commands/report.ts")).report(run, options));
    });
  command("diff <A> <B>", "what differs between two runs").action(
    async (a: string, b: string, options: { json?: true }) => {
      finish((await import("./commands/diff.ts")).diff(a, b, options));
    },
  );
  command("logs [RUN] [STEP]", "what the steps of a run said")
    .option("-f, --follow", "go on while the run does")
    .addOption(
      new Option("--stream <STREAM>", "what was said on one stream alone").choices(["stdout", "stderr"]),
    )
    .option("--attempt <N>", "of one attempt alone, 1 for the first")
    .option("--raw", "byte by byte, also to a terminal, and without headings")
    .action(async (run: string | undefined, step: string | undefined, options: LogsOptions) => {
      finish(await (await import("./commands/logs.ts")).logs(run, step, options));
    });
  command("trace <WHAT>", "what made a file, a digest or an output, back to the sources").action(
    async (what: string, options: { json?: true }) => {
      finish((await import("./commands/trace.ts")).trace(what, options));
    },
  );
  command("impact <WHAT>", "what a file, a digest or an output reached: steps, models, deployments").action(
    async (what: string, options: { json?: true }) => {
      finish((await import("./commands/impact.ts")).impact(what, options));
    },
  );
  command("get <STEP.PORT>", "take an output out of the store")
    .requiredOption("-o, --output <PATH>", "where to put it; - prints it")
    .option("-r, --run <RUN>", "of this run, not of the last that has it")
    .option("-f, --overwrite", "replace what is there")
    .action(
      async (port: string, options: { output: string; run?: string; overwrite?: true; json?: true }) => {
        finish(await (await import("./commands/get.ts")).get(port, options));
      },
    );
  command("reproduce <RUN|STEP>", "execute recorded steps again from what is recorded, and say what differs")
    .option("--cascade", "give steps what was made again of those before them, not what is recorded")
    .option("--repeat <N>", "how often each step is executed", "2")
    .option("--tolerance <SHARE>", "by how much of their size numbers that are not whole may differ", "0")
    .option("--vary <WHAT>", "vary some of tz,locale,cpus,hashseed,umask between the executions")
    .option("--strict-env", "execute nothing whose environment is not the recorded one: exit 3")
    .action(async (named: string, options: ReproduceCommandOptions) => {
      finish(await (await import("./commands/reproduce.ts")).reproduce(named, options));
    });
  command("gc", "remove what no kept run reaches; without options only what is left over")
    .option("--dry-run", "say what would go, and change nothing")
    .option("--keep-last <N>", "keep of each pipeline the last N runs that succeeded, and everything since")
    .option("--older-than <AGE>", "let runs go that ended longer ago: 12h, 30d, 8w")
    .option("--max-size <SIZE>", "let the oldest runs go until the objects of the others fit: 500MB, 10GB")
    .action(async (options: GcOptions) => {
      finish((await import("./commands/gc.ts")).gc(options));
    });
  command("verify", "check everything that is kept, byte by byte")
    .option("--repair", "drop what is damaged, rebuild what can be rebuilt, remove what killed runs left")
    .action(async (options: { repair?: true; json?: true }) => {
      finish(await (await import("./commands/verify.ts")).verify(options));
    });
  command("export <RUN>", "the record of a run as other tools read it")
    .addOption(
      new Option("--format <FORMAT>", "the format").choices([
        "slsa",
        "openlineage",
        "rocrate",
        "cyclonedx",
        "model-card",
      ]),
    )
    .option("-o, --output <PATH>", "where to put it; default: print it. A crate is a folder, or a file.zip")
    .option("-f, --overwrite", "replace what is there")
    .option(
      "--to <URL>",
      "openlineage: post the events there; without a format: mlflow=URL, a server of MLflow",
    )
    .option("--key <FILE>", "slsa: the private key to sign with; default: MLPIPE_KEY, else your own")
    .option("--unsigned", "slsa: leave the statement unsigned")
    .option("--model <STEP.PORT>", "cyclonedx, model-card: which model, if the run made several")
    .option("--task <TASK>", "cyclonedx, model-card: what the model is for, as tabular-classification")
    .option("--license <ID>", "rocrate, cyclonedx, model-card: the SPDX id of a licence")
    .action(async (run: string, options: ExportOptions) => {
      finish(await (await import("./commands/export.ts")).exportRun(run, options));
    });
  command("verify-signature <ENVELOPE> [FILE...]", "whether a signature holds, and speaks of these files")
    .option("--key <FILE>", "the public key; default: your own")
    .action(async (envelope: string, files: readonly string[], options: { key?: string; json?: true }) => {
      finish(
        await (await import("./commands/verify-signature.ts")).verifySignature(envelope, files, options),
      );
    });
  command("key <ACTION> [PATH]", "make a key to sign with: mlpipe key create").action(
    async (action: string, path: string | undefined, options: { json?: true }) => {
      finish(await (await import("./commands/key.ts")).key(action, path, options));
    },
  );
  command("init [FOLDER]", "make a new project that runs at once")
    .addOption(new Option("--python", "with steps in Python").conflicts("fromDvc"))
    .option("--from-dvc [PATH]", "with the pipeline of a dvc.yaml, or of all in a folder (default: here)")
    .action(async (folder: string | undefined, options: InitOptions) => {
      if (options.fromDvc === undefined) finish((await import("./commands/init.ts")).init(folder, options));
      else finish(await (await import("./commands/init-from-dvc.ts")).initFromDvc(folder, options));
    });
  for (const each of program.commands) each.option("--json", "print one JSON document to stdout");
  command("help [TOPIC]", "help on a command or an error code").action(async (topic: string | undefined) => {
    finish(await (await import("./commands/help.ts")).help(program, topic));
  });
  return program;
}

function termOf(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

const argumentTexts: Readonly<Record<string, string>> = {
  "[PIPELINE]": "a file or a name; default: the only one of the project, or that of mlpipe.config.ts",
  "<STEP>": "the id of a step",
  "[STEP]": "one step alone",
  "<RUN>": "the id of a run, its beginning, or last",
  "<A>": "the run before: its id, its beginning, or last",
  "<B>": "the run after",
  "<TAG...>": "words: production, ablation/3",
  "<TEXT>": "what there is to say",
  "<RUN|STEP>": "a run, RUN/STEP, the id of a step run, or a step of the latest run that has it",
  "[RUN]": "the id of a run, its beginning, or last; default: last",
  "<WHAT>": "a file or folder, known by its bytes; a digest or its beginning; RUN/STEP.PORT",
  "<STEP.PORT>": "an output: the id of a step, a dot, a port",
  "[FOLDER]": "where; default: here",
  "[TOPIC]": "a command or a code",
  "<ENVELOPE>": "a file that mlpipe export --format slsa wrote",
  "[FILE...]": "files that the signature has to speak of",
  "<ACTION>": "create",
  "[PATH]": "where to put the private key; default: your folder of settings. The public one goes beside it",
};
