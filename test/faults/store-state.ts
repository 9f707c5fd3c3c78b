/** Whether a store is whole. In one place, because what says so is to be `mlpipe verify`. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { asDigest, type CacheEntry, type Content, openStore } from "@mlpipe/store";

/** What is wrong with a store: nothing, if every object is what its name says and every entry has its objects. */
export function problemsOf(root: string): readonly string[] {
  const problems: string[] = [];
  // One that has lost even its database, or was just about to make it, is empty, and has no object either.
  if (!hasTables(root)) return objectsOf(root).map(({ name }) => `${name} without a database`);
  const database = new DatabaseSync(join(root, "state.db"), { readOnly: true });
  const check = database.prepare("PRAGMA integrity_check").get();
  if (check?.["integrity_check"] !== "ok") problems.push(`state.db: ${JSON.stringify(check)}`);
  database.close();

  using store = openStore(root, { readonly: true });
  for (const { stepRun, outputs } of entriesOf(root)) {
    for (const [port, content] of Object.entries(outputs)) {
      const state = store.objects.verify(content);
      if (state !== "ok") problems.push(`${port} of ${stepRun}: ${state}`);
    }
  }
  for (const { content, name } of objectsOf(root)) {
    // The manifest of a folder comes first, and is no object without it.
    const state = store.objects.verify(content);
    if (state !== "ok") problems.push(`${name}: ${state}`);
  }
  for (const { id, status } of store.runs.list()) {
    try {
      store.runs.records(id);
    } catch (error) {
      problems.push(`records of the ${status} run ${id}: ${String(error)}`);
    }
  }
  return problems;
}

function hasTables(root: string): boolean {
  if (!existsSync(join(root, "state.db"))) return false;
  const database = new DatabaseSync(join(root, "state.db"), { readOnly: true });
  const tables = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"];
  database.close();
  return tables !== 0;
}

/** Every cache entry. */
export function entriesOf(root: string): readonly CacheEntry[] {
  if (!hasTables(root)) return [];
  const database = new DatabaseSync(join(root, "state.db"), { readOnly: true });
  const rows = database.prepare("SELECT entry FROM cache_entries").all();
  database.close();
  // Written by the store, as this and nothing else.
  return rows.map((row) => JSON.parse(String(row["entry"])) as CacheEntry);
}

/** How the runs of a store have ended, the last one first. */
export function runsOf(root: string): readonly string[] {
  using store = openStore(root, { readonly: true });
  return store.runs.list().map(({ status }) => status);
}

/** Every object that lies in a store under a valid name. */
function objectsOf(root: string): readonly { readonly content: Content; readonly name: string }[] {
  const objects = join(root, "objects");
  if (!existsSync(objects)) return [];
  return readdirSync(objects).flatMap((folder) =>
    readdirSync(join(objects, folder)).flatMap((file) => {
      if (file.endsWith(".json")) return [];
      const isTree = file.endsWith(".tree");
      const digest = asDigest(folder + file.replace(/\.tree$/, ""));
      // Of a tree the size is not in its name, nor looked at when it is verified.
      const size = isTree ? 0 : statSync(join(objects, folder, file)).size;
      return [
        { content: { type: isTree ? "tree" : "file", digest, size } as const, name: `${folder}${file}` },
      ];
    }),
  );
}
