/**
 * Code of mlpipe in the form that V8 made of it. What Node keeps of a module was taken before the module ran: a function is
 * compiled when it is first called, in every process anew, and that is a tenth of a run in which nothing has to run. Here it is
 * taken when a process ends, with all the functions that it has called.
 *
 * It lies beside what Node keeps, and is trusted as far: V8 refuses what was made by another version or for other code, what
 * was damaged has another digest, and where nothing can be kept all is compiled as it always was.
 */
import { hash } from "node:crypto";
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";

/** Processes that add the functions which they called and the ones before them did not. */
const generations = 4;

/** In ms. A process that has lived longer has dropped the code of functions that it has not called for a while. */
const longLived = 5_000;

/** The generation, and the digest of what follows it. */
const headSize = 1 + 32;

/** What a module does, with what a function cannot have of its own. Returns what it exports. */
type Code = (meta: ImportMeta, load: (from: string) => Promise<object>, imports: readonly object[]) => object;

/**
 * The function that a file consists of.
 *
 * @param digest of the text of the file
 */
export function codeOf(file: URL, digest: string): Code {
  const path = fileURLToPath(file);
  const folder = getCompileCacheDir();
  const kept = folder === undefined ? undefined : join(folder, `mlpipe-${digest}`);
  const before = kept === undefined ? undefined : read(kept);
  const script = new Script(readFileSync(path, "utf8"), {
    filename: file.href,
    ...(before !== undefined && { cachedData: before.data }),
  });
  const generation = script.cachedDataRejected === false ? (before?.generation ?? 0) : 0;
  if (kept !== undefined && generation < generations) {
    process.once("exit", () => {
      if (process.uptime() * 1_000 < longLived) keep(kept, generation + 1, script.createCachedData());
    });
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the build has made of a module
  return script.runInThisContext() as Code;
}

function read(kept: string): { readonly generation: number; readonly data: Buffer } | undefined {
  try {
    const file = openSync(kept, "r");
    try {
      // What somebody else has put there would be run as code.
      if (fstatSync(file).uid !== process.getuid?.()) return undefined;
      const bytes = readFileSync(file);
      const data = bytes.subarray(headSize);
      const generation = bytes[0] ?? 0;
      return bytes.subarray(1, headSize).equals(digestOf(data)) ? { generation, data } : undefined;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

function keep(kept: string, generation: number, data: Buffer): void {
  const aside = `${kept}.${process.pid}`;
  try {
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(aside, Buffer.concat([Buffer.of(generation), digestOf(data), data]), { mode: 0o600 });
    renameSync(aside, kept);
  } catch {
    // The next process compiles it again.
  }
}

function digestOf(data: Buffer): Buffer {
  return hash("sha256", data, "buffer");
}
