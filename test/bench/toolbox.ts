/** All tools that are here, ready to be measured. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { floors } from "./floors/floors.ts";
import type { Installer } from "./install.ts";
import type { Tool } from "./tool.ts";
import { doit } from "./tools/doit.ts";
import { dvc } from "./tools/dvc.ts";
import { make } from "./tools/make.ts";
import { mlpipe } from "./tools/mlpipe.ts";
import { ninja } from "./tools/ninja.ts";
import { nx } from "./tools/nx.ts";
import { redun } from "./tools/redun.ts";
import { scons } from "./tools/scons.ts";
import { snakemake } from "./tools/snakemake.ts";
import { turbo } from "./tools/turbo.ts";
import { wireit } from "./tools/wireit.ts";

/** Names for `--only`, in the order of the tables. */
export const toolNames: readonly string[] = [
  "mlpipe",
  "floors",
  "ninja",
  "make",
  "doit",
  "scons",
  "turbo",
  "nx",
  "wireit",
  "snakemake",
  "redun",
  "dvc",
];

interface Where {
  /** The temporary folder with a project for each tool. */
  readonly base: string;
  /** PATH of everything that is measured. */
  readonly path: string;
  readonly node: string;
  readonly rebuild: boolean;
}

/** Installs the tools asked for, and prepares the projects that need their `node_modules` beside them. */
export function openToolbox(installer: Installer, only: ReadonlySet<string>, where: Where): readonly Tool[] {
  const { base, node, path } = where;
  const tools: Tool[] = [];
  const wanted = (name: string): boolean => only.has(name);
  const add = (name: string, found: string | undefined, tool: (program: string) => Tool): void => {
    if (found !== undefined && wanted(name)) tools.push(tool(found));
  };

  const installed = installer.mlpipe(where.rebuild);
  if (wanted("mlpipe")) {
    // Copied, since a linked folder of packages would have its lockfile elsewhere.
    for (const tool of [mlpipe(node), mlpipe(node, 1024)]) {
      cpSync(installed, projectOf(base, tool), { recursive: true, verbatimSymlinks: true });
      tools.push(tool);
    }
    cpSync(installed, join(base, "shared"), { recursive: true, verbatimSymlinks: true });
  }
  if (wanted("floors")) {
    const cp = installer.onSystem("cp");
    const entry = join(installed, "node_modules/mlpipe/bin/mlpipe.js");
    if (cp !== undefined) tools.push(...floors(node, cp, entry));
  }
  if (wanted("ninja")) add("ninja", installer.python("ninja"), ninja);
  if (wanted("make")) add("make", installer.onSystem("make"), make);
  if (wanted("doit")) add("doit", installer.python("doit"), doit);
  if (wanted("scons")) add("scons", installer.python("scons"), scons);
  if (wanted("turbo")) {
    const file = `@turbo/${process.platform}-${process.arch === "x64" ? "64" : process.arch}/bin/turbo`;
    add("turbo", installer.npm("turbo", file), (program) => turbo(program, join(base, "stand-ins"), path));
  }
  if (wanted("nx")) {
    const script = installer.npm("nx", "nx/dist/bin/nx.js");
    add("nx", script, (found) =>
      withPackages(base, nx(node, "node_modules/nx/dist/bin/nx.js"), found, "../../../.."),
    );
  }
  if (wanted("wireit")) {
    const script = installer.npm("wireit", "wireit/package.json");
    add("wireit", script, (found) => withPackages(base, wireit(node), found, "../.."));
  }
  if (wanted("snakemake")) add("snakemake", installer.python("snakemake"), snakemake);
  if (wanted("redun")) add("redun", installer.python("redun"), redun);
  if (wanted("dvc")) add("dvc", installer.python("dvc"), dvc);
  return tools;
}

/** The folder of a tool's own project. */
export function projectOf(base: string, { name }: Tool): string {
  return join(base, name.replaceAll(/[^a-z0-9]+/gi, "-"));
}

/** Gives a tool's project the `node_modules` that a file was found in. */
function withPackages(base: string, tool: Tool, found: string, up: string): Tool {
  const project = projectOf(base, tool);
  mkdirSync(project, { recursive: true });
  symlinkSync(join(dirname(found), up, "node_modules"), join(project, "node_modules"));
  writeFileSync(join(project, "package.json"), "{}");
  return tool;
}
