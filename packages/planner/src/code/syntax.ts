/** Syntax as it is at run time: types are erased, and what only wraps an expression is taken off. */
import type { Node } from "oxc-parser";

export type { Node };

/** Wrappers that say something to the compiler alone. */
const wrappers = new Set([
  "ParenthesizedExpression",
  "TSAsExpression",
  "TSSatisfiesExpression",
  "TSNonNullExpression",
  "TSTypeAssertion",
  "TSInstantiationExpression",
]);

/** TypeScript's own syntax that does something at run time. */
const lasting = new Set([
  ...wrappers,
  "TSEnumDeclaration",
  "TSEnumBody",
  "TSEnumMember",
  "TSModuleDeclaration",
  "TSModuleBlock",
  "TSParameterProperty",
  "TSImportEqualsDeclaration",
  "TSExternalModuleReference",
  "TSQualifiedName",
  "TSExportAssignment",
]);

/** The expression inside of type assertions and parentheses. */
export function unwrap(node: Node): Node {
  let inner = node;
  while (wrappers.has(inner.type) && "expression" in inner && isNode(inner.expression))
    inner = inner.expression;
  return inner;
}

/** Whether nothing of it is left at run time. */
export function isErased(node: Node): boolean {
  if ("declare" in node && node.declare) return true;
  switch (node.type) {
    case "EmptyStatement":
      return true;
    case "ImportDeclaration":
      return node.importKind === "type";
    case "ExportAllDeclaration":
      return node.exportKind === "type";
    case "ExportNamedDeclaration":
      return node.exportKind === "type" || (node.declaration !== null && isErased(node.declaration));
    case "TSModuleDeclaration":
      return node.body == null || (node.body.type === "TSModuleBlock" && node.body.body.every(isErased));
    case "MethodDefinition":
      return node.value.type === "TSEmptyBodyFunctionExpression";
    case "Identifier":
      // The parameter `this` of a function is a type annotation in disguise.
      return node.name === "this";
    default:
      return node.type.startsWith("TS") && !lasting.has(node.type);
  }
}

/** Calls `visit` for each child that exists at run time, unwrapped. */
export function forEachChild(node: Node, visit: (child: Node) => void): void {
  const fields = node as unknown as Readonly<Record<string, unknown>>;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) {
      for (const each of value) if (isNode(each) && !isErased(each)) visit(unwrap(each));
    } else if (isNode(value) && !isErased(value)) visit(unwrap(value));
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** The text of a string or of a template without expressions. */
export function literalText(node: Node | null | undefined): string | null {
  if (node == null) return null;
  const inner = unwrap(node);
  if (inner.type === "Literal" && typeof inner.value === "string" && !("bigint" in inner)) return inner.value;
  if (inner.type === "TemplateLiteral" && inner.expressions.length === 0)
    return inner.quasis[0]?.value.cooked ?? null;
  return null;
}

/** The name of a property that is written down: `a.name`, `a["name"]`. */
export function staticName(key: Node, computed: boolean): string | null {
  const inner = unwrap(key);
  if (!computed && inner.type === "Identifier") return inner.name;
  if (!computed && inner.type === "PrivateIdentifier") return `#${inner.name}`;
  if (inner.type === "Literal" && !("regex" in inner) && inner.value !== null) return String(inner.value);
  return computed ? literalText(inner) : null;
}

/** Whether it is `import.meta.NAME` for one of the names. */
export function isImportMeta(node: Node | undefined, ...names: readonly string[]): boolean {
  if (node === undefined) return false;
  const inner = unwrap(node);
  if (inner.type !== "MemberExpression" || unwrap(inner.object).type !== "MetaProperty") return false;
  const name = staticName(inner.property, inner.computed);
  return name !== null && names.includes(name);
}
