/** Output files, whole or not there. */
import { open, rename, rm } from "node:fs/promises";
import { type FileWriter, MlpipeError } from "@mlpipe/dsl";

/** Where an output goes, and how messages name it. */
export interface OutputPlace {
  readonly port: string;
  /** Absolute. */
  readonly path: string;
}

/** Adds to a file that is being written. */
export type Append = (content: string | Uint8Array) => Promise<void>;

/** A place for a file that appears there only once it is whole. */
export class OutputFile {
  readonly path: string;
  protected readonly port: string;
  #writing = false;

  constructor({ port, path }: OutputPlace) {
    this.path = path;
    this.port = port;
  }

  /** Whether a `write` has begun and not ended. */
  get isWriting(): boolean {
    return this.#writing;
  }

  /** Writes beside the place and renames: what throws on the way leaves nothing. */
  protected async replace<Result>(fill: (append: Append) => Promise<Result>): Promise<Result> {
    if (this.#writing) {
      throw new MlpipeError("MLP3027", `The output ${this.port} is written twice at the same time.`, {
        exit: 1,
        hint: `Await out.${this.port}.write(…); it writes the whole output.`,
      });
    }
    this.#writing = true;
    const partial = `${this.path}.partial`;
    try {
      const file = await open(partial, "w");
      let result: Result;
      try {
        result = await fill((content) => file.appendFile(content));
      } finally {
        await file.close();
      }
      await rename(partial, this.path);
      return result;
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    } finally {
      this.#writing = false;
    }
  }
}

/** An output file of any format. */
export class PlainOutput extends OutputFile implements FileWriter {
  async write(content: string | Uint8Array): Promise<void> {
    await this.replace((append) => append(content));
  }
}
