/** Rows as comma-separated text. */
import { MlpipeError } from "@mlpipe/dsl";
import type { stringify } from "csv-stringify/sync";
import { formatCell } from "./cell.ts";
import { type Columns, columnsOf } from "./columns.ts";
import type { OutputPlace } from "./output-file.ts";
import { OutputRows, type RowEncoder, type WrittenRow } from "./output-rows.ts";
import type { Schema } from "./schema.ts";

/** An output of comma-separated rows with a header line, its bytes the same for the same rows. */
export class CsvWriter extends OutputRows {
  readonly #columns: Columns | undefined;

  constructor(place: OutputPlace, schema: Schema) {
    super(place, schema);
    this.#columns = columnsOf(schema);
  }

  protected override async encoder(): Promise<RowEncoder> {
    const { stringify } = await import("csv-stringify/sync");
    return new CsvEncoder(this.port, this.#columns, stringify);
  }
}

class CsvEncoder implements RowEncoder {
  readonly #port: string;
  readonly #stringify: typeof stringify;
  /** Those of the schema, and where it leaves that open those of the first row. */
  #columns: readonly string[];
  #names: ReadonlySet<string>;
  #isOpen: boolean;
  #lines: (readonly string[])[] = [];
  #begun = false;

  constructor(port: string, columns: Columns | undefined, stringifier: typeof stringify) {
    this.#port = port;
    this.#columns = [...(columns?.named.keys() ?? [])];
    this.#names = new Set(this.#columns);
    this.#isOpen = columns === undefined || columns.others !== undefined;
    this.#stringify = stringifier;
  }

  add({ value, validated, number }: WrittenRow): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.#unfit(
        `Row ${number} written to ${this.#port} is no object with a property for each column.`,
      );
    }
    // Checked to be an object above.
    const row = value as Readonly<Record<string, unknown>>;
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#names = new Set([...this.#columns, ...Object.keys(row)]);
      this.#columns = [...this.#names];
    }
    for (const key in row) {
      if (this.#names.has(key) || row[key] === undefined || isStripped(key, validated)) continue;
      throw this.#unfit(
        `Row ${number} written to ${this.#port} has the property ${key}, and there is no such column.`,
        `The columns are ${this.#columns.join(", ")}. Every row has the same, named by the schema or by the first row.`,
      );
    }
    this.#lines.push(this.#columns.map((column) => this.#field(row[column], column, number)));
  }

  take(): string {
    const lines = this.#begun ? this.#lines : [this.#columns, ...this.#lines];
    this.#lines = [];
    // No schema and no row: not even a header is known.
    if (this.#columns.length === 0) return "";
    this.#begun = true;
    return this.#stringify(lines, {
      record_delimiter: "\n",
      quote_record_delimiter: true,
      // An empty field that is a whole line would look like no row at all.
      quoted_empty: this.#columns.length === 1,
    });
  }

  #field(value: unknown, column: string, number: number): string {
    const cell = formatCell(value);
    if ("field" in cell) return cell.field;
    throw this.#unfit(
      `Row ${number} written to ${this.#port} has ${cell.problem} as ${column}, which a csv cannot hold.`,
      "A cell holds a string, a finite number, a boolean or nothing. Convert it first, or write jsonl.",
    );
  }

  #unfit(message: string, hint?: string): MlpipeError {
    return new MlpipeError("MLP3026", message, { exit: 1, hint });
  }
}

function isStripped(key: string, validated: unknown): boolean {
  return typeof validated === "object" && validated !== null && !Object.hasOwn(validated, key);
}
