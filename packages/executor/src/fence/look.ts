import { lstatSync, statSync, type Stats } from "node:fs";

/** What is at a path, as far as this user may see: what lies in a folder that is closed to it is as good as not there. */
export function look(path: string): Stats | undefined {
  return seen(() => statSync(path, { throwIfNoEntry: false }));
}

/** The same of a link itself. */
export function lookAtLink(path: string): Stats | undefined {
  return seen(() => lstatSync(path, { throwIfNoEntry: false }));
}

function seen(work: () => Stats | undefined): Stats | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
