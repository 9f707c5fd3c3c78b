import { MlpipeError } from "./errors.ts";
import type { Call, Site } from "./site.ts";

/** Letters, digits, `-` and `_`, a letter first: safe as a file name, an id and a word on a command line. */
const name = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** What the key of an item may be made of: the same, and what values look like: `lr=0.1`. */
const itemKey = /^[A-Za-z0-9_.=+@,:-]+$/;

/** @throws MlpipeError MLP1001 if a name cannot be one */
export function checkName(what: string, given: string, at: Call | Site | undefined): void {
  if (typeof given === "string" && name.test(given) && given.length <= 100) return;
  throw new MlpipeError("MLP1001", `${JSON.stringify(given)} cannot be the name of ${what}.`, {
    at,
    hint: "Start with a letter and go on with letters, digits, - and _; 100 characters at most.",
  });
}

/** @throws MlpipeError MLP1001 if a key cannot be one */
export function checkItemKey(
  given: unknown,
  at: Site | readonly Site[] | undefined,
): asserts given is string {
  if (typeof given === "string" && itemKey.test(given) && given.length <= 100) return;
  throw new MlpipeError(
    "MLP1001",
    `${JSON.stringify(given) ?? String(given)} cannot be the key of an item.`,
    {
      at,
      hint: "Use letters, digits and _ . = + @ , : - such as lr=0.1; 100 characters at most.",
    },
  );
}
