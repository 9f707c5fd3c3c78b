/** Programs that a package of npm brings: most of what they do lies in other files than the one that is started. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { installedFolder } from "../code/resolution.ts";

/** A script of a package manager's is short; a binary is not looked into. */
const longestShim = 16_384;

/**
 * The real folder of the package that a program belongs to; nothing if it is none of npm's.
 *
 * npm and yarn link `.bin/tool` to the package's file, pnpm writes a shell script there that starts it.
 * @param file absolute path as found
 */
export function packageOfProgram(file: string): string | undefined {
  try {
    const real = realpathSync.native(file);
    const folder = installedFolder(real);
    if (folder === null) return undefined;
    if (!folder.endsWith("/.bin")) return folder;
    const target = statSync(real).size > longestShim ? undefined : shimTarget(readFileSync(real, "utf8"));
    if (target === undefined) return undefined;
    return installedFolder(realpathSync.native(join(dirname(real), target))) ?? undefined;
  } catch {
    return undefined;
  }
}

/** What a shim starts, relative to itself; an interpreter beside it is not in another folder. */
function shimTarget(text: string): string | undefined {
  return [...text.matchAll(/(?:"\$basedir\/|"\$basedir\w*"\/'|cmd-shim-target=)(\.\.\/[^"'\n]+)/g)].at(
    -1,
  )?.[1];
}
