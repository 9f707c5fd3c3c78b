import type { StandardSchemaV1 } from "@standard-schema/spec";
import { MlpipeError } from "./errors.ts";
import { anyItem, type BuiltFanOut, ItemNode } from "./fan-out.ts";
import { describeKind, isKind, type Kind, mismatch, type Port, specOf } from "./kinds.ts";
import type { Binding, KindSpec, ManifestStep } from "./manifest.ts";
import { checkName } from "./names.ts";
import { isRefNode, RefNode } from "./ref.ts";
import { type Call, callSite, type Site } from "./site.ts";
import { type CallOptions, schedulingOf } from "./scheduling.ts";
import type { StepDefinition } from "./step.ts";
import { toJson } from "./value.ts";

/** One call of a step while its pipeline is built. */
export interface BuiltStep {
  readonly id: string;
  readonly definition: StepDefinition;
  readonly called: Call;
  readonly inputs: Readonly<Record<string, BuiltInput>>;
  readonly scheduling: ManifestStep["scheduling"];
  /** The fan-outs whose bodies it is called in, outermost first. */
  readonly each: readonly string[];
}

/** An input of a called step. */
export interface BuiltInput {
  readonly kind: KindSpec;
  readonly from: BuiltBinding;
}

/** A manifest's binding, in which nobody has asked yet where sources were named. */
export type BuiltBinding =
  | Exclude<Binding, { type: "many" } | { type: "source" } | { type: "joined" }>
  | { readonly type: "joined"; readonly each: string; readonly from: BuiltBinding }
  | {
      readonly type: "source";
      readonly path: string;
      readonly keep: "copy" | "reference";
      readonly site: Call;
    }
  | {
      readonly type: "many";
      readonly items: readonly { readonly key: string; readonly from: BuiltBinding }[];
    };

let current: Builder | undefined;

/** Collects the steps that are called while the function of a pipeline runs. */
export class Builder {
  readonly steps = new Map<string, BuiltStep>();
  readonly warnings: { readonly message: string; readonly site: Site | undefined }[] = [];
  readonly fanOuts = new Map<string, BuiltFanOut>();
  /** What the ids of steps called now end with: the keys of the `each` bodies being run, outermost first. */
  readonly #brackets: string[] = [];
  /** The fan-outs over lists not known yet among them. */
  #each: readonly string[] = [];
  readonly #onSize: ((steps: number) => void) | undefined;

  /** @param onSize is told after each step how many there are */
  constructor(onSize?: (steps: number) => void) {
    this.#onSize = onSize;
  }

  /** Runs the function of a pipeline with this builder as the one that calls go to. */
  run<Result>(build: () => Result): Result {
    const outer = current;
    // oxlint-disable-next-line typescript/no-this-alias -- calls of steps find their builder here
    current = this;
    try {
      return build();
    } finally {
      current = outer;
    }
  }

  /** Runs the body of `each` for one item: the ids of steps called in it carry the item's key. */
  forItem<Result>(key: string, body: () => Result): Result {
    this.#brackets.push(`[${key}]`);
    try {
      return body();
    } finally {
      this.#brackets.pop();
    }
  }

  /**
   * Runs the body of `each` over a list that is not known yet, once, for whatever items there will be.
   * @param called where the user asked for it
   * @returns the fan-out, and what the body returned
   */
  forAnyItem<Result>(
    list: RefNode,
    key: Pick<BuiltFanOut, "fields" | "keyFunction">,
    body: (item: ItemNode) => Result,
    called: Call,
  ): { readonly each: string; readonly result: Result } {
    checkScope(originOf(list), "each", called, this);
    const within = this.#each;
    const each = this.#fanOutId(list);
    this.fanOuts.set(each, { id: each, list, ...key, within, called });
    const { origin } = list;
    const from = origin.type === "step" ? origin : origin.type === "item" ? origin.from : undefined;
    const item = new ItemNode(
      `an item of ${list.label}`,
      { kind: "value" },
      {
        type: "item",
        each,
        path: [],
        ...(from !== undefined && { from: { step: from.step, port: from.port } }),
      },
    );
    this.#brackets.push(anyItem);
    this.#each = [...within, each];
    try {
      return { each, result: body(item) };
    } finally {
      this.#brackets.pop();
      this.#each = within;
    }
  }

  /** Says by its list which fan-out this is; in the body of another it carries its place, as a step does. */
  #fanOutId({ origin }: RefNode): string {
    const bare = (step: string): string => step.replace(/\[.*$/s, "");
    const name =
      origin.type === "step"
        ? `${bare(origin.step)}.${origin.port}`
        : origin.type === "item"
          ? [
              bare(origin.from?.step ?? "item"),
              ...(origin.from ? [origin.from.port] : []),
              ...origin.path,
            ].join(".")
          : origin.type === "source"
            ? origin.path
            : origin.type;
    const place = this.#brackets.join("");
    for (let number = 1; ; number++) {
      const id = `each(${name}${number > 1 ? `, ${number}` : ""})${place}`;
      if (!this.fanOuts.has(id)) return id;
    }
  }

