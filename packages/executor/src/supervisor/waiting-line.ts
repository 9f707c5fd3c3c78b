/** Processes that wait for a place, so that the next begins the moment that one has ended. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Ended } from "../engine.ts";
import type { Request } from "./messages.ts";

type Order = Request & { readonly type: "start" };

/** The line before the places of one run, first come first served. */
export class WaitingLine {
  readonly #orders = new Map<number, Order>();
  #isHeld = false;

  add(id: number, order: Order): void {
    this.#orders.set(id, order);
  }

  /** The order that takes the place of a process; nothing if there is none, or mlpipe has to say what becomes of it. */
  afterOne(ended: Ended, its: Order): { readonly id: number; readonly order: Order } | undefined {
    // After a failure nothing more may be wanted: from then on mlpipe says who begins, until one has begun so.
    if (!hasEndedWell(ended, its)) this.#isHeld = true;
    if (this.#isHeld) return undefined;
    for (const [id, order] of this.#orders) {
      this.#orders.delete(id);
      return { id, order };
    }
    return undefined;
  }

  /** Takes one out that is to begin now. */
  begin(id: number): Order | undefined {
    this.#isHeld = false;
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
