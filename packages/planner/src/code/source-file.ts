import { realpathSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * Endings that TypeScript's own resolution lets one leave out, or write as those of what is compiled, and where the file
 * is then. Looked for in this order.
 */
const endings: readonly (readonly [written: string, meant: readonly string[]])[] = [
  [".js", [".ts"]],
  [".mjs", [".mts"]],
  ["", [".ts", ".js", "/index.ts", "/index.js"]],
];

/**
 * The file that a relative import means where Node finds none: `./rows.js` and `./rows` mean `./rows.ts`. Whoever loads
 * modules and whoever finds out what counts for a step ask here, so that both are led to the same file.
 *
 * @param importer absolute path of the module that imports, without links
 * @returns absolute, without links; nothing where there is no such file, or an installed package asks
 */
export function sourceFile(specifier: string, importer: string): string | undefined {
  if (!/^\.{1,2}\//.test(specifier) || importer.includes("/node_modules/")) return undefined;
  const path = pathOf(specifier, importer);
  if (path === undefined) return undefined;
  for (const [written, meant] of endings) {
    if (!path.endsWith(written)) continue;
    const bare = path.slice(0, path.length - written.length);
    const found = meant.map((ending) => bare + ending).find(isFile);
    if (found !== undefined) return realpathSync(found);
  }
  return undefined;
}

/** Relative specifiers of imports are URLs. */
function pathOf(specifier: string, importer: string): string | undefined {
  try {
    return fileURLToPath(new URL(specifier, pathToFileURL(importer)));
  } catch {
    // `./a%2Fb` and `./%` are no paths.
    return undefined;
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    // What a process may not look at is not there for it.
    return false;
  }
}
