import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sealOf } from "./seal.ts";

test("a seal is the CRC-32 of the fields with a zero byte after each", () => {
  const field = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.uint8Array());
  fc.assert(
    fc.property(fc.array(field, { maxLength: 4 }), (fields) => {
      expect(sealOf(...fields)).toBe(fields.reduce<number>((sum, each) => crc32("\0", crc32(each, sum)), 0));
    }),
    { numRuns: 1_000 },
  );
});
