/** A module of the project, read once: its imports, its exports, and its top level piece by piece. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Site } from "@mlpipe/dsl";
import { digestOf } from "@mlpipe/store";
import { parseSync, type ParseResult } from "oxc-parser";
import type { Finding } from "../command/findings.ts";
import { type Effect, effectOf } from "./effects.ts";
import { Follower, type ImportedName, type Load, makesRequire } from "./followed.ts";
import { normalForm } from "./normal-form.ts";
import { namesOf } from "./scopes.ts";
import { splitModule, type Statement } from "./top-level.ts";

/** A use of a name that a piece of the top level does not declare itself. */
export interface Use {
  readonly name: string;
  /** In `name.member`, the member: it matters where the name is a namespace. */
  readonly member: string | null;
  readonly start: number;
}

/** One declaration or statement of a module's top level. */
export interface Item {
  readonly module: SourceModule;
  /** Its place among the pieces of its module. */
  readonly position: number;
  readonly names: readonly string[];
  /** What reasons call it; null for a statement, or for a module that is one piece. */
  readonly label: string | null;
  /** Digest of its normal form. */
  readonly form: string;
  readonly uses: readonly Use[];
  readonly loads: readonly Load[];
  readonly findings: readonly Finding[];
  readonly effect: Effect;
  /** Whether it is a `require` made by `createRequire`. */
  readonly isRequire: boolean;
  /** Whether its binding is assigned to anew: what it holds is then a matter of the whole module. */
  mutable: boolean;
}

/** A static import or re-export, which loads its module. */
export interface Request {
  readonly specifier: string;
  /** The `type` of its import attributes. */
  readonly attribute: string | null;
  readonly start: number;
}

/** What an export stands for: a name of this module, or of the one it is passed on from. */
export interface Export {
  readonly specifier: string | null;
  readonly name: string;
}

export interface SourceModule {
  /** Absolute, without links. */
  readonly path: string;
  /** What reasons call it. */
  readonly name: string;
  readonly requests: readonly Request[];
  readonly imports: ReadonlyMap<string, ImportedName>;
  readonly exports: ReadonlyMap<string, Export>;
  /** Specifiers of `export * from`. */
  readonly stars: readonly string[];
  readonly items: readonly Item[];
  readonly bindings: ReadonlyMap<string, readonly Item[]>;
  /** A module that is one piece: what uses any of it uses all. */
  readonly isOnePiece: boolean;
  /** Why it cannot be read; then the digest of its text stands for it. */
  readonly broken: Finding | null;
  readonly siteAt: (offset: number) => Site;
}

/** Extensions of modules that Node runs as JavaScript or TypeScript. */
export const scriptExtensions: ReadonlySet<string> = new Set([
  ".ts",
  ".mts",
  ".cts",
  ".tsx",
  ".js",
  ".mjs",
  ".cjs",
  ".jsx",
]);

/** Reads a module. One that cannot be read or parsed comes back broken. */
export function readModule(path: string, name: string): SourceModule {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return brokenModule(path, name, "", { message: `${name} cannot be read` });
  }
  const siteAt = siteFinder(path, text);
  const parsed = parse(path, text);
  const error = parsed.errors[0];
  if (error !== undefined) {
    const offset = error.labels[0]?.start ?? 0;
    return brokenModule(path, name, text, {
      message: `it cannot be parsed: ${error.message}`,
      site: siteAt(offset),
    });
  }
  try {
    return analyse(path, name, parsed, siteAt);
  } catch (thrown) {
    // A sum of ten thousand terms is nested ten thousand deep.
    if (!(thrown instanceof RangeError)) throw thrown;
    return brokenModule(path, name, text, {
      message: "its code is nested too deeply to be followed",
      site: siteAt(0),
    });
  }
}

function parse(path: string, text: string): ParseResult {
  const extension = extname(path);
  const lang = extension.endsWith("x")
    ? extension === ".tsx"
      ? "tsx"
      : "jsx"
    : extension.endsWith("ts")
      ? "ts"
      : "js";
  const options = { lang, preserveParens: false } as const;
  if (extension.startsWith(".c")) return parseSync(path, text, { ...options, sourceType: "commonjs" });
  const parsed = parseSync(path, text, { ...options, sourceType: "module" });
  if (parsed.errors.length === 0 || parsed.module.hasModuleSyntax) return parsed;
  return parseSync(path, text, { ...options, sourceType: "commonjs" });
}

