import { randomFillSync } from "node:crypto";

declare const uuid: unique symbol;

/** A UUIDv7 in its usual spelling, lower case. Sorts by the time it was made. */
export type Uuid7 = string & { readonly [uuid]: 7 };

/** The id of one invocation of a pipeline. */
export type RunId = Uuid7;

/** The id of one execution of a step. */
export type StepRunId = Uuid7;

// Random bytes in bulk: a system call for every id would be most of its cost.
const pool = new Uint8Array(10 * 256);
let used = pool.length;
let lastTime = 0;
let sequence = 0;

/**
 * A new UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then a 12-bit sequence that starts at a random place
 * each millisecond (method 1), then 62 random bits. Ids of one process are strictly increasing, also when the clock
 * is set back.
 */
export function uuid7(): Uuid7 {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, (used += 10));
  const now = Date.now();
  if (now > lastTime) {
    lastTime = now;
    // The upper half of the range stays free for ids of the same millisecond.
    sequence = ((byte(random, 0) << 8) | byte(random, 1)) & 0x7ff;
  } else if (++sequence > 0xfff) {
    lastTime++;
    sequence = 0;
  }
  const time = lastTime.toString(16).padStart(12, "0");
  const low = Buffer.from(random.buffer, random.byteOffset + 2, 8);
  low[0] = (byte(low, 0) & 0x3f) | 0x80;
  const tail = low.toString("hex");
  const text = `${time.slice(0, 8)}-${time.slice(8)}-7${sequence.toString(16).padStart(3, "0")}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  // A UUIDv7 by construction; the brand exists for the compiler alone.
  return text as Uuid7;
}

/** Whether a string is a UUID as `uuid7` spells it. Ids become names of folders, so this is asked before a path is made of one. */
export function isUuid(text: string): text is Uuid7 {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text);
}

function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}
