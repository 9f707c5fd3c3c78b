import type { Binding, Manifest } from "@mlpipe/dsl";
import { canonicalJson, type Digest, digestOf } from "@mlpipe/store";

/**
 * The digest of a pipeline's graph: its steps, where they are defined, and what each port is given. Two runs have the
 * same one if the same was wired. What the steps are made of is in their keys.
 *
 * Written as lines and not as the whole manifest: of thousands of steps, even a run in which nothing happens records it.
 */
export function graphDigest({ steps, outputs, fanOuts }: Manifest): Digest {
  const lines = steps.map(({ id, kind, module, export: name, inputs, target }) => {
    const ports = Object.entries(inputs).map(([port, { from }]) => [port, originOf(from)]);
    return JSON.stringify([id, kind, module, name, ports, target]);
  });
  lines.push(canonicalJson({ outputs, ...(fanOuts !== undefined && { fanOuts }) }));
  return digestOf(lines.join("\n"));
}

/**
 * Which steps feed which: `{ fit: ["split"] }`. Kept with a run that executes something, since of steps that it did not
 * get to no record tells what they wait for.
 */
export function wiringOf({ steps }: Manifest): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    steps.map(({ id, inputs }) => [
      id,
      [...new Set(Object.values(inputs).flatMap(({ from }) => stepsOf(from)))],
    ]),
  );
}

function originOf(from: Binding): unknown {
  switch (from.type) {
    case "step":
      return [from.step, from.port];
    case "source":
      return ["source", from.path, from.keep];
    case "many":
      return from.items.map(({ key, from: item }) => [key, originOf(item)]);
    case "value":
      return canonicalJson(from.value);
    default:
      return canonicalJson(from);
  }
}

function stepsOf(from: Binding): readonly string[] {
  switch (from.type) {
    case "step":
      return [from.step];
    case "many":
      return from.items.flatMap(({ from: item }) => stepsOf(item));
    case "joined":
      return stepsOf(from.from);
    case "item":
    case "value":
      return from.from === undefined ? [] : [from.from.step];
    default:
      return [];
  }
}
