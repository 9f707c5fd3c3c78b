/**
 * The normal form of a piece of syntax: equal for two texts that do the same by their syntax
 * alone. Comments, types, layout, quotes and the spelling of numbers leave no trace.
 */
import { isErased, isNode, literalText, type Node, staticName, unwrap } from "./syntax.ts";

/** Properties that say where and how something was written, or what its type is. */
const ignored = new Set([
  "type",
  "start",
  "end",
  "range",
  "parent",
  "raw",
  "directive",
  "shorthand",
  "declare",
  "definite",
  "accessibility",
  "readonly",
  "override",
  "abstract",
  "importKind",
  "exportKind",
]);

/** The normal form of a node, as text. */
export function normalForm(node: Node): string {
  const out: string[] = [];
  write(node, out);
  return out.join("");
}

function write(wrapped: Node, out: string[]): void {
  if (isErased(wrapped)) return;
  const node = unwrap(wrapped);
  switch (node.type) {
    case "Identifier":
      out.push(node.name, " ");
      for (const decorator of node.decorators ?? []) write(decorator, out);
      return;
    case "Literal":
      out.push(literal(node), " ");
      return;
    case "TaggedTemplateExpression":
      // A tag sees how the text was written.
      out.push("(tagged ", JSON.stringify(node.quasi.quasis.map(({ value }) => value.raw)));
      break;
    case "TemplateElement":
      out.push(JSON.stringify(node.value.cooked ?? node.value.raw), " ");
      return;
    case "ExpressionStatement":
      out.push(looksLikeDirective(node) ? "(no directive " : "(ExpressionStatement ");
      break;
    case "BlockStatement":
    case "Program":
      out.push("(", node.type, " ");
      for (const statement of node.body) write(statement, out);
      out.push(")");
      return;
    default:
      out.push("(", node.type, " ");
  }
  writeProperties(node, out);
  out.push(")");
}

function writeProperties(node: Node, out: string[]): void {
  // Every node of every module comes by here: no arrays of entries.
  const fields = node as unknown as Readonly<Record<string, unknown>>;
  for (const name in fields) {
    const value = fields[name];
    if (value === null || value === undefined || value === false || ignored.has(name)) continue;
    if (typeof value !== "object") {
      if (isMeaningful(name, value, node)) out.push(name, "=", JSON.stringify(value), " ");
    } else if (Array.isArray(value)) {
      if (value.length === 0) continue;
      out.push(name, "=[");
      const { length } = out;
      // A hole of an array is a place of its own.
      for (const each of value)
        if (isNode(each)) write(each, out);
        else out.push("_ ");
      // A list of types alone is none.
      if (out.length === length) out.length -= 2;
      else out.push("]");
    } else if (!isNode(value)) {
      out.push(name, "=", JSON.stringify(value), " ");
    } else if (name === "key" && fields["computed"] !== true) {
      out.push("key=", keyOf(value, node), " ");
    } else if (!isErased(value)) {
      out.push(name, "=");
      write(value, out);
    }
  }
}

function isMeaningful(name: string, value: unknown, { type }: Node): boolean {
  // `a?.b` is code, `a?: T` is a type.
  if (name === "optional") return type === "MemberExpression" || type === "CallExpression";
  // Of functions: whether the body is an expression, which the body itself says.
  return name !== "expression" || typeof value !== "boolean";
}

/** A key is the same with and without quotes. */
function keyOf(key: Node, owner: Node): string {
  const name = staticName(key, false);
  // `{ __proto__: x }` sets the prototype, `{ __proto__ }` makes a property; "#x" in quotes is not private.
  const special =
    (name === "__proto__" && "shorthand" in owner && owner.shorthand) ||
    (name?.startsWith("#") === true && key.type !== "PrivateIdentifier");
  return `${JSON.stringify(name)}${special ? "!" : ""}`;
}

/** Whether it is a string that would be `use strict` if it were written plainly: parentheses and escapes make it none. */
function looksLikeDirective({
  expression,
  directive,
}: Node & { readonly type: "ExpressionStatement" }): boolean {
  return literalText(expression) === "use strict" && directive !== "use strict";
}

function literal(node: Node & { readonly type: "Literal" }): string {
  if ("regex" in node) return `/${node.regex.pattern}/${node.regex.flags}`;
  if ("bigint" in node) return `${node.bigint}n`;
  if (node.value === null) return node.raw ?? "null";
  return JSON.stringify(node.value) + (node.value === Infinity ? "Infinity" : "");
}
