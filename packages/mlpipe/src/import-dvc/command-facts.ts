/** What the text of a command tells: the scripts that it runs, and the variables that it needs. */
import { posix } from "node:path";
import type { DataPlaces } from "./data-places.ts";
import type { Text } from "./template.ts";

/** Files that are code, by their names. */
export const codeFile =
  /\.(?:py|pyi|pyx|r|jl|sh|bash|zsh|pl|rb|js|mjs|cjs|ts|java|scala|go|rs|c|cc|cpp|h|hpp|cu|sql|ipynb|rmd|qmd|lua|m|php)$/i;

/** The scripts of the project that a command names. */
export function scriptsIn(
  command: string,
  folder: string,
  places: DataPlaces,
): readonly { readonly script: string; readonly module: string | undefined }[] {
  const found: { script: string; module: string | undefined }[] = [];
  const words = command.split(/[\s"';&|()<>]+/);
  words.forEach((word, index) => {
    const module = words[index - 1] === "-m" ? word.replaceAll(".", "/") : undefined;
    const candidates = module === undefined ? [word] : [`${module}.py`, `${module}/__main__.py`];
    for (const candidate of candidates) {
      const path = posix.join(folder, candidate);
      if (!path.startsWith("../") && codeFile.test(path) && places.isThere(path))
        found.push({ script: path, module });
    }
  });
  return found;
}

const given = new Set("PATH HOME TMPDIR USER LOGNAME PWD OLDPWD LANG TZ IFS RANDOM SECONDS SHELL".split(" "));

/** The variables of the environment that commands name and do not set. */
export function environmentOf(commands: readonly Text[]): readonly string[] {
  const text = commands
    .map((command) => command.filter((piece) => typeof piece === "string").join(" "))
    .join("\n");
  const set = new Set(
    [...text.matchAll(/(?:^|[\s;&|(])(?:for\s+)?([A-Za-z_]\w*)(?==|\s+in\b)/g)].map((match) => match[1]),
  );
  const names = [...text.matchAll(/\$\{?([A-Za-z_]\w*)/g)].flatMap(([, name]) =>
    name === undefined ? [] : [name],
  );
  return [...new Set(names)].filter((name) => !set.has(name) && !given.has(name));
}
