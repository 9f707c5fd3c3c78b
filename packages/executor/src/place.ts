/** The place of a step among those that run: it changes hands between attempts. */
import type { Placed } from "./schedule.ts";

/** The place that a step has among those that run. */
export interface Place {
  /** What it holds now. */
  readonly placed: Placed;
  /** Gives it up; doing so twice is fine. */
  leave(): void;
  /** Waits for one for a later attempt, which may ask for more; false if nothing more is to be started. */
  enter(attempt: number): Promise<boolean>;
}

/** The place of a step over its attempts. */
export class TakenPlace implements Place {
  readonly #release: (placed: Placed) => void;
  readonly #enter: (attempt: number) => Promise<Placed | undefined>;
  #placed: Placed;
  #isHeld: boolean;

  constructor(
    placed: Placed,
    schedule: {
      readonly release: (placed: Placed) => void;
      readonly enter: (attempt: number) => Promise<Placed | undefined>;
    },
    isHeld = true,
  ) {
    this.#placed = placed;
    this.#isHeld = isHeld;
    this.#release = schedule.release;
    this.#enter = schedule.enter;
  }

  get placed(): Placed {
    return this.#placed;
  }

  /** It was in line for it, and has got it. */
  take(): void {
    this.#isHeld = true;
  }

  leave(): void {
    if (this.#isHeld) this.#release(this.#placed);
    this.#isHeld = false;
  }

  async enter(attempt: number): Promise<boolean> {
    const placed = await this.#enter(attempt);
    if (placed === undefined) return false;
    this.#placed = placed;
    this.#isHeld = true;
    return true;
  }
}
