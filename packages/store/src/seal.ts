import { crc32 } from "node:zlib";

/**
 * A checksum over what a row says, kept in the row. SQLite does not notice a bit that flips in the middle of a page;
 * a row whose seal does not fit is treated as absent, so damage costs a re-run and never gives a wrong hit.
 */
export function sealOf(...fields: readonly (string | Uint8Array)[]): number {
  let sum = 0;
  for (const field of fields) {
    sum = crc32(field, sum);
    // Keeps the bounds between fields in the sum.
    sum = crc32("\0", sum);
  }
  return sum;
}
