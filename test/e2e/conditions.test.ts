/** Packages of a workspace that choose by a condition between what was built and their source. */
import { readFileSync, realpathSync, symlinkSync } from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Finished, finished, mlpipe, Project, type RunJson } from "./project.ts";

/** A project and a package that is linked into it, with `exports` as monorepos have them. */
function workspace(): Project {
  const project = new Project({
    "packages/features/package.json": JSON.stringify({
      name: "@acme/features",
      version: "1.0.0",
      type: "module",
      exports: { ".": { source: "./src/lag.ts", default: "./dist/lag.js" } },
    }),
    "packages/features/src/lag.ts": "export const lag = (n: number): number => n + 1;\n",
    "packages/features/dist/lag.js": "export const lag = (n) => n + 10;\n",
    "print.js": `import { writeFileSync } from "node:fs";
import { lag } from "@acme/features";
writeFileSync(process.argv[2], String(lag(5)));
`,
    "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
import { lag } from "@acme/features";
export const inside = data("inside", { outputs: { n: z.number() }, run: () => ({ n: lag(5) }) });
const outputs = { out: file("txt") };
export const plain = data("plain", { outputs, command: (_, o) => cmd\`node print.js \${o.out}\` });
export const source = data("source", { outputs, command: (_, o) => cmd\`node -C source print.js \${o.out}\` });
`,
    "lags.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { inside, plain, source } from "./steps.ts";
export default pipeline("lags", z.object({}), () => ({
  inside: inside({}).n, plain: plain({}).out, source: source({}).out,
}));
`,
  });
  project.write({ "node_modules/@acme/.keep": "" });
  symlinkSync(
    realpathSync(join(project.root, "packages/features")),
    join(project.root, "node_modules/@acme/features"),
  );
  return project;
}

const results = (project: Project): readonly string[] =>
  ["inside.json", "plain.txt", "source.txt"].map((name) =>
    readFileSync(join(project.root, "artifacts/lags", name), "utf8").trim(),
  );

/** The steps that ran, of a run under other flags of Node, or in another environment. */
async function ran(
  project: Project,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const { exit, stdout, stderr }: Finished = await finished(
    spawn(process.execPath, [...flags, mlpipe, "run", "--json"], {
      cwd: project.root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  expect([exit, stderr.includes("MLP")], stderr).toEqual([0, false]);
  const { steps } = JSON.parse(stdout) as RunJson;
  return steps.filter(({ status }) => status === "ran").map(({ id }) => id);
}

it("steps load what mlpipe was told to load, commands what they tell Node, and keys know which", async () => {
  using project = workspace();
  expect(await ran(project, [])).toEqual(["inside", "plain", "source"]);
  expect(results(project)).toEqual(["15", "15", "6"]);

  for (const [flags, env] of [
    [["--conditions=source"], {}],
    [["-C", "source"], {}],
    [[], { NODE_OPTIONS: "--no-warnings --conditions=source" }],
  ] as const) {
    expect(await ran(project, flags, env), JSON.stringify([flags, env])).toEqual(
      flags[0] === "--conditions=source" ? ["inside"] : [],
    );
    expect(results(project)).toEqual(["6", "15", "6"]);
  }

  // Each is run again for the file that it loads, and for no other.
  project.edit("packages/features/src/lag.ts", "n + 1;", "n + 2;");
  expect(await ran(project, [])).toEqual(["source"]);
  expect(await ran(project, ["--conditions=source"])).toEqual(["inside"]);
  project.edit("packages/features/dist/lag.js", "n + 10;", "n + 20;");
  expect(await ran(project, ["--conditions=source"])).toEqual(["plain"]);
  expect(results(project)).toEqual(["7", "25", "7"]);
  expect(await ran(project, [])).toEqual(["inside"]);
  expect(results(project)).toEqual(["25", "25", "7"]);
});
