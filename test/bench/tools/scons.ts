import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { allShapes, type Tool } from "../tool.ts";
import { copiesOf, extraInputs } from "../workload.ts";

/** SCons: content digests. */
export function scons(program: string): Tool {
  return {
    name: "scons",
    role: "rival",
    does: allShapes(10_000),
    checkable: true,
    leaves: ["out/*", ".sconsign.dblite"],
    write(project, workload) {
      writeFileSync(
        join(project, "SConstruct"),
        `import json

with open("commands.json") as file:
    commands = json.load(file)

env = Environment(tools=[])
for command in commands["copies"]:
    target = env.Command(command["to"], command["from"], "cp $SOURCE $TARGET")
    if commands["extra"]:
        env.Depends(target, commands["extra"])
`,
      );
      writeFileSync(
        join(project, "commands.json"),
        JSON.stringify({ copies: copiesOf(workload), extra: extraInputs(workload) }),
      );
    },
    run: () => [program, "-j2", "-Q", "-s"],
    plan: () => [program, "-j2", "-Q", "-n"],
  };
}
