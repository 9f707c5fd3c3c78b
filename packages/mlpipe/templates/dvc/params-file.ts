import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";

/**
 * A schema whose values a file says, unless the command line does: `mlpipe run -s train.lr=0.1`.
 *
 * @param path a YAML or JSON file, from the folder of this module
 */
export function fromFile<Schema extends z.ZodObject>(path: string, schema: Schema): Schema {
  let content: unknown;
  const valueAt = (names: readonly string[]): unknown => {
    content ??= parse(readFileSync(new URL(path, import.meta.url), "utf8"));
    let value = content;
    for (const name of names) {
      value = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
    }
    return value;
  };
  const filled = (object: z.ZodObject, above: readonly string[]): z.ZodObject =>
    z.object(
      Object.fromEntries(
        Object.entries(object.shape).map(([name, inner]) => {
          const names = [...above, name];
          return [
            name,
            inner instanceof z.ZodObject
              ? filled(inner, names).prefault({})
              : z.prefault(inner, () => valueAt(names)),
          ];
        }),
      ),
    );
  // The names and types are the same; only what may be left out differs.
  return filled(schema, []) as unknown as Schema;
}

/** The same as a part of other params, which may be left out. */
export function section<Schema extends z.ZodObject>(schema: Schema): z.ZodPrefault<Schema> {
  // What an empty object lacks, the file says.
  return z.prefault(schema, {} as z.input<Schema>);
}
