import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fansAndChains, type Tool } from "../tool.ts";
import { copiesOf } from "../workload.ts";

/** Wireit: content digests, read again in every run. A task is a script of one package. */
export function wireit(node: string): Tool {
  return {
    name: "wireit",
    role: "rival",
    does: fansAndChains(1000, ["plan"]),
    checkable: true,
    leaves: ["out/*", ".wireit"],
    env: { WIREIT_LOGGER: "quiet-ci", WIREIT_PARALLEL: "2", WIREIT_CACHE: "local" },
    write(project, workload) {
      const copies = copiesOf(workload);
      const tasks = copies.map(({ from, to }, i) => {
        const fromStep = workload.shape === "chain" && i > 0;
        return [
          `copy-${i}`,
          {
            command: `cp ${from} ${to}`,
            files: fromStep ? [] : [from],
            output: [to],
            ...(fromStep && { dependencies: [`copy-${i - 1}`] }),
          },
        ] as const;
      });
      const all = { dependencies: tasks.map(([name]) => name) };
      writeFileSync(
        join(project, "package.json"),
        JSON.stringify({
          name: "bench",
          version: "1.0.0",
          private: true,
          scripts: Object.fromEntries([...tasks.map(([name]) => [name, "wireit"]), ["all", "wireit"]]),
          wireit: Object.fromEntries([...tasks, ["all", all]]),
        }),
      );
    },
    run: () => [node, "--run", "all"],
  };
}
