/**
 * What may start next: steps whose inputs are there, the one with the longest way behind it
 * first, as far as the pools have room.
 */
import type { ManifestStep } from "@mlpipe/dsl";

/** Amounts by the name of a pool. */
export type Amounts = Readonly<Record<string, number>>;

/** The steps that wait for a place. */
export class Schedule {
  readonly #free = new Map<string, number>();
  readonly #capacity = new Map<string, number>();
  readonly #rank = new Map<string, number>();
  /** By rank, in the order in which they became ready. */
  readonly #ready = new Map<number, ManifestStep[]>();
  /** The ranks of ready steps, ascending. Few at a time, however long the chains are. */
  #ranks: number[] = [];
  /** What the most modest step takes of `cpu`: with less there is nothing to look for. */
  readonly #leastCpu: number;
  #waiting = 0;

  /**
   * @param steps in wiring order
   * @param needs the steps that a step takes refs from
   * @param jobs how many steps run at once: the capacity of the pool `cpu`
   */
  constructor(steps: readonly ManifestStep[], needs: (step: string) => readonly string[], jobs: number) {
    this.#capacity.set("cpu", jobs);
    for (const step of steps) {
      for (const [pool, amount] of Object.entries(step.scheduling.resources ?? {})) {
        // Nobody said how much of it there is: as much as the greediest step needs.
        if (pool !== "cpu") this.#capacity.set(pool, Math.max(amount, this.#capacity.get(pool) ?? 0));
      }
    }
    this.#leastCpu = steps.reduce((least, step) => Math.min(least, this.#amounts(step)["cpu"] ?? 1), 1);
    for (const [pool, amount] of this.#capacity) this.#free.set(pool, amount);
    // Backwards, so that all that follows a step is ranked before it.
    for (const { id } of steps.toReversed()) {
      const rank = this.#rank.get(id) ?? 0;
      this.#rank.set(id, rank);
      for (const need of needs(id)) this.#rank.set(need, Math.max(rank + 1, this.#rank.get(need) ?? 0));
    }
  }

  /** How many steps wait for a place. */
  get waiting(): number {
    return this.#waiting;
  }

  add(step: ManifestStep): void {
    // A child of a fan-out has behind it what the step has that it was made of.
    const rank = this.#rank.get(step.id) ?? this.#rank.get(step.template ?? "") ?? 0;
    const same = this.#ready.get(rank);
    if (same === undefined) {
      this.#ready.set(rank, [step]);
      const after = this.#ranks.findLastIndex((each) => each < rank);
      this.#ranks.splice(after + 1, 0, rank);
    } else same.push(step);
    this.#waiting++;
  }

  /** The next step that fits, its amounts taken; nothing if none does. */
  take(): ManifestStep | undefined {
    if ((this.#free.get("cpu") ?? 0) < this.#leastCpu) return undefined;
    for (const rank of this.#ranks.toReversed()) {
      const steps = this.#ready.get(rank) ?? [];
      const index = steps.findIndex((step) => this.#fits(step));
      if (index === -1) continue;
      const [step] = index === 0 ? [steps.shift()] : steps.splice(index, 1);
      if (step === undefined) continue;
      if (steps.length === 0) {
        this.#ready.delete(rank);
        this.#ranks.splice(this.#ranks.indexOf(rank), 1);
      }
      this.#waiting--;
      this.#change(step, -1);
      return step;
    }
    return undefined;
  }

  /** Gives back what a step has taken. */
  release(step: ManifestStep): void {
    this.#change(step, 1);
  }

  /** Takes out every step that has not started. */
  clear(): readonly ManifestStep[] {
    const steps = this.#ranks.flatMap((rank) => this.#ready.get(rank) ?? []);
    this.#ready.clear();
    this.#ranks = [];
    this.#waiting = 0;
    return steps;
  }

  #fits(step: ManifestStep): boolean {
    return Object.entries(this.#amounts(step)).every(
      ([pool, amount]) => (this.#free.get(pool) ?? 0) >= amount,
    );
  }

  #change(step: ManifestStep, sign: 1 | -1): void {
    for (const [pool, amount] of Object.entries(this.#amounts(step))) {
      this.#free.set(pool, (this.#free.get(pool) ?? 0) + sign * amount);
    }
  }

  #amounts(step: ManifestStep): Amounts {
    const { resources = {} } = step.scheduling;
    // A step that asks for more than the machine has gets all of it.
    const cpu = Math.min(resources["cpu"] ?? 1, this.#capacity.get("cpu") ?? 1);
    return { ...resources, cpu };
  }
}
