/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Why a value has no JSON form. */
export interface NotJson {
  /** What stands in the way, and where: `NaN at .scores[2]`. */
  readonly problem: string;
  /** What to write instead. */
  readonly hint: string;
}

/**
 * The JSON form of a value, or where it has none: steps see exactly what was keyed, so a value
 * that JSON would change silently (`NaN` to `null`, a date to a string) is not accepted. A
 * property that is `undefined` counts as absent, and `-0` is `0`, as in JSON.
 */
export function toJson(value: unknown): { readonly json: Json } | NotJson {
  const path: string[] = [];
  const open = new Set<object>();
  let found: NotJson | undefined;

  const fail = (what: string, hint: string): null => {
    found ??= { problem: `${what} at ${path.length === 0 ? "the value itself" : path.join("")}`, hint };
    return null;
  };

  const convert = (part: unknown): Json => {
    switch (typeof part) {
      case "string":
        return part.isWellFormed()
          ? part
          : fail("a string that is not valid Unicode", "Its toWellFormed() can be kept.");
      case "boolean":
        return part;
      case "number":
        return Number.isFinite(part)
          ? part + 0
          : fail(String(part), "JSON has finite numbers only: use null, or leave it out.");
      case "object":
        break;
      default:
        return typeof part === "undefined"
          ? fail("undefined", "Use null, or leave it out.")
          : fail(
              `a ${typeof part}`,
              typeof part === "bigint" ? "Use its String()." : "Use what it gives, as plain data.",
            );
    }
    if (part === null) return null;
    if (open.has(part)) return fail("a circular reference", "Name the other by an id of its own.");
    open.add(part);
    const converted = Array.isArray(part) ? convertArray(part) : convertObject(part);
    open.delete(part);
    return converted;
  };

  const convertArray = (items: readonly unknown[]): Json => {
    const converted: Json[] = [];
    for (let index = 0; index < items.length; index++) {
      path.push(`[${index}]`);
      converted.push(convert(items[index]));
      path.pop();
    }
    return converted;
  };

  const convertObject = (part: object): Json => {
    const prototype: unknown = Object.getPrototypeOf(part);
    if (prototype !== Object.prototype && prototype !== null) {
      return fail(`an instance of ${part.constructor.name || "a class"}`, plainForm(part));
    }
    const entries: [string, Json][] = [];
    for (const [key, item] of Object.entries(part)) {
      if (item === undefined) continue;
      path.push(`.${key}`);
      entries.push([key, convert(item)]);
      path.pop();
    }
    // fromEntries defines properties, so that a key named __proto__ stays a key.
    return Object.fromEntries(entries);
  };

  const json = convert(value);
  return found ?? { json };
}

/** How an object of a class becomes plain data. */
function plainForm(instance: object): string {
  if (instance instanceof Date) return "Use its toISOString().";
  if (instance instanceof Map) return "Make an object of it: Object.fromEntries(map).";
  if (instance instanceof Set || ArrayBuffer.isView(instance)) return "Make an array of it: Array.from(…).";
  return "Copy what counts of it into a plain object.";
}
