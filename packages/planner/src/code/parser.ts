import type * as Parser from "oxc-parser";
import { nativePackage } from "./native-package.ts";

/** A variable of the allocator that the parser brings along, which it reads once, while it is loaded. */
const commit = "MIMALLOC_EAGER_COMMIT";

let parser: typeof Parser | undefined;

/**
 * The parser. Loaded by the first module whose facts are not known: it is native code, which takes 8 ms to load.
 *
 * Its allocator asks for huge pages where the kernel gives them on request: two of 2 MiB, for a few hundred KiB that the
 * modules of a project need. It does not where it takes memory as it needs it.
 */
export function loadedParser(): typeof Parser {
  return (parser ??= withVariable(
    commit,
    "0",
    // What the module exports, by its own types.
    () => nativePackage("oxc-parser", import.meta.url) as typeof Parser,
  ));
}

/** Has a variable set meanwhile, unless the user has set it. Nothing that is started later sees it. */
function withVariable<T>(name: string, value: string, work: () => T): T {
  if (process.env[name] !== undefined) return work();
  process.env[name] = value;
  try {
    return work();
  } finally {
    delete process.env[name];
  }
}
