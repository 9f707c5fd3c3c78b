/**
 * What a piece of code loads besides its imports, and what it does that cannot be followed: a
 * literal target is a load, anything computed is a finding.
 */
import { isBuiltin } from "node:module";
import { builtinName, followBuiltin, followGlobal, followRequire, isCreateRequire } from "./code-loaders.ts";
import type { Names, Oddity, Reference } from "./scopes.ts";
import { isImportMeta, literalText, type Node, staticName, unwrap } from "./syntax.ts";

/** A target that is named where it is loaded. */
export interface Load {
  /**
   * - `import`, `require`: resolved as Node does for these
   * - `url`: a file beside the module
   * - `path`: a file relative to the folder that steps run in
   */
  readonly how: "import" | "require" | "url" | "path";
  readonly specifier: string;
  readonly start: number;
}

/** Something that cannot be followed. */
export interface Dead {
  readonly message: string;
  readonly start: number;
}

/** What a local name was imported from. */
export interface ImportedName {
  readonly specifier: string;
  /** The name in that module; `*` for all of it. */
  readonly imported: string;
  /** The `type` of the import's attributes: as what a file is read. */
  readonly attribute?: string | null;
}

/** What the following of one piece of code found. */
export interface Found {
  readonly loads: Load[];
  readonly dead: Dead[];
}

/** Follows the code of one module. */
export class Follower {
  readonly #imports: ReadonlyMap<string, ImportedName>;
  /** Names of the module that hold a `require` made by `createRequire`. */
  readonly #requirers: ReadonlySet<string>;

  constructor(imports: ReadonlyMap<string, ImportedName>, requirers: ReadonlySet<string>) {
    this.#imports = imports;
    this.#requirers = requirers;
  }

  follow(names: Names): Found {
    const into: Found = { loads: [], dead: [] };
    for (const oddity of names.oddities) followOddity(oddity, this.#imports, into);
    for (const reference of names.required) followRequire(reference, into);
    for (const { name, node, call } of names.hidden) {
      if (call?.arguments.some((each) => isImportMeta(each, "url", "filename"))) {
        into.dead.push({
          message: `${name} is not Node's here, and its use cannot be followed`,
          start: node.start,
        });
      }
    }
    for (const reference of names.free) this.#followName(reference, into);
    return into;
  }

  #followName(reference: Reference, into: Found): void {
    const { name } = reference;
    const imported = this.#imports.get(name);
    if (this.#requirers.has(name)) followRequire(reference, into);
    else if (imported !== undefined) {
      if (isBuiltin(imported.specifier)) followBuiltin(imported, reference, into);
    } else followGlobal(reference, into);
  }
}

/** Whether an expression is `createRequire(import.meta.url)`, with Node's `createRequire`. */
export function makesRequire(node: Node, imports: ReadonlyMap<string, ImportedName>): boolean {
  const call = unwrap(node);
  return (
    call.type === "CallExpression" &&
    isImportMeta(call.arguments[0], "url", "filename") &&
    isCreateRequire(call.callee, imports)
  );
}

function followOddity(
  { node, above }: Oddity,
  imports: ReadonlyMap<string, ImportedName>,
  { loads, dead }: Found,
): void {
  const { start } = node;
  if (node.type === "ImportExpression") {
    const specifier = literalText(node.source);
    if (specifier === null) dead.push({ message: "a computed import() cannot be followed", start });
    else loads.push({ how: "import", specifier, start });
  } else if (node.type === "TSImportEqualsDeclaration") {
    const reference = node.moduleReference;
    if (reference.type !== "TSExternalModuleReference") return;
    loads.push({ how: "require", specifier: reference.expression.value, start });
  } else if (node.type !== "MetaProperty") {
    dead.push({ message: "JSX is made into code by a loader, which cannot be followed", start });
  } else {
    followMeta(node, above, imports, { loads, dead });
  }
}

function followMeta(
  meta: Node,
  above: readonly Node[],
  imports: ReadonlyMap<string, ImportedName>,
  { loads, dead }: Found,
): void {
  const { start } = meta;
  const [member, call] = above;
  const name =
    member?.type === "MemberExpression" && unwrap(member.object) === meta
      ? staticName(member.property, member.computed)
      : null;
  switch (name) {
    case null:
      dead.push({ message: "import.meta is passed on, and what becomes of it cannot be followed", start });
      return;
    case "resolve": {
      const specifier =
        call?.type === "CallExpression" && unwrap(call.callee) === member
          ? literalText(call.arguments[0])
          : null;
      if (specifier === null)
        dead.push({ message: "a computed import.meta.resolve() cannot be followed", start });
      else loads.push({ how: "import", specifier, start });
      return;
    }
    case "url":
    case "filename":
    case "dirname": {
      const isArgument = (index: number): boolean =>
        (call?.type === "CallExpression" || call?.type === "NewExpression") &&
        call.arguments[index] !== undefined &&
        unwrap(call.arguments[index]) === member;
      if (
        isArgument(0) &&
        call?.type === "CallExpression" &&
        name !== "dirname" &&
        isCreateRequire(call.callee, imports)
      )
        return;
      if (name === "url" && isArgument(1) && call?.type === "NewExpression" && isUrl(call.callee, imports)) {
        const specifier = literalText(call.arguments[0]);
        if (specifier !== null) {
          loads.push({ how: "url", specifier, start });
          return;
        }
      }
      dead.push({ message: `a path made of import.meta.${name} cannot be followed`, start });
      return;
    }
    default:
  }
}

function isUrl(callee: Node, imports: ReadonlyMap<string, ImportedName>): boolean {
  const inner = unwrap(callee);
  if (inner.type !== "Identifier" || inner.name !== "URL") return false;
  const imported = imports.get("URL");
  return imported === undefined || builtinName(imported.specifier) === "url";
}
