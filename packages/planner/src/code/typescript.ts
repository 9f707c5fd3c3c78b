/**
 * Code identity of TypeScript steps: the declarations that a step's export reaches, and what
 * happens when the modules around them are loaded. One digest for each declaration, so that a
 * reason can name it.
 */
import { realpathSync } from "node:fs";
import { dirname, extname, relative, sep } from "node:path";
import { type Digest, digestOf } from "@mlpipe/store";
import type { CodeIdentity, Finding } from "../command/findings.ts";
import { Bindings } from "./bindings.ts";
import type { CodeNode } from "./code-node.ts";
import { CodeGraph } from "./graph.ts";
import { InstalledPackages } from "./installed-packages.ts";
import { Purity } from "./purity.ts";
import { isMlpipe, Resolution } from "./resolution.ts";
import { readModule, scriptExtensions, type SourceModule } from "./source-module.ts";

/** How a module is looked at. */
export interface IdentifyOptions {
  /** Files the user named: they stand for what cannot be followed. */
  readonly files?: readonly string[];
}

/** One planning session's knowledge of the code of a project: each module is read once. */
export class TypeScriptCode {
  readonly #root: string;
  readonly #modules = new Map<string, SourceModule>();
  readonly #realPaths = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #resolution: Resolution;
  readonly #packages: InstalledPackages;
  readonly #graph: CodeGraph;

  constructor({
    projectRoot,
    hash,
  }: {
    readonly projectRoot: string;
    readonly hash: (path: string) => Digest;
  }) {
    this.#root = realPath(projectRoot);
    this.#resolution = new Resolution(this.#root);
    this.#packages = new InstalledPackages(this.#root, hash);
    const moduleAt = (path: string): SourceModule => this.#moduleAt(path);
    const bindings = new Bindings(moduleAt, this.#resolution);
    const purity = new Purity(bindings, (folder) => this.#isTrusted(folder));
    const nameOf = (path: string): string => this.#nameOf(path);
    this.#graph = new CodeGraph({ moduleAt, nameOf, hash, resolution: this.#resolution, bindings, purity });
  }

  /** The identity of an exported step. */
  identify(modulePath: string, exportName: string, options: IdentifyOptions = {}): CodeIdentity {
    const path = this.#realPath(modulePath);
    const exported = this.#graph.export(path, exportName);
    if (exported !== null) return this.#identityOf([this.#graph.load(path), ...exported], options, []);
    const missing = {
      message: `${this.#nameOf(path)} has no export ${exportName}`,
      site: { file: path, line: 1, column: 1 },
    };
    return this.#identityOf([this.#graph.exports(path)], options, [missing]);
  }

  /** The identity of a module that is started as a program. */
  identifyModule(modulePath: string, options: IdentifyOptions = {}): CodeIdentity {
    const path = this.#realPath(modulePath);
    const isScript = scriptExtensions.has(extname(path));
    return this.#identityOf([isScript ? this.#graph.exports(path) : this.#graph.file(path)], options, []);
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
    const { packages, findings } = this.#packages.withDependencies(folders);
    uncacheable.push(...findings);
    return { parts, packages, uncacheable, warnings: [] };
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
      module = readModule(path, this.#nameOf(path));
      this.#modules.set(path, module);
    }
    return module;
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

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}
