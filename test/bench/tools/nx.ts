import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fansAndChains, type Tool } from "../tool.ts";
import { packageCopy, writePackages } from "./packages.ts";

/** Nx, with its daemon off as in CI. Its plan is a graph of tasks, which says nothing of what would run: left out. */
export function nx(node: string, script: string): Tool {
  return {
    name: "nx",
    role: "rival",
    does: fansAndChains(1000, ["plan"]),
    checkable: true,
    place: (copy, i) => packageCopy(copy.from.startsWith("out/") ? "chain" : "fan", i),
    leaves: [".nx", "packages/*/out.txt"],
    env: { NX_DAEMON: "false", NX_NO_CLOUD: "true", NX_TUI: "false", NX_ISOLATE_PLUGINS: "false" },
    write(project, workload) {
      writePackages(project, workload, (name, command, before) => ({
        "project.json": {
          name,
          ...(before !== undefined && { implicitDependencies: [before] }),
          targets: {
            build: {
              executor: "nx:run-commands",
              inputs: [
                "{projectRoot}/in.txt",
                ...(before === undefined ? [] : [{ dependentTasksOutputFiles: "**/*.txt" }]),
              ],
              outputs: ["{projectRoot}/out.txt"],
              options: { command, cwd: `packages/${name}` },
            },
          },
        },
      }));
      writeFileSync(
        join(project, "package.json"),
        JSON.stringify({ name: "bench", version: "1.0.0", private: true }),
      );
      writeFileSync(
        join(project, "nx.json"),
        JSON.stringify({
          analytics: false,
          neverConnectToCloud: true,
          useInferencePlugins: false,
          targetDefaults: { build: { cache: true, dependsOn: ["^build"] } },
        }),
      );
    },
    run: () => [node, script, "run-many", "-t", "build", "--parallel=2", "--outputStyle=static"],
  };
}
