/**
 * The alive lock of a run: an exclusive transaction on `runs/<id>/alive.db`, an empty SQLite file in rollback-journal
 * mode. In that mode the lock is one of the kernel on the file itself, which goes with the process that holds it,
 * however that ends. Such locks belong to the process and vanish when it closes *any* descriptor of the file, so
 * nothing but SQLite, which knows that, ever opens it.
 *
 * Whoever asks takes a shared lock. Several can ask at once without mistaking each other for the holder.
 *
 * A run that executes something has two, for it is two processes: the supervisor, which has its step processes, and mlpipe
 * itself, which has its work folders. It is alive as long as one of them is: were it the supervisor alone, another run would take
 * over what mlpipe is still at work on when only the supervisor was killed, and each would remove the other's folders.
 *
 * It imports nothing of mlpipe: the supervisor, which holds the lock of a run, has to be small and quick to start.
 */
import { existsSync, lstatSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Long enough to outwait those who look whether a run is alive, which takes them microseconds. */
const enterPatienceMs = 1_000;

/** The lock files in the folder of a run: of the process that has its step processes, and of mlpipe itself beside it. */
export const aliveLocks = { supervisor: "alive.db", beside: "alive-beside.db" } as const;

/** Whether some other process holds a lock of the run that a folder belongs to. @throws what SQLite throws */
export function isRunAlive(folder: string): boolean {
  return Object.values(aliveLocks).some((name) => AliveLock.isHeld(join(folder, name)));
}

/** A lock that this process holds. */
export class AliveLock {
  readonly #path: string;
  readonly #database: DatabaseSync;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  /** Takes the lock; `undefined` if another process has it. The folder must be there. @throws what SQLite throws */
  static take(path: string): AliveLock | undefined {
    const database = new DatabaseSync(path, { timeout: enterPatienceMs });
    try {
      database.exec("BEGIN EXCLUSIVE");
      return new AliveLock(path, database);
    } catch (error) {
      database.close();
      if (codeOf(error) === busy) return undefined;
      throw error;
    }
  }

  /** Whether some other process holds it. @throws what SQLite throws */
  static isHeld(path: string): boolean {
    // No run locks anything but a file.
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    let probe: DatabaseSync | undefined;
    try {
      probe = new DatabaseSync(path, { readOnly: true, timeout: 0 });
      probe.prepare("SELECT count(*) FROM sqlite_schema").get();
      return false;
    } catch (error) {
      const code = codeOf(error);
      if (code === busy) return true;
      // Removed since we looked, by a run that left.
      if (code === cannotOpen && !existsSync(path)) return false;
      // It was read, so nobody holds it: what a power cut or somebody else has left in it does not matter.
      if (code === notADatabase || code === corrupt) return false;
      throw error;
    } finally {
      probe?.close();
    }
  }

  release(): void {
    this.#database.close();
    // Nobody can come to hold it again: the id of a run is used once.
    rmSync(this.#path, { force: true });
  }
}

const busy = 5;
const corrupt = 11;
const cannotOpen = 14;
const notADatabase = 26;

function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  // Without its extension.
  return error.errcode & 0xff;
}
