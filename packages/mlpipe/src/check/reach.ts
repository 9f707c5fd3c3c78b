/** The code that a function reaches over the project's modules, by what its names stand for. */
import { Node } from "ts-morph";
import { isConst, type Origins } from "./origin.ts";
import type { Reference, Scanner, Use } from "./scan.ts";
import { bare } from "./sources.ts";

/** Everything that some roots reach. */
export interface Reached {
  /** The roots, and each declaration that is reached. */
  readonly pieces: ReadonlySet<Node>;
  readonly uses: readonly Use[];
  /** Names for parameters and variables of the functions around a piece. */
  readonly captured: readonly Reference[];
  /** Names for variables outside of the pieces that can be assigned to. */
  readonly variables: readonly Reference[];
}

const steps = new Set(["data", "train", "evaluate", "deploy", "gate", "pipeline"]);

/** Finds what is reached. */
export class Reach {
  readonly #scanner: Scanner;
  readonly #origins: Origins;
  readonly #known = new Map<Node, Reached>();

  constructor(scanner: Scanner, origins: Origins) {
    this.#scanner = scanner;
    this.#origins = origins;
  }

  /** What some roots reach. Steps of one factory have the same root, and are asked about once. */
  from(roots: readonly Node[]): Reached {
    const [root] = roots;
    if (roots.length !== 1 || root === undefined) return this.#from(roots);
    let reached = this.#known.get(root);
    if (reached === undefined) {
      reached = this.#from(roots);
      this.#known.set(root, reached);
    }
    return reached;
  }

  #from(roots: readonly Node[]): Reached {
    const pieces = new Set<Node>(roots);
    const uses: Use[] = [];
    const captured: Reference[] = [];
    const variables: Reference[] = [];
    // A set hands out what is added to it while it is gone through.
    for (const piece of pieces) {
      const scan = this.#scanner.scan(piece);
      uses.push(...scan.uses);
      for (const reference of scan.references) {
        const target = pieceOf(reference.declaration);
        if (target === undefined) continue;
        const isVariable = Node.isVariableDeclaration(target);
        if (isVariable && !isConst(target)) variables.push(reference);
        if (pieces.has(target) || target.getFirstAncestor((above) => pieces.has(above)) !== undefined)
          continue;
        const isParameter = Node.isParameterDeclaration(target);
        if (isParameter || (isVariable && functionAround(target) !== undefined)) captured.push(reference);
        else if (!this.#isStep(target)) pieces.add(target);
      }
    }
    return { pieces, uses, captured, variables };
  }

  /** A step or pipeline that is only named: its functions run elsewhere. */
  #isStep(declaration: Node): boolean {
    const value = Node.isVariableDeclaration(declaration) ? declaration.getInitializer() : undefined;
    const call = value === undefined ? undefined : bare(value);
    if (!Node.isCallExpression(call)) return false;
    const [module, name] = this.#origins.of(call.getExpression()) ?? [];
    return module === "npm:mlpipe" && steps.has(name ?? "");
  }
}

/** The piece of code that a declaration is looked at with; none for what has no code. */
function pieceOf(declaration: Node): Node | undefined {
  if (Node.isBindingElement(declaration)) {
    return declaration.getFirstAncestor(
      (above) => Node.isVariableDeclaration(above) || Node.isParameterDeclaration(above),
    );
  }
  if (
    Node.isMethodDeclaration(declaration) ||
    Node.isPropertyDeclaration(declaration) ||
    Node.isGetAccessorDeclaration(declaration) ||
    Node.isSetAccessorDeclaration(declaration)
  ) {
    return (
      declaration.getFirstAncestor(
        (above) => Node.isClassDeclaration(above) || Node.isClassExpression(above),
      ) ?? declaration
    );
  }
  const hasCode =
    Node.isFunctionDeclaration(declaration) ||
    Node.isFunctionExpression(declaration) ||
    Node.isArrowFunction(declaration) ||
    Node.isClassDeclaration(declaration) ||
    Node.isClassExpression(declaration) ||
    Node.isVariableDeclaration(declaration) ||
    Node.isParameterDeclaration(declaration) ||
    Node.isExportAssignment(declaration) ||
    Node.isEnumDeclaration(declaration) ||
    Node.isPropertyAssignment(declaration);
  return hasCode ? declaration : undefined;
}

/** The function that a node is in, if any. */
export function functionAround(node: Node): Node | undefined {
  return node.getFirstAncestor(isFunction);
}

/** Whether a node is a function of any sort. */
export function isFunction(node: Node): boolean {
  return (
    Node.isFunctionDeclaration(node) ||
    Node.isFunctionExpression(node) ||
    Node.isArrowFunction(node) ||
    Node.isMethodDeclaration(node) ||
    Node.isConstructorDeclaration(node) ||
    Node.isGetAccessorDeclaration(node) ||
    Node.isSetAccessorDeclaration(node)
  );
}
