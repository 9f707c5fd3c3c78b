import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { digestOf } from "./digest.ts";
import { newStore } from "./fixtures/project.ts";
import { removeAll } from "./layout.ts";

test("killed with -9 while it publishes, a dozen times: every entry has its objects, every record its predecessor", async () => {
  const store = newStore();
  const script = new URL("./fixtures/publisher.ts", import.meta.url).pathname;
  let published = 0;
  // On a slow disk a dozen kills may all come before the first batch: then a few more.
  for (let round = 0; round < 12 || published <= 12; round++) {
    const child = spawn(process.execPath, [script, store.root], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    const gone = new Promise((resolve) => child.once("close", resolve));
    const run = String(await new Promise((resolve) => child.stdout.once("data", resolve))).trim();
    await sleep(20 + Math.random() * 60);
    child.kill("SIGKILL");
    await gone;

    expect(store.runs.get(run)?.status).toBe("crashed");
    const records = store.runs.records(run);
    let entries = 0;
    for (;;) {
      const entry = store.cache.get(digestOf(`${run} ${entries}`));
      if (entry === undefined) break;
      expect(Object.values(entry.outputs).map((content) => store.objects.verify(content))).toEqual([
        "ok",
        "ok",
      ]);
      entries++;
    }
    // The line is written before the commit: one more record than entries is the batch that was being committed.
    expect([entries, entries + 1]).toContain(records.length);
    published += entries;
  }
  store.close();
  const database = new DatabaseSync(join(store.root, "state.db"));
  expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  database.close();
});

test("what a killed step left behind can be deleted, whatever it is called", () => {
  const store = newStore();
  const attempt = join(store.root, "attempts/step");
  const odd = Buffer.concat([Buffer.from(`${attempt}/`), Buffer.from([0xff, 0xfe])]);
  mkdirSync(attempt);
  const below = Buffer.concat([odd, Buffer.from("/below")]);
  mkdirSync(odd);
  mkdirSync(below);
  writeFileSync(Buffer.concat([below, Buffer.from("/file")]), "x", { mode: 0o400 });
  for (const folder of [below, odd]) chmodSync(folder, 0o500);
  removeAll(attempt);
  expect(readdirSync(join(store.root, "attempts"))).toEqual([]);
});
