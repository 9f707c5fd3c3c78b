/**
 * Steps that are made ready before there is a place for them, so that no place is empty while the next step's folder is
 * made and its order is under way. Only where steps are short: of long ones it would save nothing, and their keys would
 * be kept from other runs meanwhile.
 */
import type { StartedProcess } from "./engine.ts";
import type { Placed } from "./schedule.ts";

/** So much work is made ready for each place: about as long as mlpipe may be busy with what ended before. */
const readyMs = 50;

/** More than this is never made ready. */
const most = 32;

/** Before anything is known of the steps, none is made ready. */
const unknownMs = 1_000;

/** A step that is made ready. */
export interface Ahead {
  readonly placed: Placed;
  /** While it is in line. */
  process?: StartedProcess | undefined;
}

/** The steps ahead of one run. */
export class StepsAhead {
  readonly #steps = new Set<Ahead>();
  /** How long a step takes, the last ones counting most. */
  #usualMs = unknownMs;
  #isClosed = false;

  get count(): number {
    return this.#steps.size;
  }

  /** A step has run for so long. */
  ran(ms: number): void {
    this.#usualMs += (Math.max(1, ms) - this.#usualMs) / 4;
    this.#isClosed = false;
  }

  /**
   * How many more are worth making ready: none while half of them are there, for several at once cost less than one after
   * the other.
   * @param running steps that have a place
   */
  roomBeside(running: number): number {
    const wanted = Math.min(most, Math.floor((running * readyMs) / this.#usualMs));
    return this.#isClosed || this.#steps.size * 2 > wanted ? 0 : wanted - this.#steps.size;
  }

  add(placed: Placed): Ahead {
    const ahead: Ahead = { placed };
    this.#steps.add(ahead);
    return ahead;
  }

  /** It is in line. */
  ready(ahead: Ahead, process: StartedProcess): void {
    if (this.#isClosed) process.withdraw();
    else ahead.process = process;
  }

  /** It has begun, or does not get to. */
  remove(ahead: Ahead): void {
    this.#steps.delete(ahead);
  }

  /** The first in line, if there is any. */
  get first(): (Ahead & { readonly process: StartedProcess }) | undefined {
    for (const ahead of this.#steps) if (isReady(ahead)) return ahead;
    return undefined;
  }

  /** Takes back what has not begun; nothing more is made ready until a step has run. */
  close(): void {
    this.#isClosed = true;
    for (const ahead of this.#steps) {
      ahead.process?.withdraw();
      ahead.process = undefined;
    }
  }
}

function isReady(ahead: Ahead): ahead is Ahead & { readonly process: StartedProcess } {
  return ahead.process !== undefined;
}
