/** The pipes that many processes speak into have a name for a moment: whoever dies in it leaves nothing for good. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { supervisorIn, survivorsIn, until } from "./processes.ts";
import { problemsOf } from "./store-state.ts";
import { canTrace } from "./system-calls.ts";

/** After the 16th process pipes are made. */
function newProject(steps: number): Project {
  return new Project({
    "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const short = data("short", {
  inputs: { n: z.int() },
  outputs: { out: file("txt") },
  files: ["short.sh"],
  command: (i, o) => cmd\`sh short.sh \${i.n} \${o.out}\`,
});
`,
    "short.sh": `while [ ! -e go.mark ]; do sleep 0.02; done\necho "$1" >"$2"\n`,
    "short.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { short } from "./steps.ts";
export default pipeline("short", z.object({}), () => {
  for (let n = 0; n < ${steps}; n++) short.as(\`short-\${n}\`)({ n });
  return {};
});
`,
  });
}

/** Makes faults at calls of the supervisor, which has started the first step. Resolves when it is traced. */
async function traceSupervisor(project: Project, ...inject: readonly string[]): Promise<ChildProcess> {
  await until(() => supervisorIn(project.root) !== undefined);
  const strace = spawn(
    "strace",
    [
      "-f",
      "-o",
      "/dev/null",
      "-p",
      `${supervisorIn(project.root)}`,
      ...inject.flatMap((each) => ["-e", each]),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  strace.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  await until(() => said.includes("attached"));
  return strace;
}

/** Names of pipes anywhere in the store. */
function pipesIn(project: Project): readonly string[] {
  const { stdout } = spawnSync("find", [join(project.root, ".mlpipe"), "-type", "p"], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line !== "");
}

describe.skipIf(!canTrace)("pipes that have a name for a moment", () => {
  it.each([
    ["gc", ["gc"]],
    ["verify --repair", ["verify", "--repair"]],
  ] as const)(
    "of a supervisor that was killed with -9 in it: the next run is right, and %s removes them",
    async (_name, how) => {
      using project = newProject(40);
      const run = finished(project.start(["run", "--jobs", "1"]));
      const strace = finished(
        await traceSupervisor(project, "inject=?unlink,?unlinkat:signal=SIGKILL:when=1"),
      );
      writeFileSync(join(project.root, "go.mark"), "");
      const { exit, stderr } = await run;
      await strace;
      expect([1, 4], stderr).toContain(exit);
      expect(stderr).toContain("MLP3036");
      // Or it was not killed in that moment.
      expect(pipesIn(project)).not.toEqual([]);
      expect((await project.run()).exit).toBe(0);
      const tidied = await project.mlpipe(...how);
      expect(tidied.exit, tidied.stderr).toBe(0);
      expect(pipesIn(project)).toEqual([]);
      expect(problemsOf(join(project.root, ".mlpipe"))).toEqual([]);
    },
  );

  it("of a run that ends while they are being made: it removes them itself", async () => {
    using project = newProject(17);
    const run = finished(project.start(["run", "--jobs", "1"]));
    // Between the first and the second of them.
    const inject = "inject=?mknod,?mknodat:delay_enter=1500000:when=2";
    const strace = finished(await traceSupervisor(project, inject));
    writeFileSync(join(project.root, "go.mark"), "");
    const { exit, stderr } = await run;
    expect(exit, stderr).toBe(0);
    await strace;
    expect(await survivorsIn(project.root)).toEqual([]);
    expect(pipesIn(project)).toEqual([]);
  });
});
