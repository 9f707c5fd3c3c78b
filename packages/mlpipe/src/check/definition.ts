/** Where a step is defined in the source: its call of `data(…)`, `train(…)` and so on. */
import { isAbsolute, join } from "node:path";
import type { ManifestSite, ManifestStep } from "@mlpipe/dsl";
import { type CallExpression, Node, type SourceFile } from "ts-morph";
import { bare, declarationsOf, isOwn, type Sources } from "./sources.ts";

/** A step's definition in the source. */
export interface Definition {
  /** What the step executes: the value of `run` or `check`, or the method of that name. */
  readonly body: Node;
  /** What the export's value is made by, a call of the user's own factory perhaps. */
  readonly exported: Node | undefined;
}

/** What an argument of a factory was, if its call is found. */
export type ArgumentsOf = (parameter: Node, exported: Node) => readonly Node[];

/** The definition of a step, or nothing if its source does not show it. */
export function definitionIn(
  sources: Sources,
  root: string,
  step: ManifestStep,
  argumentsOf: ArgumentsOf,
): Definition | undefined {
  const { defined } = step;
  if (defined === undefined) return undefined;
  const module = sources.module(absolute(root, defined.file));
  const call = module === undefined ? undefined : callAt(module, defined);
  const spec = call?.getArguments()[1];
  if (spec === undefined || !isOwn(spec)) return undefined;
  const exported = sources.exported(absolute(root, step.module), step.export);
  const made = exported === undefined ? undefined : initialised(exported);
  const given = (parameter: Node): readonly Node[] =>
    made === undefined ? [] : argumentsOf(parameter, made);
  const body = propertyOf(spec, step.body.type === "check" ? "check" : "run", given, 0);
  return body === undefined ? undefined : { body, exported: made };
}

function absolute(root: string, file: string): string {
  return isAbsolute(file) ? file : join(root, file);
}

/** The variable that an export is a part of: `export const [a, b] = …`. */
function initialised(exported: Node): Node {
  return exported.getFirstAncestor(Node.isVariableDeclaration) ?? exported;
}

/** The call whose function's name is at a place, as a stack trace gives it. */
function callAt(module: SourceFile, { line, column }: ManifestSite): CallExpression | undefined {
  const { compilerNode: text } = module;
  if (line > text.getLineStarts().length) return undefined;
  const name = module.getDescendantAtPos(text.getPositionOfLineAndCharacter(line - 1, column - 1));
  for (let node = name; node !== undefined; node = node.getParent()) {
    if (Node.isCallExpression(node)) return node;
    if (Node.isStatement(node)) return undefined;
  }
  return undefined;
}

/** The value of a property of an object that is written in the source, behind names and spreads. */
function propertyOf(
  object: Node,
  name: string,
  given: (parameter: Node) => readonly Node[],
  depth: number,
): Node | undefined {
  if (depth > 10) return undefined;
  const inner = bare(object);
  const into = (node: Node | undefined): Node | undefined =>
    node === undefined ? undefined : propertyOf(node, name, given, depth + 1);
  if (Node.isIdentifier(inner)) {
    const [declaration] = declarationsOf(inner);
    if (Node.isVariableDeclaration(declaration)) return into(declaration.getInitializer());
    return Node.isParameterDeclaration(declaration)
      ? given(declaration)
          .map(into)
          .find((found) => found !== undefined)
      : undefined;
  }
  if (!Node.isObjectLiteralExpression(inner)) return undefined;
  // A later property replaces an earlier one.
  for (const property of inner.getProperties().toReversed()) {
    if (Node.isSpreadAssignment(property)) {
      const found = into(property.getExpression());
      if (found !== undefined) return found;
    } else if (property.getName().replaceAll(/["']/g, "") === name) {
      if (Node.isPropertyAssignment(property)) return property.getInitializer();
      return Node.isShorthandPropertyAssignment(property) ? property.getNameNode() : property;
    }
  }
  return undefined;
}
