/** How the log of an attempt is called, so that it can be found while the attempt is under way. */
import { basename } from "node:path";
import { digestOf } from "@mlpipe/store";

/** One stream of one attempt. */
export interface LogSlot {
  readonly step: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
}

/** The name of a slot among the logs of a run. */
export function logSlot({ step, attempt, stream }: LogSlot): string {
  return `${stepSlot(step)}.${attempt}.${stream}`;
}

/**
 * The slot of a log file; nothing if it is none. Of a step whose id does not fit into the name of a
 * file, `step` is what `stepSlot` makes of the id.
 */
export function slotOfFile(path: string): LogSlot | undefined {
  const [, step, attempt, stream] = /^(.+)\.(\d+)\.(stdout|stderr)\.log$/.exec(basename(path)) ?? [];
  if (step === undefined || (stream !== "stdout" && stream !== "stderr")) return undefined;
  return { step, attempt: Number(attempt), stream };
}

/** A step's id in the name of its log: short and plain, and still its own where that takes something away. */
export function stepSlot(id: string): string {
  const plain = id.replaceAll(/[^A-Za-z0-9._-]+/g, "-").slice(0, 40);
  return plain === id ? id : `${plain}-${digestOf(id).slice(0, 8)}`;
}
