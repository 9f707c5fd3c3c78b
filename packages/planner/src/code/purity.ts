/** Whether evaluating a top-level piece is free of effects, now that bindings are known. */
import type { Bindings, Bound } from "./bindings.ts";
import type { Need, ValueKind } from "./effects.ts";
import { runsItsArguments } from "./known-values.ts";
import type { Item, SourceModule } from "./source-module.ts";

/** Judges pieces, each once. */
export class Purity {
  readonly #bindings: Bindings;
  readonly #isTrusted: (packageFolder: string) => boolean;
  readonly #kinds = new Map<Item, ValueKind>();

  /** @param isTrusted whether the package in a folder is one whose functions have no effects: mlpipe's and zod's */
  constructor(bindings: Bindings, isTrusted: (packageFolder: string) => boolean) {
    this.#bindings = bindings;
    this.#isTrusted = isTrusted;
  }

  /** Whether evaluating it may do more than make a value. */
  isEffectful({ module, effect }: Item): boolean {
    return (
      effect.certain || !effect.needs.every((need) => this.#holds(module, need, (item) => this.#kindOf(item)))
    );
  }

  /** Whether it may look into values that an effect before it may have changed. */
  dependsOnOrder({ module, effect }: Item): boolean {
    return effect.takes.some(
      (name) =>
        this.#bindings
          .ofName(module, name)
          ?.some((bound) => this.#kindOfBound(bound, (item) => this.#kindOf(item)) !== "trusted") ?? true,
    );
  }

  /**
   * The kind of value that a piece makes. Values made of values of other modules form chains as long
   * as a project has modules: what a piece needs to know is found out first, without recursion. What
   * needs itself stays opaque, whichever piece is asked about first.
   */
  #kindOf(asked: Item): ValueKind {
    const stack = [asked];
    const open = new Set(stack);
    for (let item = stack.at(-1); item !== undefined; item = stack.at(-1)) {
      let missing: Item | undefined;
      const kind =
        this.#kinds.get(item) ??
        this.#evaluate(item, (needed) => {
          const known = this.#kinds.get(needed);
          if (known === undefined && !open.has(needed)) missing ??= needed;
          return known ?? "opaque";
        });
      if (missing !== undefined) {
        stack.push(missing);
        open.add(missing);
        continue;
      }
      this.#kinds.set(item, kind);
      open.delete(item);
      stack.pop();
    }
    return this.#kinds.get(asked) ?? "opaque";
  }

  #evaluate({ module, effect, mutable }: Item, kindOf: (item: Item) => ValueKind): ValueKind {
    if (effect.certain || mutable) return "opaque";
    if (![...effect.needs, ...effect.valueNeeds].every((need) => this.#holds(module, need, kindOf)))
      return "opaque";
    if (typeof effect.value === "string") return effect.value;
    return this.#kind(this.#bindings.ofPath(module, effect.value), kindOf);
  }

  #holds(module: SourceModule, { path, as }: Need, kindOf: (item: Item) => ValueKind): boolean {
    const bounds = this.#bindings.ofPath(module, path);
    switch (as) {
      case "data":
        return this.#kind(bounds, kindOf) !== "opaque";
      case "members":
        return (
          bounds?.every((bound) => isNamespace(bound) || this.#kind([bound], kindOf) !== "opaque") ?? false
        );
      case "trusted":
        return this.#kind(bounds, kindOf) === "trusted";
      case "call":
        return bounds?.every((bound) => this.#isCallable(bound, path.member !== null, kindOf)) ?? false;
    }
  }

  /** Functions of trusted packages, and methods of what these made. */
  #isCallable(bound: Bound, isMethod: boolean, kindOf: (item: Item) => ValueKind): boolean {
    if (bound.type === "package") return this.#isTrusted(bound.folder) && !runsItsArguments(bound.imported);
    return isMethod && bound.type === "item" && kindOf(bound.item) === "trusted";
  }

  #kind(bounds: readonly Bound[] | null, kindOf: (item: Item) => ValueKind): ValueKind {
    if (bounds === null || bounds.length === 0) return "opaque";
    const kinds = new Set(bounds.map((bound) => this.#kindOfBound(bound, kindOf)));
    if (kinds.has("opaque")) return "opaque";
    return kinds.has("data") ? "data" : "trusted";
  }

  #kindOfBound(bound: Bound, kindOf: (item: Item) => ValueKind): ValueKind {
    switch (bound.type) {
      case "item":
        return kindOf(bound.item);
      case "package":
        return this.#isTrusted(bound.folder) ? "trusted" : "opaque";
      case "file":
        return bound.path.endsWith(".json") ? "data" : "opaque";
      case "namespace":
      case "builtin":
      case "unknown":
      case "nowhere":
        return "opaque";
    }
  }
}

/** Reading a member of a module's namespace runs nothing; Node's own modules are as good. */
function isNamespace(bound: Bound): boolean {
  return (
    bound.type === "namespace" ||
    bound.type === "builtin" ||
    (bound.type === "package" && bound.imported === "*")
  );
}
