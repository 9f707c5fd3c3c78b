/** Where a specifier leads, as Node would resolve it in the process of a step. */
import { readFileSync, realpathSync, statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Resolver from "oxc-resolver";
import { nodeConditions, sourceCondition } from "./conditions.ts";
import { nativePackage } from "./native-package.ts";
import { sourceFile } from "./source-file.ts";
import { scriptExtensions } from "./source-module.ts";

/** What a specifier leads to. */
export type Target =
  /** A module of the project, or of a package that is linked into it: its source counts. */
  | { readonly type: "module"; readonly path: string }
  /** Any other file: its content counts. */
  | { readonly type: "file"; readonly path: string }
  /** An installed package, by its real folder: name and version count. */
  | { readonly type: "package"; readonly folder: string }
  | { readonly type: "builtin"; readonly name: string }
  /** A literal `data:` URL, which is in the code already. */
  | { readonly type: "inline" }
  | { readonly type: "nowhere"; readonly why: string };

/** mlpipe and what it consists of: packages even where they are linked, since their versions say what they do. */
export function isMlpipe(name: string): boolean {
  return name === "mlpipe" || name.startsWith("@mlpipe/");
}

/** Resolves specifiers, each once. */
export class Resolution {
  readonly #root: string;
  readonly #conditions: readonly string[];
  readonly #scopes = new Map<string, boolean>();
  readonly #known = new Map<string, Target>();
  readonly #names = new Map<string, { readonly folder: string; readonly name: string } | null>();
  #resolvers: Readonly<Record<"import" | "require", readonly Resolver.ResolverFactory[]>> | undefined;

  /** @param conditions those beyond Node's own that the process is started with */
  constructor(root: string, conditions: readonly string[]) {
    this.#root = root;
    this.#conditions = import.meta.url.endsWith(".ts") ? [...conditions, sourceCondition] : conditions;
  }

  /** Where a specifier in a module leads. */
  resolve(from: string, specifier: string, how: "import" | "require"): Target {
    const folder = dirname(from);
    const key = `${how}\0${folder}\0${specifier}`;
    let target = this.#known.get(key);
    if (target === undefined) {
      target = this.#find(from, specifier, how);
      this.#known.set(key, target);
    }
    return target;
  }

  /** A file named by a URL relative to a module. */
  resolveUrl(from: string, specifier: string): Target {
    if (!URL.canParse(specifier, pathToFileURL(from).href)) return { type: "nowhere", why: "is no URL" };
    const url = new URL(specifier, pathToFileURL(from));
    return url.protocol === "file:" ? this.resolvePath(fileURLToPath(url)) : { type: "inline" };
  }

  /** A file by its path, relative to the project's root. */
  resolvePath(path: string): Target {
    const full = join(path.startsWith(sep) ? "" : this.#root, path);
    const found = statSync(full, { throwIfNoEntry: false });
    if (found === undefined) return { type: "nowhere", why: "leads nowhere" };
    return found.isFile()
      ? fileTarget(full)
      : { type: "nowhere", why: "is a folder, and what is read of it cannot be followed" };
  }

  /** Whether the nearest `package.json` makes a module of text that does not say what it is. */
  isModuleScope(folder: string): boolean {
    let known = this.#scopes.get(folder);
    if (known === undefined) {
      const document = documentIn(folder);
      const parent = dirname(folder);
      known =
        document === null && parent !== folder && !folder.endsWith(`${sep}node_modules`)
          ? this.isModuleScope(parent)
          : document?.["type"] === "module";
      this.#scopes.set(folder, known);
    }
    return known;
  }

  /** The package that a folder belongs to, if one with a name is around it. */
  packageAround(folder: string): { readonly folder: string; readonly name: string } | null {
    const passed: string[] = [];
    let at = folder;
    let found = this.#names.get(at);
    while (found === undefined) {
      passed.push(at);
      const name = nameIn(at);
      const parent = dirname(at);
      if (name !== null) found = { folder: at, name };
      else if (parent === at) found = null;
      else {
        at = parent;
        found = this.#names.get(at);
      }
    }
    for (const each of passed) this.#names.set(each, found);
    return found;
  }

  #find(from: string, given: string, how: "import" | "require"): Target {
    const folder = dirname(from);
    if (isBuiltin(given)) return { type: "builtin", name: given };
    if (given.startsWith("data:")) return { type: "inline" };
    if (given.startsWith("file:")) return this.resolveUrl(join(folder, "module"), given);
    const isRelative = /^\.{0,2}\//.test(given);
    const plain = isRelative ? this.#plainFile(folder, given, how) : this.#plainPackage(folder, given);
    if (plain !== undefined) return plain;
    if (isRelative && how === "import") {
      const meant = sourceFile(given, from);
      return meant === undefined ? nowhere : fileTarget(meant);
    }
    for (const resolver of this.#whole()[how]) {
      const { path } = resolver.sync(folder, given);
      if (path !== undefined) return this.#classify(path, !isRelative && !given.startsWith("#"));
    }
    return nowhere;
  }

  /**
   * A file named with its extension, which is where Node goes without looking anywhere else. Almost every import of a
   * project is one, or that of a package: the resolver proper is native code whose loading takes longer than both.
   */
  #plainFile(folder: string, given: string, how: "import" | "require"): Target | undefined {
    const path = join(given.startsWith("/") ? "" : folder, how === "import" ? asPath(given) : given);
    try {
      return statSync(path).isFile() ? fileTarget(realpathSync.native(path)) : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * A package that is really installed, found as Node finds it. Which of its files is loaded does not matter: it counts
   * by name, version and integrity. Linked ones, and a package that imports itself by its name, are not plain.
   */
  #plainPackage(folder: string, given: string): Target | undefined {
    const name = /^(?:@[^/\\%]+\/)?[^@./\\%#][^/\\%]*/.exec(given)?.[0];
    if (name === undefined || this.packageAround(folder)?.name === name) return undefined;
    for (let at = folder; ; at = dirname(at)) {
      if (!at.endsWith(`${sep}node_modules`)) {
        const place = join(at, "node_modules", name);
        if (statSync(place, { throwIfNoEntry: false }) !== undefined) return this.#installedAt(place);
      }
      if (at === dirname(at)) return undefined;
    }
  }

  #installedAt(place: string): Target | undefined {
    try {
      const real = dirname(realpathSync.native(join(place, "package.json")));
      return installedFolder(real) === real ? { type: "package", folder: real } : undefined;
    } catch {
      return undefined;
    }
  }

  #whole(): Readonly<Record<"import" | "require", readonly Resolver.ResolverFactory[]>> {
    if (this.#resolvers !== undefined) return this.#resolvers;
    // What createRequire gives has no types; these are those of the package that was asked for.
    const { ResolverFactory } = nativePackage("oxc-resolver", import.meta.url) as typeof Resolver;
    const make = (how: "import" | "require", extensions: string[]): Resolver.ResolverFactory =>
      new ResolverFactory({
        conditionNames: [how, ...nodeConditions, ...this.#conditions],
        extensions,
        nodePath: false,
      });
    const legacy = [".js", ".json", ".node"];
    this.#resolvers = {
      // Packages without `exports` may leave out extensions even for `import`.
      import: [make("import", []), make("import", legacy)],
      require: [make("require", legacy)],
    };
    return this.#resolvers;
  }

  #classify(path: string, isBare: boolean): Target {
    const installed = installedFolder(path);
    if (installed !== null) return { type: "package", folder: installed };
    if (isBare) {
      const around = this.packageAround(dirname(path));
      if (around !== null && isMlpipe(around.name)) return { type: "package", folder: around.folder };
    }
    return fileTarget(path);
  }
}

const nowhere: Target = { type: "nowhere", why: "leads nowhere" };

function fileTarget(path: string): Target {
  return { type: scriptExtensions.has(extname(path)) ? "module" : "file", path };
}

function asPath(specifier: string): string {
  const [bare = specifier] = specifier.split(/[?#]/, 1);
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

/** The folder of the package in `node_modules` that a real path belongs to. */
export function installedFolder(path: string): string | null {
  const mark = `${sep}node_modules${sep}`;
  const at = path.lastIndexOf(mark);
  if (at === -1) return null;
  const start = at + mark.length;
  const [first = "", second = ""] = path.slice(start).split(sep, 2);
  return path.slice(0, start) + (first.startsWith("@") ? join(first, second) : first);
}

function nameIn(folder: string): string | null {
  const name = documentIn(folder)?.["name"];
  return typeof name === "string" && name !== "" ? name : null;
}

function documentIn(folder: string): Readonly<Record<string, unknown>> | null {
  try {
    const document: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return typeof document === "object" ? (document as Readonly<Record<string, unknown>> | null) : null;
  } catch {
    return null;
  }
}
