/** Variables that a step reads and something else writes, in another process or in none. */
import { Node, SyntaxKind } from "ts-morph";
import { functionAround, isFunction } from "./reach.ts";
import { declarationsOf, literalText } from "./sources.ts";

/** Where variables are written, looked up once for each module. */
export class Writes {
  readonly #known = new Map<Node, ReadonlyMap<Node, readonly Node[]>>();

  /**
   * The functions that write a variable while no step's own code does: what they write is not seen
   * by a step that reaches only `pieces`.
   */
  elsewhere(variable: Node, pieces: ReadonlySet<Node>): readonly Node[] {
    const writers = (this.#in(variable.getSourceFile()).get(variable) ?? []).flatMap((write) => {
      const owner = functionAround(write);
      return owner === undefined ? [] : [owner];
    });
    return writers.filter(
      (writer) =>
        !isReached(writer, pieces) &&
        // The function that the variable belongs to makes it, step by step.
        functionAround(variable) !== writer &&
        !runsOnLoad(writer),
    );
  }

  #in(module: Node): ReadonlyMap<Node, readonly Node[]> {
    let found = this.#known.get(module);
    if (found === undefined) {
      const writes = new Map<Node, Node[]>();
      for (const name of module.getDescendantsOfKind(SyntaxKind.Identifier)) {
        if (!isWritten(name)) continue;
        for (const variable of declarationsOf(name)) {
          const known = writes.get(variable);
          if (known === undefined) writes.set(variable, [name]);
          else known.push(name);
        }
      }
      found = writes;
      this.#known.set(module, found);
    }
    return found;
  }
}

function isReached(node: Node, pieces: ReadonlySet<Node>): boolean {
  return pieces.has(node) || node.getFirstAncestor((above) => pieces.has(above)) !== undefined;
}

/** Whether a function is called while its module is loaded, which every process does alike. */
function runsOnLoad(writer: Node): boolean {
  const caller = writer.getParent();
  if (Node.isCallExpression(caller) || Node.isParenthesizedExpression(caller)) {
    return functionAround(caller) === undefined && !isStepCall(writer);
  }
  const name = Node.isFunctionDeclaration(writer) ? writer.getNameNode() : undefined;
  return (
    name !== undefined &&
    writer
      .getSourceFile()
      .getDescendantsOfKind(SyntaxKind.CallExpression)
      .some((call) => {
        const callee = call.getExpression();
        return functionAround(call) === undefined && declarationsOf(callee).includes(writer);
      })
  );
}

/** The function of `pipeline("…", (p) => …)` is no callback that runs on load. */
function isStepCall(writer: Node): boolean {
  const call = writer.getParent();
  return Node.isCallExpression(call) && literalText(call.getArguments()[0]) !== undefined;
}

function isWritten(name: Node): boolean {
  let target = name;
  let parent = name.getParent();
  // `[a, b] = …` and `({ a, b: c } = …)`
  while (
    Node.isArrayLiteralExpression(parent) ||
    Node.isObjectLiteralExpression(parent) ||
    Node.isShorthandPropertyAssignment(parent) ||
    (Node.isPropertyAssignment(parent) && parent.getInitializer() === target) ||
    Node.isParenthesizedExpression(parent)
  ) {
    target = parent;
    parent = parent.getParent();
  }
  if (Node.isBinaryExpression(parent)) {
    const operator = parent.getOperatorToken().getKind();
    return (
      parent.getLeft() === target &&
      operator >= SyntaxKind.FirstAssignment &&
      operator <= SyntaxKind.LastAssignment
    );
  }
  if (Node.isForOfStatement(parent) || Node.isForInStatement(parent))
    return parent.getInitializer() === target;
  if (Node.isPostfixUnaryExpression(parent)) return true;
  return (
    Node.isPrefixUnaryExpression(parent) &&
    [SyntaxKind.PlusPlusToken, SyntaxKind.MinusMinusToken].includes(parent.getOperatorToken())
  );
}

/** Whether a name is only assigned to, and its value not read. */
export function isOnlyWritten(name: Node): boolean {
  const parent = name.getParent();
  return (
    Node.isBinaryExpression(parent) &&
    parent.getLeft() === name &&
    parent.getOperatorToken().getKind() === SyntaxKind.EqualsToken
  );
}

/** A function as a message names it: by the step whose function it is, or by its own name. */
export function describeFunction(node: Node): string {
  for (const above of [node, ...node.getAncestors()]) {
    const call = above.getParent();
    const first = Node.isCallExpression(call) ? literalText(call.getArguments()[0]) : undefined;
    if (Node.isObjectLiteralExpression(above) && first !== undefined) return `the step ${first}`;
    if (!isFunction(above)) continue;
    if (first !== undefined) return `the function of ${first}`;
    if (Node.isFunctionDeclaration(above) && above.getName() !== undefined) return `${above.getName()}()`;
    if (Node.isVariableDeclaration(call)) return `${call.getName()}()`;
  }
  return "a function that it does not call";
}
