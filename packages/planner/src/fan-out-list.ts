/** The list of a fan-out, as soon as what holds it is there. */
import { readFileSync } from "node:fs";
import { type KindSpec, type ManifestFanOut, type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import { digestOf, type Store, StoreError } from "@mlpipe/store";
import { absoluteSite, type InputResolver, resolveInput } from "./inputs.ts";

/**
 * The items of a fan-out's list; nothing while it is not known.
 * @param user the first step of its body, for messages about a source
 * @throws MlpipeError MLP1013 for what is no list, MLP2001 for a source that is missing
 * @throws StoreError MLP4009 for a list that was damaged in the store
 */
export function listOf(
  fanOut: ManifestFanOut,
  user: ManifestStep | undefined,
  store: Store,
  resolver: InputResolver,
): readonly unknown[] | undefined {
  const { id, list, kind } = fanOut;
  if (list.type === "value") return checkList(list.value, fanOut, resolver.root);
  if (list.type !== "step" && list.type !== "source") return undefined;
  const spec: KindSpec = { kind };
  const place = user ?? { id, called: fanOut.called };
  const input = resolveInput(place, "list", spec, list, resolver);
  if (input.type === "source") {
    return checkList(parse(readFileSync(input.absolute), fanOut, resolver.root), fanOut, resolver.root);
  }
  if (input.type !== "object") return undefined;
  const { content } = input;
  if (!store.objects.has(content)) return undefined;
  const path = store.objects.pathOf(content);
  const bytes = readFileSync(path);
  if (digestOf(bytes) !== content.digest) {
    store.objects.remove(content);
    throw new StoreError("MLP4009", `the list of ${id} was damaged in the store, and was dropped`, {
      path,
      hint: "Run again: it is made anew.",
    });
  }
  return checkList(parse(bytes, fanOut, resolver.root), fanOut, resolver.root);
}

function parse(bytes: Uint8Array, fanOut: ManifestFanOut, root: string): unknown {
  const text = new TextDecoder().decode(bytes);
  try {
    if (fanOut.kind !== "jsonl") return JSON.parse(text);
    return text.split("\n").flatMap((line): unknown[] => (line.trim() === "" ? [] : [JSON.parse(line)]));
  } catch (error) {
    throw noList(fanOut, root, error instanceof Error ? `no JSON: ${error.message}` : "no JSON");
  }
}

function checkList(value: unknown, fanOut: ManifestFanOut, root: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw noList(
    fanOut,
    root,
    value === null ? "null" : typeof value === "object" ? "an object" : `a ${typeof value}`,
  );
}

function noList({ id, called }: ManifestFanOut, root: string, found: string): MlpipeError {
  return new MlpipeError("MLP1013", `What ${id} is to fan out over is no list but ${found}.`, {
    at: absoluteSite(root, called),
  });
}
