/**
 * To strip types Node loads a parser in WebAssembly, of which 20 MiB stay for as long as the process lives, also when a
 * thread of it has loaded it. What came of it Node keeps in its compile cache, and does not need the parser for a module
 * that is there.
 *
 * So modules that are not there yet are stripped by a process of its own (`strip-types.ts`) before they are imported. If
 * that fails, Node strips them here as it always does. Which are there Node does not tell: it is noted beside what it
 * keeps, by what the files looked like, and nothing but time depends on whether that is right.
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

/**
 * To be called before a module of the user's is imported: has its types stripped elsewhere, and those of what it imports,
 * if Node would have to load its parser for them.
 *
 * @param file absolute path of the module
 */
export async function strippedAside(file: string): Promise<void> {
  const cache = getCompileCacheDir();
  if (cache === undefined || !/\.[cm]?ts$/.test(file)) return;
  const note = join(cache, `stripped-for-mlpipe-${hash("sha256", file)}`);
  // Where nothing can be noted, nothing can be kept.
  if (isAsNoted(note) || !write(note, {})) return;
  const [seen] = await Promise.all([strip(file), loadZodFor(file)]);
  write(note, Object.fromEntries(seen.map((each) => [each, lookOf(each)])));
}

/** Whether all files still are as they were when they were stripped. */
function isAsNoted(note: string): boolean {
  try {
    const looks = Object.entries(JSON.parse(readFileSync(note, "utf8")) as Record<string, unknown>);
    return looks.length > 0 && looks.every(([file, look]) => look === lookOf(file));
  } catch {
    return false;
  }
}

function lookOf(file: string): string | null {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
}

/** Returns whether it could be written. */
function write(note: string, looks: Readonly<Record<string, string | null>>): boolean {
  const aside = `${note}.${process.pid}`;
  try {
    writeFileSync(aside, JSON.stringify(looks), { mode: 0o600 });
    renameSync(aside, note);
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
