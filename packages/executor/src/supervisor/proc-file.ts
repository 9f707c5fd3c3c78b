/** A short file of `/proc` that is read again and again: what it says is made anew for each reading. */
import { closeSync, openSync, readSync } from "node:fs";

/** More than any of them says in one line. */
const longest = 4_096;

const buffer = Buffer.allocUnsafe(longest);

export class ProcFile {
  readonly #path: string;
  /** Stays open: to open and close it takes longer than to read it, and it can be read when no more files can be opened. */
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, "r");
    } catch {
      // Whoever reads it is told.
    }
  }

  /** What it says now. @throws the system's error, if there is no such file */
  read(): string {
    this.#file ??= openSync(this.#path, "r");
    try {
      return buffer.toString("latin1", 0, readSync(this.#file, buffer, 0, longest, 0));
    } catch (error) {
      closeSync(this.#file);
      this.#file = undefined;
      throw error;
    }
  }
}
