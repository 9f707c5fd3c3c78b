/** What a step opened that it does not declare, in few lines: a folder of 50,000 pictures is one thing to declare. */

/** So many files of a folder are named one by one, and so many modules. */
const mostNamed = 5;

/**
 * Lines on files that were read, by the names they are shown under.
 * @param say the line on what was read, and what an edit of it is
 */
export function remarksOnReads(
  names: readonly string[],
  say: (what: string, one: string) => string,
): readonly string[] {
  const byTop = Map.groupBy(names, (name) => (name.includes("/") ? topOf(name) : ""));
  return [...byTop].flatMap(([top, files]) => {
    if (files.length <= mostNamed) return files.map((name) => say(name, "it"));
    if (top === "") return [say(enumeration(files, "files"), "one of them")];
    return [say(`${files.length} files below ${commonFolder(files)}`, "one of them")];
  });
}

/** A line for each module, or one for all. */
export function remarksOnModules(
  names: readonly string[],
  say: (what: string, them: string, files: readonly string[]) => string,
): readonly string[] {
  if (names.length <= mostNamed) return names.map((name) => say(name, "it", [name]));
  const folders = new Set(names.map((name) => (name.includes("/") ? `${folderOf(name)}/*.py` : name)));
  return [say(enumeration(names, "modules"), "them", [...folders])];
}

function enumeration(names: readonly string[], what: string): string {
  const some = names.slice(0, 3);
  return `${some.join(", ")} and ${names.length - some.length} more ${what}`;
}

/** The first folder of a path, beyond those that only lead upwards or to the root. */
function topOf(name: string): string {
  return /^(?:\.\.\/)*\/?[^/]+/.exec(name)?.[0] ?? name;
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/"));
}

/** The innermost folder that holds all of them. */
function commonFolder(names: readonly string[]): string {
  const [first = "", ...others] = names;
  let folder = folderOf(first);
  while (others.some((name) => !name.startsWith(`${folder}/`))) folder = folderOf(folder);
  return folder;
}
