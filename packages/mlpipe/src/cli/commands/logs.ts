import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { MlpipeError } from "@mlpipe/dsl";
import { slotOfFile, stepSlot } from "@mlpipe/executor";
import type { Store } from "@mlpipe/store";
import { nearest } from "../../project/nearest.ts";
import { printJson, say } from "../output.ts";
import { asArgument, shortId } from "../format.ts";
import { type LogFile, LogPrinter } from "../log-printer.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

export interface LogsOptions {
  readonly json?: true;
  /** Goes on while the run does. */
  readonly follow?: true;
  readonly stream?: "stdout" | "stderr";
  readonly attempt?: string;
  readonly raw?: true;
}

/** Logs of any size pass through so much memory. */
const chunkBytes = 256 * 1024;

/** How often a run that is going on is looked at for more. */
const lookMs = 100;

/** `mlpipe logs [RUN] [STEP]`: what the steps of a run said, byte by byte. */
export async function logs(
  id: string | undefined,
  step: string | undefined,
  options: LogsOptions,
): Promise<number> {
  const attempt = attemptOf(options.attempt);
  const { store } = openRecords();
  try {
    const { run, stepRuns } = recordedRun(store, id ?? "last");
    const ids = new Map(
      [...run.steps, ...stepRuns.map((each) => each.step)].map((each) => [stepSlot(each.id), each.id]),
    );
    if (step !== undefined) ids.set(stepSlot(step), step);
    const chosen = (): readonly LogFile[] =>
      store.runs.logFiles(run.id).flatMap((path) => {
        const slot = slotOfFile(path);
        if (slot === undefined) return [];
        const file = { ...slot, step: ids.get(slot.step) ?? slot.step, path };
        const isChosen =
          (step === undefined || isOf(file.step, step)) &&
          (attempt === undefined || file.attempt === attempt) &&
          (options.stream === undefined || file.stream === options.stream);
        return isChosen ? [file] : [];
      });
    const executed = stepRuns.map((each) => each.step.id);
    // In the order in which steps were executed; those still under way come last.
    const order = new Map(executed.map((name, index) => [name, index]));
    const rank = (file: LogFile): number => order.get(file.step) ?? executed.length;
    const inOrder = chosen().toSorted((a, b) => rank(a) - rank(b) || a.attempt - b.attempt);
    const isGoingOn = run.status === "running";
    if (
      step !== undefined &&
      inOrder.length === 0 &&
      !executed.some((name) => isOf(name, step)) &&
      !isGoingOn
    )
      throw noLog(store, run.id, step, run.steps);
    if (options.json === true) {
      const sized = inOrder.map((file) => ({ ...file, size: sizeOf(file.path) }));
      printJson({ schemaVersion: 1, run: run.id, logs: sized });
      return 0;
    }
    const follow = options.follow === true && isGoingOn;
    const several = new Set(inOrder.map((file) => `${file.step}#${file.attempt}`)).size > 1;
    const printer = new LogPrinter({
      raw: options.raw === true,
      headed: follow ? step === undefined : several,
    });
    if (follow) await followAll(store, run.id, chosen, printer);
    else await printAll(inOrder, printer);
    if (inOrder.length === 0 && !follow) {
      const all = `The run ${shortId(run.id)} executed no step: it took all from the cache, or did not get so far.`;
      say(executed.length === 0 && !isGoingOn ? all : "Nothing was said.");
    }
    return 0;
  } finally {
    store.close();
  }
}

async function printAll(files: readonly LogFile[], printer: LogPrinter): Promise<void> {
  for (const file of files) {
    const tail = new Tail(file);
    for (let bytes = tail.read(); bytes.length > 0; bytes = tail.read()) {
      if (!(await printer.print(file, bytes))) return;
    }
    await printer.end(file);
  }
}

