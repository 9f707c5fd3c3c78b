/** The places of a run: which steps have one, which wait for one, and which are made ready for the next that is free. */
import type { ManifestStep } from "@mlpipe/dsl";
import { StepsAhead } from "./ahead.ts";
import type { Turn } from "./attempt.ts";
import { type Place, TakenPlace } from "./place.ts";
import type { Placed, Schedule } from "./schedule.ts";

/** What is to be done with steps that get their places. */
export interface PlacesOptions {
  readonly schedule: Schedule;
  /**
   * Does a step, which gives its place back when it is done.
   * @param turn of one that is made ready, and has no place yet
   */
  readonly execute: (step: ManifestStep, place: Place, turn: Turn | undefined) => Promise<void>;
  /** Whether a step may be made ready before it has a place. */
  readonly mayBeAhead: (step: ManifestStep) => boolean;
  /** Steps that are about to be made ready, to claim their keys all at once. */
  readonly onAhead: (steps: readonly ManifestStep[]) => void;
  /** A step could not be done at all. */
  readonly onBroken: (error: unknown) => void;
  /** Something has changed: a place is free, a step is ready. */
  readonly onChange: () => void;
}

/**
 * How long the line may stand still: whoever makes a long step wait would keep the keys of the steps behind it from other
 * runs, and what was found out for them would grow old.
 */
const patienceMs = 500;

export class Places {
  readonly #options: PlacesOptions;
  readonly #schedule: Schedule;
  readonly #ahead = new StepsAhead();
  /** Later attempts that wait for a place. */
  readonly #entering = new Map<string, (placed: Placed | undefined) => void>();
  #busy = 0;
  #isClosed = false;
  #isFailing = false;
  #impatience: NodeJS.Timeout | undefined;

  constructor(options: PlacesOptions) {
    this.#options = options;
    this.#schedule = options.schedule;
  }

  /** Steps that have a place or are made ready for one. */
  get busy(): number {
    return this.#busy;
  }

  /** Steps that wait for a place. */
  get waiting(): number {
    return this.#schedule.waiting;
  }

  /** Whether steps keep every processor busy and others wait, so that what was made may wait for what they make. */
  get isCrowded(): boolean {
    return !this.#isFailing && this.#schedule.isFull && this.#schedule.waiting + this.#ahead.count > 0;
  }

  /** Has a step wait for a place. */
  add(step: ManifestStep): void {
    this.#schedule.add(step);
  }

  /** Gives places to whoever fits, those made ready first, and makes others ready. */
  fill(): void {
    if (this.#isFailing || this.#isClosed) return;
    const schedule = this.#schedule;
    // Who asks for less than a processor would be let past those in line for ever; waiting, each has its turn.
    if (!schedule.isPlain) this.#ahead.close();
    for (let next = this.#ahead.first; next && schedule.hasRoomFor(next.placed); next = this.#ahead.first)
      next.process.begin();
    for (let placed = schedule.take(); placed !== undefined; placed = schedule.take()) {
      const enter = this.#entering.get(placed.step.id);
      if (enter === undefined) this.#start(placed);
      else enter(placed);
    }
    if (schedule.isPlain) this.#makeReady();
  }

  /** A step took so long. */
  ran(ms: number): void {
    if (!this.#isFailing && !this.#isClosed) this.#ahead.ran(ms);
  }

  /** The turn of a step did not come: it waits for a place like all others. */
  sendBack(step: ManifestStep): void {
    this.#ahead.close();
    this.add(step);
  }

  /** Takes back what was made ready: who has a key that is wanted here may want one of those, or be one of them. */
  takeBack(): void {
    this.#ahead.close();
  }

  /** A step has failed, and is about to end the run: nothing is started while that is being kept. */
  fail(): void {
    this.#isFailing = true;
    this.#ahead.close();
  }

  /** Nothing more is to be started. @returns the steps that were waiting for their first place */
  close(): readonly ManifestStep[] {
    this.#isClosed = true;
    this.#ahead.close();
    return this.#schedule.clear().flatMap(({ step }) => {
      const enter = this.#entering.get(step.id);
      enter?.(undefined);
      return enter === undefined ? [step] : [];
    });
  }

  #makeReady(): void {
    const next: Placed[] = [];
    for (let room = this.#ahead.roomBeside(this.#busy - this.#ahead.count); room > 0; room--) {
      const placed = this.#schedule.takeAhead(this.#options.mayBeAhead);
      if (placed === undefined) break;
      next.push(placed);
    }
    if (next.length === 0) return;
    this.#options.onAhead(next.map(({ step }) => step));
    for (const placed of next) this.#start(placed, true);
    this.#lineMoves();
  }

  #lineMoves(): void {
    clearTimeout(this.#impatience);
    if (this.#ahead.count === 0) return;
    this.#impatience = setTimeout(() => {
      this.#ahead.close();
    }, patienceMs).unref();
  }

  /** @param isAhead it is made ready, and has its place when another has left */
  #start(first: Placed, isAhead = false): void {
    const { execute, onBroken, onChange } = this.#options;
    this.#busy++;
    const place = new TakenPlace(
      first,
      {
        release: (placed) => {
          this.#schedule.release(placed);
          onChange();
        },
        enter: (attempt) => this.#enter(first.step, attempt),
      },
      !isAhead,
    );
    const ahead = isAhead ? this.#ahead.add(first) : undefined;
    const turn: Turn | undefined = ahead && {
      ready: (process) => {
        this.#ahead.ready(ahead, process);
        onChange();
      },
      began: () => {
        this.#ahead.remove(ahead);
        this.#lineMoves();
        this.#schedule.occupy(first);
        place.take();
        onChange();
      },
    };
    execute(first.step, place, turn)
      .catch(onBroken)
      .finally(() => {
        this.#busy--;
        if (ahead !== undefined) this.#ahead.remove(ahead);
        place.leave();
        onChange();
      });
  }

  /** Waits for a place for another attempt; nothing if there is to be none. */
  #enter(step: ManifestStep, attempt: number): Promise<Placed | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#entering.set(step.id, (placed) => {
        this.#entering.delete(step.id);
        resolve(placed);
      });
      this.#schedule.add(step, attempt);
      this.#options.onChange();
    });
  }
}
