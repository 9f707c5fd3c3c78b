/**
 * How the ports of a step look from outside (what a call takes and gives) and from inside (what
 * its function reads and writes).
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Kind, OptionalKind, Port, Ports } from "./kinds.ts";
import type { Ref } from "./ref.ts";

/** What one port accepts when its step is called. */
export type Accepts<P> = P extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<P> | Ref<StandardSchemaV1.InferInput<P>>
  : P extends Kind
    ? P["~types"]["accepts"]
    : never;

type OptionalNames<I> = { [Name in keyof I]: I[Name] extends OptionalKind<Kind> ? Name : never }[keyof I];

/** What a call of a step takes. */
export type Wiring<I extends Ports> = [OptionalNames<I>] extends [never]
  ? { readonly [Name in keyof I]: Accepts<I[Name]> }
  : { readonly [Name in Exclude<keyof I, OptionalNames<I>>]: Accepts<I[Name]> } & {
      readonly [Name in OptionalNames<I>]?: Accepts<I[Name]>;
    };

/** What a call of a step gives. */
export type Refs<O extends Ports> = {
  readonly [Name in keyof O]: Ref<
    O[Name] extends StandardSchemaV1
      ? StandardSchemaV1.InferOutput<O[Name]>
      : O[Name] extends Kind
        ? O[Name]["~types"]["artifact"]
        : never
  >;
};

/** What a step's function reads. */
export type Reads<I extends Ports> = {
  readonly [Name in keyof I]: I[Name] extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<I[Name]>
    : I[Name] extends Kind
      ? I[Name]["~types"]["reads"]
      : never;
};

type Fills<P> = P extends StandardSchemaV1 ? "return" : P extends Kind ? P["~types"]["fills"] : never;

/** What a step's function is given to fill its file outputs with. */
export type Writers<O extends Ports> = {
  readonly [Name in keyof O as Fills<O[Name]> extends "writer" ? Name : never]: O[Name] extends Kind
    ? O[Name]["~types"]["writes"]
    : never;
};

type ReturnedNames<O> = { [Name in keyof O]: Fills<O[Name]> extends "return" ? Name : never }[keyof O];

/** What a step's function returns: its values and metrics, or nothing if it has none. */
export type Returned<O extends Ports> = [ReturnedNames<O>] extends [never]
  ? void
  : {
      readonly [Name in ReturnedNames<O>]: O[Name] extends StandardSchemaV1
        ? StandardSchemaV1.InferInput<O[Name]>
        : O[Name] extends Kind
          ? O[Name]["~types"]["writes"]
          : never;
    };

type Gating<P> = P extends StandardSchemaV1 ? "free" : P extends Kind ? P["~types"]["gated"] : "free";

/** The names of the ports that hold models no gate has to approve yet. */
export type UngatedNames<I> = { [Name in keyof I]: Gating<I[Name]> extends "ungated" ? Name : never }[keyof I];

type ApprovedNames<I> = { [Name in keyof I]: Gating<I[Name]> extends "approved" ? Name : never }[keyof I];

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
