/** Promise 20: 10,000 steps plan in near-linear time, and a chain of 100,000 does not overflow the stack. */
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";

/** Pipelines of as many steps as their param says: one after the other, or all side by side. */
function project(): Project {
  return new Project({
    "one.txt": "1",
    "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
const outputs = { out: file("txt") };
export const first = data("first", { outputs, files: ["one.txt"], command: (_, o) => cmd\`cp one.txt \${o.out}\` });
export const next = data("next", { inputs: { before: file("txt") }, outputs, command: (i, o) => cmd\`cp \${i.before} \${o.out}\` });
export const one = data("one", { inputs: { n: z.int() }, outputs, files: ["one.txt"], command: (_, o) => cmd\`cp one.txt \${o.out}\` });
export const fails = data("fails", { outputs, command: (_, o) => cmd\`cp missing.txt \${o.out}\` });`,
    "chain.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { fails, first, next } from "./steps.ts";
export default pipeline("chain", z.object({ length: z.int(), fails: z.boolean().default(false) }), (p) => {
  let { out } = p.fails ? fails({}) : first({});
  for (let n = 1; n < p.length; n++) out = next.as(\`s\${n}\`)({ before: out }).out;
  return { out };
});`,
    "fan.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { first, one } from "./steps.ts";
export default pipeline("fan", z.object({ length: z.int() }), ({ length }) => {
  for (let n = 1; n < length; n++) one.as(\`s\${n}\`)({ n });
  return { out: first({}).out };
});`,
  });
}

interface Planned {
  readonly steps: readonly { readonly id: string; readonly decision: string }[];
}

describe("scale", () => {
  it.each(["chain", "fan"])("10,000 steps in a %s plan in time that grows as they do", async (shape) => {
    using many = project();
    /** The best of two, in ms: the machine has other things to do as well. */
    const plan = async (length: number): Promise<number> => {
      let best = Infinity;
      for (let tries = 0; tries < 2; tries++) {
        const since = performance.now();
        const { exit, stdout, stderr } = await many.mlpipe("plan", shape, "-s", `length=${length}`, "--json");
        best = Math.min(best, performance.now() - since);
        expect(exit, stderr).toBe(0);
        // The shape is asserted here.
        const { steps } = JSON.parse(stdout) as Planned;
        expect(steps).toHaveLength(length);
      }
      return best;
    };
    const base = await plan(10);
    const thousand = await plan(2_000);
    const ten = await plan(20_000);
    // Ten times as many: what is quadratic takes a hundred times as long.
    expect(ten - base).toBeLessThan(30 * Math.max(thousand - base, 50));
  });

  it("a chain of 100,000 is planned, drawn, asked about and ended from its first step to its last", async () => {
    using long = project();
    const args = ["chain", "-s", "length=100000"];
    const planned = await long.mlpipe("plan", ...args, "--json");
    expect(planned.exit, planned.stderr).toBe(0);
    // The shape is asserted here.
    const { steps } = JSON.parse(planned.stdout) as Planned;
    expect([steps.length, steps[0]?.decision, steps.at(-1)?.decision]).toEqual([100_000, "run", "unknown"]);

    for (const command of [
      ["graph", ...args, "--format", "dot"],
      ["status", ...args],
      ["why", "s99999", "-p", ...args],
    ]) {
      const { exit, stderr } = await long.mlpipe(...command);
      expect(exit, `${command.join(" ")}: ${stderr.slice(-500)}`).toBe(0);
    }

    // Its first step fails, and that goes through all the others.
    const ran = await finished(long.start(["run", ...args, "-s", "fails=true", "--json"]));
    expect(ran.exit, ran.stderr.slice(-500)).toBe(1);
    const statuses = Object.groupBy(
      (JSON.parse(ran.stdout) as { steps: { status: string }[] }).steps,
      ({ status }) => status,
    );
    expect([statuses["failed"]?.length, statuses["blocked"]?.length]).toEqual([1, 99_999]);
  });

  it("what changed in 2,000 steps at once, and in as many that are new, is found in time", async () => {
    using changed = project();
    const length = 2_000;
    expect((await changed.mlpipe("run", "fan", "-s", `length=${length}`)).exit).toBe(0);
    // Other names and another content: each step is compared with what may have been it.
    changed.edit("fan.pipeline.ts", "`s${n}`", "`t${n}`");
    changed.write({ "one.txt": "another" });
    const since = performance.now();
    const { exit, stdout } = await changed.mlpipe("plan", "fan", "-s", `length=${2 * length}`, "--json");
    expect(exit).toBe(0);
    // The shape is asserted here.
    const { steps } = JSON.parse(stdout) as Planned;
    expect(steps.filter(({ decision }) => decision === "run")).toHaveLength(2 * length);
    // Seconds less; a record of 2,000 steps read for each of them takes twice as long.
    expect(performance.now() - since).toBeLessThan(8_000);
  });
});
