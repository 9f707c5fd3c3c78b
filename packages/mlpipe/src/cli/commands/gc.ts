import { MlpipeError, parseDuration } from "@mlpipe/dsl";
import { endOrphans } from "@mlpipe/executor";
import { collectGarbage, type Collected, type CollectOptions } from "@mlpipe/store/maintenance";
import { findProject } from "../../project/project.ts";
import { bytes, count, shortId } from "../format.ts";
import { print, printJson } from "../output.ts";

export interface GcOptions {
  readonly dryRun?: true;
  readonly keepLast?: string;
  readonly olderThan?: string;
  readonly maxSize?: string;
  readonly json?: true;
}

/** `mlpipe gc`: removes what no kept run reaches. Executes no code of the project. */
export function gc(options: GcOptions): number {
  const { storeRoot } = findProject(process.cwd());
  const dryRun = options.dryRun === true;
  // They would go on writing to folders that are removed here, and made again by the next run.
  if (!dryRun) endOrphans(storeRoot);
  const collected = collectGarbage(storeRoot, { ...limitsOf(options), dryRun });
  if (options.json === true) printJson({ schemaVersion: 1, store: storeRoot, dryRun, ...collected });
  else for (const line of linesOf(collected, dryRun, options.maxSize)) print(line);
  return 0;
}

function limitsOf({ keepLast, olderThan, maxSize }: GcOptions): CollectOptions {
  return {
    ...(keepLast !== undefined && { keepLast: wholeNumber(keepLast) }),
    ...(olderThan !== undefined && { olderThanMs: age(olderThan) }),
    ...(maxSize !== undefined && { maxBytes: size(maxSize) }),
  };
}

function wholeNumber(given: string): number {
  const value = Number(given);
  if (/^\d+$/.test(given) && value >= 1) return value;
  throw new MlpipeError("MLP6010", `--keep-last takes a whole number from 1 up, and was given ${given}.`);
}

function age(given: string): number {
  // What has not this shape is no duration, and refused.
  const ms = /^\d+(\.\d+)?w$/.test(given)
    ? Number(given.slice(0, -1)) * 7 * 86_400_000
    : parseDuration(given as `${number}d`);
  if (ms !== undefined) return ms;
  throw new MlpipeError("MLP6010", `--older-than takes a length of time, and was given ${given}.`, {
    hint: "As in 12h, 30d or 8w.",
  });
}

const units: Readonly<Record<string, number>> = { K: 1, M: 2, G: 3, T: 4 };

/** A size with its unit: who writes 10 means gigabytes, and of ten bytes nothing would be left. */
function size(given: string): number {
  const [, amount, unit, binary] = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(i)?B?|B)$/i.exec(given) ?? [];
  if (amount !== undefined) {
    const power = units[unit?.toUpperCase() ?? ""] ?? 0;
    return Math.floor(Number(amount) * (binary === undefined ? 1000 : 1024) ** power);
  }
  throw new MlpipeError("MLP6010", `--max-size takes a size with its unit, and was given ${given}.`, {
    hint: "As in 500MB, 10GB or 2TiB.",
  });
}

function linesOf(collected: Collected, dryRun: boolean, maxSize: string | undefined): readonly string[] {
  const { runs, entries, parts, objects, deferred, leftovers, checkpoints, kept } = collected;
  const rows = [
    ...(runs.length > 0 ? [count(runs.length, "run")] : []),
    ...(entries > 0 ? [count(entries, "kept result")] : []),
    ...(objects.count > 0 ? [`${count(objects.count, "object")} (${bytes(objects.bytes)})`] : []),
    ...(parts > 0 ? [count(parts, "document")] : []),
    ...(checkpoints.count > 0
      ? [`${count(checkpoints.count, "checkpoint")} (${bytes(checkpoints.bytes)})`]
      : []),
    ...(leftovers > 0 ? [count(leftovers, "leftover")] : []),
  ];
  const verb = dryRun ? "Would remove" : "Removed";
  const lines = [rows.length === 0 ? "Nothing to collect." : `${verb} ${rows.join(", ")}.`];
  if (deferred.count > 0) {
    const [first = "", ...others] = deferred.because;
    const more = others.length === 0 ? "" : ` and ${others.length} more`;
    lines.push(
      `${count(deferred.count, "object")} (${bytes(deferred.bytes)}) may be in use by run ${shortId(first)}${more}: the next gc takes them.`,
    );
  }
  const stays = `${count(kept.runs, "run")}, ${count(kept.objects - deferred.count, "object")} (${bytes(kept.bytes - deferred.bytes)})`;
  lines.push(`Kept: ${stays}.`);
  if (maxSize !== undefined && kept.bytes - deferred.bytes > size(maxSize)) {
    lines.push(
      `That is more than ${maxSize}: the newest run of each pipeline, what is deployed and what is executing stay with all that they use.`,
    );
  }
  return lines;
}
