/** Commands on a terminal of their own. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { mlpipe, type Project } from "./project.ts";

const exec = promisify(execFile);

/** Everything a command wrote to a terminal of the given size. */
export async function onTerminal(
  project: Project,
  size: { readonly columns: number; readonly rows: number },
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  /** Sizes that the terminal is given later, each after so many seconds. */
  resizes: readonly { readonly after: number; readonly columns: number; readonly rows: number }[] = [],
): Promise<string> {
  const { CI: _ci, NO_COLOR: _no, FORCE_COLOR: _force, GITHUB_ACTIONS: _actions, ...rest } = process.env;
  const { stdout } = await exec(
    "python3",
    [
      join(import.meta.dirname, "terminal.py"),
      ...resizes.map(({ after, columns, rows }) => `--resize=${after},${columns},${rows}`),
      `${size.columns}`,
      `${size.rows}`,
      process.execPath,
      mlpipe,
      ...args,
    ],
    { cwd: project.root, env: { ...rest, TERM: "xterm-256color", ...env }, maxBuffer: 64 * 1024 * 1024 },
  );
  return stdout;
}
