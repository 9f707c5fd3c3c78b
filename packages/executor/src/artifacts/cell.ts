/** One field of comma-separated text. */
import type { Column } from "./columns.ts";

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** What a field is for its column, or why it can be nothing. */
export function parseCell(
  field: string,
  column: Column | undefined,
): { readonly value: unknown } | { readonly problem: string } {
  if (column === undefined) return { value: field };
  const { number, boolean, strings, nullable, optional } = column;
  if (field === "") {
    if (optional) return { value: undefined };
    if (nullable) return { value: null };
  }
  if (strings === "any" || (strings !== "none" && strings.has(field))) return { value: field };
  // A schema that coerces would read an empty field as 0 or false: a gap must never become data.
  if ((number || boolean) && field.trim() === "") {
    return { problem: `expected ${number ? "a number" : "true or false"}` };
  }
  if (number && decimal.test(field)) {
    const value = Number(field);
    if (!isWhole(field, value))
      return { problem: "it has more digits than a number can hold; read it as a string" };
    if (Number.isFinite(value)) return { value };
  }
  if (boolean && (field === "true" || field === "false")) return { value: field === "true" };
  // The schema says what is wrong with it.
  return { value: field };
}

/** Whether an integer kept all its digits: an id that did not would be another id. */
function isWhole(field: string, value: number): boolean {
  if (!Number.isInteger(value) || Number.isSafeInteger(value) || !/^[+-]?\d+$/.test(field)) return true;
  return String(value) === field || BigInt(value) === BigInt(field.replace("+", ""));
}

/** A value as a field, or why it cannot be one. */
export function formatCell(value: unknown): { readonly field: string } | { readonly problem: string } {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? { field: value } : { problem: "a string that is not valid Unicode" };
    case "number":
      return Number.isFinite(value) ? { field: String(value) } : { problem: String(value) };
    case "boolean":
    case "bigint":
      return { field: String(value) };
    case "undefined":
      return { field: "" };
    case "object":
      if (value === null) return { field: "" };
      return {
        problem: Array.isArray(value) ? "an array" : `an object (${value.constructor?.name ?? "no class"})`,
      };
    default:
      return { problem: `a ${typeof value}` };
  }
}
