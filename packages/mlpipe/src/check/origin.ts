/** What a name stands for outside of the project: a global, a module of Node, an installed package. */
import { isBuiltin } from "node:module";
import { Node, VariableDeclarationKind } from "ts-morph";
import { bare, declarationsOf, isOwn, literalText } from "./sources.ts";

/**
 * The path to it: `["process", "env", "RATE"]`, `["node:fs", "promises", "readFile"]`,
 * `["npm:axios", "get"]`. A computed step is null.
 */
export type Origin = readonly (string | null)[];

/** Finds origins, through imports, aliases and destructuring, each once. */
export class Origins {
  readonly #known = new Map<Node, Origin | undefined>();

  of(expression: Node): Origin | undefined {
    const node = bare(expression);
    if (this.#known.has(node)) return this.#known.get(node);
    // A name that is made of itself has no origin.
    this.#known.set(node, undefined);
    const found = this.#find(node);
    const origin = found === undefined ? undefined : canonical(found);
    this.#known.set(node, origin);
    return origin;
  }

  #find(node: Node): Origin | undefined {
    if (Node.isIdentifier(node)) return this.#ofName(node);
    if (Node.isPropertyAccessExpression(node)) return this.#step(node.getExpression(), node.getName());
    if (Node.isElementAccessExpression(node)) {
      return this.#step(node.getExpression(), constantText(node.getArgumentExpression()) ?? null);
    }
    if (Node.isAwaitExpression(node)) {
      return isImport(bare(node.getExpression())) ? this.of(node.getExpression()) : undefined;
    }
    if (Node.isCallExpression(node)) {
      const specifier = literalText(node.getArguments()[0]);
      if (specifier === undefined) return undefined;
      if (isImport(node)) return external(specifier, []);
      const callee = this.of(node.getExpression())?.join(".");
      return callee === "require" || callee === "process.getBuiltinModule"
        ? external(specifier, [])
        : undefined;
    }
    if (Node.isBindingElement(node)) return this.#ofBinding(node);
    return undefined;
  }

  #step(object: Node, name: string | null): Origin | undefined {
    const origin = this.of(object);
    return origin === undefined ? undefined : [...origin, name];
  }

  #ofName(name: Node): Origin | undefined {
    const declaration = declarationsOf(name).find(isOwn);
    if (declaration === undefined) return [name.getText()];
    if (Node.isImportSpecifier(declaration)) {
      return external(declaration.getImportDeclaration().getModuleSpecifierValue(), [declaration.getName()]);
    }
    if (Node.isImportClause(declaration) || Node.isNamespaceImport(declaration)) {
      const from = declaration.getFirstAncestor(Node.isImportDeclaration)?.getModuleSpecifierValue();
      return from === undefined ? undefined : external(from, []);
    }
    if (Node.isExportSpecifier(declaration)) {
      const from = declaration.getExportDeclaration().getModuleSpecifierValue();
      return from === undefined ? undefined : external(from, [declaration.getName()]);
    }
    if (Node.isBindingElement(declaration)) return this.of(declaration);
    return isAlias(declaration) ? this.of(declaration.getInitializerOrThrow()) : undefined;
  }

  #ofBinding(element: Node): Origin | undefined {
    if (!Node.isBindingElement(element)) return undefined;
    const pattern = element.getParent();
    const holder = pattern.getParent();
    const object = Node.isBindingElement(holder) ? holder : initializerOf(holder);
    const origin = object === undefined ? undefined : this.of(object);
    if (origin === undefined || !Node.isObjectBindingPattern(pattern)) return undefined;
    if (element.getDotDotDotToken() !== undefined) return origin;
    const name = element.getPropertyNameNode() ?? element.getNameNode();
    return [...origin, Node.isComputedPropertyName(name) ? null : name.getText().replaceAll(/["']/g, "")];
  }
}

/** Whether a declaration is another name for what it was given: a `const` with a value. */
function isAlias(declaration: Node): declaration is Node & { getInitializerOrThrow(): Node } {
  return (
    Node.isVariableDeclaration(declaration) &&
    declaration.getInitializer() !== undefined &&
    isConst(declaration)
  );
}

/** Whether a variable cannot be assigned to. */
export function isConst(declaration: Node): boolean {
  const kind = declaration.getFirstAncestor(Node.isVariableDeclarationList)?.getDeclarationKind();
  return kind !== VariableDeclarationKind.Let && kind !== VariableDeclarationKind.Var;
}

function initializerOf(holder: Node | undefined): Node | undefined {
  return Node.isVariableDeclaration(holder) || Node.isParameterDeclaration(holder)
    ? holder.getInitializer()
    : undefined;
}

/** The text of a literal, also behind a `const`. */
function constantText(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  const literal = literalText(node);
  if (literal !== undefined || !Node.isIdentifier(node)) return literal;
  const [declaration] = declarationsOf(node);
  return Node.isVariableDeclaration(declaration) && isConst(declaration)
    ? literalText(declaration.getInitializer())
    : undefined;
}

function isImport(node: Node): boolean {
  return Node.isCallExpression(node) && Node.isImportExpression(node.getExpression());
}

function external(specifier: string, path: Origin): Origin | undefined {
  if (/^(?:\.|\/|#|file:|data:)/.test(specifier)) return undefined;
  const inside = path[0] === "default" ? path.slice(1) : path;
  if (!isBuiltin(specifier)) {
    const [scope = "", name = ""] = specifier.split("/");
    return [`npm:${scope.startsWith("@") ? `${scope}/${name}` : scope}`, ...inside];
  }
  const [module = "", ...sub] = specifier.replace(/^node:/, "").split("/");
  return [`node:${module}`, ...sub, ...inside];
}

/** One path for what has several: `globalThis.process` is `process`, and so is the module of that name. */
function canonical([first = null, ...rest]: Origin): Origin {
  if ((first === "globalThis" || first === "global") && rest.length > 0) return canonical(rest);
  if (rest[0] === "default" && first?.includes(":") === true) return canonical([first, ...rest.slice(1)]);
  if (first === "node:process") return ["process", ...rest];
  if (first === "node:crypto" || first === "crypto") {
    return ["crypto", ...(rest[0] === "webcrypto" ? rest.slice(1) : rest)];
  }
  if (first === "node:url" && rest[0] === "URL") return rest;
  if (first === "node:path" && (rest[0] === "posix" || rest[0] === "win32")) return [first, ...rest.slice(1)];
  return [first, ...rest];
}
