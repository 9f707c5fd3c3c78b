import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactDocument, RedactedStream, secretValues } from "./redact.ts";

describe("redaction", () => {
  it("replaces a secret in every string of a document, however it is spelt in JSON", () => {
    const secrets = secretValues(['pa"ss\nword', "abc"]);
    expect(redactDocument({ argv: ['x pa"ss\nword y'], nested: { note: "abc" } }, secrets)).toEqual({
      argv: ["x *** y"],
      nested: { note: "abc" },
    });
  });

  it("finds a secret wherever a pipe cuts the stream", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("token", "token-long", "to", "x", "ken"), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (words, cuts) => {
          const secrets = secretValues(["token", "token-long"]);
          const text = words.join("");
          const stream = new RedactedStream(secrets);
          const parts: Buffer[] = [];
          for (let at = 0, turn = 0; at < text.length; turn++) {
            const length = cuts[turn % cuts.length] ?? 1;
            parts.push(stream.write(Buffer.from(text.slice(at, at + length))));
            at += length;
          }
          parts.push(stream.end());
          const said = Buffer.concat(parts).toString();
          expect(said).not.toContain("token");
          // Whatever is no secret is passed on: what is left are the pieces between them.
          expect(said.replaceAll("***", "").length).toBe(text.replaceAll(/token(?:-long)?/g, "").length);
        },
      ),
    );
  });

  it("passes on bytes that are no text, and what looked like a beginning at the end", () => {
    const stream = new RedactedStream(["secret"]);
    const said = [
      stream.write(Buffer.from([0xff, 0, 0x73])),
      stream.write(Buffer.from("ecre")),
      stream.end(),
    ];
    expect(Buffer.concat(said)).toEqual(Buffer.from([0xff, 0, ...Buffer.from("secre")]));
  });
});
