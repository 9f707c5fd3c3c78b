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
  /** Files that decide what the runner installs before it starts the program. */
  readonly locks: readonly string[];
  readonly unsettled: readonly Finding[];
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
    locks: locksOf(runner, argv, folder ?? join(root, ".venv")),
    unsettled,
  };
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
