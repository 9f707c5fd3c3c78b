/**
 * Processor time, peak memory and transferred bytes of a process and all below it, as far as the system tells: Node has
 * no way to ask for the usage of a child that has ended, so the tree is looked at while it runs, and what the kernel
 * adds up of ended children is taken where it can only be that of one. Of processes that were not started by Node the
 * kernel has told it.
 */
import { readFileSync } from "node:fs";
import type { Usage } from "@mlpipe/provenance";
import type { ProcessorTime } from "./native-process.ts";
import { ProcFile } from "./proc-file.ts";

/** Linux counts processor time in ticks of 10 ms on every architecture that Node supports. */
const tickMs = 10;

/** Fast at first, since most steps are short; then once in a while. */
const pauses = [5, 10, 20, 40, 80];

interface Seen {
  userTicks: number;
  systemTicks: number;
  peakKib: number;
  readBytes: number;
  writtenBytes: number;
  /** In ticks since the machine was started: with the number it names one process. */
  readonly started: string;
}

/** Watches the processes below one that was started. */
export class UsageWatch {
  readonly #root: number;
  readonly #seen = new Map<number, Seen>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #peakKib = 0;
  #reaped: ProcessorTime | undefined;

  constructor(pid: number) {
    this.#root = pid;
    if (process.platform === "linux") this.#next();
  }

  /**
   * To be called when the process was waited for, before anything else is done.
   *
   * @param used what the kernel has told of it, if it was asked
   */
  reaped(used?: ProcessorTime): void {
    clearTimeout(this.#timer);
    if (process.platform === "linux") reapedInThisTurn(this, used);
  }

  /** Told what the kernel has added up of this process and of those below it that were waited for. */
  account(used: ProcessorTime): void {
    this.#reaped = used;
  }

  /**
   * Ends processes that were seen below and are still there: a number given to another process meanwhile is told by the
   * time it was started.
   */
  endSurvivors(): void {
    for (const [pid, { started }] of this.#seen) {
      if (pid === this.#root || sampleOf(pid)?.started !== started) continue;
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** Stops watching and says what was seen; nothing where the system does not tell. */
  end(): Usage | null {
    clearTimeout(this.#timer);
    if (this.#seen.size === 0 && this.#reaped === undefined) return null;
    const seen = [...this.#seen.values()];
    const sum = (of: (each: Seen) => number): number => seen.reduce((total, each) => total + of(each), 0);
    // Each is a lower bound, so the larger one is nearer to the truth.
    const user = Math.max(sum(({ userTicks }) => userTicks) * tickMs, this.#reaped?.userMs ?? 0);
    const system = Math.max(sum(({ systemTicks }) => systemTicks) * tickMs, this.#reaped?.systemMs ?? 0);
    return {
      cpuUserMs: Math.round(user),
      cpuSystemMs: Math.round(system),
      maxRssBytes: seen.length === 0 ? null : this.#peakKib * 1024,
      ...(seen.length > 0 && {
        readBytes: sum(({ readBytes }) => readBytes),
        writtenBytes: sum(({ writtenBytes }) => writtenBytes),
      }),
      source: "/proc, sampled",
    };
  }

  #next(): void {
    const pause = pauses[Math.min(this.#looks++, pauses.length - 1)] ?? 80;
    this.#timer = setTimeout(() => {
      this.#look();
      this.#next();
    }, pause);
    this.#timer.unref();
  }

  #look(): void {
    let total = 0;
    const pids = [this.#root];
    // Grows while it is walked: children of children.
    for (const pid of pids) {
      const sample = sampleOf(pid);
      if (sample === undefined) continue;
      const seen = this.#seen.get(pid) ?? sample;
      seen.userTicks = Math.max(seen.userTicks, sample.userTicks);
      seen.systemTicks = Math.max(seen.systemTicks, sample.systemTicks);
      seen.peakKib = Math.max(seen.peakKib, sample.peakKib);
      seen.readBytes = Math.max(seen.readBytes, sample.readBytes);
      seen.writtenBytes = Math.max(seen.writtenBytes, sample.writtenBytes);
      this.#seen.set(pid, seen);
      total += sample.nowKib;
      // The peak of one process is exact; that of several at once is what was seen.
      this.#peakKib = Math.max(this.#peakKib, seen.peakKib);
      pids.push(...sample.children);
    }
    this.#peakKib = Math.max(this.#peakKib, total);
  }
}

let before: ProcessorTime = { userMs: 0, systemMs: 0 };
let turn: UsageWatch[] = [];

/**
 * The kernel adds up what all children of this process have used once they were waited for. Of a turn of the event loop
 * in which one child ended, the growth is that child's and that of whatever it had waited for.
 */
function reapedInThisTurn(watch: UsageWatch, used: ProcessorTime | undefined): void {
  const now = usedByChildren();
  if (used !== undefined) watch.account(used);
  // In a container or chroot without `/proc` nobody tells.
  if (now === undefined) return;
  if (used === undefined) {
    turn.push(watch);
    if (turn.length === 1) {
      watch.account({ userMs: now.userMs - before.userMs, systemMs: now.systemMs - before.systemMs });
      setImmediate(() => {
        turn = [];
      });
    } else {
      // Nobody can tell whose it is.
      turn[0]?.account({ userMs: 0, systemMs: 0 });
    }
  }
  before = now;
}

const own = new ProcFile("/proc/self/stat");

function usedByChildren(): ProcessorTime | undefined {
  try {
    const fields = statFields(own.read());
    return { userMs: Number(fields[13]) * tickMs, systemMs: Number(fields[14]) * tickMs };
  } catch {
    return undefined;
  }
}

/** The fields of a process's stat from the third one on: the name before them may hold anything. */
function statFields(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function sampleOf(pid: number): (Seen & { nowKib: number; children: readonly number[] }) | undefined {
  try {
    const fields = statFields(readFileSync(`/proc/${pid}/stat`, "utf8"));
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    const io = transferred(pid);
    return {
      started: fields[19] ?? "",
      userTicks: Number(fields[11]),
      systemTicks: Number(fields[12]),
      peakKib: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      nowKib: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      readBytes: Number(/^rchar: (\d+)/m.exec(io)?.[1] ?? 0),
      writtenBytes: Number(/^wchar: (\d+)/m.exec(io)?.[1] ?? 0),
      children: children.split(" ").filter(Boolean).map(Number),
    };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}

function transferred(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/io`, "utf8");
  } catch {
    // Some systems tell it to root alone.
    return "";
  }
}
