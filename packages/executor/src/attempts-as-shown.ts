/**
 * The paths under which steps are told of their work folders: `.mlpipe/attempts/<name>`, the same in every clone of a
 * project, wherever the store lies. A path that a step writes into its output would otherwise look like chance.
 *
 * Of a project's own store that is the folder itself. Of a store elsewhere it is a link to the folder, which is there as
 * long as the attempt is. One for each attempt, because the folder around them belongs to the project's own store, which
 * other runs may be using now. Whichever store comes second to a name gives way, for neither sees the other's claims.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { makeAttempts } from "@mlpipe/store";

/** The attempts of one store as seen from one project. */
export class AttemptsAsShown {
  readonly #own: string;
  readonly #attempts: string;
  readonly #isOwn: boolean;
  #isReady = false;

  constructor(root: string, storeRoot: string) {
    this.#own = join(root, ".mlpipe");
    this.#attempts = join(this.#own, "attempts");
    this.#isOwn = this.#own === storeRoot || isSame(this.#own, storeRoot);
  }

  /** The name that a work folder can have in the store: another one where a store elsewhere has taken the place. */
  nameFor(name: string): string {
    return this.#isOwn && isTaken(join(this.#attempts, name)) ? `own.${name}` : name;
  }

  /** Returns the path to tell of a folder that is there, having made the link if it takes one. */
  show(folder: string, name: string): string {
    const shown = join(this.#attempts, name);
    if (this.#isOwn) return shown;
    try {
      this.#makeReady();
      if (linkTo(folder, shown)) return shown;
    } catch {
      // A project that cannot be written to, say. The folder itself will do.
    }
    return folder;
  }

  /** Before the folder goes: a link that leads nowhere is one whose run was killed. */
  hide(folder: string, shown: string): void {
    if (shown === folder || this.#isOwn) return;
    try {
      if (readlinkSync(shown) === folder) unlinkSync(shown);
    } catch {
      // Somebody has cleared it away.
    }
  }

  #makeReady(): void {
    if (this.#isReady) return;
    mkdirSync(this.#own, { recursive: true, mode: 0o700 });
    // The folder hides itself from git, as a store does.
    const ignore = join(this.#own, ".gitignore");
    if (lstatSync(ignore, { throwIfNoEntry: false }) === undefined)
      writeFileSync(ignore, "*\n", { mode: 0o600 });
    makeAttempts(this.#attempts);
    // Nobody else may ever come by who removes what killed runs have left.
    for (const entry of readdirSync(this.#attempts, { withFileTypes: true })) {
      const path = join(this.#attempts, entry.name);
      if (entry.isSymbolicLink() && !existsSync(path) && !entry.name.startsWith(".tmp-"))
        rmSync(path, { force: true });
    }
    this.#isReady = true;
  }
}

const known = new Map<string, AttemptsAsShown>();

/** @param root and @param storeRoot absolute */
export function attemptsAsShown(root: string, storeRoot: string): AttemptsAsShown {
  const both = `${root}\0${storeRoot}`;
  let shown = known.get(both);
  if (shown === undefined) known.set(both, (shown = new AttemptsAsShown(root, storeRoot)));
  return shown;
}

/** Whether two paths are of one folder: `MLPIPE_STORE` may name the project's own in another way. */
function isSame(one: string, other: string): boolean {
  return existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other);
}

/** Whether a run on a store elsewhere is at work under a path, or left something there that its store still holds. */
function isTaken(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true && existsSync(path);
}

/** Whether the link is there now. */
function linkTo(folder: string, path: string): boolean {
  for (const isFirst of [true, false]) {
    try {
      symlinkSync(folder, path);
      return true;
    } catch (error) {
      const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
      // Of an attempt at the same key that was killed: its claim is this one's now.
      if (isLink && readlinkSync(path) === folder) return true;
      if (!isFirst || !isLink || existsSync(path)) throw error;
      rmSync(path, { force: true });
    }
  }
  return false;
}
