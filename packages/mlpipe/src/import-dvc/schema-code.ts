/** Schemas of params, written by what a params file holds today. */
import { propertyName } from "./kinds.ts";
import { isMapping } from "./yaml-file.ts";

/** The code of a schema that accepts a value and its like. */
export function schemaCode(value: unknown, indent = ""): string {
  if (typeof value === "string") return "z.string()";
  if (typeof value === "number") return "z.number()";
  if (typeof value === "boolean") return "z.boolean()";
  if (Array.isArray(value)) {
    const items = [...new Set(value.map((item: unknown) => schemaCode(item, indent)))];
    return items.length === 1 && items[0] !== undefined ? `z.array(${items[0]})` : "z.array(z.json())";
  }
  // A value that is not set may become anything.
  if (!isMapping(value)) return "z.json()";
  const inner = `${indent}  `;
  const fields = Object.entries(value).map(
    ([name, field]) => `${inner}${propertyName(name)}: ${schemaCode(field, inner)},\n`,
  );
  return fields.length === 0 ? "z.record(z.string(), z.json())" : `z.object({\n${fields.join("")}${indent}})`;
}

/** An expression for something below an object: `p.train["max-depth"]`. */
export function memberCode(object: string, path: readonly string[]): string {
  return path.reduce(
    (code, name) =>
      /^[A-Za-z_$][\w$]*$/.test(name) ? `${code}.${name}` : `${code}[${JSON.stringify(name)}]`,
    object,
  );
}
