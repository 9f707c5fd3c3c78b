import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { allShapes, type Tool } from "../tool.ts";
import { copiesOf, extraInputs } from "../workload.ts";

/** GNU make: compares modification times. */
export function make(program: string): Tool {
  return {
    name: "make",
    role: "rival",
    does: allShapes(10_000),
    checkable: true,
    leaves: ["out/*"],
    write(project, workload) {
      const copies = copiesOf(workload);
      const extra = extraInputs(workload)
        .map((path) => ` \\\n  ${path}`)
        .join("");
      const rules = copies.map(({ from, to }) => `${to}: ${from}${extra}\n\tcp $< $@\n`);
      const all = copies.map(({ to }) => ` \\\n  ${to}`).join("");
      writeFileSync(join(project, "Makefile"), `all:${all}\n\n${rules.join("\n")}`);
    },
    run: () => [program, "-s", "-j2"],
    plan: () => [program, "-n", "-j2"],
  };
}
