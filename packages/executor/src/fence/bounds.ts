/** What a step may open: the places that it declares, and those that any program needs. */
import { readlinkSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { lookAtLink } from "./look.ts";

/** The bounds of a step. All paths are absolute and real; a folder stands for all below it. */
export interface Bounds {
  readonly read: ReadonlySet<string>;
  /** Folders whose names may be listed, which says nothing about what lies in them. */
  readonly list: ReadonlySet<string>;
  readonly write: ReadonlySet<string>;
  /** The links that are passed on the way to any of these, and where each leads. */
  readonly links: ReadonlyMap<string, string>;
  /**
   * Those of the links that lead to folders of which only parts are granted: `node_modules` itself, and packages of a
   * workspace in it.
   */
  readonly partly: ReadonlySet<string>;
}

/** Gathers bounds. Granted is what a path leads to, never a link: a link may lead elsewhere tomorrow. */
export class BoundsBuilder implements Bounds {
  readonly read = new Set<string>();
  readonly list = new Set<string>();
  readonly write = new Set<string>();
  readonly links = new Map<string, string>();
  readonly partly = new Set<string>();

  /** Whatever is not there is left out: nobody can open it. */
  allow(access: "read" | "list" | "write", paths: Iterable<string>): void {
    for (const path of paths) {
      const real = this.#follow(path);
      if (real !== undefined) this[access].add(real);
    }
  }

  /** The real path, noting each link on the way; nothing if the path leads nowhere. */
  #follow(path: string): string | undefined {
    let names = path.split(sep).filter(Boolean);
    let at: string = sep;
    for (let hops = 0; names.length > 0;) {
      const [name = "", ...rest] = names;
      names = rest;
      if (name === "." || name === "..") {
        if (name === "..") at = dirname(at);
        continue;
      }
      const next = join(at, name);
      const stat = lookAtLink(next);
      if (stat === undefined) return undefined;
      if (!stat.isSymbolicLink()) {
        at = next;
        continue;
      }
      // As many as Linux follows.
      if (++hops > 40) return undefined;
      const target = readlinkSync(next);
      this.links.set(next, target);
      names = [...target.split(sep).filter(Boolean), ...names];
      if (target.startsWith(sep)) at = sep;
    }
    return at;
  }
}

/** Whether a path is one of these places, or lies below one. */
export function isWithin(path: string, places: ReadonlySet<string>): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (places.has(at)) return true;
    if (dirname(at) === at) return false;
  }
}
