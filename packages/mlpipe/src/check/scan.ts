/** What one piece of code uses from outside of the project, and which declarations it refers to. */
import { Node, SyntaxKind } from "ts-morph";
import { type Origin, type Origins, isConst } from "./origin.ts";
import { bare, declarationsOf, isOwn } from "./sources.ts";

/** A place where code uses something from outside of the project. */
export interface Use {
  readonly node: Node;
  readonly origin: Origin;
  readonly how: "call" | "new" | "reference" | "write" | "delete" | "bind";
  /** What a call or `new` is given. */
  readonly given: readonly Node[];
  /** How much of the origin an alias has already: `env.RATE` adds one step to `process.env`. */
  readonly inherited: number;
  /** It only gets another name here, and is used where that name is. */
  readonly isAlias: boolean;
}

/** A name in a piece of code, and what it stands for in the project. */
export interface Reference {
  readonly name: Node;
  readonly declaration: Node;
}

/** What was found in a piece of code. */
export interface Scan {
  readonly uses: readonly Use[];
  /** To declarations outside of the piece itself. */
  readonly references: readonly Reference[];
  readonly calls: readonly { readonly node: Node; readonly callee: Node; readonly given: readonly Node[] }[];
}

/** Scans pieces of code, each once. */
export class Scanner {
  readonly #origins: Origins;
  readonly #known = new Map<Node, Scan>();

  constructor(origins: Origins) {
    this.#origins = origins;
  }

  scan(piece: Node): Scan {
    let scan = this.#known.get(piece);
    if (scan === undefined) {
      scan = this.#scan(piece);
      this.#known.set(piece, scan);
    }
    return scan;
  }

  #scan(piece: Node): Scan {
    const uses: Use[] = [];
    const references: Reference[] = [];
    const calls: { node: Node; callee: Node; given: readonly Node[] }[] = [];
    const refer = (name: Node, declaration: Node): void => {
      if (isOwn(declaration) && !isWithin(declaration, piece)) references.push({ name, declaration });
    };
    const visit = (node: Node): void => {
      if (Node.isIdentifier(node)) {
        for (const declaration of isName(node) ? namedBy(node) : []) refer(node, declaration);
        if (isRoot(node)) this.#addUse(node, uses);
      } else if (Node.isCallExpression(node)) {
        const callee = bare(node.getExpression());
        calls.push({ node, callee, given: node.getArguments() });
        // `require("fs")` and `import("fs")` are roots like a name; their own parts are visited as well.
        if (this.#origins.of(node) !== undefined) this.#addUse(node, uses);
      } else if (Node.isBindingElement(node)) {
        this.#addBinding(node, uses);
        for (const declaration of importedBy(node)) refer(node, declaration);
      }
    };
    visit(piece);
    piece.forEachDescendant((node, traversal) => {
      if (Node.isTypeNode(node) && !Node.isExpressionWithTypeArguments(node)) traversal.skip();
      else visit(node);
    });
    return { uses, references, calls };
  }

  #addUse(root: Node, uses: Use[]): void {
    const chain = chainOf(root);
    const origin = this.#origins.of(chain);
    if (origin === undefined) return;
    const parent = chain.getParent();
    const isBound =
      (Node.isVariableDeclaration(parent) || Node.isParameterDeclaration(parent)) &&
      parent.getInitializer() === chain;
    const isCalled =
      (Node.isCallExpression(parent) || Node.isNewExpression(parent)) && parent.getExpression() === chain;
    uses.push({
      node: chain,
      origin,
      how: isCalled ? (Node.isNewExpression(parent) ? "new" : "call") : howOf(chain, parent),
      given: isCalled ? parent.getArguments() : [],
      inherited: Node.isIdentifier(root) ? (this.#origins.of(root)?.length ?? 0) : 0,
      isAlias:
        isBound &&
        (!Node.isIdentifier(parent.getNameNode()) || (Node.isVariableDeclaration(parent) && isConst(parent))),
    });
  }

