/** What in a step's code may make it come out otherwise: where to look, not what is proven. */
import { readFileSync } from "node:fs";
import type { Manifest, ManifestStep } from "@mlpipe/dsl";
import type { Planner } from "@mlpipe/planner";

/** In Python nothing is resolved: these words are looked for. */
const told: readonly (readonly [RegExp, string])[] = [
  [/\b(?:time\.time|time_ns|perf_counter|datetime\.now|datetime\.utcnow|date\.today)\b/, "reads the clock"],
  [/\b(?:os\.urandom|uuid\.?[14]|secrets\.)/, "takes randomness from the system"],
  [/\b(?:import random|from random|np\.random|numpy\.random|torch\.rand|random_state)/, "uses randomness"],
  [/\b(?:os\.environ|os\.getenv)\b/, "reads environment variables"],
  [/\b(?:requests\.|urllib|httpx|socket\.)/, "uses the network"],
];

const seeding =
  /\b(?:random\.seed|np\.random\.seed|default_rng\(\w|manual_seed|Random\(\w|random_state\s*=\s*\w)/;

/** Suspects of a step, a line each. */
export async function suspectsOf(
  root: string,
  manifest: Manifest,
  step: ManifestStep,
  planner: Planner,
): Promise<readonly string[]> {
  const suspects: string[] = [];
  const ports = Object.values(step.inputs);
  if (step.kind === "train" && ports.every(({ kind }) => kind.kind !== "seed"))
    suspects.push("no port of it is a seed()");
  for (const file of planner.identityOf(step.id).files.filter((path) => path.endsWith(".py"))) {
    const text = readFileSync(file, "utf8");
    const shown = file.startsWith(root) ? file.slice(root.length + 1) : file;
    for (const [pattern, what] of told) {
      if (!pattern.test(text)) continue;
      const unseeded =
        what === "uses randomness" && !seeding.test(text) ? ", and nothing there sets a seed" : "";
      suspects.push(`${shown} ${what}${unseeded}`);
    }
  }
  // ts-morph takes its time to load: only who looks for a cause pays for it.
  const { check } = await import("../check/check.ts");
  const findings = check({ manifest: { ...manifest, steps: [step], warnings: [] }, root, planner });
  return [...suspects, ...findings.map(({ message, at }) => `${message} (${at.file}:${at.line})`)];
}
