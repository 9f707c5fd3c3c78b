/** Packages that steps loaded, as other tools name them. */
import type { ExportedStep } from "./exported-run.ts";

/** One version of a package. */
export interface PackageIdentity {
  readonly name: string;
  readonly version: string;
  /** A package URL; nothing where it is not known whose package it is. */
  readonly purl: string | undefined;
}

/** Every version of every package that these steps loaded, once and sorted. */
export function packagesOf(steps: readonly ExportedStep[]): readonly PackageIdentity[] {
  // A record has npm's packages and Python's in one list. What a TypeScript step loads is npm's; a Python step loads
  // those that its definition imports as well.
  const npm = new Set(
    steps
      .filter(({ environment }) => !isPython(environment))
      .flatMap(({ packages }) => Object.keys(packages)),
  );
  const found = new Map<string, PackageIdentity>();
  for (const { packages, environment } of steps) {
    for (const [name, identities] of Object.entries(packages)) {
      for (const identity of identities.split(", ")) {
        const version = identity.split("+")[0] ?? identity;
        // A remark on the Python that runs a package is none: `train.py>python`.
        if (!/^(?:@[\w.-]+\/)?[\w.-]+$/.test(name)) continue;
        const isNpm = npm.has(name) || name.startsWith("@") || name === "mlpipe" || !isPython(environment);
        found.set(`${name}\0${version}`, {
          name,
          version,
          purl: isNpm
            ? npmUrl(name, version)
            : `pkg:pypi/${name.toLowerCase().replaceAll("_", "-")}@${version}`,
        });
      }
    }
  }
  return [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

function isPython(environment: Readonly<Record<string, unknown>>): boolean {
  return environment["python"] !== undefined;
}

function npmUrl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
}
