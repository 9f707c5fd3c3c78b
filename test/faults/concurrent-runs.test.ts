/**
 * Promise 6: any number of concurrent runs of one project, experiments with different params among them: each key
 * executes once, nobody waits for what is not shared, and the database stays whole. The full set has fifty rounds;
 * `MLPIPE_CONCURRENT_ROUNDS` says another number.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { CopyingLock } from "@mlpipe/store";
import { expect, it } from "vitest";
import { finished, Project, type RunJson } from "../e2e/project.ts";
import { isFull } from "./extent.ts";

/** Every execution leaves a line: written in one call, lines of many processes do not mix. */
const files: Readonly<Record<string, string>> = {
  "step.py": `import os, sys, time
log = os.open("executed.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(log, (" ".join(sys.argv[1:3]) + "\\n").encode())
time.sleep(0.05)
open(sys.argv[4], "w").write(open(sys.argv[3]).read() + sys.argv[1] + " " + sys.argv[2] + "\\n")
`,
  "seed.txt": "seed\n",
  "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
const step = (name: string) => data(name, {
  inputs: { from: file("txt"), lr: z.int() },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`python3 step.py \${name} \${i.lr} \${i.from} \${o.to}\`,
});
export const prepare = step("prepare");
export const fit = step("fit");
export const score = step("score");
`,
  "sweep.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { fit, prepare, score } from "./steps.ts";
export default pipeline("sweep", z.object({ lr: z.int() }), ({ lr }) => {
  const { to: prepared } = prepare({ from: source("seed.txt", file("txt")), lr: 0 });
  const { to: fitted } = fit({ from: prepared, lr });
  return { score: score({ from: fitted, lr }).to };
});
`,
};

const rounds = Number(process.env["MLPIPE_CONCURRENT_ROUNDS"] ?? (isFull ? 50 : 1));

it(
  `twenty runs at once, ${rounds} times`,
  async () => {
    for (let round = 0; round < rounds; round++) {
      using project = new Project(files);
      const lrs = Array.from({ length: 20 }, (_, index) => index % 5);
      const ends = await Promise.all(
        lrs.map((lr) => finished(project.start(["run", "--json", "--jobs", "2", "-s", `lr=${lr}`]))),
      );
      expect(ends.map(({ exit, stderr }) => (exit === 0 ? 0 : stderr))).toEqual(lrs.map(() => 0));
      const runs = ends.map(({ stdout }) => JSON.parse(stdout) as RunJson);

      // One preparation, five fits, five scores: what ran is what was executed, and nothing twice.
      const ran = runs.flatMap(({ steps }) => steps.filter(({ status }) => status === "ran"));
      expect(new Set(ran.map(({ key }) => key)).size).toBe(11);
      expect(ran).toHaveLength(11);
      const executed = project.read("executed.log").trimEnd().split("\n");
      const expected = [0, 1, 2, 3, 4].flatMap((lr) => [`fit ${lr}`, `score ${lr}`]);
      expect(executed.toSorted()).toEqual(["prepare 0", ...expected].toSorted());
      // All runs with the same params have the same outputs, whoever made them.
      const outputs = Map.groupBy(runs, (_, index) => lrs[index]);
      for (const [, group] of outputs)
        expect(
          new Set(group.map(({ steps }) => JSON.stringify(steps.map((step) => step.outputs)))).size,
        ).toBe(1);

      const database = new DatabaseSync(join(project.root, ".mlpipe/state.db"));
      expect(database.prepare("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
      expect(database.prepare("SELECT count(*) AS n FROM claims").get()).toEqual({ n: 0 });
      database.close();
      const verified = await project.mlpipe("verify");
      expect(verified.exit, verified.stdout).toBe(0);
      expect(verified.stdout).toBe(
        `The store is whole: 11 objects (${verified.stdout.match(/\d+ B/)?.[0]}), 11 kept results, 20 runs.\n`,
      );
    }
  },
  60_000 + rounds * 60_000,
);

it("one run after the other puts what it returns into artifacts, and who has nothing to change waits for nobody", async () => {
  using project = new Project(files);
  const lies = (): string => project.read("artifacts/sweep/score.txt");
  for (const lr of [2, 1]) await project.run("-s", `lr=${lr}`);
  const first = lies();
  const copying = await CopyingLock.take(join(project.root, ".mlpipe"), project.root);
  expect((await project.run("-s", "lr=1")).exit).toBe(0);
  const waiting = finished(project.start(["run", "-s", "lr=2"]));
  expect(await Promise.race([waiting, pause(1_500)])).toBeUndefined();
  expect(lies()).toBe(first);
  copying[Symbol.dispose]();
  expect((await waiting).exit).toBe(0);
  expect(lies()).toContain("score 2");
});
