/** The live view on a terminal: the picture is drawn again where it stands, and only when it has changed. */
import type { ExecutorEvent } from "@mlpipe/executor";
import { createLogUpdate } from "log-update";
import type { Style } from "../cli/style.ts";
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
}
