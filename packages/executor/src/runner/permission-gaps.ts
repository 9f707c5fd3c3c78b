/**
 * What Node's permission model refuses although nothing undeclared is read by it: to bring a file to the
 * disk now, which mlpipe does for all outputs before it reports them; to ask for what is not there; to copy
 * a folder, which looks at the folders above. A step that does these need not fail.
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
  const exists = fs.existsSync;
  fs.existsSync = (path) => {
    try {
      return exists(path);
    } catch (error) {
      if (isThere(path)) throw error;
      return false;
    }
  };
  const { cp } = fs.promises;
  fs.promises.cp = async (from, to, options) => {
    try {
      await cp(from, to, options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Checks what it copies, and nothing above.
      fs.cpSync(from, to, options as fs.CopySyncOptions);
    }
  };
  // Its class is exported by nobody.
  const handle = await fs.promises.open(file);
  const methods = Object.getPrototypeOf(handle) as { sync: Call; datasync: Call };
  await handle.close();
  methods.sync = async () => {};
  methods.datasync = async () => {};
  syncBuiltinESMExports();
}

/** To follow a path is not refused. */
function isThere(path: fs.PathLike): boolean {
  try {
    fs.realpathSync(path);
    return true;
  } catch (error) {
    return isRefusal(error);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_ACCESS_DENIED";
}

function withoutFlush(given: unknown): unknown {
  if (typeof given !== "object" || given === null || !("flush" in given)) return given;
  return { ...given, flush: false };
}
