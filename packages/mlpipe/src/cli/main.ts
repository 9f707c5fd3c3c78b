/** The entry of the command line: reads it, does it, and ends with the right exit code. */
import { inspect } from "node:util";
import type { CommanderError } from "commander";
import { MlpipeError } from "@mlpipe/dsl";
import { version } from "../package-files.ts";
import { findProject } from "../project/project.ts";
import { print, printJson, quietWarnings, say, tolerateClosedOutput } from "./output.ts";
import { createProgram } from "./program.ts";
import { errorJson, isCoded, renderError } from "./render-error.ts";
import { styleFor } from "./style.ts";

/** Exit code of a bug in mlpipe itself. */
const bugExit = 70;

/** Does what a command line says, and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  tolerateClosedOutput();
  quietWarnings();
  const exit = await exitOf(argv);
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // What Node would still tidy up goes with the process.
  process.exit(process.exitCode ?? exit);
}

/** Resolves when everything has been taken by whoever reads it, or nobody reads any more. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
}

async function exitOf(argv: readonly string[]): Promise<number> {
  let exit = 0;
  const program = createProgram((code) => {
    exit = code;
  });
  // Commands inherit these only if they are told before they are made, so each is told.
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => {} });
  }
  program.on("option:cwd", (folder: string) => {
    enter(folder);
  });
  try {
    if (argv.length === 0) {
      print(program.helpInformation().trimEnd());
      return 0;
    }
    await program.parseAsync(argv, { from: "user" });
    return exit;
  } catch (error) {
    return reported(asCoded(error), argv.includes("--json"));
  }
}

function enter(folder: string): void {
  try {
    process.chdir(folder);
  } catch {
    throw new MlpipeError("MLP6010", `There is no folder ${folder}.`, {
      hint: "-C takes a folder that exists.",
    });
  }
}

/** What commander found wrong, as an error of ours. Help and version end through it as well, with code 0. */
function asCoded(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "CommanderError") return error;
  // The name is commander's own.
  const { exitCode, code, message } = error as CommanderError;
  if (exitCode === 0 && code !== "commander.version") return undefined;
  if (code === "commander.version") {
    print(version());
    return undefined;
  }
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const similar = /Did you mean (?:one of )?(.+?)\?/.exec(rest.join(" "))?.[1];
  return new MlpipeError(
    "MLP6010",
    `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.?$/, ".")}`,
    {
      hint:
        similar === undefined
          ? "mlpipe --help lists the commands, mlpipe help COMMAND its options."
          : `Did you mean ${similar}?`,
    },
  );
}

function reported(error: unknown, json: boolean): number {
  if (error === undefined) return 0;
  const { root } = findProject(process.cwd());
  if (isCoded(error)) {
    if (json) printJson({ schemaVersion: 1, error: errorJson(error, root) });
    for (const line of renderError(error, root, styleFor(process.stderr))) say(line);
    return error.exit;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : inspect(error);
  say(
    `MLP7000  This is a bug in mlpipe ${version()}, Node ${process.version}. Please report it with this text:`,
  );
  say(text);
  return bugExit;
}
