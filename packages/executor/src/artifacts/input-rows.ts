/** Inputs of rows: read in chunks, validated one by one. */
import { createReadStream } from "node:fs";
import { MlpipeError, type RowReader } from "@mlpipe/dsl";
import { InputFile, type InputPlace } from "./input-file.ts";
import { describeRefusal, type Schema, validate } from "./schema.ts";

/** Large enough that a promise for each chunk costs nothing, small enough to hold. */
const chunkSize = 256 * 1024;

/** A row as it is in the file. */
export interface RawRow {
  readonly value: unknown;
  /** Where it begins, 1-based. */
  readonly line: number;
}

/** An input of rows in some format. */
export abstract class InputRows extends InputFile implements RowReader<unknown> {
  readonly #schema: Schema;

  constructor(place: InputPlace, schema: Schema) {
    super(place);
    this.#schema = schema;
  }

  /** The rows of the file, some at a time. */
  protected abstract raw(): AsyncIterable<readonly RawRow[]>;

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    let number = 0;
    for await (const rows of this.raw()) {
      for (const row of rows) {
        number++;
        const answer = validate(this.#schema, row.value);
        const verdict = answer instanceof Promise ? await answer : answer;
        if (verdict.issues) throw this.refusal(number, row.line, describeRefusal(verdict.issues, row.value));
        yield verdict.value;
      }
    }
  }

  async all(): Promise<unknown[]> {
    const rows: unknown[] = [];
    for await (const row of this) rows.push(row);
    return rows;
  }

  /** @param row counted from 1, without a header */
  protected refusal(row: number, line: number, problem: string): MlpipeError {
    const message = `Row ${row} (line ${line}) of ${this.named} does not fit its schema: ${problem}.`;
    return new MlpipeError("MLP3021", message, {
      exit: 1,
      hint: "Correct the file, or what made it, or say in the schema that such rows are right.",
      at: this.site(line),
    });
  }

  /** The file in chunks of bytes that are UTF-8. */
  protected async *chunks(): AsyncGenerator<
    { readonly bytes: Buffer; readonly text: string },
    void,
    undefined
  > {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    try {
      for await (const bytes of createReadStream(this.path, { highWaterMark: chunkSize })) {
        // Without an encoding a stream gives buffers.
        yield { bytes: bytes as Buffer, text: decoder.decode(bytes as Buffer, { stream: true }) };
      }
      decoder.decode();
    } catch (error) {
      if (isEncodingError(error)) throw await this.notUtf8();
      throw error;
    }
  }
}

function isEncodingError(error: unknown): boolean {
  return error instanceof TypeError && "code" in error && error.code === "ERR_ENCODING_INVALID_ENCODED_DATA";
}
