import type { CommandArgument } from "./launch.ts";

/** What an interpreter is told to run. */
export interface PythonArguments {
  /** Undefined for none: an interpreter that reads its input. A null value comes in through a port. */
  readonly target: { readonly kind: "script" | "module" | "code"; readonly value: string | null } | undefined;
  /** Options that change where modules are looked for: `-I`, `-E`, `-s`, `-S`. */
  readonly flags: readonly string[];
  /** Whether `-I` or `-P` keeps the script's folder off the search path. */
  readonly isolated: boolean;
  /** Index of the first argument of the program itself. */
  readonly rest: number;
}

/**
 * Reads an interpreter's arguments, by `python --help`.
 *
 * @param from index of the first of them
 */
export function readPythonArguments(argv: readonly CommandArgument[], from: number): PythonArguments {
  const flags: string[] = [];
  let isolated = false;
  let i = from;
  for (; i < argv.length; i++) {
    const word = argv[i];
    if (typeof word !== "string" || !word.startsWith("-") || word === "-") break;
    if (word.startsWith("--")) {
      if (word === "--check-hash-based-pycs") i++;
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      if (/[IEsS]/.test(letter)) flags.push(`-${letter}`);
      isolated ||= letter === "I" || letter === "P";
      if (!/[cmWX]/.test(letter)) continue;
      // The value is the rest of this argument, or the next one.
      const attached = word.slice(at + 1);
      const value = attached === "" ? argv[++i] : attached;
      if (letter === "c" || letter === "m") {
        const target = {
          kind: letter === "c" ? "code" : "module",
          value: typeof value === "string" ? value : null,
        } as const;
        return { target, flags, isolated, rest: i + 1 };
      }
      break;
    }
  }
  const script = argv[i];
  if (script === undefined || script === "-") return { target: undefined, flags, isolated, rest: i + 1 };
  return {
    target: { kind: "script", value: typeof script === "string" ? script : null },
    flags,
    isolated,
    rest: i + 1,
  };
}
