/**
 * Fan-out over a list that only a run makes: the item that the body of `each` is given in its place,
 * and how an item gets its key once it is there.
 */
import type { JsonFile, Jsonl } from "./artifact.ts";
import { MlpipeError } from "./errors.ts";
import { checkItemKey } from "./names.ts";
import { type Ref, RefNode } from "./ref.ts";
import { type Call, callSite, type Site } from "./site.ts";

/** What stands in the id of a step for the key of an item that is not known yet: `fit[*]`. */
export const anyItem = "[*]";

/** A list that a run makes: a value, a JSON document, or rows as JSON lines. */
export type ListRef<Item> = Ref<readonly Item[] | JsonFile<readonly Item[]> | Jsonl<Item>>;

/** Names by which an item can be keyed: its fields; an item that has none is named as one likes. */
export type NameIn<Item> = Item extends object ? keyof Item & string : string;

/**
 * How an item gets its key: the name of a field (`"lr"` makes `lr=0.1` of `{ lr: 0.1 }`, and of a plain
 * `0.1` too), of several (`lr=0.1,depth=3`), or a function of the item.
 */
export type KeyOf<Item> = NameIn<Item> | readonly NameIn<Item>[] | ((item: Item) => string);

/** An item of a list that a run makes: a ref to the whole of it, and to its fields. */
export type ItemRef<Item> = Ref<Item> & ItemFields<Item>;

/** The fields of an item that is not there yet. */
export interface ItemFields<Item> {
  /** A ref to a field; a run in which an item lacks it fails, and names the item. */
  at<Name extends keyof Item & string>(name: Name): ItemRef<Item[Name]>;
}

/** Names an item; what it is given is what the list holds, as JSON. */
export type KeyFunction = (item: unknown) => unknown;

/** A call of `each` over a ref while its pipeline is built. */
export interface BuiltFanOut {
  readonly id: string;
  readonly list: RefNode;
  readonly fields: readonly string[] | undefined;
  readonly keyFunction: KeyFunction | undefined;
  /** The fan-outs around it, outermost first. */
  readonly within: readonly string[];
  readonly called: Call;
}

/** An item's place in the body of `each`. */
export class ItemNode extends RefNode {
  at(name: string): ItemNode {
    const { origin, label } = this;
    if (origin.type !== "item") throw new Error("an item comes from a fan-out");
    if (typeof name !== "string" || name === "") {
      throw new MlpipeError("MLP1006", `A field of ${label} is asked for by its name.`, {
        at: callSite(),
        hint: 'Write item.at("lr").',
      });
    }
    return new ItemNode(`${label}.${name}`, { kind: "value" }, { ...origin, path: [...origin.path, name] });
  }
}

/**
 * The key of an item by the names of its fields.
 * @throws MlpipeError MLP1013 if a field is not there or is no text, number or boolean
 */
export function keyByFields(item: unknown, fields: readonly string[]): string {
  return fields
    .map((field) => {
      const value = typeof item === "object" && item !== null ? fieldOf(item, field) : item;
      if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
        return `${field}=${value}`;
      const found = value === undefined ? "is not there" : `is ${JSON.stringify(value).slice(0, 60)}`;
      throw new MlpipeError("MLP1013", `Items are keyed by their ${field}, and that of one ${found}.`, {
        hint: "A key is made of text, numbers and booleans; or give each a function that makes it.",
      });
    })
    .join(",");
}

/** A field that the item has itself: what every object inherits is no field. */
export function fieldOf(item: object, name: string): unknown {
  return Object.hasOwn(item, name) ? (Reflect.get(item, name) as unknown) : undefined;
}

/**
 * The items of a list by their keys.
 * @throws MlpipeError MLP1001 for a key that cannot be one, MLP1012 when two items have one, MLP1013
 */
export function keyItems<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => unknown,
  at: Site | readonly Site[] | undefined,
): ReadonlyMap<string, Item> {
  const keyed = new Map<string, Item>();
  for (const item of items) {
    const key = keyOf(item);
    checkItemKey(key, at);
    if (keyed.has(key)) {
      throw new MlpipeError("MLP1012", `Two items of each have the key ${JSON.stringify(key)}.`, {
        at,
        hint: "Make the key of what tells the items apart.",
      });
    }
    keyed.set(key, item);
  }
  return keyed;
}
