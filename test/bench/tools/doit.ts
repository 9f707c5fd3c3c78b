import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { allShapes, type Tool } from "../tool.ts";
import { copiesOf, extraInputs } from "../workload.ts";

/**
 * doit: modification times, then MD5. It keeps its state as JSON here: its default is the `dbm` that
 * Python happens to be built with, the slowest of which writes a file for every task.
 */
export function doit(program: string): Tool {
  return {
    name: "doit",
    role: "rival",
    does: allShapes(10_000),
    checkable: true,
    leaves: ["out/*", ".doit.db*"],
    write(project, workload) {
      writeFileSync(
        join(project, "dodo.py"),
        `import json

DOIT_CONFIG = {"verbosity": 0, "backend": "json"}

with open("tasks.json") as file:
    tasks = json.load(file)


def task_copy():
    for i, task in enumerate(tasks["copies"]):
        yield {
            "name": str(i),
            "actions": [["cp", task["from"], task["to"]]],
            "file_dep": [task["from"], *tasks["extra"]],
            "targets": [task["to"]],
        }
`,
      );
      writeFileSync(
        join(project, "tasks.json"),
        JSON.stringify({ copies: copiesOf(workload), extra: extraInputs(workload) }),
      );
    },
    run: () => [program, "run", "-n", "2"],
    plan: () => [program, "list", "--all", "--status"],
  };
}
