/** Names in the pipeline for what DVC names by paths and words. */
import { posix } from "node:path";
import type { Text } from "./template.ts";

/** `max-depth of tree` as `maxDepthOfTree`; starts with a letter. */
export function camelCase(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const joined = words
    .map(
      (word, index) =>
        (index === 0 ? word.charAt(0).toLowerCase() : word.charAt(0).toUpperCase()) + word.slice(1),
    )
    .join("");
  return /^[A-Za-z]/.test(joined) ? joined.slice(0, 80) : `the${joined.slice(0, 80)}`;
}

/** The name of a step: letters, digits, `-` and `_`, a letter first. */
export function stepName(text: string): string {
  const name = text.replaceAll(/[^A-Za-z0-9_-]+/g, "-").replaceAll(/^-+|-+$/g, "");
  return (/^[A-Za-z]/.test(name) ? name : `stage-${name}`).slice(0, 100);
}

/** The key of an item. */
export function itemKey(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_.=+@,:-]+/g, "-").slice(0, 100) || "none";
}

/** What a path is called after: its last part without variables, else the folder it is in. */
export function portName(text: Text): string {
  const plain = text.map((piece) => (typeof piece === "string" ? piece : "*")).join("");
  const parts = plain.split("/").map((part) => part.replace(/\.\w+$/, "").replaceAll("*", ""));
  const named = parts.toReversed().find((part) => /[A-Za-z]/.test(part));
  return camelCase(named ?? posix.basename(plain));
}

/** Hands out names, each once. */
export class Names {
  readonly #taken: Set<string>;

  constructor(taken: Iterable<string> = []) {
    this.#taken = new Set(taken);
  }

  take(wanted: string): string {
    let name = wanted;
    for (let n = 2; this.#taken.has(name); n++) name = `${wanted}${n}`;
    this.#taken.add(name);
    return name;
  }
}

/** Words that no variable can be called, and what the pipeline's module has already. */
export const reserved: readonly string[] = (
  "break case catch class const continue debugger default delete do else enum export extends false finally for function " +
  "if import in instanceof new null return super switch this throw true try typeof var void while with yield let static " +
  "await async of p z i o cmd csv dir file json metrics model onnx pipeline plot seed source each hidden fromFile section Params"
).split(" ");
