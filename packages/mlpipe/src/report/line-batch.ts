/** Lines written together: a step that says a thousand lines at once costs one write, not a thousand. */
export class LineBatch {
  readonly #write: (text: string) => void;
  #text = "";

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Adds a line. It is written before anything else happens in the process. */
  readonly add = (line: string): void => {
    if (this.#text === "") queueMicrotask(this.flush);
    this.#text += `${line}\n`;
  };

  readonly flush = (): void => {
    const text = this.#text;
    this.#text = "";
    if (text !== "") this.#write(text);
  };
}
