/**
 * How the ports of a step look from outside (what a call takes and gives) and from inside (what
 * its function reads and writes).
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Kind, Port, Ports } from "./kinds.ts";
import type { Ref } from "./ref.ts";

/** What one port accepts when its step is called. */
export type Accepts<P> = P extends Kind
  ? P["~accepts"]
  : P extends StandardSchemaV1
    ? StandardSchemaV1.InferInput<P> | Ref<StandardSchemaV1.InferInput<P>>
    : never;

type IsOptional<P> = P extends { readonly "~optional": true } ? true : false;

type OptionalNames<I> = { [Name in keyof I]: IsOptional<I[Name]> extends true ? Name : never }[keyof I];

/** What a call of a step takes. */
export type Wiring<I extends Ports> =
  // Asked of all ports at once, since most steps have no optional one.
  true extends IsOptional<I[keyof I]>
    ? { readonly [Name in Exclude<keyof I, OptionalNames<I>>]: Accepts<I[Name]> } & {
        readonly [Name in OptionalNames<I>]?: Accepts<I[Name]>;
      }
    : { readonly [Name in keyof I]: Accepts<I[Name]> };

type Promised<P> = P extends Kind
  ? P["~artifact"]
  : P extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<P>
    : never;

/** What a call of a step gives. */
export type Refs<O extends Ports> = { readonly [Name in keyof O]: Ref<Promised<O[Name]>> };

type Read<P> = P extends Kind
  ? P["~reads"]
  : P extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<P>
    : never;

/** What a step's function reads. */
export type Reads<I extends Ports> = { readonly [Name in keyof I]: Read<I[Name]> };

type FillOf<P> = P extends Kind ? P["~fill"] : "return";

/** The compiler's word for an output that the step's function returns instead of writing it. */
export type ReturnedInstead = "This output is returned by the step, not written.";

type WriterOf<P> = P extends Kind<unknown, unknown, unknown, "writer"> ? P["~writes"] : ReturnedInstead;

/** What a step's function is given to fill its file outputs with. */
export type Writers<O extends Ports> = { readonly [Name in keyof O]: WriterOf<O[Name]> };

type Written<P> = P extends Kind
  ? P["~writes"]
  : P extends StandardSchemaV1
    ? Literal<StandardSchemaV1.InferInput<P>>
    : never;

/**
 * A value as it may be written out where it is returned: the compiler takes `["a"]` for a read-only
 * tuple there, and what is returned is only read.
 */
type Literal<Value> = Value extends readonly (infer Item)[]
  ? readonly Literal<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: Literal<Value[Name]> }
    : Value;

type ReturnedNames<O> = { [Name in keyof O]: FillOf<O[Name]> extends "return" ? Name : never }[keyof O];

/**
 * What a step's function returns: its values and metrics, or nothing if it has none. Most steps
 * either write or return everything, and are spared the search for names, which costs the
 * compiler the most.
 */
export type Returned<O extends Ports> =
  "return" extends FillOf<O[keyof O]>
    ? "writer" extends FillOf<O[keyof O]>
      ? { readonly [Name in ReturnedNames<O>]: Written<O[Name]> }
      : { readonly [Name in keyof O]: Written<O[Name]> }
    : void;

/** The names of the ports that hold models no gate has to approve yet. */
export type UngatedNames<I> = {
  [Name in keyof I]: I[Name] extends { readonly "~gated": "ungated" } ? Name : never;
}[keyof I];

type ApprovedNames<I> = {
  [Name in keyof I]: I[Name] extends { readonly "~gated": "approved" } ? Name : never;
}[keyof I];

/** The message of the compiler for a deploy that takes a model without a gate. */
export interface UngatedModel {
  readonly "This model has not passed a gate. Declare the port as approved(…) and give it what a gate lets pass.": Port;
}

/** The message of the compiler for a deploy without any approved model. */
export interface NothingApproved {
  readonly "A deploy takes at least one approved(…) model.": Port;
}

/** What a deploy demands of its inputs: every model approved, and at least one. */
export type DeployInputs<I> = [ApprovedNames<I>] extends [never]
  ? [UngatedNames<I>] extends [never]
    ? NothingApproved
    : { readonly [Name in UngatedNames<I>]: UngatedModel }
  : [UngatedNames<I>] extends [never]
    ? unknown
    : { readonly [Name in UngatedNames<I>]: UngatedModel };
