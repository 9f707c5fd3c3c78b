/**
 * What was found out about modules, kept from one session to the next, so that a run in which
 * nothing changed parses nothing and does not load the parser.
 *
 * The facts of a module depend on its text, its extension and the code that finds them, and on
 * nothing around it: where its imports lead is looked up in every session. So the key is made of
 *
 * - the digest of the text, which the caller takes through the stat index,
 * - the extension, which the caller puts in as well,
 * - the digest of mlpipe's own code, whole,
 * - the version of the parser that is installed.
 */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { fileURLToPath } from "node:url";
import { type Digest, digestOf, type Store } from "@mlpipe/store";
import type { ModuleFacts } from "./code/module-facts.ts";
import type { FactsMemory } from "./code/typescript.ts";

/** The memory of code in a store. */
export class CodeMemory implements FactsMemory {
  readonly #store: Store;
  #finder: Digest | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  get(key: string): ModuleFacts | undefined {
    // The key names the code that wrote it, and the row is sealed.
    return this.#store.facts.get(this.#keyed(key)) as ModuleFacts | undefined;
  }

  set(key: string, facts: ModuleFacts): void {
    this.#store.facts.put(this.#keyed(key), facts);
  }

  /** The key with what finds the facts. */
  #keyed(key: string): string {
    this.#finder ??= digestOf(`${this.#ownCode()} ${parserVersion()}`);
    return `${key} ${this.#finder}`;
  }

  /** From source everything beside this file; as published mlpipe is one file. */
  #ownCode(): Digest {
    const own = import.meta.url;
    const place = own.endsWith(".ts") ? new URL("./code/", own) : own;
    return this.#store.index.contentOf(fileURLToPath(place)).digest;
  }
}

function parserVersion(): string {
  const file = findPackageJSON("oxc-parser", import.meta.url);
  if (file === undefined) throw new Error("oxc-parser is not installed");
  return readFileSync(file, "utf8");
}
