/** A workspace in which every command is a package, as turbo and nx have it. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Copy, Workload } from "../workload.ts";

/** Where the files of a package's copy are. */
export function packageCopy(shape: Workload["shape"], i: number): Copy {
  return {
    from: shape === "chain" && i > 0 ? `packages/p${i - 1}/out.txt` : `packages/p${i}/in.txt`,
    to: `packages/p${i}/out.txt`,
  };
}

/** Writes the packages. @param describe the files of one, relative to it */
export function writePackages(
  project: string,
  { shape, size }: Workload,
  describe: (name: string, command: string, before: string | undefined) => Readonly<Record<string, unknown>>,
): void {
  // Sources lie in the packages; others would only be more to look through.
  for (const folder of ["packages", "data", "out"])
    rmSync(join(project, folder), { recursive: true, force: true });
  for (let i = 0; i < size; i++) {
    const folder = join(project, `packages/p${i}`);
    mkdirSync(folder, { recursive: true });
    const linked = shape === "chain" && i > 0;
    if (!linked) writeFileSync(join(folder, "in.txt"), `source ${i}\n`);
    const command = linked ? `cp ../p${i - 1}/out.txt out.txt` : "cp in.txt out.txt";
    const files = describe(`p${i}`, command, linked ? `p${i - 1}` : undefined);
    for (const [path, content] of Object.entries(files)) {
      writeFileSync(join(folder, path), JSON.stringify(content));
    }
  }
}
