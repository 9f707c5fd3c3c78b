import { globSync, readdirSync, realpathSync, statSync } from "node:fs";
import { isAbsolute, join, relative, sep } from "node:path";

// Installed packages have an identity of their own, and the rest is what tools note about a project.
const ignored = new Set(["node_modules", ".git", ".mlpipe", "__pycache__", ".venv"]);

/**
 * The files that a glob names, as absolute paths in the order of their bytes, which no locale changes.
 * `**` crosses folders; a folder's own name, and `**` at the end, stand for everything below. What is in
 * `node_modules`, `.git`, `.mlpipe`, `.venv` and `__pycache__` is left out.
 *
 * @param pattern relative to `root`
 */
export function filesOfGlob(pattern: string, root: string): readonly string[] {
  const found = new Set<string>();
  const named = isAbsolute(pattern) ? pattern : join(root, pattern);
  // A name that is there is meant as it is written, whatever brackets it holds.
  const exact = statSync(named, { throwIfNoEntry: false });
  if (exact?.isFile() === true) found.add(named);
  else if (exact?.isDirectory() === true) addFiles(named, found);
  else {
    const matches = globSync(pattern, {
      cwd: root,
      exclude: (name) => ignored.has(name.split(sep).at(-1) ?? ""),
    });
    for (const match of matches) {
      const path = isAbsolute(match) ? match : join(root, match);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats?.isFile() === true) found.add(path);
      // Names that begin with a dot and what links lead to are left out by the glob, and are there for all that.
      else if (stats?.isDirectory() === true && /(?:^|\/)\*\*\/?$/.test(pattern)) addFiles(path, found);
    }
  }
  return [...found].sort(byBytes);
}

/** Adds every file below a folder. Links are followed, a circle of them once. */
function addFiles(folder: string, found: Set<string>, above: readonly string[] = []): void {
  const real = realpathSync(folder);
  if (above.includes(real)) return;
  for (const name of readdirSync(folder)) {
    if (ignored.has(name)) continue;
    const path = join(folder, name);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true) addFiles(path, found, [...above, real]);
    else if (stats?.isFile() === true) found.add(path);
  }
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** How a file is named in a key: from the project's root, with `/`, also where it lies outside. */
export function partName(file: string, root: string): string {
  return relative(root, file).split(sep).join("/");
}
