/** Processes that wait for a place, so that the next begins the moment that one has ended. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Ended } from "../engine.ts";
import type { Order } from "./starter.ts";

/** The line before the places of one run, first come first served. */
export class WaitingLine {
  readonly #orders = new Map<number, Order>();
  /** Which end was the last failure, and how many ends mlpipe knew of when it last said who begins. */
  #lastFailure = 0;
  #known = 0;

  add(id: number, order: Order): void {
    this.#orders.set(id, order);
  }

  /**
   * A process has ended. After a failure nothing more may be wanted: from then on mlpipe says who begins, until it has said
   * so and known of it.
   *
   * @param nth how many have ended with this one, as they are told
   */
  ended(ended: Ended, order: Order, nth: number): void {
    if (!hasEndedWell(ended, order)) this.#lastFailure = nth;
  }

  /** The order that takes the place of one that has ended; nothing if there is none, or mlpipe has to say who begins. */
  next(): { readonly id: number; readonly order: Order } | undefined {
    if (this.#lastFailure > this.#known) return undefined;
    for (const [id, order] of this.#orders) {
      this.#orders.delete(id);
      return { id, order };
    }
    return undefined;
  }

  /** Takes one out that is to begin now. @param known how many have ended, as far as mlpipe knew when it said so */
  begin(id: number, known: number): Order | undefined {
    this.#known = known;
    return this.#takeOut(id);
  }

  /** Takes one out that is not to begin. Returns whether it was still waiting. */
  withdraw(id: number): boolean {
    return this.#takeOut(id) !== undefined;
  }

  #takeOut(id: number): Order | undefined {
    const order = this.#orders.get(id);
    this.#orders.delete(id);
    return order;
  }
}

/** As far as can be seen from here: mlpipe looks closer, and the next one does not wait for that. */
function hasEndedWell({ code, stopped, timedOut, failure }: Ended, { cwd, leaves }: Order): boolean {
  if (code !== 0 || stopped || timedOut || failure !== undefined) return false;
  return leaves.every((path) => existsSync(resolve(cwd, path)));
}
