// The least of a run in which nothing has to run, with what mlpipe promises of one: a pipeline with zod is imported,
// keys are digests of contents and code, outputs are looked for, and the run leaves a record, line by line in a chain.
// Nothing is typed, checked or explained, no call is noted, and no code is looked at.
// Done as quickly as Node can: its modules without their ESM faces, and zod without its languages.
const { closeSync, fsyncSync, lstatSync, openSync, readFileSync, writeSync } =
  process.getBuiltinModule("node:fs");
const { hash } = process.getBuiltinModule("node:crypto");
const { enableCompileCache, registerHooks } = process.getBuiltinModule("node:module");
const { DatabaseSync } = process.getBuiltinModule("node:sqlite");

enableCompileCache();
const hooks = registerHooks({
  load: (url, context, next) =>
    url.endsWith("/locales/index.js")
      ? { format: "module", source: "", shortCircuit: true }
      : next(url, context),
});
await import("zod");
hooks.deregister();

const { steps } = JSON.parse(readFileSync("manifest.json", "utf8"));
const database = new DatabaseSync("promised.db");
const byKey = (table) =>
  new Map(
    database
      .prepare(`SELECT id, document FROM ${table}`)
      .all()
      .map(({ id, document }) => [id, document]),
  );
const stats = byKey("stats");
const entries = byKey("entries");
const records = openSync("records.jsonl", "w");
let prev = null;
let kept = 0;
let lines = "";
for (const { id, input, code } of steps) {
  const { size, mtimeNs, ctimeNs, ino } = lstatSync(input, { bigint: true });
  const { stamp, digest } = JSON.parse(stats.get(input));
  if (stamp !== `${size} ${mtimeNs} ${ctimeNs} ${ino}`) continue;
  const key = hash("sha256", JSON.stringify({ code, inputs: { from: digest } }));
  const entry = JSON.parse(entries.get(key));
  if (lstatSync(entry.object, { throwIfNoEntry: false })?.size !== entry.size) continue;
  kept++;
  const line = JSON.stringify({ id, key, prev, status: "cached" });
  prev = hash("sha256", line);
  lines += `${line}\n`;
}
writeSync(records, lines);
fsyncSync(records);
closeSync(records);
console.log(`${kept} of ${steps.length}`);