/** Prints what there is and what comes, until the run has ended. */
async function followAll(
  store: Store,
  run: string,
  chosen: () => readonly LogFile[],
  printer: LogPrinter,
): Promise<void> {
  const tails = new Map<string, Tail>();
  for (;;) {
    // Before the logs are read: what was said up to the end is in them then.
    const hasEnded = store.runs.get(run)?.status !== "running";
    for (const file of chosen()) {
      const tail = tails.get(file.path) ?? new Tail(file);
      tails.set(file.path, tail);
      // Of steps that run side by side whole lines are printed, or nobody could tell whose they are.
      const read = (): Buffer => (hasEnded ? tail.read() : tail.readLines());
      for (let bytes = read(); bytes.length > 0; bytes = read()) {
        if (!(await printer.print(file, bytes))) return;
      }
    }
    if (hasEnded) break;
    await pause(lookMs);
  }
  for (const { file } of tails.values()) await printer.end(file);
  // To whoever follows it, a run that was killed looks like one that is done.
  if (store.runs.get(run)?.status === "crashed") say(`${run} was broken off: its mlpipe is gone.`);
}

/** The end of a log that grows: reads on where it stopped. */
class Tail {
  readonly file: LogFile;
  #offset = 0;

  constructor(file: LogFile) {
    this.file = file;
  }

  /** The next bytes; none if there are no more by now. */
  read(): Buffer {
    const bytes = this.#peek();
    this.#offset += bytes.length;
    return bytes;
  }

  /** The same up to the end of a line; a line that is longer than what is read at once comes in parts. */
  readLines(): Buffer {
    const bytes = this.#peek();
    const end = bytes.lastIndexOf(10) + 1;
    const taken =
      end === 0 && bytes.length < chunkBytes ? bytes.subarray(0, 0) : bytes.subarray(0, end || undefined);
    this.#offset += taken.length;
    return taken;
  }

  #peek(): Buffer {
    // Opened for each look: a run of a thousand steps has more logs than a process may have open files.
    const descriptor = openSync(this.file.path, "r");
    try {
      const left = fstatSync(descriptor).size - this.#offset;
      if (left <= 0) return Buffer.alloc(0);
      const buffer = Buffer.allocUnsafe(Math.min(left, chunkBytes));
      const length = readSync(descriptor, buffer, 0, buffer.length, this.#offset);
      return buffer.subarray(0, length);
    } finally {
      closeSync(descriptor);
    }
  }
}

function sizeOf(path: string): number {
  const descriptor = openSync(path, "r");
  try {
    return fstatSync(descriptor).size;
  } finally {
    closeSync(descriptor);
  }
}

/** Whether a step is the one that was named, or a child of an `each` by that name. */
function isOf(step: string, named: string): boolean {
  return step === named || step.startsWith(`${named}[`);
}

function attemptOf(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const attempt = Number(given);
  if (Number.isInteger(attempt) && attempt >= 1) return attempt;
  throw new MlpipeError("MLP6010", `--attempt takes a whole number from 1 up, and was given ${given}.`);
}

function noLog(
  store: Store,
  run: string,
  step: string,
  steps: readonly { readonly id: string; readonly status: string; readonly stepRun: string | null }[],
): MlpipeError {
  const found = steps.find(({ id }) => id === step);
  if (found === undefined) {
    const similar = nearest(
      step,
      steps.map(({ id }) => id),
    );
    return new MlpipeError("MLP2003", `The run ${shortId(run)} has no step "${step}".`, {
      hint:
        similar === undefined ? `mlpipe show ${shortId(run)} lists its steps.` : `Did you mean ${similar}?`,
    });
  }
  const executed = found.stepRun === null ? undefined : store.runs.stepRun(found.stepRun);
  return new MlpipeError(
    "MLP6016",
    `"${step}" was not executed in run ${shortId(run)}: it was ${found.status}.`,
    {
      hint:
        executed === undefined
          ? "mlpipe runs lists the runs; the log is with the one that executed it."
          : `The log is with the run that executed it: mlpipe logs ${shortId(executed.run)} ${asArgument(step)}`,
    },
  );
}
