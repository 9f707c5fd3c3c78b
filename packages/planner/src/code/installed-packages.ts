/**
 * Installed packages, as they would be loaded: the `package.json` on the disk says name, version
 * and what else they load, whatever a lockfile promises.
 */
import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { type Digest, digestOf } from "@mlpipe/store";
import type { Finding } from "../command/findings.ts";
import { Lockfiles } from "./lockfile.ts";
import { isMlpipe } from "./resolution.ts";

interface InstalledPackage {
  readonly name: string;
  /** The version with a digest of what is installed. */
  readonly identity: string;
  /** Real folders of what it depends on, as far as that is there. */
  readonly needs: readonly string[];
  readonly finding: Finding | null;
}

/** What is known of a set of packages and of all they depend on. */
export interface PackageSet {
  /** Identities by name; two versions of one name are both in. */
  readonly packages: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
}

interface PackageDocument {
  readonly name?: string;
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** One planning session's knowledge of installed packages. */
export class InstalledPackages {
  readonly #root: string;
  readonly #hash: (path: string) => Digest;
  readonly #lockfiles = new Lockfiles();
  readonly #documents = new Map<string, PackageDocument | null>();
  readonly #packages = new Map<string, InstalledPackage>();
  readonly #places = new Map<string, string | null>();
  readonly #sets = new Map<string, PackageSet>();
  readonly #patches = new Map<string, readonly string[]>();

  constructor(root: string, hash: (path: string) => Digest) {
    this.#root = root;
    this.#hash = hash;
  }

  /** The name that the package in a folder gives itself. */
  nameOf(folder: string): string {
    return this.#document(folder)?.name ?? nameByPlace(folder);
  }

  /** The packages in these folders and all they depend on. Steps that load the same ones share the answer. */
  withDependencies(folders: ReadonlySet<string>): PackageSet {
    const key = [...folders].toSorted().join("\0");
    let set = this.#sets.get(key);
    if (set === undefined) {
      set = this.#collect(folders);
      this.#sets.set(key, set);
    }
    return set;
  }

  #collect(folders: ReadonlySet<string>): PackageSet {
    const versions = new Map<string, Set<string>>();
    const findings: Finding[] = [];
    const reached = new Set(folders);
    for (const folder of reached) {
      const { name, identity, needs, finding } = this.#package(folder);
      versions.set(name, (versions.get(name) ?? new Set()).add(identity));
      if (finding !== null) findings.push(finding);
      for (const each of needs) reached.add(each);
    }
    const packages = Object.fromEntries(
      [...versions].map(([name, all]) => [name, [...all].toSorted().join(", ")]),
    );
    return { packages, findings };
  }

  #package(folder: string): InstalledPackage {
    let known = this.#packages.get(folder);
    if (known === undefined) {
      known = this.#read(folder);
      this.#packages.set(folder, known);
    }
    return known;
  }

  #document(folder: string): PackageDocument | null {
    let document = this.#documents.get(folder);
    if (document === undefined) {
      document = readDocument(folder);
      this.#documents.set(folder, document);
    }
    return document;
  }

  #read(folder: string): InstalledPackage {
    const document = this.#document(folder);
    const name = this.nameOf(folder);
    if (document === null) {
      const finding = { message: `the package ${name} in ${folder} has no package.json that can be read` };
      return { name, identity: "unknown", needs: [], finding };
    }
    const version = document.version ?? "0.0.0";
    // Its version names exact versions of all it consists of.
    if (isMlpipe(name)) return { name, identity: version, needs: [], finding: null };
    const { dependencies, optionalDependencies, peerDependencies } = document;
    const needs = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
      .map((dependency) => this.#find(folder, dependency))
      .filter((place) => place !== null);
    try {
      const content = this.#integrity(folder, name, version) ?? this.#treeDigest(folder);
      return { name, identity: `${version}+${digestOf(content).slice(0, 16)}`, needs, finding: null };
    } catch {
      return {
        name,
        identity: version,
        needs,
        finding: { message: `the package ${name} in ${folder} cannot be read` },
      };
    }
  }

  /** The lockfile's word for what is installed, where it speaks of this version. */
  #integrity(folder: string, name: string, version: string): string | undefined {
    // A patched package is not what the registry has under its integrity.
    if (folder.includes("patch_hash")) return undefined;
    const at = folder.indexOf(`${sep}node_modules${sep}`);
    const home = at === -1 ? folder : folder.slice(0, at);
    if (this.#isPatched(home, name) || this.#isPatched(this.#root, name)) return undefined;
    return (
      this.#lockfiles.integrity(home, name, version) ?? this.#lockfiles.integrity(this.#root, name, version)
    );
  }

  /** Whether a patch of the project's lies where patch-package, bun and others keep them, named after the package. */
  #isPatched(home: string, name: string): boolean {
    let patches = this.#patches.get(home);
    if (patches === undefined) {
      patches = namesIn(join(home, "patches"));
      this.#patches.set(home, patches);
    }
    const bare = name.slice(name.indexOf("/") + 1);
    return patches.some((patch) => patch.includes(bare));
  }

  /** What is on the disk, without the packages nested inside, which count for themselves. */
  #treeDigest(folder: string): string {
    const entries = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.name !== "node_modules" && (entry.isFile() || entry.isDirectory()))
      .map((entry) => `${entry.name}\0${this.#hash(join(folder, entry.name))}`);
    return entries.toSorted().join("\n");
  }

  /** The real folder of a dependency, looked for as Node does. */
  #find(from: string, dependency: string): string | null {
    for (let folder = from; ; folder = dirname(folder)) {
      if (basename(folder) !== "node_modules") {
        const place = this.#place(join(folder, "node_modules", dependency));
        if (place !== null) return place;
      }
      if (folder === dirname(folder)) return null;
    }
  }

  #place(folder: string): string | null {
    let place = this.#places.get(folder);
    if (place === undefined) {
      try {
        place = dirname(realpathSync.native(join(folder, "package.json")));
      } catch {
        place = null;
      }
      this.#places.set(folder, place);
    }
    return place;
  }
}

function readDocument(folder: string): PackageDocument | null {
  try {
    // What installed it has read these fields by their meaning too.
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageDocument;
  } catch {
    return null;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function nameByPlace(folder: string): string {
  const scope = basename(dirname(folder));
  return scope.startsWith("@") ? `${scope}/${basename(folder)}` : basename(folder);
}
