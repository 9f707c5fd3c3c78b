import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { allShapes, type Tool } from "../tool.ts";
import { copiesOf, largeFiles } from "../workload.ts";

/** DVC: MD5 of everything, stages one after the other. */
export function dvc(program: string): Tool {
  return {
    name: "dvc",
    role: "rival",
    does: allShapes(1000),
    checkable: true,
    leaves: ["out/*", "dvc.lock", ".dvc/cache", ".dvc/tmp"],
    env: { DVC_NO_ANALYTICS: "1" },
    write(project, workload) {
      mkdirSync(join(project, ".dvc"), { recursive: true });
      writeFileSync(
        join(project, ".dvc/config"),
        "[core]\n    no_scm = True\n    analytics = false\n    check_update = false\n",
      );
      const extra = workload.shape === "large" ? largeFiles : workload.shape === "files" ? ["data/tree"] : [];
      const stages = copiesOf(workload).map(({ from, to }, i) => [
        `copy-${i}`,
        { cmd: `cp ${from} ${to}`, deps: [from, ...extra], outs: [to] },
      ]);
      // JSON is YAML.
      writeFileSync(join(project, "dvc.yaml"), JSON.stringify({ stages: Object.fromEntries(stages) }));
    },
    run: () => [program, "repro", "-q"],
    plan: () => [program, "repro", "-q", "--dry"],
  };
}
