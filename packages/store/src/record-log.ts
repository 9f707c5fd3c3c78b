import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { canonicalJson } from "./canonical.ts";
import { asDigest, digestOf, type Digest } from "./digest.ts";
import { StoreError, shown, withPath } from "./errors.ts";

/**
 * The open `records.jsonl` of a run: one record a line, canonical JSON, with `prev` set to the sha256 of the line before
 * (without its line feed), or `null` in the first. One process appends to it, the one that holds the run.
 */
export class RecordLog {
  readonly #path: string;
  readonly #descriptor: number;
  #head: Digest | null;
  /** Of what is in the file. */
  #length: number;
  /** Lines that are written together. */
  #held: string[] = [];
  #heldLength = 0;

  constructor(path: string) {
    this.#path = path;
    const lines = existsSync(path) ? readLines(path) : [];
    const last = lines.at(-1);
    this.#head = last === undefined ? null : digestOf(last);
    this.#length = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    this.#descriptor = withPath("open", path, () => openSync(path, "a", 0o600));
    // Half a line, left by a process that was killed while it wrote, is no record.
    withPath("write", path, () => {
      if (fstatSync(this.#descriptor).size > this.#length) ftruncateSync(this.#descriptor, this.#length);
    });
  }

  /** The digest of the last line. */
  get head(): Digest | null {
    return this.#head;
  }

  /**
   * @param encode gives the canonical JSON of a property; somebody may have it already
   * @param isHeld whether the line may wait for those that are settled with it
   */
  append(
    record: unknown,
    encode: (value: unknown) => string = canonicalJson,
    isHeld: boolean = false,
  ): Digest {
    if (typeof record !== "object" || record === null || Array.isArray(record) || "prev" in record) {
      throw new Error("a record is an object without a `prev` of its own");
    }
    const texts: string[] = [];
    for (const [name, value] of Object.entries({ ...record, prev: this.#head }).toSorted(byName)) {
      // Apart from its name: of texts that were put together V8 makes one more when a piece is taken, and it may have megabytes.
      texts.push(`${texts.length === 0 ? "{" : ","}${canonicalJson(name)}:`, encode(value));
    }
    texts.push("}\n");
    const isShort = texts.reduce((sum, text) => sum + text.length, 0) <= pieceLength;
    this.#head = isHeld && isShort ? this.#hold(texts.join("")) : this.#write(texts);
    return this.#head;
  }

  #hold(line: string): Digest {
    this.#held.push(line);
    this.#heldLength += line.length;
    if (this.#heldLength > pieceLength) this.#writeHeld();
    return digestOf(line.slice(0, -1));
  }

  #writeHeld(): void {
    if (this.#held.length === 0) return;
    this.#writePieces([this.#held.join("")], () => {});
    this.#held = [];
    this.#heldLength = 0;
  }

  #write(texts: readonly string[]): Digest {
    this.#writeHeld();
    const state = createHash("sha256");
    this.#writePieces(texts, (bytes) => {
      // In JSON a line feed is escaped: this one ends the line, and is no part of it.
      state.update(bytes.at(-1) === lineFeed ? bytes.subarray(0, -1) : bytes);
    });
    return asDigest(state.digest("hex"));
  }

  #writePieces(texts: readonly string[], onWritten: (bytes: Buffer) => void): void {
    let length = 0;
    withPath("write", this.#path, () => {
      try {
        for (const bytes of piecesOf(texts)) {
          for (let written = 0; written < bytes.length;)
            written += writeSync(this.#descriptor, bytes, written);
          length += bytes.length;
          onWritten(bytes);
        }
      } catch (error) {
        // Half a line on a full disk must not become the beginning of the next one.
        ftruncateSync(this.#descriptor, this.#length);
        throw error;
      }
    });
    this.#length += length;
  }

  /** Makes all lines durable. */
  settle(): void {
    this.#writeHeld();
    withPath("make durable", this.#path, () => fsyncSync(this.#descriptor));
  }

  /** Where the log is now, to go back to. No line is held then. */
  mark(): { readonly head: Digest | null; readonly length: number } {
    this.#writeHeld();
    return { head: this.#head, length: this.#length };
  }

  /** Takes back the lines since a mark: their transaction did not happen. */
  rewind(mark: { readonly head: Digest | null; readonly length: number }): void {
    this.#held = [];
    this.#heldLength = 0;
    if (mark.length !== this.#length)
      withPath("write", this.#path, () => ftruncateSync(this.#descriptor, mark.length));
    this.#head = mark.head;
    this.#length = mark.length;
  }

  close(): void {
    this.#writeHeld();
    closeSync(this.#descriptor);
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

const lineFeed = 0x0a;

/** A line that is longer goes in pieces of so many characters. */
const pieceLength = 256 * 1024;

/** Texts as bytes; much in pieces, because the line of a run with 10,000 steps has megabytes, and each copy as many. */
function* piecesOf(texts: readonly string[]): Generator<Buffer, void, void> {
  if (texts.reduce((sum, text) => sum + text.length, 0) <= pieceLength) {
    yield Buffer.from(texts.join(""));
    return;
  }
  for (const text of texts) {
    for (let at = 0, end = 0; at < text.length; at = end) {
      end = Math.min(at + pieceLength, text.length);
      // The two halves of a character beyond U+FFFF stay together.
      if (end < text.length && isFirstHalf(text.charCodeAt(end - 1))) end--;
      yield Buffer.from(text.slice(at, end));
    }
  }
}

function isFirstHalf(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/**
 * The records of a file, the chain checked.
 *
 * @param head the digest of a line that has to be there, as kept in the database
 * @throws StoreError `MLP4012` if a line, the chain or the head does not fit
 */
export function readRecords(path: string, head: string | null): readonly unknown[] {
  const lines = existsSync(path) ? readLines(path) : [];
  let prev: string | null = null;
  let headSeen = head === null;
  const records = lines.map((line, i) => {
    const record = parseLine(line);
    if (record?.["prev"] !== prev) throw broken(path, `line ${i + 1} does not continue the one before`);
    prev = digestOf(line);
    if (prev === head) headSeen = true;
    return record;
  });
  if (!headSeen) throw broken(path, "the last line that the database knows of is missing");
  return records;
}

/** As much of a run's records as holds together. */
export interface Chain {
  readonly records: readonly Readonly<Record<string, unknown>>[];
  /** So many of them, from the first on, are confirmed by the digest in the line after them. */
  readonly vouched: number;
  /** The digest of the last one. */
  readonly head: Digest | null;
}

/** The records up to the first line that does not continue the one before. Never throws for what the file says. */
export function readChain(path: string): Chain {
  const lines = existsSync(path) ? readLines(path) : [];
  const records: Record<string, unknown>[] = [];
  let head: Digest | null = null;
  for (const line of lines) {
    const record = parseLine(line);
    if (record?.["prev"] !== head) break;
    records.push(record);
    head = digestOf(line);
  }
  return { records, vouched: Math.max(0, records.length - 1), head };
}

/** Whole lines; what follows the last line feed was never finished. */
function readLines(path: string): readonly string[] {
  const content = withPath("read", path, () => readFileSync(path, "utf8"));
  const lines = content.split("\n");
  lines.pop();
  return lines;
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // Whatever else a line may say: as a record it has to be an object, and `prev` is looked at as unknown.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function broken(path: string, reason: string): StoreError {
  return new StoreError("MLP4012", `${shown(path)} is damaged: ${reason}`, {
    path,
    hint: "Restore the file from a backup, or leave the run alone: cached results do not depend on it.",
  });
}

/** Whether one of the lines of a file has this digest. */
export function hasRecord(path: string, digest: string): boolean {
  return existsSync(path) && readLines(path).some((line) => digestOf(line) === digest);
}

/** The digests of lines that were once the last one of a run that had ended: each time it is reproduced, one is added. */
export function formerHeads(path: string): readonly Digest[] {
  const lines = existsSync(path) ? readLines(path) : [];
  const end = lines.findLastIndex((line) => parseLine(line)?.["type"] === "run");
  return end < 0 ? [] : lines.slice(end, -1).map((line) => digestOf(line));
}
