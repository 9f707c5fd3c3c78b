/** What Python told of itself when it ended: which distributions the modules came from that it had imported. */
import { readFileSync } from "node:fs";
import type { StepRun } from "@mlpipe/provenance";

/** The name of the file in an attempt's folder. */
export const importedFile = "imported.jsonl";

type Imported = NonNullable<StepRun["imported"]>;

/** A step writes into the same folder: what is no line of ours is passed over. */
const longestFile = 4 * 1024 * 1024;

/**
 * All that the watched processes of a step told, taken together. Null if none did: it was killed, it left by `os._exit`,
 * or it was started so that it imports no `sitecustomize` (`python -I`, `-S`).
 */
export function importedTold(path: string): Imported | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8").slice(0, longestFile);
  } catch {
    return null;
  }
  let python: string | undefined;
  const packages = new Map<string, string>();
  const unknown = new Set<string>();
  for (const line of text.split("\n")) {
    const told = lineOf(line);
    if (told === undefined) continue;
    python ??= told.python;
    for (const [name, version] of Object.entries(told.packages)) packages.set(name, version);
    for (const name of told.unknown) unknown.add(name);
  }
  if (python === undefined) return null;
  const sorted = [...packages].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    python,
    packages: Object.fromEntries(sorted),
    ...(unknown.size > 0 && { unknown: [...unknown].toSorted() }),
  };
}

/** What one process told. */
interface Told {
  readonly python: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly unknown: readonly string[];
}

function lineOf(line: string): Told | undefined {
  try {
    const told: unknown = JSON.parse(line);
    if (typeof told !== "object" || told === null) return undefined;
    const { python, packages, unknown } = told as Readonly<Record<string, unknown>>;
    if (typeof python !== "string" || typeof packages !== "object" || packages === null) return undefined;
    return {
      python,
      packages: Object.fromEntries(
        Object.entries(packages).map(([name, version]: [string, unknown]) => [name, String(version)]),
      ),
      unknown: Array.isArray(unknown) ? unknown.map(String) : [],
    };
  } catch {
    return undefined;
  }
}
