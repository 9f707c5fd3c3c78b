import { renameSync } from "node:fs";
import { StoreError, withPath } from "./errors.ts";
import { removeAll, temporaryPath, type Layout } from "./layout.ts";
import { leftovers } from "./leftovers.ts";
import { runsAlive } from "./tending.ts";

/**
 * Removes what killed runs left because of an error that says that the disk is full: whoever tends the store comes to a
 * full disk to have it emptied, and the database needs room to be opened and written. Throws the error if it is another,
 * or if there is nothing to remove. Otherwise returns the paths that were removed.
 *
 * Only if nothing runs: else the database would have to say whose they are. All are taken out of their places before
 * the first is deleted: until then nobody finds the room to write a claim, and so nobody goes on in one of them.
 */
export function makeRoomAfter(error: unknown, layout: Layout): readonly string[] {
  const isFull = error instanceof StoreError && (error.errno === "ENOSPC" || error.errno === "EDQUOT");
  const found = isFull && runsAlive(layout).length === 0 ? leftovers(layout) : [];
  if (found.length === 0) throw error;
  const aside = found.map((path) => {
    const place = temporaryPath(layout);
    withPath("remove", path, () => {
      renameSync(path, place);
    });
    return place;
  });
  for (const place of aside) {
    withPath("remove", place, () => {
      removeAll(place);
    });
  }
  return found;
}
