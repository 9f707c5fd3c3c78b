/** What the columns of a row hold, as its schema says, so that text becomes numbers only where they are asked for. */
import { jsonSchemaOf, type JsonSchema, type Schema } from "./schema.ts";

/** What a column accepts. */
export interface Column {
  readonly number: boolean;
  readonly boolean: boolean;
  /** Any string, none, or only these. */
  readonly strings: "any" | "none" | ReadonlySet<string>;
  readonly nullable: boolean;
  readonly optional: boolean;
}

/** The columns of a row. */
export interface Columns {
  /** By name, in the order of the schema. */
  readonly named: ReadonlyMap<string, Column>;
  /** What further columns hold, where the schema lets them through: `z.record(z.string(), z.number())`. */
  readonly others: Column | undefined;
}

/** The columns of a row as its schema has them; nothing if the schema does not tell. */
export function columnsOf(schema: Schema): Columns | undefined {
  const root = jsonSchemaOf(schema);
  if (root === undefined) return undefined;
  const { additionalProperties } = root;
  const others = isObject(additionalProperties) ? column([additionalProperties], root, true) : undefined;
  const properties = propertiesOf(root, root, 0);
  if (properties === undefined && others === undefined) return undefined;
  const named = new Map<string, Column>();
  for (const [name, { schemas, optional }] of properties ?? [])
    named.set(name, column(schemas, root, optional));
  return { named, others };
}

function column(schemas: readonly JsonSchema[], root: JsonSchema, optional: boolean): Column {
  const accepts = new Accepts(root);
  for (const each of schemas) accepts.add(each);
  return accepts.column(optional);
}

interface Property {
  readonly schemas: readonly JsonSchema[];
  readonly optional: boolean;
}

/** References may lead in circles; no row is nested deeper. */
const maxDepth = 32;

function propertiesOf(
  part: JsonSchema,
  root: JsonSchema,
  depth: number,
): ReadonlyMap<string, Property> | undefined {
  if (depth > maxDepth) return undefined;
  const { $ref, properties, required, allOf, anyOf, oneOf } = part;
  const found = new Map<string, Property>();
  let known = false;

  if (isObject(properties)) {
    known = true;
    const names: readonly unknown[] = Array.isArray(required) ? required : [];
    for (const [name, schema] of Object.entries(properties)) {
      if (isObject(schema)) found.set(name, { schemas: [schema], optional: !names.includes(name) });
    }
  }
  const all = [...(typeof $ref === "string" ? [referred($ref, root)] : []), ...schemasIn(allOf)];
  for (const each of all) {
    const inner = each && propertiesOf(each, root, depth + 1);
    if (inner === undefined) continue;
    known = true;
    for (const [name, property] of inner) {
      const before = found.get(name);
      found.set(name, {
        schemas: [...(before?.schemas ?? []), ...property.schemas],
        optional: property.optional && (before?.optional ?? true),
      });
    }
  }
  // Of alternatives, a column is required only if it is in all of them.
  const alternatives = [...schemasIn(anyOf), ...schemasIn(oneOf)].map((each) =>
    propertiesOf(each, root, depth + 1),
  );
  for (const inner of alternatives) {
    if (inner === undefined) continue;
    known = true;
    for (const [name, property] of inner) {
      const before = found.get(name);
      const everywhere = alternatives.every((other) => other?.get(name)?.optional === false);
      found.set(name, { schemas: [...(before?.schemas ?? []), ...property.schemas], optional: !everywhere });
    }
  }
  return known ? found : undefined;
}

/** Gathers what the alternatives of one property accept. */
class Accepts {
  readonly #root: JsonSchema;
  #number = false;
  #boolean = false;
  #null = false;
  #anyString = false;
  readonly #strings = new Set<string>();

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  add(schema: JsonSchema, depth = 0): void {
    if (depth > maxDepth) return;
    const { $ref, type, anyOf, oneOf, allOf } = schema;
    if (typeof $ref === "string") {
      const target = referred($ref, this.#root);
      if (target !== undefined) this.add(target, depth + 1);
      return;
    }
    const values = "const" in schema ? [schema["const"]] : schema["enum"];
    if (Array.isArray(values)) {
      for (const value of values) this.#addValue(value);
      return;
    }
    const inner = [...schemasIn(anyOf), ...schemasIn(oneOf), ...schemasIn(allOf)];
    for (const each of inner) this.add(each, depth + 1);
    const types: readonly unknown[] = Array.isArray(type) ? type : [type];
    for (const each of types) {
      if (each === "number" || each === "integer") this.#number = true;
      else if (each === "boolean") this.#boolean = true;
      else if (each === "null") this.#null = true;
      else if (each === "string" || inner.length === 0) this.#anyString = true;
    }
  }

  #addValue(value: unknown): void {
    if (typeof value === "number") this.#number = true;
    else if (typeof value === "boolean") this.#boolean = true;
    else if (value === null) this.#null = true;
    else if (typeof value === "string") this.#strings.add(value);
  }

  column(optional: boolean): Column {
    const strings = this.#anyString ? "any" : this.#strings.size > 0 ? this.#strings : "none";
    return { number: this.#number, boolean: this.#boolean, strings, nullable: this.#null, optional };
  }
}

function referred(reference: string, root: JsonSchema): JsonSchema | undefined {
  if (!reference.startsWith("#")) return undefined;
  let found: unknown = root;
  for (const part of reference.slice(1).split("/").filter(Boolean)) {
    if (!isObject(found)) return undefined;
    found = found[decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return isObject(found) ? found : undefined;
}

function schemasIn(list: unknown): readonly JsonSchema[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