  /** `const { env } = process` uses what the pattern names. */
  #addBinding(element: Node, uses: Use[]): void {
    if (!Node.isBindingElement(element) || !Node.isIdentifier(element.getNameNode())) return;
    const origin = this.#origins.of(element);
    if (origin === undefined) return;
    uses.push({
      node: element,
      origin,
      how: "bind",
      given: [],
      inherited: origin.length - 1,
      isAlias: true,
    });
  }
}

/** What a name stands for; for a whole module that is passed on, everything that it exports. */
function namedBy(name: Node): readonly Node[] {
  const parent = name.getParent();
  const isObject = Node.isPropertyAccessExpression(parent) && parent.getExpression() === name;
  return declarationsOf(name).flatMap((declaration) =>
    Node.isSourceFile(declaration) && !isObject
      ? [...declaration.getExportedDeclarations().values()].flat()
      : [declaration],
  );
}

/** What `const { name } = await import("./module.ts")` takes. */
function importedBy(element: Node): readonly Node[] {
  const pattern = element.getParent();
  const holder = pattern?.getParent();
  const value = Node.isVariableDeclaration(holder) ? holder.getInitializer() : undefined;
  if (!Node.isBindingElement(element) || !Node.isAwaitExpression(value)) return [];
  const name = (element.getPropertyNameNode() ?? element.getNameNode()).getText();
  return value.getType().getProperty(name)?.getDeclarations() ?? [];
}

function howOf(chain: Node, parent: Node | undefined): Use["how"] {
  if (Node.isDeleteExpression(parent)) return "delete";
  return Node.isBinaryExpression(parent) &&
    parent.getLeft() === chain &&
    parent.getOperatorToken().getKind() === SyntaxKind.EqualsToken
    ? "write"
    : "reference";
}

/** The longest chain of properties that starts with an expression: `process.env.RATE` for `process`. */
function chainOf(root: Node): Node {
  let chain = root;
  for (;;) {
    const parent = chain.getParent();
    const goesOn =
      ((Node.isParenthesizedExpression(parent) ||
        Node.isAsExpression(parent) ||
        Node.isSatisfiesExpression(parent) ||
        Node.isNonNullExpression(parent) ||
        Node.isPropertyAccessExpression(parent) ||
        Node.isElementAccessExpression(parent)) &&
        parent.getExpression() === chain) ||
      (Node.isAwaitExpression(parent) && Node.isCallExpression(chain));
    if (!goesOn) return chain;
    chain = parent;
  }
}

/** Whether an identifier names something that is declared elsewhere, and is no declaration's own name. */
function isName(node: Node): boolean {
  const parent = node.getParent();
  if (Node.isPropertyAccessExpression(parent)) return true;
  return isRoot(node) || (Node.isShorthandPropertyAssignment(parent) && parent.getNameNode() === node);
}

/** Whether an identifier is an expression by itself. */
function isRoot(node: Node): boolean {
  const parent = node.getParent();
  if (parent === undefined || Node.isImportSpecifier(parent) || Node.isImportClause(parent)) return false;
  if (Node.isPropertyAccessExpression(parent)) return parent.getExpression() === node;
  if (Node.isBindingElement(parent)) return parent.getInitializer() === node;
  if (Node.isLabeledStatement(parent) || Node.isMetaProperty(parent)) return false;
  if (Node.isBreakStatement(parent) || Node.isContinueStatement(parent)) return false;
  if (Node.isShorthandPropertyAssignment(parent)) return true;
  // What is left with a name of its own is a declaration, or a property of an object literal.
  const name = "getNameNode" in parent && typeof parent.getNameNode === "function" ? parent.getNameNode() : 0;
  return name !== node;
}

/** Whether a node is a part of another, or that one itself. */
export function isWithin(node: Node, outer: Node): boolean {
  return (
    node.getSourceFile() === outer.getSourceFile() &&
    node.getPos() >= outer.getPos() &&
    node.getEnd() <= outer.getEnd()
  );
}
