/**
 * What a user gets: the packages packed as they would be published, installed by npm into an empty
 * project outside the repository, and used there.
 */
import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { smallPipeline, smallSteps } from "../e2e/small-pipeline.ts";

const exec = promisify(execFile);
const repository = join(import.meta.dirname, "../..");
const countCalls = join(repository, "test/bench/count-calls.mjs");
const packages = ["dsl", "store", "planner", "provenance", "executor", "mlpipe"];

// The Node that runs the tests comes first, as it would on a user's machine.
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
  NO_COLOR: "1",
};

let base = "";
let project = "";

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ exit: number; stdout: string; stderr: string }> {
  try {
    return {
      exit: 0,
      ...(await exec(command, args, { cwd, env: { ...env, ...more }, maxBuffer: 64 * 1024 * 1024 })),
    };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { exit: failed.code, stdout: failed.stdout, stderr: failed.stderr };
  }
}

const mlpipe = (...args: readonly string[]): Promise<{ exit: number; stdout: string; stderr: string }> =>
  run(join(project, "node_modules/.bin/mlpipe"), args, project);

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-install-")));
  project = join(base, "project");
  mkdirSync(project);
  const built = await run("npx", ["-y", "pnpm@12.21.0", "run", "build"], repository);
  expect(built.exit, built.stdout + built.stderr).toBe(0);
  for (const name of packages) {
    const folder = join(repository, "packages", name);
    const packed = await run("npx", ["-y", "pnpm@12.21.0", "pack", "--pack-destination", base], folder);
    expect(packed.exit, packed.stderr).toBe(0);
  }
  const tarballs = readdirSync(base).filter((name) => name.endsWith(".tgz"));
  expect(tarballs).toHaveLength(packages.length);
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  const installed = await run(
    "npm",
    [
      "install",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      "zod@4.6.7",
      ...tarballs.map((name) => join(base, name)),
    ],
    project,
  );
  expect(installed.exit, installed.stderr).toBe(0);
  for (const [path, content] of Object.entries(smallPipeline)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), content);
  }
}, 300_000);
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe("installed from tarballs", () => {
  it("the command line has its help and its version", async () => {
    const help = await mlpipe("--help");
    expect(help.exit).toBe(0);
    for (const command of ["run", "plan", "why", "status", "graph", "runs", "show", "logs", "get", "init"]) {
      expect(help.stdout).toContain(`\n  ${command}`);
    }
    expect((await mlpipe("--version")).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("what plans and runs is loaded by those who plan and run, and for no help", async () => {
    const loaded = async (...args: readonly string[]): Promise<readonly string[]> => {
      const counts = join(base, "counts.json");
      const more = { COUNTS_FILE: counts, NODE_OPTIONS: `--import=${countCalls}` };
      const { exit, stderr } = await run(join(project, "node_modules/.bin/mlpipe"), args, project, more);
      expect(exit, stderr).toBe(0);
      const { modules } = JSON.parse(readFileSync(counts, "utf8")) as { modules: readonly string[] };
      return modules.flatMap((url) => /\/mlpipe\/dist\/(.+)$/.exec(url)?.[1] ?? []).toSorted();
    };
    expect(await loaded("--help")).toEqual(["cli/main.js", "face.js", "language.js"]);
    expect(await loaded("runs")).toContain("engine.js");
  });

  it("no file takes Node's own modules by their ESM faces, which take long to load", () => {
    const dist = join(project, "node_modules/mlpipe/dist");
    const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".js"),
    );
    expect(files).toContain("cli/main.js");
    const taken = files.filter((file) =>
      /^import\b.*["']node:/m.test(readFileSync(join(dist, file), "utf8")),
    );
    expect(taken).toEqual([]);
  });

  it("every error has its page", async () => {
    const page = await mlpipe("help", "MLP1006");
    expect(page.exit).toBe(0);
    expect(page.stdout).toContain("MLP1006");
    expect(page.stdout).toContain("A port given the wrong thing");
  });

  it("a pipeline runs, and is cached", async () => {
    const first = await mlpipe("run", "--json");
    expect(first.exit, first.stderr).toBe(0);
    const statuses = (text: string): readonly string[] =>
      (JSON.parse(text) as { steps: { status: string }[] }).steps.map(({ status }) => status);
    expect(statuses(first.stdout)).toEqual(smallSteps.map(() => "ran"));
    expect(statuses((await mlpipe("run", "--json")).stdout)).toEqual(smallSteps.map(() => "cached"));
    const page = await mlpipe("report", "-o", "-");
    expect(page.exit, page.stderr).toBe(0);
    expect(page.stdout).toMatch(/^<!DOCTYPE html>[\s\S]*<\/html>\n$/);
    // What Python imported is told by a file of the package.
    const shown = await mlpipe("show", (JSON.parse(first.stdout) as { run: string }).run, "--json");
    expect(shown.stdout).toMatch(/"imported": \{\s+"packages"/);
  });

  it("compiled code is kept from one process to the next, and what is damaged of it does no harm", async () => {
    const cache = join(base, "compile-cache");
    const plan = (): Promise<{ exit: number; stdout: string; stderr: string }> =>
      run(join(project, "node_modules/.bin/mlpipe"), ["plan"], project, { NODE_COMPILE_CACHE: cache });
    const first = await plan();
    expect(first.exit, first.stderr).toBe(0);
    const kept = (): readonly string[] =>
      readdirSync(cache, { recursive: true, encoding: "utf8" }).filter((file) => file.includes("/mlpipe-"));
    const [file = ""] = kept();
    // Its first byte counts the processes that have added to it.
    expect([kept().length, readFileSync(join(cache, file))[0]]).toEqual([1, 1]);
    expect(await plan()).toEqual(first);
    expect(readFileSync(join(cache, file))[0]).toBe(2);
    writeFileSync(join(cache, file), readFileSync(join(cache, file)).fill(0, 1_000));
    expect(await plan()).toEqual(first);
    expect([kept().length, readFileSync(join(cache, file))[0]]).toEqual([1, 1]);
  });

  it.skipIf(process.platform !== "linux")("hermetic, the same pipeline runs too", async () => {
    const run = await mlpipe("run", "--hermetic", "--force", "--json");
    expect(run.exit, run.stdout + run.stderr).toBe(0);
    const shown = await mlpipe("show", "last", "--json");
    expect(shown.stdout).toMatch(/"sandbox": "(?:landlock|bubblewrap)"/);
  });

  it("init makes a project from the templates, .gitignore included", async () => {
    const made = await mlpipe("init", "homes", "--json");
    expect(made.exit, made.stderr).toBe(0);
    expect((JSON.parse(made.stdout) as { files: string[] }).files).toEqual(
      expect.arrayContaining([
        ".gitignore",
        "data/homes.csv",
        "homes.pipeline.ts",
        "package.json",
        "steps.ts",
      ]),
    );
    const first = await mlpipe("-C", "homes", "run", "--json");
    expect(first.exit, first.stderr).toBe(0);
  });

  it("the user's pipeline type-checks against the published types", async () => {
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          target: "es2024",
          module: "nodenext",
          noEmit: true,
          allowImportingTsExtensions: true,
          types: ["node"],
          typeRoots: [join(realpathSync(join(repository, "node_modules/@types/node")), "..")],
          skipLibCheck: false,
        },
        include: ["**/*.ts"],
      }),
    );
    const checked = await run(join(repository, "node_modules/.bin/tsc"), ["-p", project], project);
    expect(checked.stdout).toBe("");
    expect(checked.exit).toBe(0);
  });

  it("publint finds nothing wrong with the packages", async () => {
    for (const name of packages) {
      const found = await run(
        join(repository, "node_modules/.bin/publint"),
        ["run", "--strict", "--pack", "false", "."],
        join(project, "node_modules", name === "mlpipe" ? "mlpipe" : `@mlpipe/${name}`),
      );
      expect(found.stdout + found.stderr).toContain("All good!");
    }
  });
});
