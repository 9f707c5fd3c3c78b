/**
 * The preimage of a key: everything a step's result depends on, part by part. Each part is a
 * document kept by digest, so that a reason can always be given and a thousand steps that share
 * their code share its document.
 */
import type { ManifestStep } from "@mlpipe/dsl";
import { type Digest, digestOfJson } from "@mlpipe/store";
import type { Preimage } from "./plan.ts";

/** Raised whenever the same step would get another key by a newer mlpipe. */
export const keyFormat = 2;

/** A part of a preimage with the document it is the digest of. */
export interface PartDocument<Document = unknown> {
  readonly digest: Digest;
  readonly document: Document;
}

/** Makes the digest of a part's document. */
export function part<Document>(document: Document): PartDocument<Document> {
  return { digest: digestOfJson(document), document };
}

/** What the step is to others: a change of a port's kind changes what its outputs mean. */
export interface ContractDocument {
  readonly kind: ManifestStep["kind"];
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly body: ManifestStep["body"]["type"];
  /** The port that a gate passes. */
  readonly pass?: string;
  /** Where a deploy writes: the same model at another place is another deploy. */
  readonly target?: string;
}

/** The contract of a step, for its key. Ids, descriptions, call sites and scheduling do not count. */
export function contractOf(step: ManifestStep): ContractDocument {
  return {
    kind: step.kind,
    inputs: Object.fromEntries(Object.entries(step.inputs).map(([port, { kind }]) => [port, kind])),
    outputs: step.outputs,
    body: step.body.type,
    ...(step.body.type === "check" && { pass: step.body.pass }),
    ...(step.target !== undefined && { target: step.target }),
  };
}

/** What a step's code is made of. */
export interface CodeDocument {
  /** Digest by declaration (`src/features.ts#lag`) or file. */
  readonly parts: Readonly<Record<string, Digest>>;
  /** The module and the export that the step is: `steps.ts#fit`. */
  readonly step: string;
  /** The template of a command. */
  readonly argv?: readonly unknown[];
}

/** The key of a step: the digest of its preimage. */
export function keyOf(preimage: Preimage): Digest {
  return digestOfJson(preimage);
}
