/** Ed25519 keys in files: the private half PKCS#8, the public half SubjectPublicKeyInfo, both PEM. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { keyId } from "./dsse.ts";

/** The two files of a key. */
export interface KeyFiles {
  readonly private: string;
  readonly public: string;
  /** As signatures name it. */
  readonly id: string;
}

/** Where a user's own key lies: `$XDG_CONFIG_HOME/mlpipe/signing-key.pem`, else below `~/.config`. */
export function userKeyPath({ XDG_CONFIG_HOME: config, HOME: home }: NodeJS.ProcessEnv): string {
  return join(config || join(home || homedir(), ".config"), "mlpipe", "signing-key.pem");
}

/** The public half beside a private one: `signing-key.pub.pem`. */
export function publicPathOf(path: string): string {
  return path.endsWith(".pem") ? `${path.slice(0, -4)}.pub.pem` : `${path}.pub`;
}

/**
 * Makes a key.
 *
 * @param path of the private half, which nobody but its owner can read
 * @throws MlpipeError MLP6015 if one of the files is there: a lost key cannot be made again
 */
export function createKey(path: string): KeyFiles {
  const files = { private: path, public: publicPathOf(path) };
  const taken = Object.values(files).find((file) => existsSync(file));
  if (taken !== undefined) {
    throw new MlpipeError("MLP6015", `${taken} exists already.`, {
      hint: "A key that is lost cannot be made again: name another place.",
    });
  }
  const pair = generateKeyPairSync("ed25519");
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Exclusively and with its mode from the first byte on: there is no moment in which others can read it.
  writeFileSync(path, pair.privateKey.export({ type: "pkcs8", format: "pem" }), { flag: "wx", mode: 0o600 });
  chmodSync(path, 0o600);
  writeFileSync(files.public, pair.publicKey.export({ type: "spki", format: "pem" }), { flag: "wx" });
  return { ...files, id: keyId(pair.publicKey) };
}

/** A private key, and whether others than its owner can read the file. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly isExposed: boolean;
}

/**
 * A private key out of a file, or out of the text itself, as CI systems hand secrets on.
 * @throws MlpipeError MLP5011 if there is none or it is of another kind
 */
export function signingKey(pathOrPem: string): SigningKey {
  if (pathOrPem.startsWith("-----BEGIN ")) {
    return { key: ed25519(() => createPrivateKey(pathOrPem), "The key"), isExposed: false };
  }
  const text = readKey(pathOrPem);
  const key = ed25519(() => createPrivateKey(text), pathOrPem);
  return { key, isExposed: (statSync(pathOrPem).mode & 0o077) !== 0 };
}

/**
 * The public half of a key, out of a file with either half.
 * @throws MlpipeError MLP5011 if there is none or it is of another kind
 */
export function verificationKey(path: string): KeyObject {
  const text = readKey(path);
  return ed25519(() => createPublicKey(text), path);
}

function readKey(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new MlpipeError("MLP5011", `The key ${path} cannot be read.`, {
      exit: 4,
      hint: "mlpipe key create makes one.",
      cause: error,
    });
  }
}

function ed25519(read: () => KeyObject, what: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {
    // Nothing that OpenSSL can read, which is answered like a key of another kind.
  }
  if (key?.asymmetricKeyType === "ed25519") return key;
  const found = key?.asymmetricKeyType === undefined ? "no key" : `a key of type ${key.asymmetricKeyType}`;
  throw new MlpipeError("MLP5011", `${what} is ${found}; expected an Ed25519 key in PEM.`, {
    hint: "mlpipe key create makes one.",
  });
}
