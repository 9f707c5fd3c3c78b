/**
 * Stores as earlier versions wrote them, kept under `fixtures/store-v<schema version>`. Whoever raises the version adds
 * one of the version before, made by the real command line; none is ever removed.
 */
import { chmodSync, cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { schemaVersion } from "./database.ts";
import { temporaryFolder } from "./fixtures/project.ts";
import { collectGarbage } from "./gc.ts";
import { healDatabase } from "./heal.ts";
import { openLineage } from "./lineage.ts";
import { openStore, type Store } from "./store.ts";
import { isWhole, verifyStore } from "./verify.ts";

/** Six steps: one with three outputs, a folder, a gate, a deploy; then a run in which all are cached. */
const all = {
  statuses: ["succeeded", "succeeded"],
  records: 8,
  deployed: "publish",
  steps: {
    split: { hit: true, outputs: ["ok", "ok", "ok"], format: 2 },
    fit: { hit: true, outputs: ["ok"], format: 2 },
    parts: { hit: true, outputs: ["ok"], format: 2 },
    score: { hit: true, outputs: ["ok"], format: 2 },
    "good-enough": { hit: true, outputs: ["ok"], format: 2 },
    // A deploy has a receipt instead.
    publish: { hit: false, outputs: [], format: 2 },
  },
};

function copyOf(version: number): string {
  const root = join(temporaryFolder(), ".mlpipe");
  cpSync(join(import.meta.dirname, `fixtures/store-v${version}`), root, { recursive: true });
  chmodSync(root, 0o700);
  return root;
}

/** What of the two runs can still be read and used. */
function found(store: Store): unknown {
  const runs = store.runs.list();
  const first = runs.at(-1)?.id ?? "";
  const stepRuns = store.runs.stepRuns(first);
  const { key, stepRun } = store.receipts.get(join(store.root, "../deployed")) ?? {};
  return {
    statuses: runs.map(({ status }) => status),
    records: store.runs.records(first).length,
    deployed: stepRuns.find((row) => row.key === key && row.id === stepRun)?.step,
    steps: Object.fromEntries(
      stepRuns.map((row) => {
        const entry = row.key === null ? undefined : store.cache.get(row.key);
        const preimage = row.preimage === null ? undefined : store.parts.get(row.preimage);
        return [
          row.step,
          {
            hit: entry?.stepRun === row.id,
            outputs: Object.values(entry?.outputs ?? {}).map((content) =>
              store.objects.has(content) ? store.objects.verify(content) : "missing",
            ),
            // What a preimage holds besides is the planner's affair.
            format: (preimage as { readonly format?: number } | undefined)?.format,
          },
        ];
      }),
    ),
  };
}

describe("a store of schema version 2", () => {
  test("opens, has its runs, and its results are hit", () => {
    using store = openStore(copyOf(2));
    expect(found(store)).toEqual(all);
  });

  test("has the lineage of its step runs", () => {
    const root = copyOf(2);
    using store = openStore(root);
    store.runs.list();
    using index = openLineage(root);
    const ids = store.runs.stepRuns(store.runs.list().at(-1)?.id ?? "").map(({ id }) => id);
    const links = index.linksOf(ids, "all");
    const said = (id: string | undefined): readonly string[] =>
      links
        .filter(({ stepRun }) => stepRun === id)
        .map(({ role, port, artifact }) => `${role} ${port} ${artifact.maker}`);
    expect(said(ids[1])).toEqual(["in points split", "out model fit"]);
  });

  test("opens for reading alone", () => {
    using store = openStore(copyOf(2), { readonly: true });
    expect(found(store)).toEqual(all);
  });

  test("is whole, and nothing of it is garbage", async () => {
    const root = copyOf(2);
    const verified = await verifyStore(root);
    expect(verified.findings).toEqual([]);
    expect(isWhole(verified)).toBe(true);
    expect(verified.checked).toMatchObject({ runs: 2, entries: 5, receipts: 1 });
    expect(collectGarbage(root)).toMatchObject({ runs: [], entries: 0, objects: { count: 0 } });
    using store = openStore(root);
    expect(found(store)).toEqual(all);
  });

  test("that lost its database has its runs again; no record of then says that a result was kept", async () => {
    const root = copyOf(2);
    rmSync(join(root, "state.db"));
    expect(await healDatabase(root)).toEqual({ aside: undefined, runs: 2, stepRuns: 6, entries: 0 });
    using store = openStore(root);
    expect(store.runs.list().map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
  });
});

test("a store of schema version 1 is migrated when it is opened, for reading too", () => {
  for (const readonly of [false, true]) {
    const root = copyOf(2);
    // Version 2 has brought one table.
    const database = new DatabaseSync(join(root, "state.db"));
    database.exec("DROP TABLE facts; PRAGMA user_version=1");
    database.close();
    using store = openStore(root, { readonly });
    expect(found(store)).toEqual(all);
    expect(store.facts.get("nothing")).toBeUndefined();
    const migrated = new DatabaseSync(join(root, "state.db"), { readOnly: true });
    expect(migrated.prepare("PRAGMA user_version").get()).toEqual({ user_version: schemaVersion });
    migrated.close();
  }
});
