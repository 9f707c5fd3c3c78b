/** Items of an earlier run in the folder of a `many`: a list that grew shorter must not leave them beside the others. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson, digestOf, type Store } from "@mlpipe/store";

/**
 * Removes what is no longer among the items, if it is what mlpipe put there: its content is in the store. A file of
 * somebody else, or one that was edited, stays.
 * @param names of the items' files in the folder
 */
export function removeFormerItems(store: Store, folder: string, names: ReadonlySet<string>): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  for (const { name } of readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => (entry.isFile() || entry.isDirectory()) && !names.has(entry.name),
  )) {
    const path = join(folder, name);
    if (isKept(store, path)) rmSync(path, { recursive: true, force: true });
  }
}

function isKept(store: Store, path: string): boolean {
  const content = store.index.contentOf(path);
  if (store.objects.has(content)) return true;
  if (content.type !== "file" || !path.endsWith(".json")) return false;
  try {
    // Values and metrics are copied in a form for people, and kept in the canonical one.
    const canonical = canonicalJson(JSON.parse(readFileSync(path, "utf8")));
    return store.objects.has({
      type: "file",
      digest: digestOf(canonical),
      size: Buffer.byteLength(canonical),
    });
  } catch {
    return false;
  }
}
