import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, openSync } from "node:fs";
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
