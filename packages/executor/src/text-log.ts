/**
 * What a process says: kept byte by byte in a file that exists only if something was said, and
 * passed on line by line in a form that no terminal can be harmed by.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { RedactedStream } from "@mlpipe/provenance";
import { SafeLines } from "./safe-lines.ts";

/** How many of the last lines an error quotes. */
const tailLines = 10;

/** One stream of one attempt. */
export class TextLog {
  readonly path: string;
  readonly #onLine: (line: string) => void;
  readonly #secrets: readonly string[];
  /** Made when something is said: most attempts say nothing. */
  #said: { readonly redaction: RedactedStream; readonly lines: SafeLines } | undefined;
  #failure: Error | undefined;
  #file: number | undefined;
  #size = 0;
  /** Made with the file: most attempts say nothing. */
  #hash: Hash | undefined;
  #tail: string[] = [];

  /** @param secrets values that are neither kept nor shown */
  constructor(path: string, onLine: (line: string) => void, secrets: readonly string[] = []) {
    this.path = path;
    this.#onLine = onLine;
    this.#secrets = secrets;
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** The sha256 of what was written, asked for once, at the end; nothing if that is nothing. */
  digest(): string | undefined {
    return this.#hash?.digest("hex");
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
    this.#said ??= {
      redaction: new RedactedStream(this.#secrets),
      lines: new SafeLines((line) => {
        this.#say(line);
      }),
    };
    const { redaction, lines } = this.#said;
    this.#keep(redaction.write(bytes), lines);
  }

  #keep(bytes: Buffer, lines: SafeLines): void {
    if (bytes.length === 0) return;
    if (this.#failure === undefined) {
      try {
        this.#append(bytes);
      } catch (error) {
        // The step is not at fault, and is told nothing; what it made is judged by what it was asked for.
        this.#failure = error instanceof Error ? error : new Error(String(error));
      }
    }
    lines.write(bytes);
  }

  #append(bytes: Buffer): void {
    if (this.#file === undefined) {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      this.#file = openSync(this.path, "a", 0o600);
      this.#hash ??= createHash("sha256");
    }
    for (let from = 0; from < bytes.length;) from += writeSync(this.#file, bytes, from);
    this.#size += bytes.length;
    this.#hash?.update(bytes);
  }

  end(): void {
    if (this.#said === undefined) return;
    const { redaction, lines } = this.#said;
    this.#keep(redaction.end(), lines);
    lines.end();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #say(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > tailLines) this.#tail.shift();
    this.#onLine(line);
  }
}
