/**
 * A checksum over what a row says, kept in the row. SQLite does not notice a bit that flips in the middle of a page;
 * a row whose seal does not fit is treated as absent, so damage costs a re-run and never gives a wrong hit.
 *
 * It is the CRC-32 of the fields, each followed by a zero byte that keeps the bounds between them in the sum. Computed
 * here, because loading `node:zlib` for it takes longer than the sums of a thousand rows; only what is as much as that
 * is worth loading it.
 */
export function sealOf(...fields: readonly (string | Uint8Array)[]): number {
  let sum = -1;
  // Of every row that is read: no iterator, and no call for each byte.
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] ?? "";
    if (field.length >= worthLoading) sum = ~process.getBuiltinModule("node:zlib").crc32(field, ~sum >>> 0);
    else sum = typeof field === "string" ? addText(sum, field) : addBytes(sum, field);
    sum = addByte(sum, 0);
  }
  return ~sum >>> 0;
}

/** The length from which on Node's own sum is quicker, with the 2 ms that it takes to be loaded. */
const worthLoading = 1024 * 1024;

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let entry = byte;
  for (let bit = 0; bit < 8; bit++) entry = entry & 1 ? (entry >>> 1) ^ 0xedb88320 : entry >>> 1;
  return entry;
});

function addByte(sum: number, byte: number): number {
  return (sum >>> 8) ^ (table[(sum ^ byte) & 0xff] ?? 0);
}

function addBytes(sum: number, bytes: Uint8Array): number {
  let next = sum;
  for (let i = 0; i < bytes.length; i++) next = (next >>> 8) ^ (table[(next ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return next;
}

function addText(sum: number, text: string): number {
  let next = sum;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return addBytes(sum, Buffer.from(text));
    next = (next >>> 8) ^ (table[(next ^ code) & 0xff] ?? 0);
  }
  return next;
}
