/**
 * Writes the pages that are made from the code: `cli.md` from the commands, `errors.md` from the
 * catalogues of error codes, `schemas/` from the contracts between the packages. With `--check` writes nothing and fails if a page is out of date.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { manifestJsonSchema } from "../packages/dsl/src/manifest.ts";
import { eventJsonSchema } from "../packages/executor/src/events.ts";
import { errorPages } from "../packages/mlpipe/src/cli/catalogue.ts";
import { createProgram } from "../packages/mlpipe/src/cli/program.ts";
import { planJsonSchema } from "../packages/planner/src/plan.ts";
import { recordJsonSchemas } from "../packages/provenance/src/json-schemas.ts";

const rooms: readonly (readonly [prefix: string, title: string, about: string])[] = [
  ["MLP1", "Authoring", "The pipeline's source says something that does not hold. Exit code 2."],
  ["MLP2", "Planning", "A step's inputs or identity cannot be found out."],
  [
    "MLP3",
    "Running",
    "A step did not do what it promised. Exit code 1; 3 for a gate that said no, 4 where something needed is missing.",
  ],
  [
    "MLP4",
    "The store",
    "What is kept, or an input, cannot be read or written. Exit code 4; 2 for what the project itself can correct.",
  ],
  ["MLP5", "Records", "What happened cannot be told."],
  [
    "MLP60",
    "Project and command line",
    "What was asked for does not exist. Exit code 2; 4 for a machine that cannot run mlpipe.",
  ],
  ["MLP61", "Findings of mlpipe check", "Steps depend on something that they do not declare. Exit code 2."],
  ["MLP62", "Importing a DVC project", "What mlpipe init --from-dvc cannot read. Exit code 2."],
  ["MLP7", "Bugs", "Exit code 70."],
];

const exits: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "done"],
  ["1", "a step failed"],
  ["2", "usage, configuration or authoring error"],
  ["3", "a negative verdict: a gate said no"],
  ["4", "state in use or damaged beyond repair, or something needed is missing"],
  ["70", "a bug in mlpipe"],
  ["129, 130, 143", "stopped by SIGHUP, SIGINT, SIGTERM"],
];

function cliPage(): string {
  const program = createProgram(() => {});
  const lines = [
    "# The command line",
    "",
    "Made from the commands by `pnpm docs`; `mlpipe help COMMAND` prints the same.",
    "",
    "Data goes to stdout, progress and errors to stderr. Every command but `help` takes `--json` and prints one document",
    "with a `schemaVersion`; where the content itself is printed (`get -o -`, an `export` without `-o`), it is",
    "that content alone. `run --ndjson` prints events, a line each (`docs/schemas/event.schema.json`); one of the type `error`",
    "comes last where something else than a step ended the command. `NO_COLOR`, `FORCE_COLOR` and `CI` are respected.",
    "",
    "| command | what it does |",
    "| --- | --- |",
    ...program.commands.map(
      (command) => `| [\`mlpipe ${command.name()}\`](#mlpipe-${command.name()}) | ${command.description()} |`,
    ),
  ];
  lines.push(
    "",
    "`mlpipe -C FOLDER COMMAND` acts as if started in the folder; `mlpipe --version` prints the version.",
  );
  for (const command of program.commands) {
    const help = command.createHelp();
    help.helpWidth = 100;
    lines.push(
      "",
      `## mlpipe ${command.name()}`,
      "",
      "```text",
      help.formatHelp(command, help).trimEnd(),
      "```",
    );
  }
  lines.push("", "## Exit codes", "", "| exit | meaning |", "| --- | --- |");
  for (const [code, meaning] of exits) lines.push(`| ${code} | ${meaning} |`);
  return `${lines.join("\n")}\n`;
}

function errorsPage(): string {
  const lines = [
    "# Errors",
    "",
    "Made from the code by `pnpm docs`; `mlpipe help CODE` prints the same. A code never changes its meaning.",
  ];
  let listed = 0;
  for (const [prefix, title, about] of rooms) {
    const pages = Object.entries(errorPages).filter(([code]) => code.startsWith(prefix));
    listed += pages.length;
    lines.push("", `## ${title}`, "", about);
    for (const [code, page] of pages.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push("", `### ${code}: ${page.title}`, "", page.explain);
    }
  }
  if (listed !== Object.keys(errorPages).length) throw new Error("every code belongs into one room");
  return `${lines.join("\n")}\n`;
}

const check = process.argv.includes("--check");
let stale = 0;
const schemas = {
  manifest: manifestJsonSchema(),
  plan: planJsonSchema(),
  event: eventJsonSchema(),
  ...recordJsonSchemas(),
};
const pages: readonly (readonly [name: string, page: string])[] = [
  ["cli.md", cliPage()],
  ["errors.md", errorsPage()],
  ...Object.entries(schemas).map(
    ([name, schema]) => [`schemas/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`] as const,
  ),
];
for (const [name, page] of pages) {
  const path = join(import.meta.dirname, name);
  if (!check) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, page);
    continue;
  }
  let found = "";
  try {
    found = readFileSync(path, "utf8");
  } catch {
    // It was never written, which is as far from up to date as can be.
  }
  if (found === page) continue;
  stale++;
  console.error(`docs/${name} is out of date: run pnpm docs`);
}
process.exitCode = stale > 0 ? 1 : 0;
