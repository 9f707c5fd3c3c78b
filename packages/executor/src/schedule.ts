/**
 * What may start next: of the steps whose inputs are there, the one with the longest way behind it
 * first, as far as the pools have room. A step that finds no room lets others pass, but not for ever.
 */
import type { ManifestStep } from "@mlpipe/dsl";
import type { Amounts, Pools } from "./pools.ts";
import { PriorityQueue } from "./priority-queue.ts";

/** A step that has its place. */
export interface Placed {
  readonly step: ManifestStep;
  /** 1 for the first. */
  readonly attempt: number;
  /** What it has taken: to be given back when its process has ended. */
  readonly amounts: Amounts;
  /** The devices of `gpu` that are its own meanwhile. */
  readonly devices: readonly string[];
}

interface Waiting {
  /** The name of its class. */
  readonly asks: string;
  readonly step: ManifestStep;
  readonly attempt: number;
  readonly amounts: Amounts;
  readonly remaining: number;
  readonly order: number;
  /** How many steps with a shorter way have started since it waits for room. */
  overtaken: number;
}

/** The steps that wait for a place. */
export class Schedule {
  readonly #pools: Pools;
  readonly #free: Map<string, number>;
  readonly #devices: string[];
  /** How long it takes from the start of a step to the end of the last that depends on it. */
  readonly #remaining = new Map<string, number>();
  readonly #order = new Map<string, number>();
  /** By what they ask for: of those that ask for the same, either the first fits, or none does. */
  readonly #classes = new Map<string, PriorityQueue<Waiting>>();
  /** So many steps may start before one that has a longer way and waits for room; then room is kept for it. */
  readonly #patience: number;
  #waiting = 0;
  #children = 0;

