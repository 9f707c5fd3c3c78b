/** What `mlpipe check` found, and how findings of several steps at one place become one. */
import type { ManifestSite } from "@mlpipe/dsl";
import type { FindingCode } from "./errors.ts";

/** A finding as it is printed. */
export interface CheckFinding {
  readonly code: FindingCode;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly hint: string;
  readonly at: ManifestSite;
  /** The ids of all steps that it concerns. */
  readonly steps: readonly string[];
}

/** A finding before it is known which other steps it concerns as well. */
export interface Remark {
  readonly code: FindingCode;
  readonly severity: "error" | "warning";
  /** In one line, given the steps as a text: `fit, score and 3 more`. */
  readonly message: (steps: string) => string;
  readonly hint: string;
  readonly at: ManifestSite;
}

/** Gathers remarks: those at one place become one finding that names all steps. */
export class Findings {
  readonly #found = new Map<string, { readonly remark: Remark; readonly steps: Set<string> }>();

  add(remark: Remark, steps: readonly string[]): void {
    const { code, at } = remark;
    // Two causes at one place are two findings; the same one seen by two steps is not.
    const key = JSON.stringify([code, at.file, at.line, at.column, remark.message("")]);
    const known = this.#found.get(key);
    if (known === undefined) this.#found.set(key, { remark, steps: new Set(steps) });
    else for (const step of steps) known.steps.add(step);
  }

  /** By file and line. */
  sorted(): readonly CheckFinding[] {
    return [...this.#found.values()]
      .map(({ remark: { code, severity, message, hint, at }, steps }): CheckFinding => ({
        code,
        severity,
        message: message(inWords([...steps])),
        hint,
        at,
        steps: [...steps],
      }))
      .toSorted(byPlace);
  }
}

function byPlace(a: CheckFinding, b: CheckFinding): number {
  if (a.at.file !== b.at.file) return a.at.file < b.at.file ? -1 : 1;
  return a.at.line - b.at.line || a.at.column - b.at.column || (a.code < b.code ? -1 : 1);
}

/** `fit`, `fit and score`, `fit, score and 3 more`. */
export function inWords(names: readonly string[]): string {
  const [first = "", second, third] = names;
  if (second === undefined) return first;
  if (third === undefined) return `${first} and ${second}`;
  return names.length === 3
    ? `${first}, ${second} and ${third}`
    : `${first}, ${second} and ${names.length - 2} more`;
}
