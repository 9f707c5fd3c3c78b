/** Rows of comma-separated text. */
import { MlpipeError } from "@mlpipe/dsl";
import { parseCell } from "./cell.ts";
import { type Column, type Columns, columnsOf } from "./columns.ts";
import type { InputPlace } from "./input-file.ts";
import { InputRows, type RawRow } from "./input-rows.ts";
import type { Schema } from "./schema.ts";

/** A quote that is never closed would take the rest of the file for one field. */
const maxRecordBytes = 64 * 1024 * 1024;

const quoting =
  'A field with a comma, quote or line end is quoted, and a quote in it is doubled: "6"" pipe".';

interface HeaderColumn {
  readonly name: string;
  /** Nothing where the schema knows no such column, or does not say what it knows. */
  readonly column: Column | undefined;
}

interface Fields {
  readonly fields: readonly string[];
  readonly line: number;
}

/** An input of comma-separated rows with a header line. */
export class CsvReader extends InputRows {
  readonly #columns: Columns | undefined;

  constructor(place: InputPlace, schema: Schema) {
    super(place, schema);
    this.#columns = columnsOf(schema);
  }

  protected override async *raw(): AsyncGenerator<readonly RawRow[], void, undefined> {
    let header: readonly HeaderColumn[] | undefined;
    let number = 0;
    for await (const records of this.#records()) {
      const rows: RawRow[] = [];
      for (const { fields, line } of records) {
        if (header === undefined) {
          header = this.#header(fields);
          continue;
        }
        number++;
        rows.push({ value: this.#row(header, fields, number, line), line });
      }
      yield rows;
    }
    // A schema that names no column may have had no row to name them.
    if (header === undefined && (this.#columns?.named.size ?? 0) > 0) {
      const hint = "The first line of a csv names its columns, also where there are no rows.";
      throw this.#malformed(`There is no header line: ${this.named} is empty`, 1, hint);
    }
  }

  #header(names: readonly string[]): readonly HeaderColumn[] {
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) {
      const hint = "Every column needs a name of its own.";
      throw this.#malformed(
        `The header of ${this.named} has the column ${JSON.stringify(twice)} twice`,
        1,
        hint,
      );
    }
    if (names.includes("__proto__")) {
      const hint = "Rename the column.";
      throw this.#malformed(
        `The header of ${this.named} has a column __proto__, which no row can have`,
        1,
        hint,
      );
    }
    for (const [name, { optional }] of this.#columns?.named ?? []) {
      if (optional || names.includes(name)) continue;
      const found = names.map((each) => JSON.stringify(each)).join(", ");
      const problem = `The header of ${this.named} has no column ${JSON.stringify(name)}; it has ${found}`;
      const separator = names.length === 1 ? /[;\t|]/.exec(names[0] ?? "")?.[0] : undefined;
      const hint =
        separator === undefined
          ? "Add the column, or make it optional in the schema."
          : `Fields are separated by commas, and these by ${JSON.stringify(separator)}: write the file anew, or take it as file("csv") and read it yourself.`;
      throw this.#malformed(problem, 1, hint);
    }
    return names.map((name) => ({ name, column: this.#columns?.named.get(name) ?? this.#columns?.others }));
  }

  #row(header: readonly HeaderColumn[], fields: readonly string[], number: number, line: number): object {
    if (fields.length !== header.length) {
      const counts = `${fields.length} ${fields.length === 1 ? "field" : "fields"}, and the header has ${header.length}`;
      throw this.#malformed(`Row ${number} (line ${line}) of ${this.named} has ${counts}`, line, quoting);
    }
    const row: Record<string, unknown> = {};
    for (let index = 0; index < header.length; index++) {
      const { name = "", column } = header[index] ?? {};
      const field = fields[index] ?? "";
      const cell = parseCell(field, column);
      if ("problem" in cell) {
        throw this.refusal(number, line, `${name} is ${JSON.stringify(field)}: ${cell.problem}`);
      }
      if (cell.value !== undefined) row[name] = cell.value;
    }
    return row;
  }

  async *#records(): AsyncGenerator<readonly Fields[], void, undefined> {
    const { parse } = await import("csv-parse");
    let records: Fields[] = [];
    let before = 0;
    let surplus = 0;
    const parser = parse({
      bom: true,
      record_delimiter: ["\r\n", "\n"],
      // Counted here, for a message that names the row.
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: maxRecordBytes,
      on_record: (fields) => {
        const { lines } = parser.info;
        let breaks = 0;
        // The parser is at the end of the record: further down than one line where a field has line breaks.
        if (lines !== before + 1) {
          for (const field of fields) {
            breaks += count(field, "\n");
            // It takes a \r within a field for a line of its own.
            surplus += count(field, "\r");
          }
        }
        before = lines;
        records.push({ fields, line: lines - surplus - breaks });
        // Kept here, so the stream has nothing to carry.
        return null;
      },
    });
    parser.resume();
    // Each call reports its own error; without a listener the stream would throw it a second time.
    parser.on("error", () => {});
    const flushed = (): readonly Fields[] => {
      const done = records;
      records = [];
      return done;
    };
    try {
      for await (const { bytes } of this.chunks()) {
        await new Promise<void>((resolve, reject) => {
          parser.write(bytes, (error) => {
            if (error) reject(error);
            else resolve();
          });
        });
        yield flushed();
      }
      await new Promise<void>((resolve, reject) => {
        parser.once("error", reject).end(resolve);
      });
      yield flushed();
    } catch (error) {
      throw this.#explained(error, parser.info.lines - surplus);
    } finally {
      parser.destroy();
    }
  }

  #explained(error: unknown, line: number): unknown {
    switch (error instanceof Error && "code" in error && error.code) {
      case "CSV_QUOTE_NOT_CLOSED":
      case "CSV_MAX_RECORD_SIZE":
        return this.#malformed(`A quote in ${this.named} is opened and never closed`, line, quoting);
      case "CSV_INVALID_CLOSING_QUOTE":
        return this.#malformed(
          `Line ${line} of ${this.named} has text behind a closing quote`,
          line,
          quoting,
        );
      case "INVALID_OPENING_QUOTE":
        return this.#malformed(
          `Line ${line} of ${this.named} has a quote within a bare field`,
          line,
          quoting,
        );
      default:
        return error;
    }
  }

  #malformed(problem: string, line: number, hint: string): MlpipeError {
    return new MlpipeError("MLP3020", `${problem}.`, { exit: 1, hint, at: this.site(line) });
  }
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found++;
  return found;
}
