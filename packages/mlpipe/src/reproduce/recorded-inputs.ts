/** The inputs of a step run as it had them, wherever their bytes are now. */
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { ManifestStep } from "@mlpipe/dsl";
import type { ResolvedInput } from "@mlpipe/planner";
import type { StepRun } from "@mlpipe/provenance";
import { type Content, digestOfJson, isDigest, type Store } from "@mlpipe/store";
import type { OutputAgain } from "@mlpipe/executor/again";

/** Where inputs are looked for. */
export interface InputPlaces {
  /** Has the objects of the project's store. */
  readonly store: Store;
  /** Where a source may lie, nearest first: absolute roots. */
  readonly roots: readonly string[];
  /** What was made again of an upstream output, where that is to be used instead of what is recorded. */
  madeAgain(step: string, port: string): OutputAgain | undefined;
}

type Recorded = StepRun["inputs"][string];
type Item = NonNullable<Recorded["items"]>[string];

/** The inputs by port, or why one of them cannot be had. */
export function recordedInputs(
  step: ManifestStep,
  stepRun: StepRun,
  places: InputPlaces,
): { readonly inputs: Readonly<Record<string, ResolvedInput>> } | { readonly missing: string } {
  const inputs: Record<string, ResolvedInput> = {};
  for (const [port, { from }] of Object.entries(step.inputs)) {
    const recorded = stepRun.inputs[port];
    if (recorded === undefined) {
      inputs[port] = { type: "absent" };
      continue;
    }
    if (recorded.items === undefined) {
      const input = one(port, recorded, recorded.from, places);
      if (typeof input === "string") return { missing: input };
      inputs[port] = input;
      continue;
    }
    const bindings = new Map(
      from.type === "many" ? from.items.map(({ key, from: item }) => [key, item]) : [],
    );
    const items: { key: string; input: ResolvedInput }[] = [];
    for (const [key, item] of Object.entries(recorded.items)) {
      const binding = bindings.get(key);
      const upstream = binding?.type === "step" ? binding : undefined;
      const value = binding?.type === "value" ? { value: binding.value } : {};
      const input = one(`${port}[${key}]`, { ...item, ...value }, upstream ?? madeBy(item), places);
      if (typeof input === "string") return { missing: input };
      items.push({ key, input });
    }
    // A `many` is ordered by key, and a record does not say in which order it was read.
    inputs[port] = { type: "many", items: items.toSorted((a, b) => (a.key < b.key ? -1 : 1)) };
  }
  return { inputs };
}

function madeBy(item: Item): { step: string; port: string } | undefined {
  return item.stepRun === undefined ? undefined : { step: "an upstream step", port: item.name };
}

function one(
  port: string,
  recorded: Recorded,
  from: { readonly step: string; readonly port: string } | undefined,
  places: InputPlaces,
): ResolvedInput | string {
  const { type, digest, size, entries, name } = recorded;
  if (!isDigest(digest)) return `what is recorded of its input ${port} cannot be read`;
  if (type === "value") {
    const { value } = recorded;
    if (value === undefined || digestOfJson(value) !== digest)
      return `the value of its input ${port} was not recorded`;
    return { type: "value", value, digest };
  }
  const content: Content = { type, digest, size, ...(entries !== undefined && { entries }) };
  if (from !== undefined) {
    const again = places.madeAgain(from.step, from.port);
    if (again !== undefined && again.path !== "")
      return { type: "source", path: name, absolute: again.path, keep: "reference", content: again.content };
    if (!places.store.objects.has(content))
      return `its input ${port}, made by ${from.step}, is no longer in the store`;
    return { type: "object", content, from: { step: from.step, port: from.port } };
  }
  const place = sourceOf(name, content, places);
  if (place === undefined)
    return `its source ${name} has other content now, or is gone, and no copy is kept (keep: "copy" keeps one)`;
  return { type: "source", path: name, absolute: place, keep: "reference", content };
}

/** Where a source lies with the content that is recorded. */
function sourceOf(name: string, content: Content, { store, roots }: InputPlaces): string | undefined {
  if (store.objects.has(content) && store.objects.verify(content) === "ok")
    return store.objects.pathOf(content);
  const candidates = isAbsolute(name) ? [name] : roots.map((root) => join(root, name));
  return candidates.find((path) => {
    if (!existsSync(path)) return false;
    const found = store.index.contentOf(path);
    return found.type === content.type && found.digest === content.digest;
  });
}
