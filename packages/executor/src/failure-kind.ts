/**
 * What a failure was: a process that ended badly says little by itself, so what it wrote last and
 * what the kernel counted are asked too.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { FailureKind, ManifestStep } from "@mlpipe/dsl";
import type { Ended } from "./engine.ts";
import { outOfMemoryKills } from "./machine-limits.ts";

/** V8 writes a stack of its own after the line that says why. */
const lookedAt = 16 * 1024;

/** What is known of a failure besides its error. */
export interface FailureKindFound {
  readonly kind: FailureKind;
  /** What ran out, if memory did, and how that is known. */
  readonly memory?: "heap" | "python" | "kernel";
}

/** Counts the processes that the kernel ended for want of memory, from when it was made. */
export class MemoryWatch {
  #counted = outOfMemoryKills() ?? 0;

  /** Whether there is one that explains a killed process; each explains one. */
  explainsKill(): boolean {
    if ((outOfMemoryKills() ?? 0) <= this.#counted) return false;
    this.#counted++;
    return true;
  }
}

/** The kind of a failure. @param stderr the file with what the process wrote there, if it wrote anything */
export function failureKindOf(ended: Ended, stderr: string, watch: MemoryWatch): FailureKindFound {
  const { code, signal, timedOut } = ended;
  if (timedOut) return { kind: "timeout" };
  const end = code === 0 ? "" : endOf(stderr);
  // V8 aborts; under a shell that is an exit code.
  if ((signal === "SIGABRT" || code === 134) && end.includes("JavaScript heap out of memory"))
    return { kind: "memory", memory: "heap" };
  if (code !== null && code !== 0 && /^(?:[\w.]*MemoryError|[\w.]*OutOfMemoryError)\b/m.test(end))
    return { kind: "memory", memory: "python" };
  // A step whose child was killed often ends with 137 itself.
  if ((signal === "SIGKILL" || code === 137) && watch.explainsKill())
    return { kind: "memory", memory: "kernel" };
  return { kind: signal === null ? "failed" : "killed" };
}

/** How memory ran out, and what to do about it. */
export function memoryFailure(
  { id, body }: ManifestStep,
  memory: NonNullable<FailureKindFound["memory"]>,
): { readonly message: string; readonly hint: string } {
  switch (memory) {
    case "heap":
      return {
        message: `"${id}" ran out of memory: JavaScript heap out of memory.`,
        hint:
          body.type === "command"
            ? "Node limits its heap by itself: start it with node --max-old-space-size=MEGABYTES."
            : 'Node limits the heap of a process: .with({ resources: { memory: "8GB" } }) lets it grow so far.',
      };
    case "python":
      return {
        message: `"${id}" ran out of memory: Python could not get what it asked for.`,
        hint: 'Work on less at a time, or let fewer steps run beside it: .with({ resources: { memory: "8GB" } }).',
      };
    case "kernel":
      return {
        message: `"${id}" was killed while the kernel was ending processes because memory had run out.`,
        hint: 'Say how much it needs, so that fewer steps run beside it: .with({ resources: { memory: "8GB" } }).',
      };
  }
}

/** The last of a file as text. */
function endOf(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, lookedAt));
    readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8");
  } catch {
    // It wrote nothing.
    return "";
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
