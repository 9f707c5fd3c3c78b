/** A module of the project in its place: what is to be known of its text, and where that lies. */
import { readFileSync } from "node:fs";
import type { Site } from "@mlpipe/dsl";
import type { Finding } from "../command/findings.ts";
import type { Dead, ImportedName } from "./followed.ts";
import type { Export, ItemFacts, ModuleFacts, Request } from "./module-facts.ts";

/** One declaration or statement of a module's top level. */
export interface Item extends ItemFacts {
  readonly module: SourceModule;
  /** Its place among the pieces of its module. */
  readonly position: number;
}

/** Extensions of modules that Node runs as JavaScript or TypeScript. */
export const scriptExtensions: ReadonlySet<string> = new Set([
  ".ts",
  ".mts",
  ".cts",
  ".tsx",
  ".js",
  ".mjs",
  ".cjs",
  ".jsx",
]);

/** A module that was read. */
export class SourceModule {
  /** Absolute, without links. */
  readonly path: string;
  /** What reasons call it. */
  readonly name: string;
  readonly requests: readonly Request[];
  readonly imports: ReadonlyMap<string, ImportedName>;
  readonly exports: ReadonlyMap<string, Export>;
  readonly stars: readonly string[];
  readonly items: readonly Item[];
  readonly bindings: ReadonlyMap<string, readonly Item[]>;
  readonly isOnePiece: boolean;
  readonly broken: Dead | null;
  #lineStarts: readonly number[] | undefined;

  constructor(path: string, name: string, facts: ModuleFacts) {
    this.path = path;
    this.name = name;
    this.requests = facts.requests;
    this.imports = new Map(facts.imports);
    this.exports = new Map(facts.exports);
    this.stars = facts.stars;
    this.isOnePiece = facts.isOnePiece;
    this.broken = facts.broken;
    this.items = facts.items.map((item, position) => ({ ...item, module: this, position }));
    const bindings = new Map<string, Item[]>();
    for (const item of this.items) {
      for (const each of item.names) {
        const others = bindings.get(each);
        if (others === undefined) bindings.set(each, [item]);
        else others.push(item);
      }
    }
    this.bindings = bindings;
  }

  /** Where an offset lies. The text is read again, since hardly a module has anything to be pointed at. */
  siteAt(offset: number): Site {
    const starts = (this.#lineStarts ??= lineStarts(this.path));
    const line = starts.findLastIndex((start) => start <= offset);
    return { file: this.path, line: line + 1, column: offset - (starts[line] ?? 0) + 1 };
  }

  /** What is said of something that cannot be followed. */
  findingOf({ message, start }: Dead): Finding {
    return { message, site: this.siteAt(start), hint: "Name what it loads in the step's `files`." };
  }
}

function lineStarts(path: string): readonly number[] {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // It went away meanwhile, or could never be read.
  }
  const ends = text.matchAll(/\r\n|[\n\r\u2028\u2029]/g);
  return [0, ...[...ends].map(({ index, 0: end }) => index + end.length)];
}
