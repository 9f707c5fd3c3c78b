/**
 * The graph of what code reaches: declarations, loaded modules, files. Nodes are opened when they
 * are first reached, so that only what some step reaches is read.
 */
import { dirname } from "node:path";
import type { Site } from "@mlpipe/dsl";
import { type Digest, digestOf } from "@mlpipe/store";
import type { Bindings, Bound } from "./bindings.ts";
import { builtinName, codeLoaders } from "./code-loaders.ts";
import { type CodeNode, exportsOf, loadOrderOf, newNode, open, type Part } from "./code-node.ts";
import type { Load } from "./followed.ts";
import { LoadOrder } from "./load-order.ts";
import type { Purity } from "./purity.ts";
import type { Resolution, Target } from "./resolution.ts";
import type { Use } from "./module-facts.ts";
import type { Item, SourceModule } from "./source-module.ts";

/** What the graph is made from. */
export interface CodeGraphSources {
  readonly moduleAt: (path: string) => SourceModule;
  readonly nameOf: (path: string) => string;
  readonly hash: (path: string) => Digest;
  readonly resolution: Resolution;
  readonly bindings: Bindings;
  readonly purity: Purity;
  /** Whether the package in a folder is one whose code is known to have no effects. */
  readonly isTrusted: (packageFolder: string) => boolean;
}

export class CodeGraph {
  readonly #from: CodeGraphSources;
  readonly #loads = new Map<string, CodeNode>();
  readonly #exports = new Map<string, CodeNode>();
  readonly #wholes = new Map<SourceModule, CodeNode>();
  readonly #items = new Map<Item, CodeNode>();
  readonly #files = new Map<string, CodeNode>();
  readonly #entries = new Map<SourceModule, CodeNode>();
  readonly #effectful = new Map<SourceModule, readonly Item[]>();
  readonly #order: LoadOrder;
  #walks = 0;

