import { statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { ManifestStep } from "@mlpipe/dsl";
import type { CacheEntry, Digest, Store } from "@mlpipe/store";
import type { ExpectedKeys } from "./expected-keys.ts";
import { expiryOf, whyExpired } from "./expiry.ts";
import type { History } from "./history.ts";
import type { Preimage, Reason, ResolvedInput } from "./plan.ts";

/** A step whose key is known. */
export interface Keyed {
  readonly step: ManifestStep;
  readonly key: Digest;
  readonly parts: Preimage;
  readonly inputs: Readonly<Record<string, ResolvedInput>>;
}

/** Whether there is a result of a step that holds. */
export type Verdict =
  | {
      readonly holds: true;
      readonly entry: CacheEntry;
      readonly reason: Reason;
      /** Until when, in ISO 8601, where it does not hold for ever. */
      readonly expiresAt?: string;
    }
  | { readonly holds: false; readonly reasons: readonly Reason[] };

/** Results of earlier runs: whether they hold, and why. */
export class KeptResults {
  readonly #store: Store;
  readonly #root: string;
  readonly #now: number;
  readonly #history: History;
  readonly #expected: ExpectedKeys;

  /**
   * @param root absolute path of the project's root
   * @param now the time against which a result's age is measured, in ms
   */
  constructor(store: Store, root: string, now: number, history: History, expected: ExpectedKeys) {
    this.#store = store;
    this.#root = root;
    this.#now = now;
    this.#history = history;
    this.#expected = expected;
  }

  /** Whether the result of a step holds. */
  judge(keyed: Keyed): Verdict {
    return keyed.step.kind === "deploy" ? this.#byTarget(keyed) : this.#byCache(keyed);
  }

  #byCache(keyed: Keyed): Verdict {
    const { step, key } = keyed;
    this.#expected.note(key);
    const entry = this.#store.cache.get(key);
    if (entry === undefined) return { holds: false, reasons: this.#history.whatChanged(keyed, key) };
    const expired = whyExpired(step, entry, this.#now);
    if (expired !== undefined)
      return fails({ part: "expired", name: step.id, before: entry.createdAt, message: expired });
    const gone = Object.entries(entry.outputs).find(([, content]) => !this.#store.objects.has(content));
    if (gone !== undefined) {
      return fails({
        part: "missing",
        name: gone[0],
        message: `its output ${gone[0]} is no longer in the store`,
      });
    }
    const expires = expiryOf(step, entry);
    if (expires === Infinity)
      return unchanged(step, entry, `nothing changed since ${spoken(entry.createdAt)}`);
    const expiresAt = new Date(expires).toISOString();
    const message = `holds until ${spoken(expiresAt)}, made ${spoken(entry.createdAt)}`;
    return { ...unchanged(step, entry, message), expiresAt };
  }

  /** A deploy is an effect: what counts is whether its target is as this very deploy left it. */
  #byTarget(keyed: Keyed): Verdict {
    const { step, key } = keyed;
    const target = step.target ?? step.id;
    const path = isAbsolute(target) ? target : join(this.#root, target);
    const receipt = this.#store.receipts.get(path);
    if (receipt === undefined) {
      // Deployed by another clone, that is, to another place: nothing is missing.
      const others = this.#history.whatChanged(keyed, key).filter(({ part }) => part !== "missing");
      if (others.length > 0) return { holds: false, reasons: others };
      return fails({ part: "target", name: target, message: `nothing was deployed to ${target} here yet` });
    }
    if (receipt.key !== key) {
      // The same deploy happened before, and another one since: nothing differs but the target.
      const others = this.#history
        .whatChanged(keyed, key)
        .filter(({ part }) => part !== "none-before" && part !== "missing");
      if (others.length > 0) return { holds: false, reasons: others };
      const message = `${target} holds another deployment, of ${receipt.at}`;
      return fails({ part: "target", name: target, message });
    }
    const there =
      statSync(path, { throwIfNoEntry: false }) === undefined ? null : this.#store.index.contentOf(path);
    if (there?.digest !== receipt.content?.digest) {
      const message = there === null ? `${target} is gone` : `${target} was changed since the last deploy`;
      return fails({ part: "target", name: target, message });
    }
    const entry = this.#store.cache.get(key) ?? {
      stepRun: receipt.stepRun,
      run: receipt.run,
      outputs: receipt.outputs,
      createdAt: receipt.at,
      durationMs: 0,
    };
    return unchanged(step, entry, `${target} is as deployed`);
  }
}

function fails(reason: Reason): Verdict {
  return { holds: false, reasons: [reason] };
}

function unchanged(step: ManifestStep, entry: CacheEntry, message: string): Verdict & { holds: true } {
  return { holds: true, entry, reason: { message, name: step.id, part: "unchanged" } };
}

/** A time of a record as people read it. */
function spoken(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}
