import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fansAndChains, type Tool } from "../tool.ts";

/** redun: digests of arguments and code; files by size and modification time. It has no plan to ask for. */
export function redun(program: string): Tool {
  return {
    name: "redun",
    role: "rival",
    does: fansAndChains(1000, ["plan"]),
    checkable: true,
    leaves: ["out/*", ".redun/redun.db*"],
    write(project) {
      mkdirSync(join(project, ".redun"), { recursive: true });
      writeFileSync(
        join(project, ".redun/redun.ini"),
        "[backend]\ndb_uri = sqlite:///redun.db\n\n[executors.default]\ntype = local\nmax_workers = 2\n",
      );
      writeFileSync(
        join(project, "workflow.py"),
        `import subprocess

from redun import File, task

redun_namespace = "bench"


@task()
def copy(source: File, to: str) -> File:
    subprocess.run(["cp", source.path, to], check=True)
    return File(to)


@task()
def fan(size: int) -> list[File]:
    return [copy(File(f"data/{i}.txt"), f"out/{i}.txt") for i in range(size)]


@task()
def chain(size: int) -> File:
    last = File("data/0.txt")
    for i in range(size):
        last = copy(last, f"out/{i}.txt")
    return last
`,
      );
    },
    run: ({ shape, size }) => [program, "run", "workflow.py", shape, "--size", String(size)],
  };
}
