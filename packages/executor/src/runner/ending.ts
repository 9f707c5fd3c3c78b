/** The end of a step's process: the result is written once, whatever brought it about. */
import { renameSync, writeFileSync } from "node:fs";
import type { Usage } from "@mlpipe/provenance";
import type { StepError } from "../events.ts";
import type { TaskOutcome, TaskResult } from "../task.ts";
import { failureOf } from "./failure.ts";
import { userFrames } from "./stack.ts";
import { refused, undeclared } from "./undeclared.ts";
import { UsedStreams } from "./used-streams.ts";

/** A result before it is known what it cost. */
export type Answer = TaskOutcome;

const exitCodes = { ok: 0, rejected: 3, error: 1 } as const;

/** How a step's process ends. */
export class Ending {
  readonly #file: string;
  readonly #root: string;
  readonly #streams = new UsedStreams();
  #ended = false;

  /** @param file of the result, absolute: the step may change the working folder */
  constructor(file: string, root: string) {
    this.#file = file;
    this.#root = root;
  }

  /** Watches for all that can end a process before its step has settled. */
  watch(): void {
    process.on("uncaughtException", (error) => {
      this.#failed(error, "An error was thrown where nobody could catch it: ");
    });
    process.on("unhandledRejection", (reason) => {
      this.#failed(reason, "A promise was rejected and nobody awaited it: ");
    });
    process.on("beforeExit", () => {
      this.end({
        status: "error",
        error: {
          code: "MLP3018",
          message: "The step never settled: what it awaits can no longer happen.",
          hint: "Look for a promise that nothing resolves: a callback that is never called, a stream that was not read.",
        },
      });
    });
    process.on("exit", (code) => {
      if (this.#ended) return;
      const { text, at } = userFrames(new Error("process.exit").stack, this.#root);
      this.#write({
        status: "error",
        error: {
          code: "MLP3017",
          message: `The step ended its process with process.exit(${code}).`,
          hint: "Return to succeed, throw to fail.",
          ...(text !== "" && { stack: text }),
          ...(at.length > 0 && { at }),
        },
      });
      process.exitCode = exitCodes.error;
    });
  }

  /** Writes the result, lets the output that is under way get out, and exits. */
  end(answer: Answer): void {
    if (this.#ended) return;
    try {
      this.#write(answer);
    } catch (error) {
      // Nobody else is left to tell: without a result, what stands here is the reason that is shown.
      process.stderr.write(`The result of the step could not be written: ${String(error)}\n`);
      process.exit(exitCodes.error);
    }
    const code = exitCodes[answer.status];
    // Timers and connections that the step left behind do not keep it alive.
    this.#streams.flush(() => process.exit(code));
  }

  #failed(thrown: unknown, before: string): void {
    const error: StepError = failureOf(thrown, this.#root, {
      code: "MLP3016",
      before,
      hint: "Await every promise, and turn callbacks into promises.",
    });
    this.end({ status: "error", error });
  }

  #write(answer: Answer): void {
    this.#ended = true;
    // Whole or not there.
    const partial = `${this.#file}.partial`;
    const cause = answer.status === "error" ? refused() : undefined;
    const result: TaskResult = {
      ...answer,
      usage: usage(),
      ...(undeclared.length > 0 && { undeclared }),
      ...(cause !== undefined && { refused: cause }),
    };
    writeFileSync(partial, JSON.stringify(result));
    renameSync(partial, this.#file);
  }
}

function usage(): Usage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpuUserMs: userCPUTime / 1000,
    cpuSystemMs: systemCPUTime / 1000,
    maxRssBytes: maxRSS * 1024,
    source: "getrusage",
  };
}
