/** Signed provenance: keys, envelopes, and whether others' verifiers agree. */
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { smallPipeline } from "../e2e/small-pipeline.ts";

interface Envelope {
  payload: string;
  payloadType: string;
  signatures: { keyid: string; sig: string }[];
}

let project: Project;
beforeAll(async () => {
  project = new Project(smallPipeline);
  await project.run("-s", "limit=9");
});
afterAll(() => {
  project[Symbol.dispose]();
});

const at = (...names: readonly string[]): string => join(project.root, ...names);

/** The command line as somebody else's, with a folder of settings of their own. */
const as = (who: string, ...args: readonly string[]): ReturnType<typeof finished> =>
  finished(project.start(args, { XDG_CONFIG_HOME: at("users", who), MLPIPE_KEY: "" }));

async function envelope(name: string, ...args: readonly string[]): Promise<string> {
  const done = await as("ada", "export", "last", "--format", "slsa", "-o", name, "-f", ...args);
  expect(done.exit, done.stderr).toBe(0);
  return at(name);
}

/** What sigstore's verifier, trusting nothing but the key, says of an envelope. */
function bySigstore(dsseEnvelope: unknown, publicKey: string): string {
  const { keyid = "" } = (dsseEnvelope as Envelope).signatures[0] ?? {};
  const bundle = bundleFromJSON({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: keyid }, tlogEntries: [] },
    dsseEnvelope,
  });
  const trust = toTrustMaterial(
    // An empty root of trust: no authority of sigstore has anything to say here.
    { mediaType: "", tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] },
    () => ({ publicKey: createPublicKey(publicKey), validFor: () => true }),
  );
  const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 });
  try {
    verifier.verify(toSignedEntity(bundle));
    return "accepted";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("a key", () => {
  it("is made once, and nobody else can read it", async () => {
    const made = await as("ada", "key", "create", "--json");
    expect(made.exit, made.stderr).toBe(0);
    const files = JSON.parse(made.stdout) as Record<string, string>;
    expect(files["private"]).toBe(at("users/ada/mlpipe/signing-key.pem"));
    expect(statSync(files["private"] ?? "").mode & 0o777).toBe(0o600);
    expect(statSync(at("users/ada/mlpipe")).mode & 0o777).toBe(0o700);
    expect(readFileSync(files["private"] ?? "", "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
    expect(readFileSync(files["public"] ?? "", "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    const again = await as("ada", "key", "create");
    expect([again.exit, again.stderr]).toEqual([2, expect.stringContaining("MLP6015")]);
  });

  it("can lie elsewhere, come out of a variable, and has to be of the right kind", async () => {
    const path = at("keys/ci.pem");
    expect((await as("nobody", "key", "create", path)).exit).toBe(0);
    const named = await as("nobody", "export", "last", "--format", "slsa", "--key", path, "-o", "named.json");
    expect(named.exit, named.stderr).toBe(0);
    const text = readFileSync(path, "utf8");
    const given = await finished(
      project.start(["export", "last", "--format", "slsa"], {
        XDG_CONFIG_HOME: at("none"),
        MLPIPE_KEY: text,
      }),
    );
    expect(given.exit, given.stderr).toBe(0);
    // Ed25519 signs the same bytes the same way.
    expect(JSON.parse(given.stdout)).toEqual(JSON.parse(readFileSync(at("named.json"), "utf8")));
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(at("keys/ec.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    const wrong = await as("ada", "export", "last", "--format", "slsa", "--key", at("keys/ec.pem"));
    expect([wrong.exit, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toMatch(/MLP5011.* is a key of type ec; expected an Ed25519 key/);
  });

  it("that is missing is said to be, with what to do", async () => {
    const missing = await as("nobody", "export", "last", "--format", "slsa");
    expect([missing.exit, missing.stdout]).toEqual([4, ""]);
    expect(missing.stderr).toMatch(/MLP5011[\s\S]*mlpipe key create/);
    expect(existsSync(at("users/nobody"))).toBe(false);
  });
});

describe("an envelope", () => {
  const publicKey = (): string => readFileSync(at("users/ada/mlpipe/signing-key.pub.pem"), "utf8");

  it("is accepted by sigstore's verifier, and refused when anything of it was altered", async () => {
    const sealed = JSON.parse(readFileSync(await envelope("signed.json"), "utf8")) as Envelope;
    expect(bySigstore(sealed, publicKey())).toBe("accepted");
    const statement = Buffer.from(sealed.payload, "base64").toString("utf8");
    const forged = Buffer.from(statement.replace('"limit":9', '"limit":1')).toString("base64");
    expect(forged).not.toBe(sealed.payload);
    expect(bySigstore({ ...sealed, payload: forged }, publicKey())).toBe("SIGNATURE_ERROR");
    expect(bySigstore({ ...sealed, payloadType: "application/json" }, publicKey())).toBe("SIGNATURE_ERROR");
    const other = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" });
    expect(bySigstore(sealed, other)).toBe("SIGNATURE_ERROR");
  });

  it("is verified by mlpipe, and so are the files it speaks of", async () => {
    const path = await envelope("signed.json");
    const model = "artifacts/line/model.json";
    const done = await as("ada", "verify-signature", path, model);
    expect(done.exit, done.stderr).toBe(0);
    expect(done.stdout).toMatch(/signed by the key [0-9a-f]{18}, and as it was then\n/);
    expect(done.stdout).toContain(model);
    const ours = at("users/ada/mlpipe/signing-key.pub.pem");
    const byOthers = await as("bob", "verify-signature", path, model, "--key", ours, "--json");
    expect(JSON.parse(byOthers.stdout)).toMatchObject({
      verified: true,
      statement: { _type: expect.any(String) },
    });
    project.write({ "other.json": project.read(model).replace(/\d/, "7") });
    const strange = await as("ada", "verify-signature", path, "other.json");
    expect([strange.exit, strange.stdout]).toEqual([3, ""]);
    expect(strange.stderr).toMatch(/MLP5012 .*does not speak of other\.json/);
  });

  it("that was altered, or signed by somebody else, is a verdict; what is no envelope is a mistake", async () => {
    const path = await envelope("signed.json");
    const sealed = JSON.parse(readFileSync(path, "utf8")) as Envelope;
    const payload = Buffer.from(sealed.payload, "base64");
    payload[100] = (payload[100] ?? 0) ^ 1;
    project.write({ "altered.json": JSON.stringify({ ...sealed, payload: payload.toString("base64") }) });
    for (const [file, who] of [
      ["altered.json", "ada"],
      ["signed.json", "eve"],
    ] as const) {
      if (who === "eve") await as("eve", "key", "create");
      const refused = await as(who, "verify-signature", file);
      expect([refused.exit, refused.stdout]).toEqual([3, ""]);
      expect(refused.stderr).toContain("MLP5012");
    }
    project.write({ "unsigned.json": JSON.stringify({ ...sealed, signatures: [] }) });
    expect((await as("ada", "verify-signature", "unsigned.json")).exit).toBe(3);
    for (const file of ["data/points.csv", "package.json", "nothing.json"]) {
      const wrong = await as("ada", "verify-signature", file);
      expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringContaining("MLP5013")]);
    }
  });

  it("says that a key can be read by others", async () => {
    const path = at("keys/loose.pem");
    await as("ada", "key", "create", path);
    writeFileSync(at("keys/loose-copy.pem"), readFileSync(path), { mode: 0o644 });
    const done = await as("ada", "export", "last", "--format", "slsa", "--key", at("keys/loose-copy.pem"));
    expect(done.exit).toBe(0);
    expect(done.stderr).toMatch(/Others can read the key .*chmod 600/);
  });
});
