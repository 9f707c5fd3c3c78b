/**
 * In which order modules are run when one of them is loaded. It matters where two of them do something, or where one
 * does and another looks at what may have been changed; the order of all others leaves no trace.
 */
import { type Digest, digestOf } from "@mlpipe/store";
import type { Resolution } from "./resolution.ts";
import type { SourceModule } from "./source-module.ts";

/** What the order is made from. */
export interface LoadOrderSources {
  readonly moduleAt: (path: string) => SourceModule;
  readonly resolution: Resolution;
  /** Whether a module does more than make values when it is loaded. */
  readonly isEffectful: (module: SourceModule) => boolean;
  /** Whether the package in a folder is known to do no more. */
  readonly isTrusted: (packageFolder: string) => boolean;
}

/** A module or package in its turn. */
interface Turn {
  readonly name: string;
  readonly isEffectful: boolean;
  /** Null for a package. */
  readonly module: SourceModule | null;
}

export class LoadOrder {
  readonly #from: LoadOrderSources;
  readonly #turns = new Map<SourceModule, readonly Turn[]>();

  constructor(sources: LoadOrderSources) {
    this.#from = sources;
  }

  /**
   * The digest of the order, as far as it matters; null where it does not.
   * @param entry the module that is loaded
   * @param readers modules of which something is used that looks at what others may have changed
   */
  of(entry: SourceModule, readers: ReadonlySet<SourceModule>): Digest | null {
    const lines: (string | readonly string[])[] = [];
    // What only looks, and packages that are imported for what they give, may change places among themselves.
    let quiet: string[] = [];
    const endQuiet = (): void => {
      if (quiet.length > 0) lines.push(quiet.toSorted());
      quiet = [];
    };
    for (const { name, isEffectful, module } of this.#turnsOf(entry)) {
      if (isEffectful) {
        endQuiet();
        lines.push(name);
      } else if (module === null || readers.has(module)) quiet.push(name);
    }
    endQuiet();
    return lines.length < 2 ? null : digestOf(JSON.stringify(lines));
  }

  #turnsOf(entry: SourceModule): readonly Turn[] {
    let turns = this.#turns.get(entry);
    if (turns === undefined) {
      const all = this.#walk(entry);
      turns = all.some(({ isEffectful }) => isEffectful) ? all : [];
      this.#turns.set(entry, turns);
    }
    return turns;
  }

  /** A module runs after all that it imports. Chains are as long as a project has modules: no recursion. */
  #walk(entry: SourceModule): readonly Turn[] {
    const { moduleAt, resolution, isEffectful, isTrusted } = this.#from;
    const turns: Turn[] = [];
    const seen = new Set<unknown>([entry]);
    const open = [{ module: entry, requests: entry.requests.values() }];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const { module, requests } = top;
      const { value: request } = requests.next();
      if (request === undefined) {
        turns.push({ name: module.name, isEffectful: isEffectful(module), module });
        open.pop();
        continue;
      }
      const { specifier } = request;
      const target = resolution.resolve(module.path, specifier, "import");
      if (target.type === "module") {
        const next = moduleAt(target.path);
        if (!seen.has(next)) open.push({ module: next, requests: next.requests.values() });
        seen.add(next);
      } else if (target.type === "package" && !seen.has(specifier) && !isTrusted(target.folder)) {
        seen.add(specifier);
        turns.push({ name: specifier, isEffectful: !isUsed(module, specifier), module: null });
      }
    }
    return turns;
  }
}

/** Whether a module takes anything from what it imports: what nothing is taken from is imported for what it does. */
function isUsed({ imports, exports, stars }: SourceModule, specifier: string): boolean {
  const isIt = (from: { readonly specifier: string | null }): boolean => from.specifier === specifier;
  return stars.includes(specifier) || imports.values().some(isIt) || exports.values().some(isIt);
}
