/** The live view as a picture: the state of a run, drawn for a terminal of a given size. */
import { stripVTControlCharacters } from "node:util";
import type { ExecutorEvent, StepStatus } from "@mlpipe/executor";
import { count, duration } from "../cli/format.ts";
import type { Style } from "../cli/style.ts";
import { textWidth } from "../cli/text-width.ts";
import { othersWork } from "./others-work.ts";
import { symbols } from "./symbols.ts";

interface LiveStep {
  readonly id: string;
  state: StepStatus | "running" | "pending";
  /** `performance.now()` at its start. */
  since: number;
  durationMs: number;
  /** The last it said, or why it is as it is. */
  note: string;
}

/** What the live view knows: the events so far. */
export class LiveState {
  #steps = new Map<string, LiveStep>();
  #pipeline = "";
  readonly #started: number;

  constructor(now: number) {
    this.#started = now;
  }

  take(event: ExecutorEvent, now: number): void {
    switch (event.type) {
      case "run-started":
        this.#pipeline = event.pipeline;
        for (const { id } of event.steps) this.#steps.set(id, pending(id, now));
        break;
      case "steps-expanded":
        this.#expand(
          event.templates,
          event.steps.map(({ id }) => id),
          now,
        );
        break;
      case "step-waiting":
        this.#change(event.step, { note: othersWork(event.for) });
        break;
      case "step-started":
        this.#change(event.step, { state: "running", since: now, note: event.reasons[0]?.message ?? "" });
        break;
      case "step-output":
        if (event.line.trim() !== "") this.#change(event.step, { note: event.line.trim() });
        break;
      case "step-retrying":
        this.#change(event.step, {
          note: `${event.error.message} Trying again (${event.attempt} of ${event.of}).`,
        });
        break;
      case "step-finished": {
        const { id, status, durationMs, reasons, error } = event.outcome;
        const note = error?.message ?? (status === "ran" ? "" : (reasons[0]?.message ?? ""));
        this.#change(id, { state: status, durationMs, note });
        break;
      }
      case "step-checked": {
        const { id, status, check } = event.outcome;
        if (check?.same === true)
          this.#change(id, { state: status, note: "run again, it gave the same outputs" });
        else this.#change(id, { state: "failed", note: check?.error?.message ?? "" });
        break;
      }
      default:
    }
  }

  /** The picture: no line wider than `columns`, no more than `rows` lines. */
  frame(options: {
    readonly now: number;
    readonly columns: number;
    readonly rows: number;
    readonly style: Style;
  }): readonly string[] {
    const { now, columns, rows, style } = options;
    const steps = [...this.#steps.values()];
    const done = steps.filter(({ state }) => state !== "pending" && state !== "running").length;
    const head = `${style("strong", this.#pipeline)}  ${done} of ${count(steps.length, "step")}  ${style("quiet", clock(now - this.#started))}`;
    const room = Math.max(1, rows - 2);
    const shown = steps.length <= room ? steps : mostTelling(steps, room - 1);
    // On a narrow terminal half of it is for what a step is doing.
    const width = Math.min(
      28,
      Math.max(6, columns >> 1),
      Math.max(...shown.map(({ id }) => textWidth(id)), 0),
    );
    const lines = shown.map((step) => line(step, width, now, style));
    const left = steps.length - shown.length;
    if (left > 0) lines.push(style("quiet", `  … ${count(left, "more step")}`));
    return [head, ...lines].map((text) => cut(text, columns));
  }

  /** The steps of the items stand where those stood that stood for all of them. */
  #expand(templates: readonly string[], ids: readonly string[], now: number): void {
    const gone = new Set(templates);
    const steps = new Map<string, LiveStep>();
    let placed = false;
    for (const [id, step] of this.#steps) {
      if (!gone.has(id)) {
        steps.set(id, step);
        continue;
      }
      if (!placed) for (const child of ids) steps.set(child, pending(child, now));
      placed = true;
    }
    this.#steps = steps;
  }

  #change(id: string, change: Partial<Omit<LiveStep, "id">>): void {
    const step = this.#steps.get(id);
    if (step !== undefined) Object.assign(step, change);
  }
}

function pending(id: string, now: number): LiveStep {
  return { id, state: "pending", since: now, durationMs: 0, note: "" };
}

/** What is worth a line when there is not one for each: failures, what runs, what has just ended. In the order of the pipeline. */
function mostTelling(steps: readonly LiveStep[], room: number): readonly LiveStep[] {
  const weight = ({ state }: LiveStep): number => {
    if (state === "failed" || state === "rejected") return 0;
    if (state === "running") return 1;
    return state === "ran" ? 2 : state === "pending" ? 3 : 4;
  };
  const chosen = new Set(
    steps
      .map((step, index) => ({ step, weight: weight(step), index }))
      // Of what ran, the latest; of what is to come, the next.
      .toSorted((a, b) => a.weight - b.weight || (a.weight === 2 ? b.index - a.index : a.index - b.index))
      .slice(0, room)
      .map(({ step }) => step),
  );
  return steps.filter((step) => chosen.has(step));
}

function line(step: LiveStep, width: number, now: number, style: Style): string {
  const { symbol, look } = symbols[step.state];
  const time =
    step.state === "running" ? clock(now - step.since) : step.durationMs > 0 ? duration(step.durationMs) : "";
  const word = step.state === "pending" ? "" : step.state;
  const id = step.id.length > width ? `${step.id.slice(0, width - 1)}…` : step.id;
  return `${style(look, symbol)} ${padded(id, width)}  ${style(look, word.padEnd(9))} ${time.padStart(8)}  ${style("quiet", step.note)}`.trimEnd();
}

/** Whole seconds: a clock that is still most of the time leaves the picture still. */
function clock(ms: number): string {
  return ms < 60_000 ? `${Math.floor(ms / 1000)} s` : duration(ms);
}

function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** Cuts a line to the width of the terminal: a line that wraps would be taken for two and leave traces. */
function cut(text: string, columns: number): string {
  const bare = stripVTControlCharacters(text);
  if (textWidth(bare) < columns) return text;
  let kept = "";
  let width = 0;
  let escape = "";
  // oxlint-disable-next-line no-control-regex -- colours take no room, so they are kept whole
  for (const part of text.match(/\u001b\[[0-9;]*m|[\s\S]/gu) ?? []) {
    if (part.startsWith("\u001b")) {
      kept += part;
      escape = part;
      continue;
    }
    width += textWidth(part);
    if (width > columns - 2) break;
    kept += part;
  }
  return `${kept}…${escape === "" ? "" : "\u001b[0m"}`;
}
