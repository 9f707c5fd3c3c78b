import { lstatSync, realpathSync, statSync } from "node:fs";
import { withPath } from "./errors.ts";
import { stampFields } from "./hash-job.ts";
import { Unsteady } from "./unsteady.ts";
import { type FolderWalk, walkFolder } from "./walk.ts";

/**
 * When anything of a file or folder was last changed, in nanoseconds of its file system's clock: nobody can set that
 * time, so a later change always shows, also one that was taken back. A path that is a link stands for itself and for
 * what it leads to.
 *
 * @throws StoreError `MLP4006` (missing), `MLP4007` (a pipe, say), `MLP4005` (unreadable)
 */
export function lastChangeOf(path: string): bigint {
  return withPath("look at", path, () => {
    const own = lstatSync(path, { bigint: true });
    const stats = own.isSymbolicLink() ? statSync(path, { bigint: true }) : own;
    const last = later(own.ctimeNs, stats.ctimeNs);
    if (!stats.isDirectory()) return last;
    try {
      return later(last, lastChangeIn(walkFolder(realpathSync(path))));
    } catch (error) {
      // It is changing at this very moment, and will have another time when it is looked at again.
      if (!(error instanceof Unsteady)) throw error;
      return 0n;
    }
  });
}

/** The same of a folder that was walked, its own change included. */
export function lastChangeIn({ folders, stamps }: FolderWalk): bigint {
  let last = 0n;
  for (const { ctimeNs } of folders) last = later(last, ctimeNs);
  for (let at = 2; at < stamps.length; at += stampFields) last = later(last, stamps[at] ?? 0n);
  return last;
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
