/** Node's own ways of loading code: `require`, workers, forks, `eval`, and the modules behind them. */
import type { Found, ImportedName } from "./followed.ts";
import type { Reference } from "./scopes.ts";
import { isImportMeta, literalText, type Node, staticName, unwrap } from "./syntax.ts";

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

/** Whether it is Node's `createRequire`. */
export function isCreateRequire(callee: Node, imports: ReadonlyMap<string, ImportedName>): boolean {
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

/** A use of a `require`: with a literal it is a load. */
export function followRequire(
  { node: { start }, member, call, above }: Reference,
  { loads, dead }: Found,
): void {
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

/** A use of a built-in module. */
export function followBuiltin(imported: ImportedName, reference: Reference, found: Found): void {
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

/** A use of a global name. */
export function followGlobal(reference: Reference, found: Found): void {
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
