import { hash } from "node:crypto";
import { canonicalJson } from "./canonical.ts";

declare const sha256: unique symbol;

/** A sha256, as 64 lower-case hexadecimal digits. */
export type Digest = string & { readonly [sha256]: "sha256" };

/** What a file or folder holds, by digest. Two contents are the same when type and digest are. */
export interface Content {
  /** Part of the identity: the digest of a tree and of a file are of different spaces. */
  readonly type: "file" | "tree";
  readonly digest: Digest;
  /** Bytes; for a tree the sum over its files. */
  readonly size: number;
  /** How many files a tree holds. */
  readonly entries?: number;
  /** Of a folder that was looked at where it lies: a link in it that leads out, to what its digest does not cover. */
  readonly leaves?: string;
}

/** The sha256 of bytes, or of a string as UTF-8. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return asDigest(hash("sha256", bytes, "hex"));
}

/**
 * The sha256 of the canonical JSON of a value.
 *
 * @throws StoreError `MLP4001` for a value that has none
 */
export function digestOfJson(value: unknown): Digest {
  return digestOf(canonicalJson(value));
}

/** Whether a string has the shape of a digest. */
export function isDigest(text: string): text is Digest {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Marks text that is a digest by construction: what a hash function returned, or a checked column of the database. */
export function asDigest(hex: string): Digest {
  // The brand exists for the compiler alone; this is the one place that gives it.
  return hex as Digest;
}
