/**
 * What a piece of code loads besides its imports, and what it does that cannot be followed: a
 * literal target is a load, anything computed is a finding.
 */
import { isBuiltin } from "node:module";
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
export interface Followed {
  readonly loads: readonly Load[];
  readonly dead: readonly Dead[];
}

/** Built-in modules that load or make code, which must be used in ways that can be followed. */
export const codeLoaders = new Set(["vm", "module", "worker_threads", "child_process", "cluster"]);

const harmlessOfModule = new Set([
  "isBuiltin",
  "builtinModules",
  "stripTypeScriptTypes",
  "enableCompileCache",
  "getCompileCacheDir",
  "flushCompileCache",
  "findSourceMap",
  "SourceMap",
  "constants",
]);

/** `node:vm` and `vm` are one. */
export function builtinName(specifier: string): string {
  return specifier.replace(/^node:/, "");
}

/** The exported name of a built-in module that a reference uses; `*` where it uses all of it. */
function builtinUse({ imported }: ImportedName, { member }: Reference): string {
  return imported === "*" || imported === "default" ? (member ?? "*") : imported;
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

  follow(names: Names): Followed {
    const loads: Load[] = [];
    const dead: Dead[] = [];
    const into = { loads, dead };
    for (const oddity of names.oddities) followOddity(oddity, this.#imports, into);
    for (const reference of names.required) followRequire(reference, into);
    for (const { name, node, call } of names.hidden) {
      if (call?.arguments.some((each) => isImportMeta(each, "url", "filename"))) {
        dead.push({
          message: `${name} is not Node's here, and its use cannot be followed`,
          start: node.start,
        });
      }
    }
    for (const reference of names.free) this.#followName(reference, into);
    return into;
  }

  #followName(reference: Reference, into: { loads: Load[]; dead: Dead[] }): void {
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

function isCreateRequire(callee: Node, imports: ReadonlyMap<string, ImportedName>): boolean {
  const inner = unwrap(callee);
  const [object, member] =
    inner.type === "MemberExpression"
      ? [unwrap(inner.object), staticName(inner.property, inner.computed)]
      : [inner, null];
  if (object.type !== "Identifier") return false;
  const imported = imports.get(object.name);
  if (imported === undefined || builtinName(imported.specifier) !== "module") return false;
  const name = imported.imported === "*" || imported.imported === "default" ? member : imported.imported;
  return name === "createRequire";
}

type Found = { readonly loads: Load[]; readonly dead: Dead[] };

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

/** A use of a `require`: with a literal it is a load. */
function followRequire({ node: { start }, member, call, above }: Reference, { loads, dead }: Found): void {
  const specifier = call?.type === "CallExpression" ? literalText(call.arguments[0]) : null;
  if (specifier !== null && (member === null || member === "resolve")) {
    loads.push({ how: "require", specifier, start });
    return;
  }
  const [outer, around] = above;
  // Questions that load nothing: `typeof require`, `require.main === module`.
  if (outer?.type === "UnaryExpression" && outer.operator === "typeof") return;
  if (member === "main" && around?.type === "BinaryExpression") return;
  const message =
    call === null
      ? "require is passed on, and what it loads cannot be followed"
      : "a computed require() cannot be followed";
  dead.push({ message, start });
}

function followBuiltin(imported: ImportedName, reference: Reference, found: Found): void {
  const module = builtinName(imported.specifier);
  if (!codeLoaders.has(module)) {
    const member = builtinUse(imported, reference);
    if (module === "process") followGlobal({ ...reference, name: "process", member }, found);
    return;
  }
  const name = builtinUse(imported, reference);
  const { call } = reference;
  const { start } = reference.node;
  const dead = (message: string): void => {
    found.dead.push({ message, start });
  };
  switch (module) {
    case "worker_threads":
      if (name === "Worker") followStart(reference, "NewExpression", "a worker", found);
      else if (name === "*") dead("node:worker_threads is passed on, and its workers cannot be followed");
      return;
    case "child_process":
      if (name === "fork") followStart(reference, "CallExpression", "a fork", found);
      else if (name === "*") dead("node:child_process is passed on, and its forks cannot be followed");
      return;
    case "module":
      if (name === "createRequire") {
        if (call === null || !isImportMeta(call.arguments[0], "url", "filename"))
          dead("a computed createRequire() cannot be followed");
        else followMadeRequire(reference, call, found);
      } else if (!harmlessOfModule.has(name)) dead("what node:module loads cannot be followed");
      return;
    default:
      dead(`code run by node:${module} cannot be followed`);
  }
}

/** What becomes of the `require` that a call of `createRequire` gave. */
function followMadeRequire({ node: { start }, above }: Reference, made: Node, { loads, dead }: Found): void {
  let index = above.indexOf(made) + 1;
  let outer = above[index];
  // A name of its own is followed by its uses.
  if (outer?.type === "VariableDeclarator" && outer.id.type === "Identifier") return;
  let callee: Node = made;
  if (outer?.type === "MemberExpression" && staticName(outer.property, outer.computed) === "resolve") {
    callee = outer;
    index += 1;
    outer = above[index];
  }
  const specifier =
    outer?.type === "CallExpression" && unwrap(outer.callee) === callee
      ? literalText(outer.arguments[0])
      : null;
  if (specifier !== null) loads.push({ how: "require", specifier, start });
  else dead.push({ message: "the require made by createRequire() cannot be followed", start });
}

/** A module started in a thread or process of its own. */
function followStart(
  reference: Reference,
  type: "NewExpression" | "CallExpression",
  what: string,
  { loads, dead }: Found,
): void {
  const { start } = reference.node;
  const target = reference.call?.type === type ? reference.call.arguments[0] : undefined;
  const path = literalText(target);
  if (path !== null) {
    loads.push({ how: "path", specifier: path, start });
    return;
  }
  const inner = target === undefined ? undefined : unwrap(target);
  // Its literal is followed where `import.meta` is.
  if (
    inner?.type === "NewExpression" &&
    isImportMeta(inner.arguments[1], "url") &&
    literalText(inner.arguments[0]) !== null
  )
    return;
  dead.push({ message: `${what} whose module is computed cannot be followed`, start });
}

function followGlobal(reference: Reference, found: Found): void {
  const { name, member, above } = reference;
  const { start } = reference.node;
  const dead = (message: string): void => {
    found.dead.push({ message, start });
  };
  switch (name) {
    case "eval":
      dead("eval cannot be followed");
      return;
    case "Function": {
      const asks =
        member !== null || (above[0]?.type === "BinaryExpression" && above[0].operator === "instanceof");
      if (!asks) dead("new Function() cannot be followed");
      return;
    }
    case "globalThis":
    case "global":
      if (member === "eval" || member === "Function") dead(`${member} cannot be followed`);
      return;
    case "process":
      if (
        member === "dlopen" ||
        member === "mainModule" ||
        member === "getBuiltinModule" ||
        member === "binding"
      ) {
        dead(`process.${member} cannot be followed`);
      }
      return;
    case "require":
      followRequire(reference, found);
      return;
    case "module":
      if (member === "require" || member === "constructor") dead(`module.${member} cannot be followed`);
      return;
    case "__dirname":
    case "__filename":
      dead(`a path made of ${name} cannot be followed`);
      return;
    default:
  }
}
