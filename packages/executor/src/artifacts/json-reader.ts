/** One JSON document. */
import { type JsonReader, MlpipeError } from "@mlpipe/dsl";
import { InputFile, type InputPlace } from "./input-file.ts";
import { describeRefusal, type Schema, validate } from "./schema.ts";

/** An input JSON document. */
export class InputJson extends InputFile implements JsonReader<unknown> {
  readonly #schema: Schema | undefined;

  /** @param schema nothing for content whose shape is checked elsewhere */
  constructor(place: InputPlace, schema: Schema | undefined) {
    super(place);
    this.#schema = schema;
  }

  async read(): Promise<unknown> {
    const content = this.#parse(await this.text());
    if (this.#schema === undefined) return content;
    const verdict = await validate(this.#schema, content);
    if (!verdict.issues) return verdict.value;
    const problem = describeRefusal(verdict.issues, content);
    throw new MlpipeError("MLP3023", `${this.#named} does not fit its schema: ${problem}.`, {
      exit: 1,
      hint: "Correct the document, or what made it, or its schema.",
    });
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text.startsWith("\uFEFF") ? text.slice(1) : text);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new MlpipeError("MLP3022", `${this.#named} is not JSON: ${why}.`, { exit: 1 });
    }
  }

  get #named(): string {
    return this.named.replace(/^t/, "T");
  }
}
