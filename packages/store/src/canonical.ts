import { StoreError } from "./errors.ts";

/** Deeper than any document of mlpipe, and shallow enough that recursion cannot reach the end of the stack. */
const maxDepth = 1_000;

/** Thrown inside, without the path: finding the path costs time that only a failure should pay. */
class NoJson extends Error {}

/**
 * The canonical JSON (RFC 8785) of a value: keys sorted by UTF-16 code units, no white space, numbers as ECMAScript
 * prints them. Distinct values have distinct encodings, with one exception that RFC 8785 makes: `-0` is written as `0`
 * (a model's metric may well be `-0`, and every JSON reader hands it on as `0` or compares the two as equal).
 *
 * @throws StoreError `MLP4001`, naming the path, for what JSON cannot hold: `NaN`, infinities, `undefined` (also as a
 *   property), big integers, symbols, functions, dates, maps, sets and every other class instance, holes in arrays,
 *   strings that are not well-formed UTF-16, cycles, and nesting of more than 1,000 levels
 */
export function canonicalJson(value: unknown): string {
  try {
    const sorted = sort(value, 0);
    // Node's own encoder writes numbers and strings as RFC 8785 does, and is ten times as fast as one in JavaScript.
    return sorted === unsortable ? encode(value, 0) : JSON.stringify(sorted);
  } catch (error) {
    if (!(error instanceof NoJson)) throw error;
    throw new StoreError("MLP4001", `expected a value that JSON can hold, got ${findOffence(value)}`, {
      exit: 2,
    });
  }
}

/** What an object cannot be sorted to, because its order or its encoding is not that of its keys. */
const unsortable = Symbol("unsortable");

/**
 * The value with the keys of every object in order: itself where they are already, so that most documents are only
 * looked at and not copied.
 */
function sort(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) throw new NoJson();
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new NoJson();
      return value;
    case "boolean":
      return value;
    case "object":
      if (value === null) return value;
      if (depth >= maxDepth) throw new NoJson();
      // The encoder would ask it how it wants to be written.
      if ("toJSON" in value) return unsortable;
      return Array.isArray(value) ? sortItems(value, depth) : sortKeys(value, depth);
    default:
      throw new NoJson();
  }
}

function sortItems(items: readonly unknown[], depth: number): unknown {
  let copy: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const sorted = sort(items[i], depth + 1);
    if (sorted === unsortable) return unsortable;
    if (copy !== undefined) copy.push(sorted);
    else if (sorted !== items[i]) copy = [...items.slice(0, i), sorted];
  }
  return copy ?? items;
}

function sortKeys(value: object, depth: number): unknown {
  if (!isPlain(value)) throw new NoJson();
  const keys = Object.keys(value);
  // Every key is an own one, `__proto__` included, so this reads properties and never the prototype.
  const from = value as Readonly<Record<string, unknown>>;
  const inOrder = sortInPlace(keys);
  let copy: Record<string, unknown> | undefined;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] ?? "";
    if (!key.isWellFormed()) throw new NoJson();
    const property = from[key];
    const sorted = sort(property, depth + 1);
    if (sorted === unsortable) return unsortable;
    if (copy === undefined) {
      if (inOrder && sorted === property) continue;
      if (!keys.every(isOrdinary)) return unsortable;
      copy = {};
      for (const before of keys.slice(0, i)) copy[before] = from[before];
    }
    copy[key] = sorted;
  }
  return copy ?? value;
}

/** Sorts keys by code units and returns whether they were in order. Few keys: insertion is faster than `sort`. */
function sortInPlace(keys: string[]): boolean {
  let inOrder = true;
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? "";
    if (key >= (keys[i - 1] ?? "")) continue;
    inOrder = false;
    if (i > 32) {
      keys.sort();
      return false;
    }
    let j = i;
    for (; j > 0 && (keys[j - 1] ?? "") > key; j--) keys[j] = keys[j - 1] ?? "";
    keys[j] = key;
  }
  return inOrder;
}

/** Whether a copy has the key where it was put: digits stand first in every object, and `__proto__` is no property. */
function isOrdinary(key: string): boolean {
  const first = key.charCodeAt(0);
  return !(first >= 48 && first <= 57) && key !== "__proto__";
}

function encode(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return encodeString(value);
    case "number":
      if (!Number.isFinite(value)) throw new NoJson();
      // String() prints a number as RFC 8785 wants it, and -0 as 0.
      return String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth >= maxDepth) throw new NoJson();
      return Array.isArray(value) ? encodeArray(value, depth) : encodeObject(value, depth);
    default:
      throw new NoJson();
  }
}

function encodeString(text: string): string {
  if (!text.isWellFormed()) throw new NoJson();
  return JSON.stringify(text);
}

function encodeArray(items: readonly unknown[], depth: number): string {
  let text = "[";
  for (let i = 0; i < items.length; i++) {
    if (i > 0) text += ",";
    // A hole reads as undefined, which is refused.
    text += encode(items[i], depth + 1);
  }
  return `${text}]`;
}

function encodeObject(value: object, depth: number): string {
  if (!isPlain(value)) throw new NoJson();
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort();
  let text = "{";
  for (const key of keys) {
    if (text.length > 1) text += ",";
    // Every key is an own one, `__proto__` included, so this reads the property and never the prototype.
    const property: unknown = Reflect.get(value, key);
    text += `${encodeString(key)}:${encode(property, depth + 1)}`;
  }
  return `${text}}`;
}

/** An object literal, also one of another realm, or an object without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Says what the first thing is that JSON cannot hold, and where. Iterative, because depth may be the offence. */
function findOffence(root: unknown): string {
  interface Visit {
    readonly value: unknown;
    readonly path: string;
    readonly above: readonly object[];
  }
  const visits: Visit[] = [{ value: root, path: "", above: [] }];
  for (let visit = visits.pop(); visit !== undefined; visit = visits.pop()) {
    const { value, path, above } = visit;
    const at = path === "" ? "" : ` at ${path}`;
    if (typeof value === "string" && !value.isWellFormed()) return `a string with half a surrogate pair${at}`;
    if (typeof value === "number" && !Number.isFinite(value)) return `${value}${at}`;
    if (
      value === undefined ||
      typeof value === "bigint" ||
      typeof value === "symbol" ||
      typeof value === "function"
    ) {
      return `${nameOf(value)}${at}`;
    }
    if (typeof value !== "object" || value === null) continue;
    if (above.includes(value)) return `a cycle${at}`;
    if (above.length >= maxDepth) return `more than ${maxDepth} levels of nesting`;
    if (!Array.isArray(value) && !isPlain(value)) return `${nameOf(value)}${at}`;
    const inside = [...above, value];
    if (Array.isArray(value)) {
      for (let i = value.length - 1; i >= 0; i--)
        visits.push({ value: value[i], path: `${path}[${i}]`, above: inside });
      continue;
    }
    for (const key of Object.keys(value).toReversed()) {
      if (!key.isWellFormed()) return `a key with half a surrogate pair${at}`;
      const step = /^[A-Za-z_$][\w$]*$/.test(key)
        ? path === ""
          ? key
          : `.${key}`
        : `[${JSON.stringify(key)}]`;
      visits.push({ value: Reflect.get(value, key), path: path + step, above: inside });
    }
  }
  return "a value that changed while it was read";
}

function nameOf(value: unknown): string {
  if (typeof value === "object" && value !== null) {
    const { constructor } = value;
    return `an instance of ${typeof constructor === "function" && constructor.name !== "" ? constructor.name : "a class"}`;
  }
  return value === undefined ? "undefined" : `a ${typeof value}`;
}
