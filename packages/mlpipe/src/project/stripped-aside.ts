/**
 * To strip types Node loads a parser in WebAssembly, of which 20 MiB stay for as long as the process lives, also when a
 * thread of it has loaded it. What came of it Node keeps in its compile cache, and does not need the parser for a module
 * that is there.
 *
 * So modules that are not there yet are stripped by a process of its own (`strip-types.ts`) before they are imported. That
 * takes 50 ms of processor time more, for which a small pipeline is not made to wait after each edit: it is done for those
 * with many steps, and for those of which nothing is known. If it fails, Node strips them here as it always does. Which are
 * there Node does not tell: it is noted beside what it keeps, by what the files looked like, and nothing but time and memory
 * depends on whether that is right.
 */
import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire, getCompileCacheDir } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withLeanZod } from "@mlpipe/executor";

/** In ms. It takes a tenth of a second, and what it does can be done without it. */
const patience = 10_000;

/** What is known of a module that was stripped. */
interface Note {
  /** It has defined a pipeline with many steps. */
  readonly isLarge: boolean;
  /** By file, what it looked like. */
  readonly looks: Readonly<Record<string, string | null>>;
}

/**
 * To be called before a module of the user's is imported: has its types stripped elsewhere, and those of what it imports,
 * if Node would have to load its parser for them.
 *
 * @param file absolute path of the module
 */
export async function strippedAside(file: string): Promise<void> {
  const path = notePath(file);
  if (path === undefined) return;
  const known = read(path);
  if (known !== undefined && (!known.isLarge || isAsNoted(known))) return;
  const isLarge = known?.isLarge ?? false;
  // Where nothing can be noted, nothing can be kept.
  if (!write(path, { isLarge, looks: {} })) return;
  const [seen] = await Promise.all([strip(file), loadZodFor(file)]);
  write(path, { isLarge, looks: Object.fromEntries(seen.map((each) => [each, lookOf(each)])) });
}

/** To be called with a module that has defined a pipeline with many steps: the next time that it was edited it is worth it. */
export function noteLarge(file: string): void {
  const path = notePath(file);
  const known = path === undefined ? undefined : read(path);
  if (path !== undefined && known?.isLarge === false) write(path, { ...known, isLarge: true });
}

/** Where it is noted; nothing where Node keeps nothing, or there is nothing to strip. */
function notePath(file: string): string | undefined {
  const cache = getCompileCacheDir();
  if (cache === undefined || !/\.[cm]?ts$/.test(file)) return undefined;
  return join(cache, `stripped-for-mlpipe-${hash("sha256", file)}`);
}

function read(path: string): Note | undefined {
  try {
    const { isLarge, looks } = JSON.parse(readFileSync(path, "utf8")) as Note;
    return { isLarge, looks: { ...looks } };
  } catch {
    return undefined;
  }
}

/** Whether all files still are as they were when they were stripped. */
function isAsNoted({ looks }: Note): boolean {
  const all = Object.entries(looks);
  return all.length > 0 && all.every(([file, look]) => look === lookOf(file));
}

function lookOf(file: string): string | null {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}

/** Returns whether it could be written. */
function write(path: string, note: Note): boolean {
  const aside = `${path}.${process.pid}`;
  try {
    writeFileSync(aside, JSON.stringify(note), { mode: 0o600 });
    renameSync(aside, path);
    return true;
  } catch {
    return false;
  }
}

/** Returns the files that were looked at: with the module those that it imports. */
async function strip(file: string): Promise<readonly string[]> {
  try {
    return JSON.parse(await answerOf(file)) as readonly string[];
  } catch {
    // It would not do better the next time.
    return [file];
  }
}

/** What the other process says, which is nothing if it cannot be started or takes too long. */
function answerOf(file: string): Promise<string> {
  const fromSource = import.meta.url.endsWith(".ts");
  const main = new URL(fromSource ? "../strip-types.ts" : "./strip-types.js", import.meta.url);
  return new Promise((resolve) => {
    const said: Buffer[] = [];
    // With the flags of this process: what is kept under others is not looked at.
    const stripping = spawn(process.execPath, [...process.execArgv, fileURLToPath(main), file], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
      timeout: patience,
    });
    stripping.stdio[3]?.on("data", (bytes: Buffer) => {
      said.push(bytes);
    });
    for (const end of ["error", "close"]) {
      stripping.once(end, () => {
        resolve(Buffer.concat(said).toString());
      });
    }
  });
}

/** Loads what the module will ask for meanwhile: it takes half as long. */
async function loadZodFor(file: string): Promise<void> {
  try {
    if (!/["']zod["']/.test(readFileSync(file, "utf8"))) return;
    // Another copy than theirs would be of no use.
    if (createRequire(file).resolve("zod") !== createRequire(import.meta.url).resolve("zod")) return;
    await withLeanZod(() => import("zod"));
  } catch {
    // Whoever imports it is told why it cannot be.
  }
}
