/** Rows of JSON, one document a line. */
import { MlpipeError } from "@mlpipe/dsl";
import { InputRows, type RawRow } from "./input-rows.ts";

/** An input of JSON rows. Lines without content are passed over. */
export class JsonlReader extends InputRows {
  protected override async *raw(): AsyncGenerator<readonly RawRow[], void, undefined> {
    let line = 0;
    let row = 0;
    let rest = "";
    const parse = (texts: readonly string[]): readonly RawRow[] => {
      const rows: RawRow[] = [];
      for (const text of texts) {
        line++;
        if (text.trim() === "") continue;
        row++;
        rows.push({ value: this.#parse(text, row, line), line });
      }
      return rows;
    };
    // Only \n ends a line: the other line ends of Unicode may stand within a JSON string.
    for await (const { text } of this.chunks()) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      yield parse(lines);
    }
    yield parse([rest]);
  }

  #parse(text: string, row: number, line: number): unknown {
    try {
      return JSON.parse(text);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new MlpipeError("MLP3022", `Row ${row} (line ${line}) of ${this.named} is not JSON: ${why}.`, {
        exit: 1,
        hint: "Each line of a jsonl file is one whole JSON document.",
        at: this.site(line),
      });
    }
  }
}
