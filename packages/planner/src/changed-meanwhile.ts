import { sep } from "node:path";
import type { StepIdentity } from "./identity.ts";

/** So many packages are named. */
const mostNamed = 3;

/**
 * What of a step's code and packages is not as it was, as words; nothing if all of it is.
 * @param edited a file of the code that was written to, from the project's root
 */
export function whatChanged(
  before: StepIdentity,
  now: StepIdentity,
  edited: string | undefined,
): string | undefined {
  if (now.code.digest !== before.code.digest) {
    return edited === undefined
      ? "what its code consists of changed"
      : `${edited.split(sep).join("/")} was edited`;
  }
  if (now.packages.digest === before.packages.digest) return undefined;
  const names = new Set([...Object.keys(before.packages.document), ...Object.keys(now.packages.document)]);
  const changes = [...names]
    .filter((name) => before.packages.document[name] !== now.packages.document[name])
    .map((name) => {
      const [from, to] = [version(before, name), version(now, name)];
      return from === to ? `${name} ${to} again` : `${name} ${from} → ${to}`;
    });
  const named = changes.slice(0, mostNamed);
  if (named.length < changes.length) named.push(`and ${changes.length - named.length} more`);
  return `packages were installed (${named.join(", ")})`;
}

/** Without the digest of what is installed. */
function version({ packages }: StepIdentity, name: string): string {
  return packages.document[name]?.replace(/\+[0-9a-f]{16}$/, "") ?? "(none)";
}
