import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Finding } from "./findings.ts";
import type { CommandArgument } from "./launch.ts";

/** What `uv run`, `poetry run`, `conda run -p env` and the like run, and in which environment. */
export interface EnvironmentRun {
  /** The `bin` of the environment; undefined if it is not there. */
  readonly bin: string | undefined;
  /** Index of the program, the script or `-m`. */
  readonly program: number;
  /** Files that decide what the runner installs before it starts the program, and what that sees. */
  readonly files: readonly string[];
  readonly unsettled: readonly Finding[];
  /** Why the program cannot be told by its name. */
  readonly untold: readonly Finding[];
}

const takesValue = new Set(
  (
    "--with --with-editable --with-requirements -p --python --group --extra --only-group --no-group --no-extra " +
    "--directory --project --env-file --index-url --default-index --index --package -n --name --prefix -e " +
    "--environment --cwd"
  ).split(" "),
);

/**
 * Reads the arguments of a runner. Only environments of the project are known: where poetry and
 * conda keep theirs elsewhere they would have to be asked, and `uv` would build one while answering.
 *
 * @param from index of the first argument after `run`
 */
export function readEnvironmentRun(
  runner: string,
  argv: readonly CommandArgument[],
  from: number,
  root: string,
): EnvironmentRun {
  const unsettled: Finding[] = [];
  const untold: Finding[] = [];
  let folder = runner === "uv" ? findUp(".venv", root) : join(root, ".venv");
  let i = from;
  for (; i < argv.length; i++) {
    const word = argv[i];
    if (typeof word !== "string" || word === "-m" || word === "--module") break;
    const value = argv[i + 1];
    if ((word === "--project" || word === "--directory") && typeof value === "string") {
      folder = join(resolve(root, value), ".venv");
    } else if ((word === "-p" || word === "--prefix") && runner !== "uv" && typeof value === "string") {
      folder = resolve(root, value);
    } else if (/^--(?:with|isolated)/.test(word)) {
      unsettled.push({
        message: `${runner} run ${word} makes an environment when it runs`,
        hint: "Add the package to the project's environment.",
      });
    }
    if (word.startsWith("-")) continue;
    const previous = argv[i - 1];
    if (i > from && typeof previous === "string" && takesValue.has(previous)) continue;
    break;
  }
  if (argv.slice(1, i).some((word) => typeof word === "string" && isMove(runner, word))) {
    untold.push({
      message: `${runner} starts the program in another folder`,
      hint: `Name what it runs: files: ["…"].`,
    });
  }
  const bin = folder === undefined ? undefined : join(folder, "bin");
  const isThere = bin !== undefined && existsSync(join(bin, "python"));
  if (!isThere) {
    unsettled.push({
      message: `${runner} run: the environment that it would use is not at ${folder ?? join(root, ".venv")}`,
      hint: `Make it there first${runner === "uv" ? " (uv sync)" : ""}, or name its python by path.`,
    });
  }
  return {
    bin: isThere ? bin : undefined,
    program: i,
    files: [
      ...locksOf(runner, argv, folder ?? join(root, ".venv")),
      ...variableFilesOf(runner, argv.slice(0, i), root),
    ],
    unsettled,
    untold,
  };
}

function isMove(runner: string, word: string): boolean {
  return /^--(?:directory|cwd)(?:=|$)/.test(word) || (runner === "poetry" && word.startsWith("-C"));
}

/** Files of variables that the program will see. */
function variableFilesOf(runner: string, argv: readonly CommandArgument[], root: string): readonly string[] {
  // It reads this one without being told.
  const names = runner === "pipenv" ? [".env"] : [];
  argv.forEach((word, index) => {
    const value = argv[index + 1];
    if (typeof word !== "string") return;
    if (word === "--env-file" && typeof value === "string") names.push(value);
    else if (word.startsWith("--env-file=")) names.push(word.slice(word.indexOf("=") + 1));
  });
  return names.map((name) => resolve(root, name)).filter((file) => existsSync(file));
}

/** uv brings the environment in line with the project's lock, and the lock with its requirements, first. */
function locksOf(runner: string, argv: readonly CommandArgument[], folder: string): readonly string[] {
  if (runner !== "uv" || argv.includes("--no-sync")) return [];
  const names = argv.includes("--frozen") ? ["uv.lock"] : ["uv.lock", "pyproject.toml"];
  return names.map((name) => join(dirname(folder), name)).filter((file) => existsSync(file));
}

function findUp(name: string, folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, name))) return join(at, name);
    if (dirname(at) === at) return undefined;
  }
}
