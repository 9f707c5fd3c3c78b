/** The live view on a terminal: the picture is drawn again where it stands, and only when it has changed. */
import { stripVTControlCharacters } from "node:util";
import type { ExecutorEvent } from "@mlpipe/executor";
import { createLogUpdate } from "log-update";
import type { Style } from "../cli/style.ts";
import { textWidth } from "../cli/text-width.ts";
import { LiveState } from "./live-frame.ts";
import type { Reporter } from "./reporter.ts";

/** Often enough to look alive, seldom enough to be calm. */
const frameMs = 100;

export class LiveReporter implements Reporter {
  readonly #stream: NodeJS.WriteStream;
  readonly #style: Style;
  readonly #state = new LiveState(performance.now());
  readonly #log: ReturnType<typeof createLogUpdate>;
  readonly #timer: NodeJS.Timeout;
  #drawn = "";

  constructor(stream: NodeJS.WriteStream, style: Style) {
    this.#stream = stream;
    this.#style = style;
    this.#log = createLogUpdate(stream);
    this.#timer = setInterval(() => {
      this.#draw();
    }, frameMs);
    this.#timer.unref();
    stream.on("resize", this.#resized);
  }

  event(event: ExecutorEvent): void {
    if (event.type === "warning") {
      const step = event.step === undefined ? "" : `${event.step}: `;
      this.#log.persist(`${this.#style("warning", "warning")}  ${step}${event.message}`);
      return;
    }
    this.#state.take(event, performance.now());
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stream.off("resize", this.#resized);
    this.#log.clear();
    this.#log.done();
  }

  #draw(): void {
    const { columns, rows } = this.#stream;
    const frame = this.#state.frame({ now: performance.now(), columns, rows, style: this.#style }).join("\n");
    if (frame === this.#drawn) return;
    this.#drawn = frame;
    this.#log(frame);
  }

  /** A terminal that became narrower has broken the lines that do not fit any more: there are more of them to take back. */
  readonly #resized = (): void => {
    if (this.#drawn === "") return;
    const { columns } = this.#stream;
    let rows = 0;
    for (const line of this.#drawn.split("\n"))
      rows += Math.max(1, Math.ceil(textWidth(stripVTControlCharacters(line)) / Math.max(1, columns)));
    this.#stream.write(`\u001b[${rows}A\r\u001b[J`);
    this.#log.done();
    this.#drawn = "";
    this.#draw();
  };
}
