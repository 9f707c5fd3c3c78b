import { lstatSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDigest, type Digest } from "./digest.ts";
import { errnoOf } from "./errors.ts";
import type { Layout } from "./layout.ts";

/** An object, by what its name says. */
export interface ObjectOnDisk {
  readonly type: "file" | "tree";
  readonly digest: Digest;
  readonly path: string;
  /** What it holds. */
  readonly bytes: number;
  readonly ctimeMs: number;
}

/** Every object that is there. What else lies among them is a matter of `verify`. */
export function objectsOnDisk(layout: Layout): readonly ObjectOnDisk[] {
  return namesIn(layout.objects).flatMap((start) =>
    namesIn(join(layout.objects, start)).flatMap((name) => {
      const type = name.endsWith(".tree") ? "tree" : "file";
      const digest = start + (type === "tree" ? name.slice(0, -".tree".length) : name);
      if (!isDigest(digest)) return [];
      const path = join(layout.objects, start, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats === undefined) return [];
      const bytes = type === "file" ? stats.size : bytesOfTree(path);
      return [{ type, digest, path, bytes, ctimeMs: stats.ctimeMs } as const];
    }),
  );
}

/** The sum that its manifest tells; nothing for one that cannot be read. */
function bytesOfTree(path: string): number {
  try {
    const { entries } = JSON.parse(readFileSync(`${path}.json`, "utf8")) as {
      readonly entries: readonly { readonly size?: number }[];
    };
    return entries.reduce((sum, { size = 0 }) => sum + size, 0);
  } catch {
    return 0;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return [];
    throw error;
  }
}
