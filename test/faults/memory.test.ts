/** Memory that runs out is named as what it is, and never becomes a cache entry. */
import { describe, expect, it } from "vitest";
import { finished, Project, type RunJson } from "../e2e/project.ts";
import { canMakeGroups, ControlGroup } from "./control-group.ts";

function hungry(py: string, options = "{}"): Project {
  return new Project({
    "steps.ts": `import { cmd, data, file } from "mlpipe";
export const eat = data("eat", { outputs: { out: file("txt") }, command: (_, o) => cmd\`python3 eat.py \${o.out}\` });`,
    "eat.py": `import os, sys, time\n${py}\nopen(sys.argv[1], "w").write("done")\n`,
    "eat.pipeline.ts": `import { pipeline } from "mlpipe";
import { eat } from "./steps.ts";
export default pipeline("eat", () => eat.with(${options})({}));`,
  });
}

const megabytes = (amount: number): string => `all = bytearray(${amount} * 2**20)
for i in range(0, len(all), 4096): all[i] = 1`;

describe("memory that runs out", () => {
  it.skipIf(!canMakeGroups)(
    "the kernel ends the step: named, tried again if asked for, not kept",
    async () => {
      using project = hungry(
        `first = not os.path.exists("tried.mark")\nopen("tried.mark", "w").close()\nif first:\n    ${megabytes(2_000).replaceAll("\n", "\n    ")}`,
        `{ retry: { attempts: 1, on: ["memory"], backoff: "1ms" } }`,
      );
      using group = new ControlGroup(500 * 2 ** 20);
      const { exit, stdout, stderr } = await finished(group.mlpipe(project.root, "run", "--json"));
      expect(exit, stderr).toBe(0);
      // The shape is that of `run --json`.
      const run = JSON.parse(stdout) as RunJson;
      expect(run.steps[0]?.status).toBe("ran");
      const { stepRuns } = JSON.parse((await project.mlpipe("show", "last", "--json")).stdout) as {
        stepRuns: {
          attempts: { error?: { code: string; message: string }; exit: { signal: string | null } }[];
        }[];
      };
      const [first, second] = stepRuns[0]?.attempts ?? [];
      expect(first?.error?.code).toBe("MLP3038");
      expect(first?.error?.message).toContain(
        "while the kernel was ending processes because memory had run out",
      );
      expect(first?.exit.signal).toBe("SIGKILL");
      expect(second?.error).toBeUndefined();
    },
  );

  it.skipIf(!canMakeGroups)("what a container leaves of the memory is the size of the pool", async () => {
    using project = hungry("", `{ resources: { memory: "600MB" } }`);
    using group = new ControlGroup(512 * 2 ** 20);
    const { exit, stderr } = await finished(group.mlpipe(project.root, "run"));
    expect(exit).toBe(2);
    expect(stderr).toContain('"eat" asks for 600MB of the pool memory, and there is 536.87MB.');
  });

  // Elsewhere the limit by which it is brought about does not hold.
  it.skipIf(process.platform !== "linux")("Python that cannot get what it asks for says so", async () => {
    using project = hungry(
      `import resource\nresource.setrlimit(resource.RLIMIT_AS, (300 * 2**20, 300 * 2**20))\n${megabytes(1_000)}`,
    );
    const { exit, steps } = await project.run();
    expect(exit).toBe(1);
    expect(steps[0]?.error?.code).toBe("MLP3038");
    expect(steps[0]?.error?.message).toContain("Python could not get what it asked for");
    project.write({ "eat.py": `import sys\nopen(sys.argv[1], "w").write("done")` });
    expect(await project.statuses()).toEqual({ ran: ["eat"] });
  });

  it("a signal from elsewhere is no lack of memory", async () => {
    using project = hungry(`os.kill(os.getpid(), 9)`);
    const { steps } = await project.run();
    expect(steps[0]?.error?.code).toBe("MLP3003");
    expect(steps[0]?.error?.message).toBe('"eat" was killed by SIGKILL.');
  });
});
