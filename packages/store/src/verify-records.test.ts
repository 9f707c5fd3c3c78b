/** Records are written once: whatever is altered or taken away of them afterwards, `verify` finds. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmodSync, cpSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { Database } from "./database.ts";
import { digestOf } from "./digest.ts";
import { newStore, temporaryFolder } from "./fixtures/project.ts";
import { foreignRows, takeIn } from "./foreign-runs.ts";
import { collectGarbage } from "./gc.ts";
import { layoutOf } from "./layout.ts";
import type { RecordedRows } from "./record-rows.ts";
import { openStore, type Store } from "./store.ts";
import { uuid7 } from "./uuid7.ts";
import { isWhole, verifyStore } from "./verify.ts";

function recordedStore(): { readonly root: string; readonly records: readonly string[] } {
  const root = join(temporaryFolder(), ".mlpipe");
  cpSync(join(import.meta.dirname, "fixtures/store-v2"), root, { recursive: true });
  chmodSync(root, 0o700);
  using store = openStore(root);
  return { root, records: store.runs.list().map(({ id }) => join(root, "runs", id, "records.jsonl")) };
}

async function found(root: string): Promise<readonly string[]> {
  const verified = await verifyStore(root);
  const damage = verified.findings.filter(({ isDamage }) => isDamage);
  expect(isWhole(verified)).toBe(damage.length === 0);
  return damage.map(({ about }) => about);
}

test("one byte of one record altered, anywhere", async () => {
  const { root, records } = recordedStore();
  expect(await found(root)).toEqual([]);
  for (const path of records) {
    const bytes = readFileSync(path);
    // Every hundredth byte, and the ends of every line.
    const ends = [...bytes.keys()].filter((at) => bytes[at] === 0x0a || bytes[at + 1] === 0x0a);
    const places = new Set([...ends, ...[...bytes.keys()].filter((at) => at % 997 === 0)]);
    for (const at of places) {
      const altered = Buffer.from(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      writeFileSync(path, altered);
      expect(await found(root), `byte ${at} of ${bytes.length}`).toContain("records");
    }
    writeFileSync(path, bytes);
  }
  expect(await found(root)).toEqual([]);
});

test("one record taken away, or all of a run's", async () => {
  const { root, records } = recordedStore();
  for (const path of records) {
    const text = readFileSync(path, "utf8");
    const lines = text.trimEnd().split("\n");
    for (const gone of lines.keys()) {
      writeFileSync(path, lines.flatMap((line, i) => (i === gone ? [] : [`${line}\n`])).join(""));
      expect(await found(root), `line ${gone + 1} of ${lines.length}`).toContain("records");
    }
    rmSync(path);
    expect(await found(root)).toContain("records");
    writeFileSync(path, text);
  }
  expect(await found(root)).toEqual([]);
});

test("the row of a step run taken out of the database", async () => {
  const { root } = recordedStore();
  const database = new DatabaseSync(join(root, "state.db"));
  database.exec("DELETE FROM step_runs WHERE step = 'fit'");
  database.close();
  expect(await found(root)).toEqual(["row"]);
  expect(isWhole(await verifyStore(root, { repair: true }))).toBe(true);
  expect(await found(root)).toEqual([]);
});

test("a row of the lineage taken out, or altered", async () => {
  for (const damage of [
    "DELETE FROM lineage WHERE port = 'model'",
    "UPDATE lineage SET digest = 'x' WHERE port = 'model'",
  ]) {
    const { root } = recordedStore();
    const database = new DatabaseSync(join(root, "state.db"));
    database.exec(damage);
    database.close();
    expect(await found(root)).toEqual(["row"]);
    expect(isWhole(await verifyStore(root, { repair: true }))).toBe(true);
    expect(await found(root)).toEqual([]);
  }
});

const startedAt = "2026-01-01T00:00:00.000+00:00";
const endedAt = "2026-01-01T00:00:01.000+00:00";

/** A run that names the one before it, as the recorder writes it. @param meanwhile happens before its last line */
function run(store: Store, meanwhile: (id: string) => void = () => {}): string {
  const id = uuid7();
  const prev = store.runs.lastEnded() ?? null;
  const document = { id, pipeline: { name: "p" }, status: "succeeded", startedAt, endedAt, prev };
  store.runs.begin({ id, pipeline: "p", startedAt, document });
  store.runs.appendRecord(id, { type: "run-started", run: document });
  meanwhile(id);
  store.runs.appendRecord(id, { type: "run", run: document });
  store.runs.end(id, { status: "succeeded", endedAt, document });
  return id;
}

test("a whole run taken away, records and rows, while a later one is there", async () => {
  const store = newStore();
  const [, second] = [run(store), run(store), run(store)];
  store.close();
  expect(await found(store.root)).toEqual([]);
  rmSync(join(store.root, "runs", second), { recursive: true });
  const database = new DatabaseSync(join(store.root, "state.db"));
  database.prepare("DELETE FROM runs WHERE id = ?").run(second);
  database.close();
  const { findings } = await verifyStore(store.root);
  expect(findings).toEqual([expect.objectContaining({ about: "records", isDamage: true })]);
  expect(findings[0]?.message).toContain(second);
});

test("runs that gc took away are no damage; their tombstones altered are", async () => {
  const store = newStore();
  for (let n = 0; n < 3; n++) run(store);
  store.close();
  expect(collectGarbage(store.root, { keepLast: 1 }).runs).toHaveLength(2);
  expect(await found(store.root)).toEqual([]);
  const path = join(store.root, "runs/tombstones.jsonl");
  const text = readFileSync(path, "utf8");
  expect(text.trimEnd().split("\n")).toHaveLength(2);
  writeFileSync(path, text.replace(/"head":"./, `"head":"${text.includes('"head":"0') ? "1" : "0"}`));
  expect(await found(store.root)).toContain("records");
  expect(digestOf(text)).not.toBe(digestOf(readFileSync(path)));
});

test("a run that was reproduced after a later one had named it is no damage, nor is it when it was collected", async () => {
  const store = newStore();
  const first = run(store);
  run(store);
  // As `mlpipe reproduce` records it, twice.
  for (const verdict of ["IDENTICAL", "DIVERGED"])
    store.runs.appendRecord(first, { type: "reproduction", reproduction: { verdict } });
  store.close();
  expect(await found(store.root)).toEqual([]);

  expect(collectGarbage(store.root, { keepLast: 1 }).runs).toHaveLength(1);
  expect(await found(store.root)).toEqual([]);
});

test("a run that ended in another way than the later one says is damage, reproduced or not", async () => {
  const store = newStore();
  const first = run(store);
  run(store);
  store.runs.appendRecord(first, { type: "reproduction", reproduction: { verdict: "IDENTICAL" } });
  store.close();
  const database = new DatabaseSync(join(store.root, "state.db"));
  database.exec(`UPDATE runs SET document = json_set(document, '$.prev.head', '${"0".repeat(64)}')
    WHERE document ->> '$.prev.run' IS NOT NULL`);
  database.close();
  expect(await found(store.root)).toContain("records");
});

test("a run that ends while its records are looked at keeps the rows that it wrote itself", async () => {
  const store = newStore();
  const layout = layoutOf(store.root);
  let seen: RecordedRows | undefined;
  const id = run(store, (begun) => {
    seen = foreignRows(layout, begun);
  });
  const row = store.runs.get(id);
  store.close();
  if (seen === undefined) throw new Error("its first line was not read");

  const database = new Database(layout.database, { readonly: false });
  takeIn(database, layout, seen);
  database.close();
  using again = openStore(store.root, { readonly: true });
  expect(again.runs.get(id)).toEqual(row);
});
