/** The last lines that steps said. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { SafeLines, slotOfFile } from "@mlpipe/executor";
import type { StepRun } from "@mlpipe/provenance";
import type { Store } from "@mlpipe/store";

/** The end of what an attempt said on one stream. */
export interface LogTail {
  readonly stream: "stdout" | "stderr";
  readonly attempt: number;
  /** The size of the whole log, in bytes. */
  readonly size: number;
  /** Whether there is more before the lines. */
  readonly isCut: boolean;
  /** Nothing if the log is no longer there. */
  readonly lines: readonly string[] | undefined;
}

/** Of a step that failed the reader wants to see more. */
const linesOfFailed = 80;
const linesOfOthers = 20;

/** Of a run with thousands of steps nearly all have ended. */
const mostUnfinished = 2_000;

/** So much of the end of a log is looked at, and a line shows so many characters. */
const tailBytes = 32 * 1024;
const longestLine = 500;

/** All tails together, in characters: with thousands of steps those that failed come first. */
const mostCharacters = 512 * 1024;

/** The ends of the logs of the executions that belong to the run, by step, the last attempt of each. */
export function logTails(
  store: Store,
  steps: readonly { readonly id: string; readonly executed: StepRun | undefined }[],
): ReadonlyMap<string, readonly LogTail[]> {
  let left = mostCharacters;
  const found = new Map<string, readonly LogTail[]>();
  const isBad = ({ executed }: { readonly executed: StepRun | undefined }): boolean =>
    executed !== undefined && executed.status !== "ran";
  for (const { id, executed } of [...steps.filter(isBad), ...steps.filter((step) => !isBad(step))]) {
    const attempt = executed?.attempts.at(-1);
    if (executed === undefined || attempt === undefined || left <= 0) continue;
    const most = executed.status === "ran" ? linesOfOthers : linesOfFailed;
    const tails = (["stdout", "stderr"] as const).flatMap((stream) => {
      const log = attempt[stream];
      return log === null ? [] : [{ stream, attempt: attempt.n, ...tailOf(store.root, log, most) }];
    });
    for (const { lines = [] } of tails) for (const line of lines) left -= line.length + 1;
    if (tails.length > 0) found.set(id, tails);
  }
  return found;
}

/**
 * The ends of logs that no record speaks of: of steps that were under way when the run ended without a word, or are now.
 * By what `stepSlot` makes of the step's id.
 */
export function unfinishedTails(
  store: Store,
  run: string,
  steps: readonly { readonly id: string; readonly executed: StepRun | undefined }[],
): ReadonlyMap<string, readonly LogTail[]> {
  const recorded = new Set(
    steps.flatMap(({ executed }) =>
      (executed?.attempts ?? []).flatMap(({ stdout, stderr }) => [stdout?.path, stderr?.path]),
    ),
  );
  const found = new Map<string, LogTail[]>();
  for (const file of store.runs.logFiles(run).slice(0, mostUnfinished)) {
    const path = relative(store.root, file).split(sep).join("/");
    const slot = slotOfFile(file);
    if (slot === undefined || recorded.has(path)) continue;
    const tail = tailOf(store.root, { path, size: 0 }, linesOfFailed);
    found.set(slot.step, [...(found.get(slot.step) ?? []), { ...slot, ...tail }]);
  }
  return found;
}

function tailOf(
  root: string,
  log: { readonly path: string; readonly size: number },
  most: number,
): Pick<LogTail, "size" | "isCut" | "lines"> {
  const path = join(root, log.path);
  // A record that was tampered with names no file elsewhere.
  const inside = relative(join(root, "runs"), path);
  if (inside.split(sep)[0] === "..") return { size: log.size, isCut: false, lines: undefined };
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return { size: log.size, isCut: false, lines: undefined };
  }
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - tailBytes);
    const bytes = Buffer.alloc(size - from);
    readSync(file, bytes, 0, bytes.length, from);
    const all: string[] = [];
    const safe = new SafeLines((line) => {
      all.push(line.length > longestLine ? `${line.slice(0, longestLine)}…` : line);
    });
    // A line that was begun before is no line.
    safe.write(from === 0 ? bytes : bytes.subarray(bytes.indexOf(10) + 1));
    safe.end();
    const lines = all.slice(-most);
    return { size, isCut: from > 0 || lines.length < all.length, lines };
  } finally {
    closeSync(file);
  }
}
