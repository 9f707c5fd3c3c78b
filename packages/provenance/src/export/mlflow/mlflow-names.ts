/** Names and texts as MLflow takes them: it has a set of characters for names, and a length for everything. */
import { createHash } from "node:crypto";

/** Characters of a name of a param or a metric. */
const longestName = 250;

/** Characters of the value of a param. */
export const longestParam = 6_000;

/** Characters of the value of a tag; newer servers take 8,000. */
export const longestTag = 5_000;

/**
 * A name for each of a run's params or metrics: `fit[lr=0.1]` has characters that MLflow does not take. Names that
 * would become the same are kept apart by the beginning of a digest.
 */
export function mlflowNames(names: readonly string[]): ReadonlyMap<string, string> {
  const plain = new Map(names.map((name) => [name, named(name)]));
  const times = Map.groupBy(plain.values(), (name) => name);
  return new Map(
    [...plain].map(([name, short]) => {
      const isAlone =
        name === short || (times.get(short)?.length === 1 && Array.from(name).length <= longestName);
      return [name, isAlone ? short : `${cut(short, longestName - 9).text}-${digestOf(name)}`];
    }),
  );
}

/** A text of at most so many characters, counted as Python counts them. */
export function cut(text: string, longest: number): { readonly text: string; readonly isCut: boolean } {
  // Half a character is none: databases refuse it.
  const whole = text.toWellFormed();
  if (whole.length <= longest) return { text: whole, isCut: false };
  const characters = Array.from(whole);
  if (characters.length <= longest) return { text: whole, isCut: false };
  return { text: `${characters.slice(0, longest - 1).join("")}…`, isCut: true };
}

/** The name of a model that is registered: without what would make a path or a version of it. */
export function registeredName(name: string): string {
  return cut(pathLike(name.replace(/[/:'"]/g, "_")), longestName).text;
}

/** The name of a logged model, for which MLflow is stricter. */
export function loggedName(name: string): string {
  return cut(name.replace(/[/:.%"']/g, "_") || "model", longestName).text;
}

function named(name: string): string {
  const parts = name.replace(/[^\p{L}\p{N}_.\-/ :]/gu, "_").split("/");
  return cut(parts.map(pathLike).join("/"), longestName).text;
}

/** MLflow refuses what a file system would take for another name. */
function pathLike(part: string): string {
  return part === "" || part === "." || part === ".." ? part.replaceAll(".", "_") || "_" : part;
}

function digestOf(name: string): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 8);
}