function analyse(
  path: string,
  name: string,
  { program, module: { hasModuleSyntax } }: ParseResult,
  siteAt: (offset: number) => Site,
): SourceModule {
  const isOnePiece = extname(path).startsWith(".c") || !hasModuleSyntax;
  const { statements, imports, exports, requests, stars } = splitModule(program, isOnePiece);
  const watched = new Set(["URL"]);
  for (const [local, { specifier }] of imports) if (/^(?:node:)?module$/.test(specifier)) watched.add(local);
  const surroundings = {
    watched,
    makesRequire: (node: Statement["node"]): boolean => makesRequire(node, imports),
  };
  const found = statements.map((statement) => ({ statement, names: namesOf(statement.node, surroundings) }));

  const bound = new Set(imports.keys());
  const requirers = new Set<string>();
  for (const { statement, names } of found) {
    for (const each of statement.names ?? names.declared) bound.add(each);
    for (const each of names.requirers) requirers.add(each);
  }
  const follower = new Follower(imports, requirers);
  const isBound = (local: string): boolean => bound.has(local);
  const items: Item[] = [];
  const bindings = new Map<string, Item[]>();
  const source: SourceModule = {
    path,
    name,
    requests,
    imports,
    exports,
    stars,
    items,
    bindings,
    isOnePiece,
    broken: null,
    siteAt,
  };
  const written = new Set<string>();
  for (const { statement, names } of found) {
    const { loads, dead } = follower.follow(names);
    const uses = new Map<string, Use>();
    for (const { name: used, member, write, node } of names.free) {
      if (write) written.add(used);
      const key = `${used}.${member ?? ""}`;
      if (!requirers.has(used) && !uses.has(key)) uses.set(key, { name: used, member, start: node.start });
    }
    const declared = statement.names ?? [...names.declared];
    const item: Item = {
      module: source,
      position: items.length,
      names: isOnePiece ? [] : declared,
      label: isOnePiece ? null : (statement.label ?? (declared.length === 0 ? null : declared.join(","))),
      form: digestOf(`${statement.keyword} ${normalForm(statement.node)}`),
      uses: [...uses.values()],
      loads,
      findings: dead.map(({ message, start }) => ({ message, site: siteAt(start), hint: filesHint })),
      // What `using` holds is disposed of when the module has run.
      effect:
        isOnePiece || statement.keyword.endsWith("using") ? wholeEffect : effectOf(statement.node, isBound),
      isRequire: names.requirers.size > 0,
      mutable: statement.keyword === "var",
    };
    items.push(item);
    for (const each of item.names) bindings.set(each, [...(bindings.get(each) ?? []), item]);
  }
  for (const each of written) for (const item of bindings.get(each) ?? []) item.mutable = true;
  return source;
}

const filesHint = "Name what it loads in the step's `files`.";
const wholeEffect: Effect = { certain: true, needs: [], value: "opaque", valueNeeds: [], takes: new Set() };

function brokenModule(path: string, name: string, text: string, broken: Finding): SourceModule {
  const site: Site = { file: path, line: 1, column: 1 };
  const module: SourceModule = {
    path,
    name,
    requests: [],
    imports: new Map(),
    exports: new Map(),
    stars: [],
    items: [],
    bindings: new Map(),
    isOnePiece: true,
    broken,
    siteAt: () => site,
  };
  const item = {
    module,
    position: 0,
    names: [],
    label: null,
    form: digestOf(text),
    uses: [],
    loads: [],
    findings: [],
    isRequire: false,
  };
  return Object.assign(module, { items: [{ ...item, effect: wholeEffect, mutable: false }] });
}

/** Lines are counted once, and only for a module that has something to be pointed at. */
function siteFinder(file: string, text: string): (offset: number) => Site {
  let starts: number[] | undefined;
  return (offset) => {
    starts ??= [
      0,
      ...[...text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)].map(({ index, 0: end }) => index + end.length),
    ];
    const line = starts.findLastIndex((start) => start <= offset);
    return { file, line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  };
}
