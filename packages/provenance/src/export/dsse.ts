/** Dead Simple Signing Envelope with Ed25519. https://github.com/secure-systems-lab/dsse, protocol version 1.0.2 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";

/** The envelope, in its JSON form. */
export interface Envelope {
  /** Base64. */
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** The type of a payload that is an in-toto statement. */
export const statementType = "application/vnd.in-toto+json";

/** Signs a statement. */
export function sealed(statement: unknown, key: KeyObject): Envelope {
  const payload = Buffer.from(JSON.stringify(statement));
  const signature = sign(null, signedBytes(statementType, payload), key);
  return {
    payload: payload.toString("base64"),
    payloadType: statementType,
    signatures: [{ keyid: keyId(key), sig: signature.toString("base64") }],
  };
}

/** Whether one of the signatures was made with the private half of this key, over exactly this payload. */
export function isSignedBy({ payload, payloadType, signatures }: Envelope, key: KeyObject): boolean {
  const bytes = signedBytes(payloadType, Buffer.from(payload, "base64"));
  // The id of a key is a hint that nobody has signed: every signature is tried.
  return signatures.some(({ sig }) => verify(null, bytes, key, Buffer.from(sig, "base64")));
}

/** What is signed: type and payload with their lengths, so that no two pairs of them look alike. */
function signedBytes(type: string, payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `),
    payload,
  ]);
}

/** sha256 of the public key (its SubjectPublicKeyInfo, DER), in hex. */
export function keyId(key: KeyObject): string {
  const der = (key.type === "private" ? createPublicKey(key) : key).export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex");
}

/** An envelope out of a file; nothing if the document is none. */
export function envelopeIn(document: unknown): Envelope | undefined {
  if (typeof document !== "object" || document === null) return undefined;
  const { payload, payloadType, signatures } = document as Readonly<Record<string, unknown>>;
  if (typeof payload !== "string" || typeof payloadType !== "string" || !Array.isArray(signatures))
    return undefined;
  const read = signatures.map((each: unknown) => {
    // What is missing reads as undefined.
    const { keyid, sig } = (each ?? {}) as Readonly<Record<string, unknown>>;
    return typeof sig === "string" ? { keyid: typeof keyid === "string" ? keyid : "", sig } : undefined;
  });
  return read.every((each) => each !== undefined) ? { payload, payloadType, signatures: read } : undefined;
}
