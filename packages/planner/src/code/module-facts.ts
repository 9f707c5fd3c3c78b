/**
 * What is to be known of a module's text: its imports, its exports, and its top level piece by
 * piece. It is plain data and depends on the text alone, so that it can be kept by its digest.
 */
import { extname } from "node:path";
import { digestOf } from "@mlpipe/store";
import type * as Parser from "oxc-parser";
import { type Effect, effectOf } from "./effects.ts";
import { type Dead, Follower, type ImportedName, type Load, makesRequire } from "./followed.ts";
import { normalForm } from "./normal-form.ts";
import { loadedParser } from "./parser.ts";
import { namesOf } from "./scopes.ts";
import { splitModule, type Statement } from "./top-level.ts";

/** Raised when the facts of the same text change. */
export const factsFormat = 2;

/** A use of a name that a piece of the top level does not declare itself. */
export interface Use {
  readonly name: string;
  /** In `name.member`, the member: it matters where the name is a namespace. */
  readonly member: string | null;
  readonly start: number;
}

/** One declaration or statement of a module's top level. */
export interface ItemFacts {
  readonly names: readonly string[];
  /** What reasons call it; null for a statement, or for a module that is one piece. */
  readonly label: string | null;
  /** Digest of its normal form. */
  readonly form: string;
  readonly uses: readonly Use[];
  readonly loads: readonly Load[];
  readonly dead: readonly Dead[];
  readonly effect: Effect;
  /** Whether it is a `require` made by `createRequire`. */
  readonly isRequire: boolean;
  /** Whether its binding is assigned to anew: what it holds is then a matter of the whole module. */
  readonly mutable: boolean;
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

export interface ModuleFacts {
  readonly requests: readonly Request[];
  readonly imports: readonly (readonly [local: string, from: ImportedName])[];
  readonly exports: readonly (readonly [exported: string, what: Export])[];
  /** Specifiers of `export * from`. */
  readonly stars: readonly string[];
  readonly items: readonly ItemFacts[];
  /** A module that is one piece: what uses any of it uses all. */
  readonly isOnePiece: boolean;
  /** Why it cannot be read; then the digest of its text stands for it. */
  readonly broken: Dead | null;
}

/** Finds the facts of a module by its text; of its path only the extension counts. */
export function factsOf(path: string, text: string): ModuleFacts {
  const parsed = parse(path, text);
  const error = parsed.errors[0];
  if (error !== undefined) {
    return brokenFacts(text, {
      message: `it cannot be parsed: ${error.message}`,
      start: error.labels[0]?.start ?? 0,
    });
  }
  try {
    return analyse(path, parsed);
  } catch (thrown) {
    // A sum of ten thousand terms is nested ten thousand deep.
    if (!(thrown instanceof RangeError)) throw thrown;
    return brokenFacts(text, { message: "its code is nested too deeply to be followed", start: 0 });
  }
}

/** The facts of a module that cannot be read: nothing but its text. */
export function brokenFacts(text: string, broken: Dead): ModuleFacts {
  const item: ItemFacts = {
    names: [],
    label: null,
    form: digestOf(text),
    uses: [],
    loads: [],
    dead: [],
    effect: wholeEffect,
    isRequire: false,
    mutable: false,
  };
  return { requests: [], imports: [], exports: [], stars: [], items: [item], isOnePiece: true, broken };
}

const wholeEffect: Effect = { certain: true, needs: [], value: "opaque", valueNeeds: [], takes: [] };

function parse(path: string, text: string): Parser.ParseResult {
  const { parseSync } = loadedParser();
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

function analyse(path: string, { program, module: { hasModuleSyntax } }: Parser.ParseResult): ModuleFacts {
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
  const written = new Set<string>();
  for (const { statement, names } of found) {
    for (const each of statement.names ?? names.declared) bound.add(each);
    for (const each of names.requirers) requirers.add(each);
    for (const { name, write } of names.free) if (write) written.add(name);
  }
  const follower = new Follower(imports, requirers);
  const items = found.map(({ statement, names }): ItemFacts => {
    const { keyword, node } = statement;
    const { loads, dead } = follower.follow(names);
    const uses = new Map<string, Use>();
    for (const {
      name,
      member,
      node: { start },
    } of names.free) {
      const key = `${name}.${member ?? ""}`;
      if (!requirers.has(name) && !uses.has(key)) uses.set(key, { name, member, start });
    }
    const declared = isOnePiece ? [] : (statement.names ?? [...names.declared]);
    return {
      names: declared,
      label: statement.label ?? (declared.length === 0 ? null : declared.join(",")),
      form: digestOf(`${keyword} ${normalForm(node)}`),
      uses: [...uses.values()],
      loads,
      dead,
      // What `using` holds is disposed of when the module has run.
      effect:
        isOnePiece || keyword.endsWith("using") ? wholeEffect : effectOf(node, (name) => bound.has(name)),
      isRequire: names.requirers.size > 0,
      mutable: keyword === "var" || declared.some((name) => written.has(name)),
    };
  });
  return { requests, imports: [...imports], exports: [...exports], stars, items, isOnePiece, broken: null };
}
