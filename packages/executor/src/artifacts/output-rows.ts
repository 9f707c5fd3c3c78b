/** Outputs of rows: validated and written one by one. */
import { MlpipeError, type RowWriter } from "@mlpipe/dsl";
import { OutputFile, type OutputPlace } from "./output-file.ts";
import { converts, describeRefusal, type Schema, validate } from "./schema.ts";

/** Rows that go to the file at once. */
const batchSize = 1000;

/** Makes the text of rows; made anew for each file. */
export interface RowEncoder {
  /** @throws MlpipeError MLP3026 */
  add(row: WrittenRow): void;
  /** The text of what was added since, with whatever comes before the first row. */
  take(): string;
}

/** A row that its schema accepted. */
export interface WrittenRow {
  /** What goes into the file. */
  readonly value: unknown;
  /** What the schema made of it: without the properties it strips. */
  readonly validated: unknown;
  /** 1-based. */
  readonly number: number;
}

/** An output of rows in some format. */
export abstract class OutputRows extends OutputFile implements RowWriter<unknown> {
  readonly #schema: Schema;
  #written = false;

  constructor(place: OutputPlace, schema: Schema) {
    super(place);
    this.#schema = schema;
  }

  protected abstract encoder(): Promise<RowEncoder>;

  async write(rows: Iterable<unknown> | AsyncIterable<unknown>): Promise<number> {
    if (this.#written) {
      throw new MlpipeError(
        "MLP3027",
        `The output ${this.port} was written already, and would be replaced.`,
        {
          exit: 1,
          hint: `Write all rows with one call: out.${this.port}.write(function* () { … }()).`,
        },
      );
    }
    if (!isIterable(rows)) {
      throw new MlpipeError("MLP3025", `out.${this.port}.write was not given a sequence of rows.`, {
        exit: 1,
        hint: "Give it an array, a generator, or anything else that for await can walk.",
      });
    }
    const schema = this.#schema;
    const keepGiven = converts(schema);
    const count = await this.replace(async (append) => {
      const encoder = await this.encoder();
      let number = 0;
      for await (const row of rows) {
        number++;
        const answer = validate(schema, row);
        const verdict = answer instanceof Promise ? await answer : answer;
        if (verdict.issues) throw this.#refused(number, describeRefusal(verdict.issues, row));
        encoder.add({ value: keepGiven ? row : verdict.value, validated: verdict.value, number });
        if (number % batchSize === 0) await append(encoder.take());
      }
      await append(encoder.take());
      return number;
    });
    this.#written = true;
    return count;
  }

  #refused(number: number, problem: string): MlpipeError {
    const message = `Row ${number} written to ${this.port} does not fit its schema: ${problem}.`;
    return new MlpipeError("MLP3025", message, {
      exit: 1,
      hint: "Nothing was written. Correct the step, or the schema.",
    });
  }
}

function isIterable(rows: unknown): boolean {
  return (
    typeof rows === "object" && rows !== null && (Symbol.iterator in rows || Symbol.asyncIterator in rows)
  );
}
