/**
 * Processor time and peak memory of a process and all below it, as far as the system tells: Node
 * has no way to ask for the usage of a child that has ended, so the tree is looked at while it runs.
 */
import { readFileSync } from "node:fs";
import type { Usage } from "@mlpipe/provenance";

/** Linux counts processor time in ticks of 10 ms on every architecture that Node supports. */
const tickMs = 10;

/** Fast at first, since most steps are short; then once in a while. */
const pauses = [0, 5, 10, 20, 40, 80];

interface Seen {
  userTicks: number;
  systemTicks: number;
  peakKib: number;
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

  constructor(pid: number) {
    this.#root = pid;
    if (process.platform === "linux") this.#next();
  }

  /**
   * Processes that were seen below and are still there, whose parent is no longer one of them: a
   * number given to another process meanwhile is told by the time it was started.
   */
  survivors(): readonly number[] {
    return [...this.#seen].flatMap(([pid, { started }]) =>
      pid !== this.#root && sampleOf(pid)?.started === started ? [pid] : [],
    );
  }

  /** Stops watching and says what was seen; nothing where the system does not tell. */
  end(): Usage | null {
    clearTimeout(this.#timer);
    if (this.#seen.size === 0) return null;
    let user = 0;
    let system = 0;
    for (const { userTicks, systemTicks } of this.#seen.values()) {
      user += userTicks;
      system += systemTicks;
    }
    return {
      cpuUserMs: user * tickMs,
      cpuSystemMs: system * tickMs,
      maxRssBytes: this.#peakKib * 1024,
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
      const seen = this.#seen.get(pid) ?? {
        userTicks: 0,
        systemTicks: 0,
        peakKib: 0,
        started: sample.started,
      };
      seen.userTicks = Math.max(seen.userTicks, sample.userTicks);
      seen.systemTicks = Math.max(seen.systemTicks, sample.systemTicks);
      seen.peakKib = Math.max(seen.peakKib, sample.peakKib);
      this.#seen.set(pid, seen);
      total += sample.nowKib;
      // The peak of one process is exact; that of several at once is what was seen.
      this.#peakKib = Math.max(this.#peakKib, seen.peakKib);
      pids.push(...sample.children);
    }
    this.#peakKib = Math.max(this.#peakKib, total);
  }
}

function sampleOf(pid: number): (Seen & { nowKib: number; children: readonly number[] }) | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything, so the fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return {
      started: fields[19] ?? "",
      userTicks: Number(fields[11]),
      systemTicks: Number(fields[12]),
      peakKib: Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      nowKib: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0),
      children: children.split(" ").filter(Boolean).map(Number),
    };
  } catch {
    // It ended while it was looked at.
    return undefined;
  }
}
