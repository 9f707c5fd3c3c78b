// `promised.mjs CP`: the least of a run in which nothing or little has to run, with what mlpipe promises of one: a pipeline
// with zod is imported, keys are digests of contents and code, outputs are looked for, and the run leaves a record, line by
// line in a chain. A step that has to run is started by another process, in a folder of its own, what it says is taken, and what
// it made is durable before it counts. Nothing is typed, checked or explained, no call is noted, and no code is looked at.
// Done as quickly as Node can: its modules without their ESM faces, and zod without its languages; the other process starts
// as soon as it is known that something has changed, while the rest is looked at.
const { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } =
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
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
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
const changed = [];
let starter;
let prev = null;
let kept = 0;
let lines = "";
const record = (document) => {
  const line = JSON.stringify({ ...document, prev });
  prev = hash("sha256", line);
  lines += `${line}\n`;
};
const settle = () => {
  writeSync(records, lines);
  lines = "";
  fsyncSync(records);
};
for (const { id, input, code } of steps) {
  const { size, mtimeNs, ctimeNs, ino } = lstatSync(input, { bigint: true });
  const { stamp, digest } = JSON.parse(stats.get(input));
  const now = `${size} ${mtimeNs} ${ctimeNs} ${ino}`;
  if (stamp !== now) {
    starter ??= startStarter();
    changed.push({ id, input, code, stamp: now });
    continue;
  }
  const key = hash("sha256", JSON.stringify({ code, inputs: { from: digest } }));
  const entry = JSON.parse(entries.get(key));
  if (lstatSync(entry.object, { throwIfNoEntry: false })?.size !== entry.size) continue;
  kept++;
  record({ id, key, status: "cached" });
}
for (const { id, input, code, stamp } of changed) {
  const digest = hash("sha256", readFileSync(input));
  const key = hash("sha256", JSON.stringify({ code, inputs: { from: digest } }));
  const attempt = `attempts/${id}-${key.slice(0, 8)}`;
  mkdirSync(attempt, { recursive: true });
  const { code: exit, said } = await starter.run([process.argv[2], input, `${attempt}/to.txt`]);
  if (exit !== 0) throw new Error(said);
  sync(`${attempt}/to.txt`);
  const object = `objects/${hash("sha256", readFileSync(`${attempt}/to.txt`))}`;
  const { size } = lstatSync(`${attempt}/to.txt`);
  renameSync(`${attempt}/to.txt`, object);
  sync("objects");
  record({ id, key, status: "ran", said });
  settle();
  const put = (table, ...row) =>
    database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`).run(...row);
  database.exec("BEGIN");
  put("stats", input, JSON.stringify({ stamp, digest }));
  put("entries", key, JSON.stringify({ object, size }));
  database.exec("COMMIT");
}
record({ status: "succeeded" });
settle();
closeSync(records);
await starter?.end();
console.log(`${kept} of ${steps.length}`);

function sync(path) {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
}

/** The other process, and what can be asked of it. */
function startStarter() {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const child = spawn(process.execPath, [new URL("starter.mjs", import.meta.url).pathname], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  return {
    run: (argv) =>
      new Promise((resolve) => {
        child.stdout.once("data", (line) => resolve(JSON.parse(line)));
        child.stdin.write(`${JSON.stringify(argv)}\n`);
      }),
    end: () => {
      child.stdin.end();
      return gone;
    },
  };
}
