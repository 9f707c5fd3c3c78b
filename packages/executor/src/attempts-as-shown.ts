/**
 * The path under which steps are told of their work folders. It is the same in every clone of a project, wherever the
 * store lies: a path that a step writes into its output would otherwise look like chance.
 */
import { lstatSync, mkdirSync, readlinkSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const known = new Map<string, string>();

/**
 * The folder of attempts as seen from a project. Beside its own store that is the folder itself; of a store elsewhere a
 * link to it, `.mlpipe/attempts`, which is made. Where something else has that place, the folder itself will do.
 */
export function attemptsAsShown(root: string, storeRoot: string): string {
  const attempts = join(storeRoot, "attempts");
  const own = join(root, ".mlpipe");
  if (own === storeRoot) return attempts;
  let shown = known.get(own);
  if (shown === undefined) {
    const link = join(own, "attempts");
    shown = linksTo(link, attempts) || makeLink(own, link, attempts) ? link : attempts;
    known.set(own, shown);
  }
  return shown;
}

function linksTo(link: string, target: string): boolean {
  const stats = lstatSync(link, { throwIfNoEntry: false });
  return stats?.isSymbolicLink() === true && readlinkSync(link) === target;
}

/** Whether the link is there now. */
function makeLink(folder: string, link: string, target: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The folder hides itself from git, as a store does.
    if (lstatSync(join(folder, ".gitignore"), { throwIfNoEntry: false }) === undefined)
      writeFileSync(join(folder, ".gitignore"), "*\n", { mode: 0o600 });
    // What an earlier store of the project's own has left there is empty, if nothing of it runs.
    if (lstatSync(link, { throwIfNoEntry: false })?.isDirectory() === true) rmdirSync(link);
    symlinkSync(target, link);
    return true;
  } catch {
    // Another run was faster, or the place is taken.
    return linksTo(link, target);
  }
}