  /**
   * @param options.steps in wiring order
   * @param options.needs the steps that a step takes refs from
   * @param options.durationOf how long a step is expected to take, in any unit
   */
  constructor(options: {
    readonly steps: readonly ManifestStep[];
    readonly needs: (step: string) => readonly string[];
    readonly pools: Pools;
    readonly durationOf: (step: string) => number;
  }) {
    const { steps, needs, pools, durationOf } = options;
    this.#pools = pools;
    this.#free = new Map(pools.sizes);
    this.#devices = [...pools.devices];
    this.#patience = 2 * Math.max(1, Math.ceil(pools.sizes.get("cpu") ?? 1));
    steps.forEach(({ id }, index) => this.#order.set(id, index));
    // Backwards, so that all that follows a step is known before it.
    const behind = new Map<string, number>();
    for (const { id } of steps.toReversed()) {
      const remaining = durationOf(id) + (behind.get(id) ?? 0);
      this.#remaining.set(id, remaining);
      for (const need of needs(id)) behind.set(need, Math.max(remaining, behind.get(need) ?? 0));
    }
  }

  /** How many steps wait for a place. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether no processor is free: one that is may be waiting for what is about to be there. */
  get isFull(): boolean {
    return !this.#fits({ cpu: 1 });
  }

  /** Whether all who wait ask for one processor and nothing else. */
  get isPlain(): boolean {
    for (const { first } of this.#classes.values())
      if (first !== undefined && !isPlain(first.amounts)) return false;
    return true;
  }

  /** @param attempt 1 for the first; a later one may ask for more */
  add(step: ManifestStep, attempt = 1): void {
    const amounts = this.#pools.request(step, attempt);
    // Names of pools have neither of the two signs.
    const asks = Object.entries(amounts)
      .map(([pool, amount]) => `${pool}=${amount}`)
      .join(",");
    let same = this.#classes.get(asks);
    if (same === undefined) {
      same = new PriorityQueue(isBefore);
      this.#classes.set(asks, same);
    }
    same.push({
      asks,
      step,
      attempt,
      amounts,
      remaining: this.#remaining.get(step.id) ?? this.#remaining.get(step.template ?? "") ?? 0,
      order: this.#order.get(step.id) ?? this.#orderOfChild(step),
      overtaken: 0,
    });
    this.#waiting++;
  }

  /** A child of a fan-out that has expanded meanwhile has behind it what the step has that it was made of. */
  #orderOfChild({ template }: ManifestStep): number {
    this.#children++;
    // After those that are there already, and before the steps that follow.
    return (this.#order.get(template ?? "") ?? 0) + 1 - 1 / (1 + this.#children);
  }

  /** The next step that fits, its amounts taken; nothing if none does. */
  take(): Placed | undefined {
    const firsts: Waiting[] = [];
    for (const { first } of this.#classes.values()) {
      if (first !== undefined) firsts.push(first);
    }
    let best: Waiting | undefined;
    let reserved: Waiting | undefined;
    for (const first of firsts) {
      if (this.#fits(first.amounts)) {
        if (best === undefined || isBefore(first, best)) best = first;
      } else if (first.overtaken >= this.#patience && (reserved === undefined || isBefore(first, reserved))) {
        reserved = first;
      }
    }
    if (best !== undefined && reserved !== undefined) {
      const room = reserved.amounts;
      best = undefined;
      for (const first of firsts) {
        if (!this.#fits(first.amounts) || !this.#leaves(first.amounts, room)) continue;
        if (best === undefined || isBefore(first, best)) best = first;
      }
    }
    if (best === undefined) return undefined;
    for (const first of firsts) {
      if (first !== best && isBefore(first, best)) first.overtaken++;
    }
    return this.#place(best);
  }

  /**
   * The step that would be next if there were room, nothing taken for it: to be made ready for the place of another. Only
   * one that asks for nothing but a processor: whoever asks for more waits until it is there.
   *
   * @param isFit whether it may be made ready
   */
  takeAhead(isFit: (step: ManifestStep) => boolean): Placed | undefined {
    let best: Waiting | undefined;
    for (const { first } of this.#classes.values()) {
      if (first !== undefined && (best === undefined || isBefore(first, best))) best = first;
    }
    if (best === undefined || best.attempt > 1 || !isPlain(best.amounts) || !isFit(best.step))
      return undefined;
    return this.#takeOut(best);
  }

  /** Whether there is room for a step that was taken ahead. */
  hasRoomFor({ amounts }: Placed): boolean {
    return this.#fits(amounts);
  }

  /** Takes what a step that was taken ahead asks for: it begins, in the place of one that is about to give it back. */
  occupy({ amounts }: Placed): void {
    for (const [pool, amount] of Object.entries(amounts)) this.#change(pool, -amount);
  }

  /** Gives back what a step has taken. */
  release({ amounts, devices }: Placed): void {
    for (const [pool, amount] of Object.entries(amounts)) this.#change(pool, amount);
    this.#devices.push(...devices);
    // In their order, so that the same steps get the same devices.
    this.#devices.sort((a, b) => this.#pools.devices.indexOf(a) - this.#pools.devices.indexOf(b));
  }

  /** Takes out everything that has not started. */
  clear(): readonly Pick<Placed, "step" | "attempt">[] {
    const all = [...this.#classes.values()].flatMap((queue) => queue.clear());
    this.#classes.clear();
    this.#waiting = 0;
    return all;
  }

  #place(waiting: Waiting): Placed {
    const placed = this.#takeOut(waiting);
    this.occupy(placed);
    return { ...placed, devices: this.#devices.splice(0, placed.amounts["gpu"] ?? 0) };
  }

  #takeOut({ asks, step, attempt, amounts }: Waiting): Placed {
    const queue = this.#classes.get(asks);
    queue?.shift();
    if (queue?.first === undefined) this.#classes.delete(asks);
    this.#waiting--;
    return { step, attempt, amounts, devices: [] };
  }

  #fits(amounts: Amounts): boolean {
    for (const pool in amounts) {
      if ((this.#free.get(pool) ?? 0) < (amounts[pool] ?? 0)) return false;
    }
    return true;
  }

  /** Whether amounts may be taken without putting off a step that waits for its room. */
  #leaves(amounts: Amounts, room: Amounts): boolean {
    for (const pool in amounts) {
      const amount = amounts[pool] ?? 0;
      if (amount > 0 && (this.#free.get(pool) ?? 0) - amount < (room[pool] ?? 0)) return false;
    }
    return true;
  }

  #change(pool: string, by: number): void {
    // Sums of fractions: 0.1 three times is to leave room for 0.7.
    this.#free.set(pool, Math.round(((this.#free.get(pool) ?? 0) + by) * 1e6) / 1e6);
  }
}

/** Whether it asks for one processor and nothing else: the place of each such step fits every other. */
export function isPlain(amounts: Amounts): boolean {
  return amounts["cpu"] === 1 && Object.keys(amounts).length === 1;
}

function isBefore(a: Waiting, b: Waiting): boolean {
  return a.remaining > b.remaining || (a.remaining === b.remaining && a.order < b.order);
}
