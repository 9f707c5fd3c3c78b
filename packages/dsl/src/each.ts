import type { Many } from "./artifact.ts";
import { type Builder, currentBuilder, describe } from "./builder.ts";
import { MlpipeError } from "./errors.ts";
import {
  type ItemRef,
  keyByFields,
  keyItems,
  type KeyFunction,
  type KeyOf,
  type ListRef,
} from "./fan-out.ts";
import { describeKind } from "./kinds.ts";
import { asRef, isRefNode, type Ref, RefNode } from "./ref.ts";
import { Call, callSite } from "./site.ts";

/** What the body of `each` returns: a ref, or refs by name. */
export type EachResult = Ref<unknown> | Readonly<Record<string, Ref<unknown>>>;

type ItemOf<R> = R extends Ref<infer Content> ? Content : never;

/** What `each` gives: the refs of its children joined, each name a `many` keyed by item. */
export type Joined<Result> =
  Result extends Ref<infer Content>
    ? Ref<Many<Content>>
    : { readonly [Name in keyof Result]: Ref<Many<ItemOf<Result[Name]>>> };

/**
 * Fans out: the steps called in `body` are there once for each item, the item's key in their id
 * (`fit[lr=0.1]`), and what the calls return is joined by key, for a port of kind `many`.
 *
 * Over an array `body` runs for each item. Over a ref to a list that a step makes it runs once, when the
 * pipeline is built, with an item that stands for all of them; the steps are there as soon as the list is.
 *
 * @param keyOf names an item; it stays the child's name when others come and go
 * @throws MlpipeError MLP1012 when two items have one key
 */
export function each<const Item, Result extends EachResult>(
  items: readonly Item[],
  keyOf: KeyOf<Item>,
  body: (item: Item, key: string) => Result,
): Joined<Result>;
/** Fans out over a list that a run makes: `item.at("lr")` is a field of an item, `item` the whole of it. */
export function each<Item, Result extends EachResult>(
  items: ListRef<Item>,
  keyOf: KeyOf<Item>,
  body: (item: ItemRef<Item>) => Result,
): Joined<Result>;
export function each(
  items: readonly unknown[] | ListRef<unknown>,
  keyOf: string | readonly string[] | ((item: never) => string),
  body: (item: never, key: string) => EachResult,
): unknown {
  const builder = currentBuilder("each");
  // The overloads typed the functions by the items.
  const run = body as (item: unknown, key?: string) => unknown;
  const fields = typeof keyOf === "function" ? undefined : [keyOf].flat();
  const keyFunction = typeof keyOf === "function" ? (keyOf as KeyFunction) : undefined;
  if (
    keyFunction === undefined &&
    !(fields?.length && fields.every((field) => typeof field === "string" && field !== ""))
  ) {
    throw new MlpipeError("MLP1006", `each was given ${describe(keyOf)} to make keys with.`, {
      at: callSite(),
      hint: 'Give it the name of a field, "lr", several, ["lr", "depth"], or a function of the item.',
    });
  }
  if (isRefNode(items)) return overRef(builder, items, { fields, keyFunction }, run, new Call(each));
  if (!Array.isArray(items)) throw noList(describe(items));
  const results = new Map<string, unknown>();
  for (const [key, item] of keyItems(
    items,
    keyFunction ?? ((each) => keyByFields(each, fields ?? [])),
    callSite(),
  )) {
    results.set(
      key,
      builder.forItem(key, () => run(item, key)),
    );
  }
  return join(results);
}

function overRef(
  builder: Builder,
  list: RefNode,
  key: { readonly fields: readonly string[] | undefined; readonly keyFunction: KeyFunction | undefined },
  body: (item: unknown) => unknown,
  called: Call,
): unknown {
  const { kind } = list.kind;
  if (kind !== "value" && kind !== "json" && kind !== "jsonl") throw noList(describeKind(list.kind));
  const { each: id, result } = builder.forAnyItem(list, key, body, called);
  const joined = (label: string, item: unknown): RefNode => {
    if (!isRefNode(item)) throw noRef(label);
    return new RefNode(`each ${label}`, { kind: "many", of: item.kind }, { type: "joined", each: id, item });
  };
  if (isRefNode(result)) return asRef(joined("each", result));
  if (typeof result !== "object" || result === null) throw noRef("each");
  return Object.fromEntries(Object.entries(result).map(([name, item]) => [name, joined(name, item)]));
}

function noList(found: string): MlpipeError {
  return new MlpipeError("MLP1006", `each takes a list, and was given ${found}.`, {
    at: callSite(),
    hint: "An array, or a ref to one: an output declared as z.array(…), json(z.array(…)) or jsonl(…).",
  });
}

function noRef(label: string): MlpipeError {
  return new MlpipeError("MLP1011", `The body of each returned something else than a ref as ${label}.`, {
    at: callSite(),
    hint: "Return refs: what each gives are those of all items, by key.",
  });
}

function join(results: ReadonlyMap<string, unknown>): unknown {
  const [first] = results.values();
  if (first === undefined) return joinedNothing();
  if (isRefNode(first)) return asRef(joinRefs("each", results));
  if (typeof first !== "object" || first === null) {
    throw new MlpipeError("MLP1011", "The body of each returned something else than refs.", {
      at: callSite(),
    });
  }
  const names = Object.keys(first);
  return Object.fromEntries(
    names.map((name) => {
      const column = new Map<string, unknown>();
      for (const [key, result] of results) {
        column.set(
          key,
          typeof result === "object" && result !== null ? Reflect.get(result, name) : undefined,
        );
      }
      return [name, joinRefs(name, column)];
    }),
  );
}

function joinRefs(label: string, results: ReadonlyMap<string, unknown>): RefNode {
  const items: (readonly [string, RefNode])[] = [];
  for (const [key, ref] of results) {
    if (!isRefNode(ref)) {
      throw new MlpipeError("MLP1011", `The body of each returned no ref ${label} for the item ${key}.`, {
        at: callSite(),
        hint: "Return the same refs for every item.",
      });
    }
    items.push([key, ref]);
  }
  const [first] = items;
  if (first === undefined) throw new Error("joined no refs");
  return new RefNode(`each ${label}`, { kind: "many", of: first[1].kind }, { type: "many", items });
}

/** With no items nobody knows what the body would have returned: every name is an empty `many`. */
function joinedNothing(): unknown {
  const empty = new RefNode(
    "each of nothing",
    { kind: "many", of: { kind: "value" } },
    { type: "many", items: [] },
  );
  return new Proxy(empty, {
    get: (target, name): unknown =>
      typeof name === "symbol" || name in target ? Reflect.get(target, name) : empty,
  });
}
