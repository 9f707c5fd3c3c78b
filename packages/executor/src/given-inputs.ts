import { lstatSync } from "node:fs";
import type { ManifestStep } from "@mlpipe/dsl";
import type { ResolvedInput } from "@mlpipe/planner";
import type { ChangeMark, Content, Store } from "@mlpipe/store";
import { alteredInput } from "./altered-input.ts";
import { stepError } from "./attempt-failure.ts";
import type { StepError } from "./events.ts";

/** What one attempt is given: whole before it begins, and the same when it has ended. */
export class GivenInputs {
  readonly #step: ManifestStep;
  readonly #inputs: Readonly<Record<string, ResolvedInput>>;
  readonly #store: Store;
  /** By path, how objects looked before the step: enough to see that one was written to. */
  readonly #stamps = new Map<string, string>();
  /** By path, the same of sources. */
  readonly #marks = new Map<string, ChangeMark | undefined>();
  /** By path of an object that somebody has found altered: the steps that had it then. */
  readonly #holders = new Map<string, readonly string[]>();
  /** Whether the step has them already: attempts are made ready before there is a place for them. */
  isTaken = false;

  constructor(step: ManifestStep, inputs: Readonly<Record<string, ResolvedInput>>, store: Store) {
    this.#step = step;
    this.#inputs = inputs;
    this.#store = store;
  }

  /** An input that is not, byte for byte, what its step made: a file that was not touched since is not read again. */
  damaged(): StepError | undefined {
    for (const [port, input] of this.#all()) {
      if (input.type !== "object" || isWhole(this.#store, input.content)) continue;
      this.#store.objects.remove(input.content);
      return stepError(
        this.#step,
        "MLP3034",
        `The input ${port} of "${this.#step.id}", made by ${input.from.step}, was damaged in the store.`,
        "Run again: what is damaged was dropped, and is made anew.",
      );
    }
    return undefined;
  }

  /** Remembers how they look. */
  remember(): void {
    for (const [, input] of this.#all()) {
      if (input.type === "object") {
        const path = this.#store.objects.pathOf(input.content);
        this.#stamps.set(path, stampOf(path));
      } else if (input.type === "source") {
        this.#marks.set(input.absolute, this.#store.index.mark(input.absolute));
      }
    }
  }

  /**
   * An input that is no longer as it was remembered.
   * @param underWay those of all attempts of the run, these among them
   */
  changed(underWay: Iterable<GivenInputs>): StepError | undefined {
    for (const [port, input] of this.#all()) {
      if (input.type === "source") {
        // The time too: a change that was taken back may still be what the step has read.
        const mark = this.#marks.get(input.absolute);
        if (mark !== undefined && this.#store.index.isUnchanged(input.absolute, input.content, mark))
          continue;
        return stepError(
          this.#step,
          "MLP3007",
          `The input ${port} (${input.path}) of "${this.#step.id}" changed while the step ran.`,
          "Its result belongs to neither content and was not kept. Run again.",
        );
      }
      if (input.type !== "object") continue;
      const { objects } = this.#store;
      const path = objects.pathOf(input.content);
      if (this.#stamps.get(path) === stampOf(path) || objects.verify(input.content) === "ok") continue;
      objects.remove(input.content);
      const made = { port, made: input.from.step };
      const { message, hint } = alteredInput(this.#step.id, made, this.#holdersOf(path, underWay));
      return stepError(this.#step, "MLP3007", message, hint);
    }
    return undefined;
  }

  /** The steps that were at work on an object when it was first found altered. Those that end later are told the same. */
  #holdersOf(path: string, underWay: Iterable<GivenInputs>): readonly string[] {
    const found = this.#holders.get(path);
    if (found !== undefined) return found;
    const having = [...underWay].filter((each) => each.#stamps.has(path));
    const names = having.flatMap((each) => (each.isTaken ? each.#step.id : []));
    for (const each of having) each.#holders.set(path, names);
    return names;
  }

  /** With the port, each of them, and each of a `many`. */
  *#all(): Generator<readonly [port: string, input: ResolvedInput]> {
    for (const [port, given] of Object.entries(this.#inputs)) {
      const inputs = [given];
      for (const input of inputs) {
        if (input.type === "many") inputs.push(...input.items.map((item) => item.input));
        else yield [port, input];
      }
    }
  }
}

/** Whether an object is what its digest says; what the index has seen unchanged is not read again. */
function isWhole(store: Store, content: Content): boolean {
  if (!store.objects.has(content)) return false;
  try {
    return store.index.contentOf(store.objects.pathOf(content)).digest === content.digest;
  } catch {
    return false;
  }
}

function stampOf(path: string): string {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
}
