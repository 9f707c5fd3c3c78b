import type { Many } from "./artifact.ts";
import { currentBuilder } from "./builder.ts";
import { MlpipeError } from "./errors.ts";
import { checkItemKey } from "./names.ts";
import { asRef, isRefNode, type Ref, RefNode } from "./ref.ts";
import { callSite } from "./site.ts";

/** What the body of `each` returns: a ref, or refs by name. */
export type EachResult = Ref<unknown> | Readonly<Record<string, Ref<unknown>>>;

type ItemOf<R> = R extends Ref<infer Content> ? Content : never;

/** What `each` gives: the refs of its children joined, each name a `many` keyed by item. */
export type Joined<Result> =
  Result extends Ref<infer Content>
    ? Ref<Many<Content>>
    : { readonly [Name in keyof Result]: Ref<Many<ItemOf<Result[Name]>>> };

/**
 * Fans out: runs `body` once for each item and joins what the calls return by key, for a port
 * of kind `many`. The steps called in the body carry the key in their id: `fit[lr=0.1]`.
 *
 * @param keyOf names an item; it stays the child's name when others come and go
 * @throws MlpipeError MLP1012 when two items have one key
 */
export function each<const Item, Result extends EachResult>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  body: (item: Item, key: string) => Result,
): Joined<Result> {
  const builder = currentBuilder("each");
  const results = new Map<string, unknown>();
  for (const item of items) {
    const key = keyOf(item);
    checkItemKey(key, callSite());
    if (results.has(key)) {
      throw new MlpipeError("MLP1012", `Two items of each have the key ${JSON.stringify(key)}.`, {
        at: callSite(),
        hint: "Make the key of what tells the items apart.",
      });
    }
    results.set(
      key,
      builder.forItem(key, () => body(item, key)),
    );
  }
  // The names and kinds that were joined are those the body returned, as Joined says.
  return join(results) as Joined<Result>;
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
