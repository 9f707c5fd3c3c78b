/**
 * Processes of attempts whose mlpipe and supervisor were both killed. They know of nobody who would end them, and write
 * to a path that the next attempt of the same key has too. Every run that executes something looks for them first, and
 * so does whoever deletes what dead attempts have left.
 *
 * Linux only, like all that is found by a mark.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isRunAlive } from "@mlpipe/store/alive-lock";
import { killMarked } from "./strays.ts";

/** How the folder of an attempt ends: with the beginning of its key. */
const keyMark = /-([0-9a-f]{16})$/;

/**
 * Ends the processes of a store's attempts that no living run is at work on.
 * @param storeRoot absolute
 */
export function endOrphans(storeRoot: string): void {
  if (process.platform !== "linux") return;
  const attempts = `${join(storeRoot, "attempts")}/`;
  let claimed: ((key: string) => boolean) | undefined;
  killMarked((mark) => {
    const key = mark.startsWith(attempts) ? keyMark.exec(mark)?.[1] : undefined;
    if (key === undefined) return false;
    // Asked for only if there is anybody whose fate depends on it: hardly ever.
    claimed ??= claimsOfLiving(storeRoot);
    return !claimed(key);
  });
}

/** Whether a living run is at work on a key. Whoever starts a process has claimed its key before. */
function claimsOfLiving(storeRoot: string): (key: string) => boolean {
  const runs = join(storeRoot, "runs");
  const alive = new Set(readdirSync(runs).filter((run) => isAlive(join(runs, run))));
  try {
    const database = new DatabaseSync(join(storeRoot, "state.db"), { readOnly: true, timeout: 1_000 });
    const rows = database.prepare("SELECT key, run FROM claims").all();
    database.close();
    const keys = rows.flatMap(({ key, run }) => (alive.has(String(run)) ? [String(key)] : []));
    return (beginning) => keys.some((key) => key.startsWith(beginning));
  } catch {
    // Without its claims nobody knows what a living run is at work on; the asking one has begun nothing yet.
    const others = alive.size > 1;
    return () => others;
  }
}

function isAlive(run: string): boolean {
  try {
    return isRunAlive(run);
  } catch {
    // It cannot be told, and a process that is ended by mistake is worse than one too many.
    return true;
  }
}
