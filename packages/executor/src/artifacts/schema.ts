/** The user's schemas, as Standard Schema shows them. */
import { describe, type Kind } from "@mlpipe/dsl";

/** A schema of any library. */
export type Schema = NonNullable<Kind["schema"]>;

/** What a schema says of a value. */
export type Verdict = Awaited<ReturnType<Schema["~standard"]["validate"]>>;

type Issues = NonNullable<Verdict["issues"]>;

/** Validates; most schemas answer at once, and a promise for every row would cost more than the row. */
export function validate(schema: Schema, value: unknown): Verdict | Promise<Verdict> {
  return schema["~standard"].validate(value);
}

/** Issues with what was found: `tempMax is "warm": expected number; …`. */
export function describeRefusal(issues: Issues, value: unknown): string {
  const shown = issues.slice(0, 3).map((issue) => {
    const path = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
    if (path.length === 0) return issue.message;
    const found = foundAt(value, path);
    return `${path.map(String).join(".")} ${found}: ${issue.message}`;
  });
  const more = issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}

function foundAt(value: unknown, path: readonly PropertyKey[]): string {
  let found: unknown = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return "is missing";
    found = Reflect.get(found, key);
  }
  return found === undefined ? "is missing" : `is ${describe(found)}`;
}

/** JSON Schema, as far as it is looked at here. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What libraries may offer beside `validate`: Standard JSON Schema. */
interface Describes {
  readonly version: number;
  readonly jsonSchema?: {
    readonly input: (options: object) => JsonSchema;
    readonly output: (options: object) => JsonSchema;
  };
}

const target = "draft-2020-12";

/** The JSON Schema of what a schema accepts; nothing if its library has none. */
export function jsonSchemaOf(schema: Schema): JsonSchema | undefined {
  const { jsonSchema }: Describes = schema["~standard"];
  try {
    // zod is told to leave open what JSON Schema has no word for (a date), instead of giving up the rest.
    return jsonSchema?.input({ target, libraryOptions: { unrepresentable: "any" } });
  } catch {
    return undefined;
  }
}

/**
 * Whether a schema makes something else of what it is given than a default or a row without
 * unknown properties. What such a schema gives must not be written: whoever reads the file
 * validates it, and would convert a second time.
 */
export function converts(schema: Schema): boolean {
  const { jsonSchema }: Describes = schema["~standard"];
  if (jsonSchema === undefined) return true;
  try {
    return shape(jsonSchema.input({ target })) !== shape(jsonSchema.output({ target }));
  } catch {
    // Transforms and dates have no JSON Schema.
    return true;
  }
}

/** Without what differs between the sides of a schema that only checks. */
function shape(jsonSchema: JsonSchema): string {
  return JSON.stringify(jsonSchema, (key, value: unknown) =>
    (key === "required" && Array.isArray(value)) || (key === "additionalProperties" && value === false)
      ? undefined
      : value,
  );
}
