/** Where installed packages lie: each in a folder, and the links by which Node finds it there. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { lookAtLink } from "./look.ts";

interface PackageDocument {
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Finds packages and all they depend on, reading each `package.json` once. */
export class PackagePlaces {
  readonly #needs = new Map<string, { readonly name: string; readonly found: readonly string[] }>();

  /**
   * The folders of these packages and of all they depend on, by every path that Node may take to them.
   * @param importers files of the project that import some of them
   */
  of(folders: Iterable<string>, importers: Iterable<string>): readonly string[] {
    const places = new Set<string>();
    const reached = new Set<string>(folders);
    const names = new Set<string>();
    for (const folder of reached) {
      const { name, found } = this.#needsOf(folder);
      names.add(name);
      places.add(folder);
      for (const place of found) {
        places.add(place);
        reached.add(realpathSync(place));
      }
    }
    for (const above of homesAbove(importers)) {
      for (const name of names) {
        const place = join(above, name);
        if (existsSync(place) && reached.has(realpathSync(place))) places.add(place);
      }
    }
    return [...places];
  }

  /**
   * Links above these files that Node goes by and that lead to more than a package: a `node_modules` that is one, and those
   * in it that lead to a package of some of these files, by which packages of a workspace import one another.
   */
  linksTo(files: readonly string[]): readonly string[] {
    const around = new Map([...foldersAbove(files)].map((folder) => [folder, this.#needsOf(folder).name]));
    const links: string[] = [];
    for (const home of homesAbove(files)) {
      if (lookAtLink(home)?.isSymbolicLink() === true) links.push(home);
      for (const [folder, name] of around) {
        const place = join(home, name);
        if (name !== "" && existsSync(place) && realpathSync(place) === folder) links.push(place);
      }
    }
    return links;
  }

  #needsOf(folder: string): { readonly name: string; readonly found: readonly string[] } {
    let known = this.#needs.get(folder);
    if (known === undefined) {
      const { name = "", dependencies, optionalDependencies, peerDependencies } = documentOf(folder);
      const found = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
        .map((need) => find(folder, need))
        .filter((place) => place !== undefined);
      known = { name, found };
      this.#needs.set(folder, known);
    }
    return known;
  }
}

/** The folder of the package that a file belongs to. */
export function packageAround(file: string): string | undefined {
  for (let at = dirname(file); at !== dirname(at); at = dirname(at)) {
    if (documentOf(at).name !== undefined) return at;
  }
  return undefined;
}

/** Every `package.json` that Node reads to learn what a module is. */
export function scopesOf(files: Iterable<string>): readonly string[] {
  return [...foldersAbove(files)]
    .map((folder) => join(folder, "package.json"))
    .filter((path) => existsSync(path));
}

function homesAbove(files: Iterable<string>): readonly string[] {
  return [...foldersAbove(files)]
    .map((folder) => join(folder, "node_modules"))
    .filter((path) => existsSync(path));
}

function foldersAbove(files: Iterable<string>): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const file of files) {
    for (let at = dirname(file); !folders.has(at); at = dirname(at)) folders.add(at);
  }
  return folders;
}

/** Looked for as Node does. */
function find(from: string, name: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const place = join(at, "node_modules", name);
    if (!at.endsWith(`${sep}node_modules`) && existsSync(place)) return place;
    if (dirname(at) === at) return undefined;
  }
}

function documentOf(folder: string): PackageDocument {
  try {
    // What installed it has read these fields by their meaning too.
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageDocument;
  } catch {
    return {};
  }
}