  constructor(sources: CodeGraphSources) {
    this.#from = sources;
    this.#order = new LoadOrder({
      ...sources,
      // What a binding that is assigned to holds, and a `var` before its module has run, depends on when it is read.
      isEffectful: (module) =>
        this.#effectfulOf(module).length > 0 || module.items.some(({ mutable }) => mutable),
    });
  }

  /** Everything that is reached from these nodes, themselves included. */
  reached(roots: readonly CodeNode[]): readonly CodeNode[] {
    const walk = ++this.#walks;
    const reached: CodeNode[] = [];
    const add = (node: CodeNode): void => {
      if (node.seen === walk) return;
      node.seen = walk;
      reached.push(node);
    };
    for (const root of roots) add(root);
    // The list grows while it is walked.
    for (const node of reached) {
      open(node);
      for (const edge of node.edges) add(edge);
    }
    return reached;
  }

  /** The loading of a module by itself, as a step's process does it, or an `import()`. */
  entry(path: string): CodeNode {
    const entry = this.#from.moduleAt(path);
    return remember(this.#entries, entry, () =>
      newNode({ entry, open: (node) => node.edges.push(this.load(path)) }),
    );
  }

  /** The order in which those of these nodes that are entries load what does something. */
  loadOrders(reached: readonly CodeNode[]): readonly Part[] {
    const readers = new Set<SourceModule>();
    const entries: SourceModule[] = [];
    for (const { reader, entry } of reached) {
      if (reader !== null) readers.add(reader);
      if (entry !== null) entries.push(entry);
    }
    return entries.flatMap((entry) => {
      const digest = this.#order.of(entry, readers);
      return digest === null ? [] : [{ name: loadOrderOf(entry.name), digest }];
    });
  }

  /** The loading of a module: what it imports is loaded too, and what is effectful runs. */
  load(path: string): CodeNode {
    return remember(this.#loads, path, () => {
      const module = this.#from.moduleAt(path);
      return newNode({ module, open: (node) => this.#openLoad(node, module) });
    });
  }

  /** All that a module exports, and its loading. */
  exports(path: string): CodeNode {
    return remember(this.#exports, path, () => newNode({ open: (node) => this.#openExports(node, path) }));
  }

  /** What an export of a module leads to; null if it has no such export. */
  export(path: string, name: string): readonly CodeNode[] | null {
    const bounds = this.#from.bindings.ofExport(path, name);
    return bounds.some(({ type }) => type === "unknown")
      ? null
      : bounds.flatMap((bound) => this.#nodesOf(bound));
  }

  /** A file by its content. */
  file(path: string): CodeNode {
    return remember(this.#files, path, () => {
      const name = this.#from.nameOf(path);
      return newNode({
        open: (node) => {
          try {
            node.part = { name, digest: this.#from.hash(path) };
          } catch {
            node.fatal.push({ message: `${name} cannot be read` });
          }
        },
      });
    });
  }

  #openLoad(node: CodeNode, module: SourceModule): void {
    if (module.broken !== null) {
      node.fatal.push({ message: module.broken.message, site: module.siteAt(module.broken.start) });
    }
    for (const { specifier, attribute, start } of module.requests) {
      const target = this.#from.resolution.resolve(module.path, specifier, "import");
      // Data does nothing when it is loaded, and counts where its name is used.
      const isData = attribute !== null || (target.type === "file" && target.path.endsWith(".json"));
      if (target.type === "file" && isData) node.opened.push(target.path);
      else if (target.type === "module") node.edges.push(this.load(target.path));
      else if (target.type !== "builtin") this.#add(node, target, specifier, () => module.siteAt(start));
    }
    const effectful = this.#effectfulOf(module);
    node.edges.push(...effectful.map((item) => this.#item(item)));
    // One effectful declaration says all by itself. Of several the order counts, and statements have no name.
    if (!module.isOnePiece && (effectful.length > 1 || effectful.some(({ label }) => label === null))) {
      const lines = effectful.map((item) => item.label ?? this.#digest(item));
      node.part = { name: `${module.name}#(top level)`, digest: digestOf(JSON.stringify(lines)) };
    }
  }

  #openExports(node: CodeNode, path: string): void {
    const module = this.#from.moduleAt(path);
    node.edges.push(this.load(path));
    if (module.isOnePiece) node.edges.push(...module.items.map((item) => this.#item(item)));
    // Which names there are, and what is behind each: the pieces themselves do not say.
    const lines = module.stars.map((star) => `* ${star}`);
    for (const name of module.exports.keys()) {
      for (const bound of this.#from.bindings.ofExport(path, name)) {
        lines.push(`${name} ${this.#describe(bound)}`);
        if (bound.type !== "unknown") node.edges.push(...this.#nodesOf(bound));
      }
    }
    if (!module.isOnePiece)
      node.part = { name: exportsOf(module.name), digest: digestOf(JSON.stringify(lines.toSorted())) };
    for (const star of module.stars) {
      const target = this.#from.resolution.resolve(path, star, "import");
      if (target.type === "module") node.edges.push(this.exports(target.path));
    }
  }

  #item(item: Item): CodeNode {
    if (item.mutable) return this.#whole(item.module);
    return remember(this.#items, item, () =>
      newNode({ module: item.module, open: (node) => this.#openItem(node, item) }),
    );
  }

  /** A module whose state changes: what any of it does may depend on all of it. */
  #whole(module: SourceModule): CodeNode {
    return remember(this.#wholes, module, () =>
      newNode({
        whole: module,
        open: (node) => {
          const digests = module.items.map((item) => this.#digest(item, node));
          node.part = { name: module.name, digest: digestOf(JSON.stringify(digests)) };
        },
      }),
    );
  }

  #openItem(node: CodeNode, item: Item): void {
    const digest = this.#digest(item, node);
    const { name } = item.module;
    if (item.module.isOnePiece) node.part = { name, digest };
    else if (item.label !== null) node.part = { name: `${name}#${item.label}`, digest };
  }

  /**
   * The digest of a piece: its syntax, and what its names are bound to. The latter by name alone,
   * since what they lead to has a part of its own.
   */
  #digest(item: Item, node: CodeNode = newNode({})): Digest {
    const { module } = item;
    const lines = new Set<string>();
    node.findings.push(...item.dead.map((dead) => module.findingOf(dead)));
    for (const use of item.uses) {
      const bounds = this.#from.bindings.ofPath(module, use);
      if (bounds === null) {
        lines.add(`${use.name} global`);
        continue;
      }
      for (const bound of bounds) {
        const isMember =
          use.member !== null && this.#from.bindings.ofName(module, use.name)?.[0]?.type === "namespace";
        lines.add(`${use.name}${isMember ? `.${use.member}` : ""} ${this.#describe(bound)}`);
        node.edges.push(...this.#nodesOf(bound));
        if (bound.type === "package") node.packages.push(bound.folder);
        if (isPassedOn(bound, use, module)) {
          const what = bound.type === "builtin" ? bound.specifier : "a require";
          node.findings.push({
            message: `${what} of another module cannot be followed`,
            site: module.siteAt(use.start),
          });
        }
      }
    }
    for (const load of item.loads) {
      const target = this.#targetOf(module, load);
      lines.add(`${load.how} ${load.specifier} ${this.#describeTarget(target)}`);
      this.#add(node, target, load.specifier, () => module.siteAt(load.start));
    }
    // Text without imports or exports is strict, and has a `this`, by what package.json says.
    if (module.isOnePiece && /\.[jt]sx?$/.test(module.path)) {
      if (this.#from.resolution.isModuleScope(dirname(module.path))) lines.add("module scope");
    }
    let order = 0;
    if (this.#from.purity.dependsOnOrder(item)) {
      order = this.#effectsBefore(item);
      node.reader = module;
    }
    return digestOf(JSON.stringify([item.form, [...lines].toSorted(), order]));
  }

  #effectfulOf(module: SourceModule): readonly Item[] {
    return remember(this.#effectful, module, () =>
      module.items.filter((item) => this.#from.purity.isEffectful(item)),
    );
  }

  #effectsBefore(item: Item): number {
    return this.#effectfulOf(item.module).filter(({ position }) => position < item.position).length;
  }

  #targetOf(module: SourceModule, { how, specifier }: Load): Target {
    const { resolution } = this.#from;
    if (how === "url") return resolution.resolveUrl(module.path, specifier);
    if (how === "path") return resolution.resolvePath(specifier);
    return resolution.resolve(module.path, specifier, how);
  }

  #add(node: CodeNode, target: Target, specifier: string, siteAt: () => Site): void {
    switch (target.type) {
      case "module":
        node.edges.push(this.entry(target.path), this.exports(target.path));
        return;
      case "file":
        node.edges.push(this.file(target.path));
        return;
      case "package":
        node.packages.push(target.folder);
        return;
      case "builtin":
        if (!codeLoaders.has(builtinName(target.name))) return;
        node.findings.push({
          message: `${specifier} must be imported by its name to be followed`,
          site: siteAt(),
        });
        return;
      case "nowhere":
        node.findings.push({ message: `${specifier} ${target.why}`, site: siteAt() });
        return;
      case "inline":
    }
  }

  #nodesOf(bound: Bound): readonly CodeNode[] {
    switch (bound.type) {
      case "item":
        return [this.#item(bound.item)];
      case "namespace":
      case "unknown":
        return [this.exports(bound.path)];
      case "file":
        return [this.file(bound.path)];
      case "package":
      case "builtin":
      case "nowhere":
        return [];
    }
  }

  #describe(bound: Bound): string {
    const { nameOf } = this.#from;
    switch (bound.type) {
      case "item":
        return `${bound.item.module.name}#${bound.item.label ?? ""}${bound.item.names.length === 1 ? "" : ` ${bound.name}`}`;
      case "namespace":
        return `${nameOf(bound.path)}#*`;
      case "unknown":
        return `${nameOf(bound.path)}#?${bound.imported}`;
      case "file":
        return `${nameOf(bound.path)} ${bound.attribute ?? ""}${bound.imported === "default" ? "" : ` ${bound.imported}`}`;
      case "package":
      case "builtin":
        return `${bound.specifier}#${bound.imported}`;
      case "nowhere":
        return `${bound.specifier} nowhere`;
    }
  }

  #describeTarget(target: Target): string {
    if (target.type === "module" || target.type === "file") return this.#from.nameOf(target.path);
    return target.type;
  }
}

/** Whether a module got from another one of the project what loads code, so that its uses are not known. */
function isPassedOn(bound: Bound, { name }: Use, module: SourceModule): boolean {
  if (bound.type === "item") return bound.item.isRequire && bound.item.module !== module;
  if (bound.type !== "builtin" || !codeLoaders.has(builtinName(bound.specifier))) return false;
  return module.imports.get(name)?.specifier !== bound.specifier;
}

function remember<Key, Value>(known: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}
