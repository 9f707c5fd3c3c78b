/** Who waits for whom: a step, or a fan-out, can be decided when all that it needs is settled. */
export class Readiness {
  /** How many needs are open. */
  readonly #open = new Map<string, number>();
  readonly #dependants = new Map<string, Set<string>>();
  /** Whose needs are settled and who was not decided yet, in the order in which that came about. */
  #ready: string[] = [];

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  /**
   * Has somebody wait.
   * @param needs all that it needs, `isSettled` or not
   */
  await(id: string, needs: readonly string[], isSettled: (need: string) => boolean): void {
    const open = needs.filter((need) => !isSettled(need));
    this.#open.set(id, open.length);
    if (open.length === 0) this.#ready.push(id);
    for (const need of open) {
      const dependants = this.#dependants.get(need);
      if (dependants === undefined) this.#dependants.set(need, new Set([id]));
      else dependants.add(id);
    }
  }

  /** Whoever has waited for this one waits for one less. */
  letGo(id: string): void {
    for (const dependant of this.#dependants.get(id) ?? []) {
      const open = (this.#open.get(dependant) ?? 0) - 1;
      this.#open.set(dependant, open);
      if (open === 0) this.#ready.push(dependant);
    }
    this.#dependants.delete(id);
  }

  /** Hands out all that is ready; what becomes ready on the way follows, so that a chain is a walk and no recursion. */
  forEach(decide: (id: string) => void): void {
    for (let index = 0; index < this.#ready.length; index++) {
      const id = this.#ready[index];
      if (id !== undefined) decide(id);
    }
    this.#ready = [];
  }
}
