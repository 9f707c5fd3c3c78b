/** Keeping values of secrets out of everything that is kept or shown. */

/** What stands in a secret's place. */
export const redacted = "***";

/** Shorter values would blot out half of every text, and are no secrets. */
const shortest = 4;

/** The values worth looking for, longest first: one may begin with another. */
export function secretValues(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
    .filter(({ length }) => length >= shortest)
    .toSorted((a, b) => b.length - a.length);
}

/** A document without the secrets: in every string of it they are replaced. */
export function redactDocument<Document>(document: Document, secrets: readonly string[]): Document {
  if (secrets.length === 0) return document;
  const text = JSON.stringify(document, (_name, value: unknown) =>
    typeof value === "string"
      ? secrets.reduce((rest, secret) => rest.replaceAll(secret, redacted), value)
      : value,
  );
  // Strings alone were replaced, by strings.
  return JSON.parse(text) as Document;
}

/**
 * Redacts a stream of bytes. What may be the beginning of a secret is held back until the next
 * bytes tell, so that a secret cut in two by a pipe is found all the same.
 */
export class RedactedStream {
  readonly #secrets: readonly Buffer[];
  #held: Buffer = Buffer.alloc(0);

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.map((secret) => Buffer.from(secret));
  }

  /** The bytes that can be passed on. */
  write(bytes: Buffer): Buffer {
    if (this.#secrets.length === 0) return bytes;
    return this.#pass(Buffer.concat([this.#held, bytes]), false);
  }

  /** What is still held back, at the end. */
  end(): Buffer {
    return this.#pass(this.#held, true);
  }

  #pass(bytes: Buffer, final: boolean): Buffer {
    const parts: Buffer[] = [];
    let rest = bytes;
    const held = final ? bytes.length : this.#undecidedFrom(bytes);
    let decided = held;
    for (let next = this.#first(rest); next !== undefined && next.at < decided; next = this.#first(rest)) {
      parts.push(rest.subarray(0, next.at), Buffer.from(redacted));
      rest = rest.subarray(next.at + next.length);
      decided -= next.at + next.length;
    }
    // A secret that reaches beyond the undecided place has decided it.
    const kept = Math.max(0, decided);
    parts.push(rest.subarray(0, kept));
    this.#held = rest.subarray(kept);
    return Buffer.concat(parts);
  }

  /** The first secret, and of those that begin there the longest. */
  #first(bytes: Buffer): { readonly at: number; readonly length: number } | undefined {
    let found: { readonly at: number; readonly length: number } | undefined;
    for (const secret of this.#secrets) {
      const at = bytes.indexOf(secret);
      if (at !== -1 && (found === undefined || at < found.at)) found = { at, length: secret.length };
    }
    return found;
  }

  /** Where the end of the bytes begins that may be the beginning of a secret. */
  #undecidedFrom(bytes: Buffer): number {
    let from = bytes.length;
    for (const secret of this.#secrets) {
      for (let at = Math.max(0, bytes.length - secret.length + 1); at < from; at++) {
        if (bytes.subarray(at).equals(secret.subarray(0, bytes.length - at))) from = at;
      }
    }
    return from;
  }
}
