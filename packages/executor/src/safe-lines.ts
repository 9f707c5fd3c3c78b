/** Bytes that a process wrote, as lines that no terminal can be harmed by; never much of them in memory. */
import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

/** Longer lines are cut where they are shown; the file has them whole. */
const longestLine = 2_000;

/** Splits a stream into lines, each passed on as soon as it has ended. */
export class SafeLines {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #partial = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(bytes: Buffer): void {
    this.#split(this.#decoder.write(bytes));
  }

  /** Passes on what is left, a line that nothing has ended. */
  end(): void {
    this.#split(this.#decoder.end());
    if (this.#partial !== "") this.#onLine(harmless(this.#partial));
    this.#partial = "";
  }

  #split(text: string): void {
    const lines = text.split("\n");
    lines[0] = this.#partial + (lines[0] ?? "");
    const rest = lines.pop() ?? "";
    // What is beyond the longest line is never shown, so it need not be remembered either.
    this.#partial = rest.length > longestLine * 2 ? rest.slice(0, longestLine * 2) : rest;
    for (const line of lines) this.#onLine(harmless(line));
  }
}

// oxlint-disable-next-line no-control-regex -- these are what is removed
const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A line that may be printed anywhere: no escape sequences, no control characters, nothing that turns
 * the direction of text around, of bounded length. Of a line that was overwritten (a progress bar's
 * `\r`) the last state counts.
 */
function harmless(line: string): string {
  // Nearly every line is so, and a step may say millions.
  if (line.length <= longestLine && line.search(harmful) === -1) return line;
  const cut = line.length > longestLine * 2 ? line.slice(0, longestLine * 2) : line;
  const last = cut.replace(/\r+$/, "").split("\r").at(-1) ?? "";
  const clean = stripVTControlCharacters(last).replaceAll(harmful, "");
  return clean.length > longestLine ? `${clean.slice(0, longestLine)}…` : clean;
}
