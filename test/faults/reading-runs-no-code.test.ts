/** Promise 18: commands that only read execute no code of the project. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { smallPipeline } from "../e2e/small-pipeline.ts";

/** Whoever runs this leaves a mark. */
const hostile = `import { writeFileSync } from "node:fs";
writeFileSync("executed.mark", "");
throw new Error("executed");
`;

it("commands that read execute nothing, whatever lies in the project", async () => {
  using project = new Project(smallPipeline);
  const { run } = await project.run();
  const code = readdirSync(project.root, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".ts") && !path.startsWith("node_modules"),
  );
  expect(code.length).toBeGreaterThan(5);
  for (const path of [...code, "mlpipe.config.ts", "mlpipe.config.js", "sitecustomize.js"])
    project.write({ [path]: hostile });
  project.write({
    "fit.py": `open("executed.mark", "w")\n`,
    ".npmrc": "node-options=--import=./late.ts\n",
    "package.json": JSON.stringify({
      name: "e2e",
      type: "module",
      main: "late.ts",
      imports: { "#mlpipe": "./late.ts" },
      mlpipe: { store: ".mlpipe" },
    }),
    ".git/config": `[core]\n\tfsmonitor = "touch executed.mark"\n`,
  });

  const commands = [
    ["--version"],
    ["--help"],
    ["help", "run"],
    ["help", "MLP4002"],
    ["runs"],
    ["runs", "--json"],
    ["show", run],
    ["show", "last", "--json"],
    ["logs", run],
    ["get", "fit.model", "-o", "model.json"],
    ["verify"],
    ["verify", "--repair"],
    ["gc", "--dry-run"],
    ["gc", "--keep-last", "1"],
  ];
  for (const command of commands) {
    const { exit, stderr } = await project.mlpipe(...command);
    expect(exit, `${command.join(" ")}\n${stderr}`).toBe(0);
    expect(existsSync(join(project.root, "executed.mark")), command.join(" ")).toBe(false);
  }
  // The trap is a real one: a command that loads the pipeline springs it.
  expect((await finished(project.start(["plan"]))).exit).not.toBe(0);
  expect(existsSync(join(project.root, "executed.mark"))).toBe(true);
});
