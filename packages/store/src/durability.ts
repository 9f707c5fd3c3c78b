import { spawn, spawnSync } from "node:child_process";
import { closeSync, fsync, fsyncSync, openSync } from "node:fs";
import { withPath } from "./errors.ts";

// One `fsync` costs some 125 µs on ext4; `sync -f` (one syncfs for the whole file system) some 2 ms with its process,
// whatever the number of files. Well above the break-even, because syncfs also waits for what others wrote.
const worthSyncfs = 64;

/** Makes files and folders of one file system durable. Returns when they would survive a power cut. */
export function makeDurable(paths: readonly string[]): void {
  const [first] = paths;
  if (first === undefined) return;
  if (paths.length >= worthSyncfs && process.platform === "linux") {
    const { status } = spawnSync("sync", ["-f", first], { stdio: "ignore" });
    if (status === 0) return;
    // No such program, or one that knows no `-f`: one by one, then.
  }
  for (const path of paths) {
    withPath("make durable", path, () => {
      // A descriptor opened for reading serves as well, and read-only objects allow no other.
      const descriptor = openSync(path, "r");
      try {
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    });
  }
}

// Syncs that are under way at the same time share commits of the file system's journal.
const worthSyncfsSoon = 512;

/** The same without waiting for the disk: resolves when all of it would survive a power cut. */
export async function makeDurableSoon(paths: readonly string[]): Promise<void> {
  const [first] = paths;
  if (first === undefined) return;
  if (paths.length >= worthSyncfsSoon && process.platform === "linux" && (await syncFileSystem(first)))
    return;
  await Promise.all(paths.map((path) => syncOne(path)));
}

function syncOne(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const descriptor = withPath("make durable", path, () => openSync(path, "r"));
    fsync(descriptor, (error) => {
      try {
        withPath("make durable", path, () => {
          closeSync(descriptor);
          if (error !== null) throw error;
        });
        resolve();
      } catch (failure) {
        reject(failure);
      }
    });
  });
}

function syncFileSystem(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("sync", ["-f", path], { stdio: "ignore" });
    child.once("error", () => {
      resolve(false);
    });
    child.once("exit", (code) => {
      resolve(code === 0);
    });
  });
}
