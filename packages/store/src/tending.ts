import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { StoredClaims } from "./claims.ts";
import { Database, primaryCode, refusedBySystem } from "./database.ts";
import { StoreError, shown } from "./errors.ts";
import { runsOnDisk, type Layout } from "./layout.ts";

/** How long to wait for others, if nothing else is said. */
const usualPatienceMs = 10_000;

/**
 * The right to tend a store: to collect garbage, to repair it, to replace its database. One process at a time has it,
 * and it goes with that process, however it ends: like the alive lock of a run it is an exclusive transaction on an
 * SQLite file that nothing else ever opens.
 */
export class Tending implements Disposable {
  readonly #lock: DatabaseSync;

  private constructor(lock: DatabaseSync) {
    this.#lock = lock;
  }

  /** @throws StoreError `MLP4016` if another process keeps it for longer than the patience */
  static begin(layout: Layout, patienceMs = usualPatienceMs): Tending {
    const path = join(layout.root, "tending.db");
    let lock: DatabaseSync | undefined;
    try {
      lock = new DatabaseSync(path, { timeout: patienceMs });
      // The lock is one of the kernel. A journal on the disk would need room that a full one has not.
      lock.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
      return new Tending(lock);
    } catch (error) {
      lock?.close();
      if (primaryCode(error) !== 5) throw refusedBySystem(path, error) ?? error;
      throw new StoreError("MLP4016", `another process is tending ${shown(layout.root)}`, {
        path,
        hint: "Wait for the other gc or repair to end.",
        cause: error,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }
}

/** The runs that are executing, in whichever process. */
export function runsAlive(layout: Layout): readonly string[] {
  // Never opened: whether a run is alive is a matter of its lock file alone.
  const claims = new StoredClaims(new Database(layout.database, { readonly: true }), layout);
  return runsOnDisk(layout).filter((run) => claims.isAlive(run));
}

/** Waits until nothing runs. @throws StoreError `MLP4016` if something still does when the patience is at an end */
export async function untilNothingRuns(layout: Layout, patienceMs = usualPatienceMs): Promise<void> {
  for (const deadline = Date.now() + patienceMs; ;) {
    const [run, ...others] = runsAlive(layout);
    if (run === undefined) return;
    if (Date.now() > deadline) {
      const more = others.length === 0 ? "" : ` and ${others.length} more`;
      throw new StoreError(
        "MLP4016",
        `the database of ${shown(layout.root)} has to be replaced, and run ${run}${more} is using it`,
        { path: layout.database, hint: "Wait for the run to end, or stop it, and try again." },
      );
    }
    await pause(50);
  }
}
