/** What JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * The JSON form of a value, or where it has none: steps see exactly what was keyed, so a value
 * that JSON would change silently (`NaN` to `null`, a date to a string) is not accepted. A
 * property that is `undefined` counts as absent, and `-0` is `0`, as in JSON.
 */
export function toJson(value: unknown): { readonly json: Json } | { readonly problem: string } {
  const path: string[] = [];
  const open = new Set<object>();
  let problem: string | undefined;

  const fail = (what: string): null => {
    problem ??= `${what} at ${path.length === 0 ? "the value itself" : path.join("")}`;
    return null;
  };

  const convert = (part: unknown): Json => {
    switch (typeof part) {
      case "string":
        return part.isWellFormed() ? part : fail("a string that is not valid Unicode");
      case "boolean":
        return part;
      case "number":
        return Number.isFinite(part) ? part + 0 : fail(String(part));
      case "object":
        break;
      default:
        return fail(typeof part === "undefined" ? "undefined" : `a ${typeof part}`);
    }
    if (part === null) return null;
    if (open.has(part)) return fail("a circular reference");
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
      return fail(`an instance of ${part.constructor.name || "a class"}`);
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
  return problem === undefined ? { json } : { problem };
}
