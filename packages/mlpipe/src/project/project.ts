import { existsSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

/** A project: the folder that paths in pipelines are relative to. */
export interface Project {
  /** Absolute path. */
  readonly root: string;
  /** Absolute path of the folder that mlpipe keeps its things in. */
  readonly storeRoot: string;
}

// The first that is found going upwards decides, so a pipeline inside a monorepo's package
// belongs to the package.
const marks = ["mlpipe.config.ts", "package.json", ".git"];

/** The project that a folder belongs to; the folder itself if nothing above it looks like one. */
export function findProject(cwd: string): Project {
  let folder = resolve(cwd);
  for (;;) {
    if (marks.some((mark) => existsSync(join(folder, mark)))) return projectAt(folder);
    const parent = dirname(folder);
    if (parent === folder) return projectAt(resolve(cwd));
    folder = parent;
  }
}

function projectAt(root: string): Project {
  return { root, storeRoot: join(root, ".mlpipe") };
}

/** A path as manifests and records have it: relative to the root with `/`, absolute if outside. */
export function projectPath(root: string, path: string): string {
  const inside = relative(root, path);
  return inside.startsWith("..") || inside === "" ? path : inside.split(sep).join("/");
}
