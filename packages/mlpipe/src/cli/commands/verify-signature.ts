import { readFileSync } from "node:fs";
import { MlpipeError } from "@mlpipe/dsl";
import { hashPath } from "@mlpipe/store";
import { shortId } from "../format.ts";
import { print, printJson } from "../output.ts";

/** What is looked at of a statement whose signature holds. */
interface Statement {
  readonly predicateType?: string;
  readonly subject?: readonly {
    readonly name?: string;
    readonly digest?: Readonly<Record<string, string>>;
  }[];
}

/**
 * `mlpipe verify-signature ENVELOPE [FILE…]`: whether an envelope was signed with a key and is as it was then, and
 * whether it speaks of these files.
 */
export async function verifySignature(
  path: string,
  files: readonly string[],
  options: { readonly key?: string; readonly json?: true },
): Promise<number> {
  const { envelopeIn, isSignedBy, keyId, userKeyPath, verificationKey } =
    await import("@mlpipe/provenance/export");
  const key = verificationKey(options.key ?? userKeyPath(process.env));
  const envelope = envelopeIn(documentIn(path));
  if (envelope === undefined) throw noEnvelope(path);
  if (!isSignedBy(envelope, key)) {
    const signers = envelope.signatures.map(({ keyid }) => shortId(keyid)).join(", ");
    throw new MlpipeError(
      "MLP5012",
      `${path} does not bear a signature of the key ${shortId(keyId(key))} over what it says.`,
      {
        exit: 3,
        hint: `It says to be signed by ${signers || "nobody"}. Was it altered, or is this the public half of another key?`,
      },
    );
  }
  // Only now that it is known who wrote it.
  const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8")) as Statement;
  const subjects = statement.subject ?? [];
  const missing = files.filter((file) => !subjects.some(({ digest }) => isContent(file, digest ?? {})));
  if (missing.length > 0) {
    throw new MlpipeError("MLP5012", `The signature holds, but does not speak of ${missing.join(", ")}.`, {
      exit: 3,
      hint: `It speaks of ${subjects.map(({ name }) => name).join(", ")}: the file has other bytes than these had.`,
    });
  }
  if (options.json === true) {
    printJson({ schemaVersion: 1, verified: true, keyid: keyId(key), files, statement });
    return 0;
  }
  print(`${path}: signed by the key ${shortId(keyId(key))}, and as it was then`);
  for (const { name, digest } of subjects) print(`  ${Object.values(digest ?? {})[0] ?? ""}  ${name ?? ""}`);
  return 0;
}

function documentIn(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw noEnvelope(path, error);
  }
}

function noEnvelope(path: string, cause?: unknown): MlpipeError {
  return new MlpipeError("MLP5013", `${path} is no envelope that can be read.`, {
    hint: "mlpipe export RUN --format slsa -o provenance.json writes one.",
    cause,
  });
}

function isContent(file: string, digest: Readonly<Record<string, string>>): boolean {
  const found = hashPath(file);
  return (found.type === "tree" ? digest["mlpipeTree"] : digest["sha256"]) === found.digest;
}
