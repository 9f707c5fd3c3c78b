/** What names are bound to, across modules: through imports, re-exports and namespaces. */
import type { ImportedName } from "./followed.ts";
import type { Path } from "./effects.ts";
import type { Resolution } from "./resolution.ts";
import type { Item, SourceModule } from "./source-module.ts";

/** What a name is bound to. */
export type Bound =
  /** A piece of a module, and by which name: of several that it declares, or that a module of one piece exports. */
  | { readonly type: "item"; readonly item: Item; readonly name: string }
  /** All exports of a module as one object. */
  | { readonly type: "namespace"; readonly path: string }
  | {
      readonly type: "package";
      readonly folder: string;
      readonly specifier: string;
      readonly imported: string;
    }
  | { readonly type: "builtin"; readonly specifier: string; readonly imported: string }
  | {
      readonly type: "file";
      readonly path: string;
      readonly attribute: string | null;
      readonly imported: string;
    }
  /** A module that does not say where the export comes from, or does not have it. */
  | { readonly type: "unknown"; readonly path: string; readonly imported: string }
  | { readonly type: "nowhere"; readonly specifier: string };

/** Answers what names are bound to, each once. More than one answer means that either may be. */
export class Bindings {
  readonly #moduleAt: (path: string) => SourceModule;
  readonly #resolution: Resolution;
  readonly #exports = new Map<string, Answer>();

  constructor(moduleAt: (path: string) => SourceModule, resolution: Resolution) {
    this.#moduleAt = moduleAt;
    this.#resolution = resolution;
  }

  /** What a name in a module is bound to; null for a global one. */
  ofName(module: SourceModule, name: string): readonly Bound[] | null {
    const items = module.bindings.get(name);
    if (items !== undefined) return items.map((item) => ({ type: "item", item, name }));
    const imported = module.imports.get(name);
    return imported === undefined ? null : this.#ofImport(module, imported);
  }

  /** What a name is bound to, or its member if it is a namespace. */
  ofPath(module: SourceModule, { name, member }: Path): readonly Bound[] | null {
    const bounds = this.ofName(module, name);
    if (bounds === null || member === null) return bounds;
    return bounds.flatMap((bound) =>
      bound.type === "namespace" ? this.ofExport(bound.path, member) : [bound],
    );
  }

  #ofImport(module: SourceModule, name: ImportedName): readonly Bound[] {
    const { specifier, imported } = name;
    const target = this.#resolution.resolve(module.path, specifier, "import");
    if (target.type === "module") {
      return imported === "*"
        ? [{ type: "namespace", path: target.path }]
        : this.ofExport(target.path, imported);
    }
    return [outside(target, name)];
  }

  /** What an export of a module is bound to. */
  ofExport(path: string, name: string): readonly Bound[] {
    const key = `${path}\0${name}`;
    let answer = this.#exports.get(key);
    if (answer === undefined) {
      answer = this.#follow(path, name);
      this.#exports.set(key, answer);
    }
    if (answer.found.length > 0) return answer.found;
    return answer.possible.length > 0 ? answer.possible : [{ type: "unknown", path, imported: name }];
  }

  /** Chains of re-exports may be as long as a project has modules, so they are walked without recursion. */
  #follow(start: string, startName: string): Answer {
    const found: Bound[] = [];
    const possible: Bound[] = [];
    const waiting: (readonly [path: string, name: string])[] = [[start, startName]];
    const seen = new Set<string>();
    const follow = (from: string, to: ImportedName, into: Bound[]): void => {
      const { specifier, imported } = to;
      const target = this.#resolution.resolve(from, specifier, "import");
      if (target.type !== "module") into.push(outside(target, to));
      else if (imported === "*") into.push({ type: "namespace", path: target.path });
      else waiting.push([target.path, imported]);
    };
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [path, name] = next;
      const key = `${path}\0${name}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const known = this.#exports.get(key);
      if (known !== undefined) {
        found.push(...known.found);
        possible.push(...known.possible);
        continue;
      }
      const module = this.#moduleAt(path);
      const exported = module.exports.get(name);
      if (module.isOnePiece)
        found.push(...module.items.map((item) => ({ type: "item", item, name }) as const));
      else if (exported === undefined) {
        if (name !== "default")
          for (const star of module.stars) follow(path, { specifier: star, imported: name }, possible);
      } else if (exported.specifier !== null) {
        follow(path, { specifier: exported.specifier, imported: exported.name }, found);
      } else {
        const items = module.bindings.get(exported.name);
        const imported = module.imports.get(exported.name);
        if (items !== undefined) {
          const { name: local } = exported;
          found.push(...items.map((item) => ({ type: "item", item, name: local }) as const));
        } else if (imported !== undefined) follow(path, imported, found);
      }
    }
    return { found, possible };
  }
}

interface Answer {
  readonly found: readonly Bound[];
  /** What `export *` from a package may give, if nothing else does. */
  readonly possible: readonly Bound[];
}

type Outside = Exclude<ReturnType<Resolution["resolve"]>, { readonly type: "module" }>;

function outside(target: Outside, { specifier, imported, attribute = null }: ImportedName): Bound {
  switch (target.type) {
    case "package":
      return { type: "package", folder: target.folder, specifier, imported };
    case "file":
      return { ...target, attribute, imported };
    case "builtin":
    case "inline":
      return { type: "builtin", specifier, imported };
    case "nowhere":
      return { type: "nowhere", specifier };
  }
}
