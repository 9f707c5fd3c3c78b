/** One JSON document. */
import { type JsonWriter, MlpipeError, toJson } from "@mlpipe/dsl";
import { OutputFile, type OutputPlace } from "./output-file.ts";
import { converts, describeRefusal, type Schema, validate } from "./schema.ts";

/** An output JSON document. */
export class OutputJson extends OutputFile implements JsonWriter<unknown> {
  readonly #schema: Schema;

  constructor(place: OutputPlace, schema: Schema) {
    super(place);
    this.#schema = schema;
  }

  async write(content: unknown): Promise<void> {
    await this.replace(async (append) => append(await this.#text(content)));
  }

  async #text(content: unknown): Promise<string> {
    const verdict = await validate(this.#schema, content);
    if (verdict.issues) {
      const problem = describeRefusal(verdict.issues, content);
      throw new MlpipeError(
        "MLP3025",
        `What was written to ${this.port} does not fit its schema: ${problem}.`,
        {
          exit: 1,
          hint: "Nothing was written. Correct the step, or the schema.",
        },
      );
    }
    const converted = toJson(converts(this.#schema) ? content : verdict.value);
    if ("json" in converted) return `${JSON.stringify(converted.json, null, 2)}\n`;
    throw new MlpipeError("MLP3026", `What was written to ${this.port} is not JSON: ${converted.problem}.`, {
      exit: 1,
      hint: converted.hint,
    });
  }
}
