import { MlpipeError } from "./errors.ts";
import type { KindSpec } from "./manifest.ts";
import { type Call, callSite } from "./site.ts";

declare const promised: unique symbol;

/**
 * A promise of something that a run will produce: an output of a step or a source. Calling a
 * step returns refs, and a step's ports take them.
 *
 * To the compiler a ref is a kind of symbol: symbols cannot be interpolated, compared by order or
 * added, so the compiler refuses such code where a plain object would pass.
 *
 * @typeParam Content what is promised: an artifact such as `Csv<Day>`, or the type of a value
 */
export type Ref<Content> = symbol & { readonly [promised]: Content };

/** Where the content of a ref comes from. */
export type RefOrigin =
  | { readonly type: "step"; readonly step: string; readonly port: string }
  | {
      readonly type: "source";
      readonly path: string;
      readonly keep: "copy" | "reference";
      readonly site: Call;
    }
  | { readonly type: "many"; readonly items: readonly (readonly [key: string, ref: RefNode])[] }
  | {
      readonly type: "item";
      readonly each: string;
      readonly path: readonly string[];
      readonly from?: { readonly step: string; readonly port: string } | undefined;
    }
  | { readonly type: "joined"; readonly each: string; readonly item: RefNode };

// Two copies of this module may meet (an app and a library with their own installs), and
// `instanceof` would not recognise the other's refs.
const refMark = Symbol.for("mlpipe.ref");

/** What a ref is at run time: a node of the graph that refuses to be taken for its content. */
export class RefNode {
  readonly [refMark] = true;
  readonly label: string;
  readonly kind: KindSpec;
  readonly origin: RefOrigin;

  constructor(label: string, kind: KindSpec, origin: RefOrigin) {
    this.label = label;
    this.kind = kind;
    this.origin = origin;
  }

  [Symbol.toPrimitive](): never {
    throw refusal(this.label, "turned into a string or number, or compared");
  }

  toJSON(): never {
    throw refusal(this.label, "put into JSON");
  }

  get [Symbol.iterator](): never {
    throw refusal(this.label, "iterated over");
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting a ref is a mistake worth a clear message
  get then(): never {
    throw refusal(this.label, "awaited");
  }
}

function refusal(label: string, how: string): MlpipeError {
  return new MlpipeError(
    "MLP1007",
    `The ref ${label} was ${how}, but it has no content until the pipeline runs.`,
    {
      at: callSite(),
      hint: "Pass the ref to a step; there its content is at hand.",
    },
  );
}

/** Whether a value is a ref, of this or another copy of the language. */
export function isRefNode(value: unknown): value is RefNode {
  return typeof value === "object" && value !== null && refMark in value;
}

/** The one place where a node takes the type that the language shows. */
export function asRef<Content>(node: RefNode): Ref<Content> {
  // The symbol type is a fiction that makes the compiler refuse misuse; see Ref.
  return node as unknown as Ref<Content>;
}
