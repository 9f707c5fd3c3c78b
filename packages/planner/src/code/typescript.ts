/**
 * Code identity of TypeScript steps: the declarations that a step's export reaches, and what
 * happens when the modules around them are loaded. One digest for each declaration, so that a
 * reason can name it.
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, extname, relative, sep } from "node:path";
import { type Digest, digestOf } from "@mlpipe/store";
import type { CodeIdentity, Finding } from "../command/findings.ts";
import { Bindings } from "./bindings.ts";
import type { CodeNode } from "./code-node.ts";
import { CodeGraph } from "./graph.ts";
import { InstalledPackages, type PackageSet } from "./installed-packages.ts";
import { brokenFacts, factsFormat, factsOf, type ModuleFacts } from "./module-facts.ts";
import { Purity } from "./purity.ts";
import { isMlpipe, Resolution } from "./resolution.ts";
import { scriptExtensions, SourceModule } from "./source-module.ts";

/** How a module is looked at. */
export interface IdentifyOptions {
  /** Files the user named: they stand for what cannot be followed. */
  readonly files?: readonly string[];
}

/** Keeps what was found out about modules from one session to the next. What it loses is found out anew. */
export interface FactsMemory {
  get(key: string): ModuleFacts | undefined;
  set(key: string, facts: ModuleFacts): void;
}

/** What a session is told. */
export interface TypeScriptCodeOptions {
  readonly projectRoot: string;
  /** The digest of a file or folder. */
  readonly hash: (path: string) => Digest;
  /** Where parsing is most of the time: modules that did not change are not parsed again. @default none */
  readonly memory?: FactsMemory;
  /** Conditions beyond Node's own by which packages choose what is loaded. @default none */
  readonly conditions?: readonly string[];
}

/** One planning session's knowledge of the code of a project: each module is read once. */
export class TypeScriptCode {
  readonly #root: string;
  readonly #hash: (path: string) => Digest;
  readonly #memory: FactsMemory | undefined;
  readonly #modules = new Map<string, SourceModule>();
  readonly #realPaths = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #resolution: Resolution;
  readonly #packages: InstalledPackages;
  readonly #graph: CodeGraph;

  constructor({ projectRoot, hash, memory, conditions = [] }: TypeScriptCodeOptions) {
    this.#root = realPath(projectRoot);
    this.#hash = hash;
    this.#memory = memory;
    this.#resolution = new Resolution(this.#root, conditions);
    this.#packages = new InstalledPackages(this.#root, hash);
    const moduleAt = (path: string): SourceModule => this.#moduleAt(path);
    const bindings = new Bindings(moduleAt, this.#resolution);
    const isTrusted = (folder: string): boolean => this.#isTrusted(folder);
    const purity = new Purity(bindings, isTrusted);
    const nameOf = (path: string): string => this.#nameOf(path);
    const resolution = this.#resolution;
    this.#graph = new CodeGraph({ moduleAt, nameOf, hash, resolution, bindings, purity, isTrusted });
  }

  /** The identity of an exported step. */
  identify(modulePath: string, exportName: string, options: IdentifyOptions = {}): CodeIdentity {
    const path = this.#realPath(modulePath);
    const exported = this.#graph.export(path, exportName);
    if (exported !== null) return this.#identityOf([this.#graph.entry(path), ...exported], options, []);
    const missing = {
      message: `${this.#nameOf(path)} has no export ${exportName}`,
      site: { file: path, line: 1, column: 1 },
    };
    return this.#identityOf([this.#graph.entry(path), this.#graph.exports(path)], options, [missing]);
  }

  /** The identity of a module that is started as a program. */
  identifyModule(modulePath: string, options: IdentifyOptions = {}): CodeIdentity {
    const path = this.#realPath(modulePath);
    const isScript = scriptExtensions.has(extname(path));
    const roots = isScript ? [this.#graph.entry(path), this.#graph.exports(path)] : [this.#graph.file(path)];
    return this.#identityOf(roots, options, []);
  }

  /** Installed packages by their real folders, with all they depend on. */
  packagesIn(folders: ReadonlySet<string>): PackageSet {
    return this.#packages.withDependencies(folders);
  }

  #identityOf(
    roots: readonly CodeNode[],
    { files }: IdentifyOptions,
    missing: readonly Finding[],
  ): CodeIdentity {
    const reached = this.#graph.reached(roots);
    const wholes = new Set(reached.map(({ whole }) => whole));
    const parts: Record<string, Digest> = {};
    const folders = new Set<string>();
    const uncacheable = [...missing];
    for (const { part, module, packages, findings, fatal } of reached) {
      for (const each of packages) folders.add(each);
      if (files === undefined) uncacheable.push(...findings);
      uncacheable.push(...fatal);
      if (part === null || (module !== null && wholes.has(module))) continue;
      const other = parts[part.name];
      // Pieces of one name: merged namespaces, or modules of two packages of one name.
      parts[part.name] =
        other === undefined ? part.digest : digestOf([other, part.digest].toSorted().join(" "));
    }
    for (const { name, digest } of this.#graph.loadOrders(reached)) parts[name] = digest;
    const { packages, findings } = this.#packages.withDependencies(folders);
    uncacheable.push(...findings);
    const loaded = new Set(
      reached.flatMap(({ module, opened }) => [...(module === null ? [] : [module.path]), ...opened]),
    );
    return { parts, packages, files: [...loaded], packageFolders: [...folders], uncacheable, warnings: [] };
  }

  #realPath(path: string): string {
    let real = this.#realPaths.get(path);
    if (real === undefined) {
      real = realPath(path);
      this.#realPaths.set(path, real);
    }
    return real;
  }

  #moduleAt(path: string): SourceModule {
    let module = this.#modules.get(path);
    if (module === undefined) {
      module = new SourceModule(path, this.#nameOf(path), this.#factsOf(path));
      this.#modules.set(path, module);
    }
    return module;
  }

  #factsOf(path: string): ModuleFacts {
    let digest: Digest | undefined;
    let bytes: Buffer;
    try {
      if (this.#memory !== undefined) digest = this.#hash(path);
      const known = digest === undefined ? undefined : this.#memory?.get(factsKey(path, digest));
      if (known !== undefined) return known;
      bytes = readFileSync(path);
    } catch {
      return brokenFacts("", { message: `${this.#nameOf(path)} cannot be read`, start: 0 });
    }
    const facts = factsOf(path, bytes.toString("utf8"));
    // A file that was written to in between would be remembered under what it was.
    if (digest !== undefined && digest === digestOf(bytes)) this.#memory?.set(factsKey(path, digest), facts);
    return facts;
  }

  /** Relative to the project, or for a linked package outside of it by the package's name. */
  #nameOf(path: string): string {
    let name = this.#names.get(path);
    if (name === undefined) {
      const inside = relative(this.#root, path);
      const around = inside.startsWith("..") ? this.#resolution.packageAround(dirname(path)) : null;
      name = (around === null ? inside : `${around.name}/${relative(around.folder, path)}`)
        .split(sep)
        .join("/");
      this.#names.set(path, name);
    }
    return name;
  }

  #isTrusted(packageFolder: string): boolean {
    const name = this.#packages.nameOf(packageFolder);
    return name === "zod" || isMlpipe(name);
  }
}

function factsKey(path: string, digest: Digest): string {
  return `code facts ${factsFormat} ${extname(path)} ${digest}`;
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
