/** Prints logs: as they are to pipes and files, in a form that does no harm to terminals. */
import { once } from "node:events";
import { type LogSlot, SafeLines } from "@mlpipe/executor";

/** Where the log of one stream of one attempt lies. */
export interface LogFile extends LogSlot {
  /** Absolute. */
  readonly path: string;
}

export class LogPrinter {
  readonly #raw: boolean;
  readonly #headed: boolean;
  readonly #safe = new Map<string, SafeLines>();
  #last: LogFile | undefined;
  /** Lines that are about to be printed. */
  #said = "";

  constructor(options: {
    /** Byte by byte, also to a terminal, and without headings. */
    readonly raw: boolean;
    /** Whether logs of several attempts are told apart by a heading. */
    readonly headed: boolean;
  }) {
    this.#raw = options.raw;
    this.#headed = options.headed && !options.raw;
  }

  /** Prints the next bytes of a log, no faster than they are read; false when nobody reads any more. */
  async print(file: LogFile, bytes: Buffer): Promise<boolean> {
    const output = file.stream === "stdout" ? process.stdout : process.stderr;
    if (this.#headed && (this.#last?.step !== file.step || this.#last.attempt !== file.attempt)) {
      const attempt = file.attempt > 1 ? ` (attempt ${file.attempt})` : "";
      process.stderr.write(`${this.#last === undefined ? "" : "\n"}── ${file.step}${attempt}\n`);
    }
    this.#last = file;
    if (this.#raw || !output.isTTY) return put(output, bytes);
    let safe = this.#safe.get(file.path);
    if (safe === undefined) {
      safe = new SafeLines((line) => {
        this.#said += `${line}\n`;
      });
      this.#safe.set(file.path, safe);
    }
    safe.write(bytes);
    const lines = this.#said;
    this.#said = "";
    return lines === "" || put(output, lines);
  }

  /** Nothing more comes of a log. */
  async end(file: LogFile): Promise<void> {
    this.#safe.get(file.path)?.end();
    this.#safe.delete(file.path);
    const output = file.stream === "stdout" ? process.stdout : process.stderr;
    if (this.#said !== "") await put(output, this.#said);
    this.#said = "";
  }
}

async function put(output: NodeJS.WriteStream, what: Buffer | string): Promise<boolean> {
  if (output.destroyed) return false;
  if (!output.write(what)) {
    // Reading on would gather in memory what a slow reader has not taken yet.
    await once(output, "drain").catch(() => {});
  }
  return !output.destroyed;
}
