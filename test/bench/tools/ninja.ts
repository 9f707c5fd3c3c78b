import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { allShapes, type Tool } from "../tool.ts";
import { copiesOf, extraInputs } from "../workload.ts";

/** ninja: modification times and a log of commands. */
export function ninja(program: string): Tool {
  return {
    name: "ninja",
    role: "rival",
    does: allShapes(10_000),
    checkable: true,
    leaves: ["out/*", ".ninja_log", ".ninja_deps"],
    write(project, workload) {
      const extra = extraInputs(workload)
        .map((path) => ` $\n  ${path}`)
        .join("");
      const builds = copiesOf(workload).map(
        ({ from, to }) => `build ${to}: copy ${from}${extra === "" ? "" : ` |${extra}`}\n`,
      );
      writeFileSync(join(project, "build.ninja"), `rule copy\n  command = cp $in $out\n\n${builds.join("")}`);
    },
    run: () => [program, "--quiet", "-j2"],
    plan: () => [program, "-n", "-j2"],
  };
}
