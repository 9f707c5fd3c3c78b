import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { primaryCode } from "./database.ts";
import { digestOf } from "./digest.ts";

const busy = 5;
const lookMs = 20;

/**
 * The right to put what a run returns into a project's `artifacts/`. Of two runs that end together with different params
 * one comes after the other: what lies there belongs together. It goes with the process that has it, however that ends:
 * like the alive lock of a run it is an exclusive transaction on an SQLite file that nothing else ever opens. The file
 * stays, because somebody else may be waiting for it.
 */
export class CopyingLock implements Disposable {
  readonly #lock: DatabaseSync | undefined;

  private constructor(lock: DatabaseSync | undefined) {
    this.#lock = lock;
  }

  /**
   * Waits while another run has it. Where there can be no such lock, on a full disk say, there is none: then the copying
   * itself says what is wrong.
   *
   * @param storeRoot and @param root of the project, absolute
   * @param signal ends the waiting, by throwing its reason
   */
  static async take(storeRoot: string, root: string, signal?: AbortSignal): Promise<CopyingLock> {
    // Each clone that shares the store has a folder of its own.
    const path = join(storeRoot, `copying-${digestOf(root).slice(0, 8)}.db`);
    for (;;) {
      let lock: DatabaseSync | undefined;
      try {
        lock = new DatabaseSync(path, { timeout: 0 });
        lock.exec("PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE");
        return new CopyingLock(lock);
      } catch (error) {
        lock?.close();
        if (primaryCode(error) !== busy) return new CopyingLock(undefined);
      }
      signal?.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  [Symbol.dispose](): void {
    this.#lock?.close();
  }
}
