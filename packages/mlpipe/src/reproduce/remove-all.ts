import { chmodSync, existsSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Deletes a folder with read-only folders in it. Links are deleted and not followed. */
export function removeAll(folder: string): void {
  if (!existsSync(folder)) return;
  const pending = [folder];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if ((lstatSync(path).mode & 0o700) !== 0o700) chmodSync(path, 0o700);
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) pending.push(join(path, entry.name));
  }
  rmSync(folder, { recursive: true, force: true });
}
