/** The flags by which Node itself keeps a step to what it declares. */
import { realpathSync } from "node:fs";
import { type Bounds, isWithin } from "./bounds.ts";
import type { Sandbox } from "./fence.ts";

const known = process.allowedNodeEnvironmentFlags;

/**
 * The permission model follows links and does not know what other programs do, so that alone it
 * starts none; behind a fence they are the fence's business.
 */
export function permissionFlags(bounds: Bounds, sandbox: Sandbox): readonly string[] {
  // Node looks at such a link itself, and grants no folder without all below it: what of that is more than the step may
  // read, the fence refuses.
  const links = [...bounds.links.keys()].filter((path) => isGranted(path, bounds) || bounds.partly.has(path));
  // The attempt's folder in a store elsewhere is one: its results are written by way of it.
  const written = [...bounds.links.keys()].filter((path) => leadsInto(path, bounds.write));
  const more =
    sandbox === "permission"
      ? ["--allow-net"]
      : ["--allow-net", "--allow-child-process", "--allow-worker", "--allow-addons", "--allow-wasi"];
  return [
    "--permission",
    // It warns of every flag that widens it.
    "--disable-warning=SecurityWarning",
    ...more.filter((flag) => known.has(flag)),
    ...[...bounds.read, ...bounds.write, ...links].map((path) => `--allow-fs-read=${path}`),
    ...[...bounds.write, ...written].map((path) => `--allow-fs-write=${path}`),
  ];
}

/** A link to a folder grants all below it, so only one that leads to what is granted is named. */
function isGranted(link: string, { read, write }: Bounds): boolean {
  return leadsInto(link, read) || leadsInto(link, write);
}

function leadsInto(link: string, places: ReadonlySet<string>): boolean {
  try {
    return isWithin(realpathSync(link), places);
  } catch {
    // It leads nowhere: `/etc/mtab` where there is no `/proc`, say.
    return false;
  }
}
