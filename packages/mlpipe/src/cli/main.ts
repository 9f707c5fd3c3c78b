/** The entry of the command line: reads it, does it, and ends with the right exit code. */
import { existsSync } from "node:fs";
import { inspect } from "node:util";
import type { CommanderError } from "commander";
import { MlpipeError } from "@mlpipe/dsl";
import { version } from "../package-files.ts";
import { findProject } from "../project/project.ts";
import { print, quietWarnings, say, tolerateClosedOutput } from "./output.ts";
import { createProgram } from "./program.ts";
import { isCoded } from "./render-error.ts";
import { type ErrorFormat, tellError } from "./tell-error.ts";

/** Node's exit code when nothing is left that could settle what is awaited at the top level. */
const unsettled = 13;

/** Exit code of a bug in mlpipe itself. */
const bugExit = 70;

/** Does what a command line says, and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  tolerateClosedOutput();
  quietWarnings();
  keepOwnFolders();
  const watched = watchForEnd(formatOf(argv));
  const exit = await exitOf(argv);
  watched.end();
  await Promise.all([written(process.stdout), written(process.stderr)]);
  // What Node would still tidy up goes with the process.
  process.exit(process.exitCode ?? exit);
}

/** A umask that takes permissions from the owner too would make folders that mlpipe and its steps cannot enter themselves. */
function keepOwnFolders(): void {
  const mask = process.umask();
  if ((mask & 0o700) !== 0) process.umask(mask & 0o077);
}

/** Modules of the project are loaded into this process: what they do to it is told, and is not the end of a command without a word. */
function watchForEnd(format: ErrorFormat): { end(): void } {
  let hasThrown = false;
  const write = process.stdout.write.bind(process.stdout);
  const noteThrown = (): void => {
    hasThrown = true;
  };
  const tell = (code: number): void => {
    // Node has said that already.
    if (hasThrown) return;
    const hint =
      code === unsettled
        ? "A module of the project awaits what never comes."
        : `A module of the project called process.exit(${code}). Modules of pipelines should define and export.`;
    // While modules are loaded, it leads elsewhere.
    process.stdout.write = write;
    process.exitCode = reported(
      new MlpipeError("MLP6004", "The process ended before mlpipe was done.", { hint }),
      format,
    );
  };
  process.once("uncaughtExceptionMonitor", noteThrown).once("exit", tell);
  return {
    end() {
      process.off("uncaughtExceptionMonitor", noteThrown).off("exit", tell);
    },
  };
}

/** Resolves when everything has been taken by whoever reads it, or nobody reads any more. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write("", () => resolve());
  });
}

async function exitOf(argv: readonly string[]): Promise<number> {
  const first = await attempt(argv);
  if (!("error" in first)) return first.exit;
  if (isCoded(first.error) && anew.has(first.error.code) && healing.has(first.command ?? "")) {
    const { beginAnew } = await import("./begin-anew.ts");
    const second = await beginAnew(() => attempt(argv), first.error.code);
    return "error" in second ? reported(second.error, formatOf(argv)) : second.exit;
  }
  return reported(first.error, formatOf(argv));
}

/** Commands that rebuild a damaged database and begin anew; those that only look at records change nothing. */
const healing = new Set(["run", "plan", "why", "status", "check"]);

/** A database that is damaged or gone; results that were collected under a run's hands. */
const anew = new Set(["MLP4002", "MLP4015", "MLP4017"]);

/** What became of a command line: an exit code, or what was thrown. */
export type Attempted = { readonly exit: number } | { readonly error: unknown; readonly command?: string };

async function attempt(argv: readonly string[]): Promise<Attempted> {
  let exit = 0;
  let command: string | undefined;
  const program = createProgram((code) => {
    exit = code;
  }, argv);
  // Commands inherit these only if they are told before they are made, so each is told.
  for (const each of [program, ...program.commands]) {
    each.exitOverride().configureOutput({ writeErr: () => {} });
  }
  program.on("option:cwd", (folder: string) => {
    enter(folder);
  });
  program.hook("preAction", (_, action) => {
    command = action.name();
    refuseBytes();
  });
  try {
    if (argv.length === 0) {
      print(program.helpInformation().trimEnd());
      return { exit: 0 };
    }
    await program.parseAsync(argv, { from: "user" });
    return { exit };
  } catch (error) {
    return {
      error: isFolderGone() ? folderGone(error) : asRefused(asCoded(error)),
      ...(command !== undefined && { command }),
    };
  }
}

/** The folder that a command is given in may have been removed under the shell: then it has no path. */
function isFolderGone(): boolean {
  try {
    process.cwd();
    return false;
  } catch {
    return true;
  }
}

/** Node takes paths for text: of one that is none it would make another one, and look there. @throws MlpipeError MLP6010 */
function refuseBytes(): void {
  if (isFolderGone()) return;
  const folder = process.cwd();
  if (!folder.includes("\ufffd") || existsSync(folder)) return;
  throw new MlpipeError("MLP6010", `The path of this folder is not valid UTF-8: ${folder}`, {
    hint: "Rename the folder whose name is not, or have the project elsewhere.",
  });
}

function folderGone(cause: unknown): MlpipeError {
  return new MlpipeError("MLP6010", "The folder that mlpipe was started in does not exist any more.", {
    hint: "Change to a folder that exists.",
    cause,
  });
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

/** What the system refuses wherever it is asked: no bug, whoever asked. */
const refusals = new Set(
  "EACCES EPERM EROFS ENOSPC EDQUOT EMFILE ENFILE EIO ENOMEM ENAMETOOLONG ELOOP".split(" "),
);

function asRefused(error: unknown): unknown {
  if (!(error instanceof Error) || isCoded(error) || !("code" in error) || !refusals.has(String(error.code)))
    return error;
  return new MlpipeError("MLP4005", `The system refused what mlpipe needs: ${error.message}.`, {
    exit: 4,
    hint: "Remove the cause and run again: nothing that is unfinished was kept.",
    cause: error,
  });
}

function formatOf(argv: readonly string[]): ErrorFormat {
  return argv.includes("--ndjson") ? "ndjson" : argv.includes("--json") ? "json" : "text";
}

function reported(error: unknown, format: ErrorFormat): number {
  if (error === undefined) return 0;
  // What cannot be found is not shortened.
  const root = isFolderGone() ? "/" : findProject(process.cwd()).root;
  if (isCoded(error)) {
    tellError(error, root, format);
    return error.exit;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : inspect(error);
  say(
    `MLP7000  This is a bug in mlpipe ${version()}, Node ${process.version}. Please report it with this text:`,
  );
  say(text);
  return bugExit;
}
