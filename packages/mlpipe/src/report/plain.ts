/** A line an event, for pipes and CI logs: nothing is ever taken back. */
import type { ExecutorEvent, StepOutcome } from "@mlpipe/executor";
import { summaryOf } from "../cli/commands/plan.ts";
import { count, duration } from "../cli/format.ts";
import type { Style } from "../cli/style.ts";
import { LineBatch } from "./line-batch.ts";
import { othersWork } from "./others-work.ts";
import type { Reporter } from "./reporter.ts";
import { symbols } from "./symbols.ts";

/** Above this many steps, hits are counted in the summary and not listed one by one. */
const listedHits = 50;

export class PlainReporter implements Reporter {
  readonly #lines: LineBatch;
  readonly #style: Style;
  #width = 0;
  #many = false;
  #count = 0;

  constructor(write: (text: string) => void, style: Style) {
    this.#lines = new LineBatch(write);
    this.#style = style;
  }

  event(event: ExecutorEvent): void {
    const style = this.#style;
    switch (event.type) {
      case "run-started":
        this.#width = Math.min(32, Math.max(...event.steps.map(({ id }) => id.length), 0));
        this.#count = event.steps.length;
        this.#many = event.steps.length > listedHits;
        break;
      case "steps-expanded": {
        this.#count += event.steps.length - event.templates.length;
        this.#many ||= this.#count > listedHits;
        this.#width = Math.min(
          32,
          Math.max(this.#width, ...event.steps.slice(0, 100).map(({ id }) => id.length)),
        );
        const items = event.steps.length / Math.max(1, event.templates.length);
        this.#lines.add(
          style("quiet", `${event.each}  ${count(items, "item")}, ${count(event.steps.length, "step")}`),
        );
        break;
      }
      case "step-waiting":
        this.#line("waiting", event.step, "waits", othersWork(event.for));
        break;
      case "step-started": {
        const again = event.attempt > 1 ? ` (attempt ${event.attempt})` : "";
        const because = summaryOf(event.reasons.map(({ message }) => message));
        this.#line("running", event.step, `started${again}`, event.attempt > 1 ? "" : because);
        break;
      }
      case "step-output":
        this.#lines.add(`${style("quiet", `  ${event.step.padEnd(this.#width)}  |`)} ${event.line}`);
        break;
      case "step-retrying":
        this.#line(
          "waiting",
          event.step,
          "failed",
          `${event.error.message} Trying again (${event.attempt} of ${event.of}).`,
        );
        break;
      case "step-finished":
        this.#finished(event.outcome);
        break;
      case "step-checked": {
        const { id, check } = event.outcome;
        if (check?.same === true) this.#line("ran", id, "checked", "run again, it gave the same outputs");
        else this.#line("failed", id, "differs", check?.error?.message ?? "");
        break;
      }
      case "warning": {
        const where = event.at === undefined ? "" : ` (${event.at.file}:${event.at.line})`;
        this.#lines.add(
          `${style("warning", "warning")}  ${event.step === undefined ? "" : `${event.step}: `}${event.message}${where}`,
        );
        break;
      }
      case "run-finished":
        break;
    }
  }

  close(): void {
    this.#lines.flush();
  }

  #finished({ id, status, durationMs, reasons, error }: StepOutcome): void {
    if (this.#many && (status === "cached" || status === "skipped")) return;
    const word = status === "ran" ? `ran in ${duration(durationMs)}` : status;
    const why =
      status === "ran"
        ? ""
        : (error?.message.split("\n")[0] ?? summaryOf(reasons.map(({ message }) => message)));
    this.#line(status, id, word, why);
  }

  #line(state: keyof typeof symbols, step: string, word: string, rest: string): void {
    const { symbol, look } = symbols[state];
    const text = `${this.#style(look, symbol)} ${step.padEnd(this.#width)}  ${word}`;
    this.#lines.add(rest === "" ? text : `${text}  ${this.#style("quiet", rest)}`);
  }
}
