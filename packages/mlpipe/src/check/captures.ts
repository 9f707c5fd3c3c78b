/**
 * What a step's function takes from the function around it. A factory's arguments are code as long
 * as the source says them, so each captured name is followed to where its value comes from.
 */
import { Node } from "ts-morph";
import { functionAround, isFunction, type Reach } from "./reach.ts";
import type { Reference, Scanner, Use } from "./scan.ts";
import { bare, declarationsOf } from "./sources.ts";

/** Where the value of a captured name comes from. */
export interface Captured {
  readonly reference: Reference;
  /** Functions that it stands for, which are reached like any other. */
  readonly functions: readonly Node[];
  /** What making it uses from outside of the project. */
  readonly uses: readonly Use[];
}

/** Follows captured names, from the export by which a step was made. */
export class Captures {
  readonly #reach: Reach;
  readonly #scanner: Scanner;

  constructor(reach: Reach, scanner: Scanner) {
    this.#reach = reach;
    this.#scanner = scanner;
  }

  /** Follows one name. */
  follow(reference: Reference, exported: Node | undefined): Captured {
    const functions: Node[] = [];
    const uses: Use[] = [];
    const seen = new Set<Node>();
    const follow = (declaration: Node): void => {
      if (seen.has(declaration)) return;
      seen.add(declaration);
      for (const value of this.valuesOf(declaration, exported)) {
        const stated = functionOf(value);
        if (stated !== undefined) {
          functions.push(stated);
          continue;
        }
        const made = this.#reach.from([value]);
        uses.push(...made.uses);
        for (const each of made.captured) follow(each.declaration);
      }
    };
    follow(reference.declaration);
    return { reference, functions, uses };
  }

  /** The expressions that a variable or parameter gets its value from. */
  valuesOf(declaration: Node, exported: Node | undefined): readonly Node[] {
    const holder = Node.isBindingElement(declaration)
      ? declaration.getFirstAncestor(
          (above) => Node.isVariableDeclaration(above) || Node.isParameterDeclaration(above),
        )
      : declaration;
    if (Node.isVariableDeclaration(holder)) {
      const loop = holder.getFirstAncestor(Node.isForOfStatement);
      const value =
        holder.getInitializer() ??
        (loop?.getInitializer() === holder.getParent() ? loop?.getExpression() : undefined);
      return value === undefined ? [] : [value];
    }
    return Node.isParameterDeclaration(holder) ? this.#given(holder, exported) : [];
  }

  #given(parameter: Node, exported: Node | undefined): readonly Node[] {
    if (!Node.isParameterDeclaration(parameter)) return [];
    const owner = functionAround(parameter);
    if (owner === undefined) return [];
    const position = parameter.getChildIndex() >> 1; // Commas lie between.
    const calls = exported === undefined ? [] : this.#callsOf(owner, exported);
    const values = calls.flatMap((given) =>
      parameter.isRestParameter() ? given.slice(position) : given.slice(position, position + 1),
    );
    const fallback = parameter.getInitializer();
    if (fallback !== undefined && calls.some((given) => given.length <= position)) values.push(fallback);
    if (calls.length > 0) return values;
    // A function that is handed on gets what its caller has: `rates.map((rate) => train(…))`.
    const caller = owner.getParent();
    if (!Node.isCallExpression(caller) || caller.getExpression() === owner) return [];
    const callee = bare(caller.getExpression());
    const others = caller.getArguments().filter((each) => each !== owner);
    return Node.isPropertyAccessExpression(callee) ? [callee.getExpression(), ...others] : others;
  }

  /** What a function is given in each of its calls on the way to an export. */
  #callsOf(owner: Node, exported: Node): readonly (readonly Node[])[] {
    const found: (readonly Node[])[] = [];
    for (const piece of this.#reach.from([exported]).pieces) {
      for (const { callee, given } of this.#scanner.scan(piece).calls) {
        const name = Node.isPropertyAccessExpression(callee) ? callee.getNameNode() : callee;
        if (
          name === owner ||
          declarationsOf(name).some((each) => each === owner || functionOf(each) === owner)
        ) {
          found.push(given);
        }
      }
    }
    return found;
  }
}

/** The function that an expression or a declaration is, or names. */
function functionOf(node: Node): Node | undefined {
  const inner = bare(node);
  if (isFunction(inner)) return inner;
  if (Node.isVariableDeclaration(inner)) {
    const value = inner.getInitializer();
    return value === undefined ? undefined : functionOf(value);
  }
  if (!Node.isIdentifier(inner)) return undefined;
  const [declaration] = declarationsOf(inner);
  return declaration === undefined || Node.isIdentifier(declaration) ? undefined : functionOf(declaration);
}