  /** The fan-outs whose bodies are being run. */
  get each(): readonly string[] {
    return this.#each;
  }

  /**
   * Adds a step and returns a ref for each of its outputs.
   * @param called where the user called it
   * @throws MlpipeError MLP1002, MLP1006, MLP1008
   */
  call(
    definition: StepDefinition,
    id: string,
    given: unknown,
    options: CallOptions,
    called: Call,
  ): Record<string, RefNode> {
    checkName("a step", id, called);
    const fullId = id + this.#brackets.join("");
    const earlier = this.steps.get(fullId);
    if (earlier !== undefined) throw sameId(earlier, { id: fullId, definition, called });
    if (typeof given !== "object" || given === null) {
      throw wrongPort(fullId, called, `takes an object with its inputs, and was given ${describe(given)}`);
    }

    const wiring = given as Readonly<Record<string, unknown>>;
    const inputs: Record<string, BuiltInput> = {};
    for (const { port, declared, spec } of definition.inputPorts) {
      const wired = Object.hasOwn(wiring, port) ? wiring[port] : undefined;
      if (spec.kind === "checkpoint") {
        if (wired !== undefined)
          throw wrongPort(
            fullId,
            called,
            `was given something as ${port}, which is a checkpoint: mlpipe gives it`,
          );
        continue;
      }
      const from = bind(wired, port, declared, spec, fullId, called);
      if (this.fanOuts.size > 0) checkScope(from, fullId, called, this);
      inputs[port] = { kind: spec, from };
    }
    const unknown = Object.keys(wiring).find((port) => !Object.hasOwn(definition.inputs, port));
    if (unknown !== undefined) {
      const ports = Object.keys(definition.inputs).join(", ") || "none";
      throw wrongPort(fullId, called, `has no input ${unknown} (its inputs: ${ports})`);
    }

    const scheduling = schedulingOf(options);
    if ("problem" in scheduling) {
      const message = `The scheduling of "${fullId}" does not hold: ${scheduling.problem}.`;
      throw new MlpipeError("MLP1010", message, { at: called });
    }
    if (definition.kind === "train" && !definition.inputPorts.some(({ spec }) => spec.kind === "seed")) {
      this.warnings.push({
        message: `The training "${fullId}" has no seed() port, so nobody can tell whether it can be repeated.`,
        site: definition.sites[0],
      });
    }
    this.steps.set(fullId, { id: fullId, definition, called, inputs, scheduling, each: this.#each });
    this.#onSize?.(this.steps.size);

    const refs: Record<string, RefNode> = {};
    for (const { port, spec } of definition.outputPorts) {
      refs[port] = new RefNode(`${fullId}.${port}`, spec, { type: "step", step: fullId, port });
    }
    return Object.freeze(refs);
  }
}

/**
 * The builder of the pipeline being built.
 * @throws MlpipeError MLP1005 outside a pipeline
 */
export function currentBuilder(what: string): Builder {
  if (current !== undefined) return current;
  throw new MlpipeError("MLP1005", `"${what}" was called outside pipeline().`, {
    at: callSite(),
    hint: "Call steps inside the function given to pipeline(…).",
  });
}

/** @throws MlpipeError MLP1003 while a pipeline is being built */
export function refuseDuringBuild(name: string, at: Site | undefined): void {
  if (current === undefined) return;
  throw new MlpipeError("MLP1003", `The step "${name}" is defined inside pipeline().`, {
    at,
    hint: `Move it to the top of a module and export it: export const ${name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())} = ….`,
  });
}

function bind(
  given: unknown,
  port: string,
  declared: Port,
  wanted: KindSpec,
  step: string,
  called: Call,
): BuiltBinding {
  if (given === undefined) {
    if (wanted.kind === "optional") return { type: "absent" };
    throw wrongPort(step, called, `needs the input ${port} (${describeKind(wanted)})`);
  }
  if (isRefNode(given)) {
    const found = isEmptyMany(given, wanted) ? undefined : mismatch(given.kind, wanted);
    if (found === undefined) return originOf(given);
    throw wrongPort(
      step,
      called,
      `takes ${describeKind(wanted)} as ${port}, and was given ${found} (${given.label})`,
    );
  }
  const inner =
    wanted.kind === "optional" && isKind(declared) && declared.of !== undefined ? declared.of : declared;
  const innerSpec = specOf(inner);
  if (isKind(inner) && innerSpec.kind === "many" && typeof given === "object" && given !== null) {
    return bindItems(given, port, inner, step, called);
  }
  if (!isKind(inner)) return { type: "value", value: checkValue(given, port, inner, step, called) };
  if (innerSpec.kind === "seed") {
    if (typeof given === "number" && Number.isSafeInteger(given) && given >= 0)
      return { type: "value", value: given };
    throw wrongPort(
      step,
      called,
      `takes a whole number from 0 up as the seed ${port}, and was given ${describe(given)}`,
    );
  }
  throw wrongPort(
    step,
    called,
    `takes ${describeKind(wanted)} as ${port}, and was given ${describe(given)}`,
    "Give it what another step returned, or source(path, kind) for a file outside the pipeline.",
  );
}

/** `each` over no items cannot know what its body would have returned: it fits every `many`. */
function isEmptyMany({ origin }: RefNode, wanted: KindSpec): boolean {
  return origin.type === "many" && origin.items.length === 0 && wanted.kind === "many";
}

function bindItems(given: object, port: string, declared: Kind, step: string, called: Call): BuiltBinding {
  const item = declared.of ?? declared;
  const items = Object.entries(given).map(([key, ref]) => ({
    key,
    from: bind(ref, `${port}.${key}`, item, specOf(item), step, called),
  }));
  return { type: "many", items: sortByKey(items) };
}

/** The order of `many`: by the code units of the keys, the same everywhere. */
export function sortByKey<Item extends { readonly key: string }>(items: readonly Item[]): readonly Item[] {
  return items.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

/** Where a ref's content comes from, as a binding. */
export function originOf(ref: RefNode): BuiltBinding {
  const { origin } = ref;
  if (origin.type === "joined") return { type: "joined", each: origin.each, from: originOf(origin.item) };
  if (origin.type !== "many") return origin;
  return {
    type: "many",
    items: sortByKey(origin.items.map(([key, item]) => ({ key, from: originOf(item) }))),
  };
}

/**
 * A ref that was made in the body of `each` over a list stands for many things outside of it.
 * @throws MlpipeError MLP1014 for such a ref outside of the body
 */
export function checkScope(
  binding: BuiltBinding,
  user: string,
  at: Call | Site | undefined,
  { each: open, fanOuts, steps }: Pick<Builder, "each" | "fanOuts" | "steps">,
): void {
  const needed =
    binding.type === "item"
      ? [binding.each]
      : binding.type === "joined"
        ? (fanOuts.get(binding.each)?.within ?? [])
        : binding.type === "step"
          ? (steps.get(binding.step)?.each ?? [])
          : [];
  const left = needed.find((each) => !open.includes(each));
  if (left !== undefined) {
    const what = binding.type === "step" ? `${binding.step}.${binding.port}` : "an item";
    throw new MlpipeError("MLP1014", `${what} was given to "${user}" outside of the body of ${left}.`, {
      at,
      hint: "Return it from the body: what each gives are all of them, for a port of kind many(…).",
    });
  }
  if (binding.type === "many")
    for (const { from } of binding.items) checkScope(from, user, at, { each: open, fanOuts, steps });
}

function checkValue(
  given: unknown,
  port: string,
  schema: StandardSchemaV1,
  step: string,
  called: Call,
): unknown {
  const converted = toJson(given);
  if ("problem" in converted) {
    throw new MlpipeError("MLP1008", `The input ${port} of "${step}" is not JSON: ${converted.problem}.`, {
      at: called,
      hint: converted.hint,
    });
  }
  const result = schema["~standard"].validate(converted.json);
  if (!(result instanceof Promise) && result.issues !== undefined) {
    throw wrongPort(step, called, `refuses the input ${port}: ${describeIssues(result.issues)}`);
  }
  return converted.json;
}

/** The issues of a schema in one line: `date: Invalid ISO date; rows.0: …`. */
export function describeIssues(issues: readonly StandardSchemaV1.Issue[]): string {
  return issues
    .map(({ message, path }) => {
      const where = path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
      return where === undefined || where === "" ? message : `${where}: ${message}`;
    })
    .join("; ");
}

function wrongPort(step: string, at: Call, what: string, hint?: string): MlpipeError {
  return new MlpipeError("MLP1006", `"${step}" ${what}.`, { at, hint });
}

/** A value as a message shows it: short, and never its whole content. */
export function describe(value: unknown): string {
  if (isRefNode(value)) return `the ref ${value.label}`;
  if (Array.isArray(value)) return "an array";
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
    case "object":
      return value === null ? "null" : "an object";
    case "function":
      return "a function";
    default:
      return String(value);
  }
}

/** What is wrong when a call has an id that the pipeline has already: called twice, or two steps of one name. */
function sameId(
  earlier: BuiltStep,
  { id, definition, called }: Pick<BuiltStep, "id" | "definition" | "called">,
): MlpipeError {
  const calls = [called.site, earlier.called.site].filter((site) => site !== undefined);
  const name = id.replace(/\[.*$/s, "");
  if (earlier.definition === definition) {
    return new MlpipeError("MLP1002", `The step "${id}" is called twice in this pipeline.`, {
      at: calls,
      hint: `Name the second call: .as("${name}-2")({ … }). Inside each, the item's key tells the calls apart.`,
    });
  }
  if (earlier.definition.name === definition.name) {
    return new MlpipeError("MLP1002", `Two different steps are defined with the name "${definition.name}".`, {
      at: [definition.sites[0], earlier.definition.sites[0]].filter((site) => site !== undefined),
      hint: "Give one of them another name.",
    });
  }
  return new MlpipeError("MLP1002", `Two steps of this pipeline are called "${id}".`, {
    at: calls,
    hint: `They are "${earlier.definition.name}" and "${definition.name}": give one of the calls another name by .as().`,
  });
}
