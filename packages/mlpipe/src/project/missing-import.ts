/** What to do about an import that leads nowhere. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Endings that one may leave out or take for another, beyond what a relative import may mean: see `sourceFile`. */
const endings: Readonly<Record<string, readonly string[]>> = {
  "": [".mts", ".cts", ".mjs", ".cjs", ".json", "/index.mts", "/index.mjs"],
  ".js": [".tsx"],
  ".cjs": [".cts"],
  ".ts": [".js"],
};

/**
 * @param specifier as the module has it
 * @param importer the module's file
 * @param root of the project
 */
export function missingImportHint(specifier: string, importer: string, root: string): string {
  if (/^\.{0,2}\//.test(specifier)) {
    const meant = meantFile(specifier, dirname(importer));
    return meant === undefined
      ? "Was it moved or renamed? A relative import starts at the module that has it."
      : `Write "${meant}".`;
  }
  const [name = ""] = /^(?:@[^/]+\/)?[^/]+/.exec(specifier) ?? [];
  if (isAlias(specifier, name, root)) {
    return 'Node knows no paths of tsconfig.json. Write a relative path, or name them in package.json: "imports": { "#*": "./*" }.';
  }
  return `Is the package installed? npm install ${name}`;
}

/** The file that is there under another ending. */
function meantFile(specifier: string, folder: string): string | undefined {
  const isThere = (path: string): boolean =>
    statSync(resolve(folder, path), { throwIfNoEntry: false })?.isFile() === true;
  for (const [written, others] of Object.entries(endings)) {
    if (!specifier.endsWith(written)) continue;
    const bare = specifier.slice(0, specifier.length - written.length);
    const ending = others.find((each) => isThere(bare + each));
    if (ending !== undefined) return bare + ending;
  }
  return undefined;
}

/** Whether it is a path that the compiler was told, and no package could have this name. */
function isAlias(specifier: string, name: string, root: string): boolean {
  if (!/^(?:@[a-z\d~-][\w.~-]*\/)?[a-z\d-][\w.~-]*$/i.test(name)) return true;
  return pathsOf(root).some((pattern) => {
    const [before = "", after] = pattern.split("*", 2);
    return after === undefined ? specifier === pattern : specifier.startsWith(before) && before !== "";
  });
}

/** The patterns of `paths` in the project's tsconfig.json, which may have comments. */
function pathsOf(root: string): readonly string[] {
  try {
    const text = readFileSync(join(root, "tsconfig.json"), "utf8");
    const [, paths = ""] = /"paths"\s*:\s*\{([^}]*)\}/.exec(text) ?? [];
    return [...paths.matchAll(/"([^"]+)"\s*:\s*\[/g)].map(([, pattern = ""]) => pattern);
  } catch {
    return [];
  }
}
