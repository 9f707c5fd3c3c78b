/**
 * What a process says: kept byte by byte in a file that exists only if something was said, and
 * passed on line by line in a form that no terminal can be harmed by.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { RedactedStream } from "@mlpipe/provenance";
import { stripVTControlCharacters } from "node:util";

/** Longer lines are cut where they are shown; the file has them whole. */
const longestLine = 2_000;

/** How many of the last lines an error quotes. */
const tailLines = 10;

/** One stream of one attempt. */
export class TextLog {
  readonly path: string;
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  readonly #redaction: RedactedStream;
  #failure: Error | undefined;
  #file: number | undefined;
  #size = 0;
  #partial = "";
  #tail: string[] = [];

  /** @param secrets values that are neither kept nor shown */
  constructor(path: string, onLine: (line: string) => void, secrets: readonly string[] = []) {
    this.path = path;
    this.#onLine = onLine;
    this.#redaction = new RedactedStream(secrets);
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Why what was said could not be kept. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** The last lines, oldest first. */
  get tail(): readonly string[] {
    return this.#tail;
  }

  // Synchronous, so that a process that writes faster than the disk is held back by its pipe.
  write(bytes: Buffer): void {
    this.#keep(this.#redaction.write(bytes));
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#failure === undefined) {
      try {
        this.#append(bytes);
      } catch (error) {
        // The step is not at fault, and is told nothing; what it made is judged by what it was asked for.
        this.#failure = error instanceof Error ? error : new Error(String(error));
      }
    }
    this.#split(this.#decoder.write(bytes));
  }

  #append(bytes: Buffer): void {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      this.#file = openSync(this.path, "a", 0o600);
    }
    for (let from = 0; from < bytes.length;) from += writeSync(this.#file, bytes, from);
    this.#size += bytes.length;
  }

  end(): void {
    this.#keep(this.#redaction.end());
    this.#split(this.#decoder.end());
    if (this.#partial !== "") this.#say(this.#partial);
    this.#partial = "";
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #split(text: string): void {
    const lines = text.split("\n");
    lines[0] = this.#partial + (lines[0] ?? "");
    const rest = lines.pop() ?? "";
    // What is beyond the longest line is never shown, so it need not be remembered either.
    this.#partial = rest.length > longestLine * 2 ? rest.slice(0, longestLine * 2) : rest;
    for (const line of lines) this.#say(line);
  }

  #say(line: string): void {
    const safe = harmless(line);
    this.#tail.push(safe);
    if (this.#tail.length > tailLines) this.#tail.shift();
    this.#onLine(safe);
  }
}

/**
 * A line that may be printed anywhere: no escape sequences, no control characters, of bounded
 * length. Of a line that was overwritten (a progress bar's `\r`) the last state counts.
 */
export function harmless(line: string): string {
  const cut = line.length > longestLine * 2 ? line.slice(0, longestLine * 2) : line;
  const last = cut.replace(/\r+$/, "").split("\r").at(-1) ?? "";
  // oxlint-disable-next-line no-control-regex -- these are what is removed
  const clean = stripVTControlCharacters(last).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
  return clean.length > longestLine ? `${clean.slice(0, longestLine)}…` : clean;
}
