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
    ...[...bounds.write].map((path) => `--allow-fs-write=${path}`),
  ];
}

/** A link to a folder grants all below it, so only one that leads to what is granted is named. */
function isGranted(link: string, { read, write }: Bounds): boolean {
  const real = realpathSync(link);
  return isWithin(real, read) || isWithin(real, write);
}
