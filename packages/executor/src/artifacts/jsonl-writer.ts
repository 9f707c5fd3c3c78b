/** Rows of JSON, one document a line. */
import { MlpipeError, toJson } from "@mlpipe/dsl";
import { OutputRows, type RowEncoder } from "./output-rows.ts";

/** An output of JSON rows. */
export class JsonlWriter extends OutputRows {
  protected override encoder(): Promise<RowEncoder> {
    const { port } = this;
    let text = "";
    return Promise.resolve({
      add({ value, number }) {
        const converted = toJson(value);
        if ("problem" in converted) {
          throw new MlpipeError(
            "MLP3026",
            `Row ${number} written to ${port} is not JSON: ${converted.problem}.`,
            {
              exit: 1,
              hint: converted.hint,
            },
          );
        }
        text += `${JSON.stringify(converted.json)}\n`;
      },
      take() {
        const taken = text;
        text = "";
        return taken;
      },
    });
  }
}
