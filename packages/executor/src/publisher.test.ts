import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { hashPath, openStore, type Publication, type Store } from "@mlpipe/store";
import { expect, onTestFinished, test } from "vitest";
import { Publisher } from "./publisher.ts";

/** A real store that tells how many publications each batch had, and when the last one was handed over. */
function watchedStore(): {
  readonly store: Store;
  readonly batches: number[];
  readonly lastAt: () => number;
} {
  const folder = mkdtempSync(join(tmpdir(), "mlpipe-publisher-"));
  const store = openStore(join(folder, ".mlpipe"));
  onTestFinished(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const batches: number[] = [];
  let lastAt = 0;
  const publish = store.publishSoon.bind(store);
  store.publishSoon = (batch: readonly Publication[]) => {
    batches.push(batch.length);
    lastAt = performance.now();
    return publish(batch);
  };
  return { store, batches, lastAt: () => lastAt };
}

const nothing = (rows = (): void => {}): Publication => ({ objects: [], rows });

test("while more is to come, what steps made waits a moment and shares a sync", async () => {
  const { store, batches } = watchedStore();
  const publisher = new Publisher(store, () => true);
  const first = publisher.publish(nothing());
  await pause(2);
  await Promise.all([first, publisher.publish(nothing())]);
  expect(batches).toEqual([2]);
});

test("steps that end all the while are kept four times a second, and no more often", async () => {
  const { store, batches } = watchedStore();
  const publisher = new Publisher(store, () => true);
  const kept: Promise<void>[] = [];
  const since = performance.now();
  for (; performance.now() - since < 1_400; await pause(1)) {
    const path = join(store.root, "attempts", `made-${kept.length}`);
    writeFileSync(path, path);
    kept.push(publisher.publish({ ...nothing(), objects: [{ path, content: hashPath(path) }] }));
  }
  const seconds = (performance.now() - since) / 1_000;
  await Promise.all(kept);
  expect(batches.length).toBeLessThanOrEqual(4 * seconds + 1);
});

test("when no more is to come, what has waited for it is kept with the last, at once", async () => {
  const { store, batches, lastAt } = watchedStore();
  let isMoreToCome = true;
  const publisher = new Publisher(store, () => isMoreToCome);
  // Makes the database.
  store.publish([nothing()]);
  const since = performance.now();
  const first = publisher.publish(nothing());
  await pause(2);
  isMoreToCome = false;
  await Promise.all([first, publisher.publish(nothing())]);
  expect(batches).toEqual([2]);
  // What the disk takes after that is another matter.
  expect(lastAt() - since).toBeLessThan(200);
});

test("what others wait for is kept at once", async () => {
  const { store, batches } = watchedStore();
  const publisher = new Publisher(store, () => false);
  await publisher.publish(nothing());
  await publisher.publish(nothing());
  expect(batches).toEqual([1, 1]);
});

test("of a batch that fails only what is at fault fails", async () => {
  const { store } = watchedStore();
  const publisher = new Publisher(store, () => true);
  const ended = await Promise.allSettled([
    publisher.publish(nothing()),
    publisher.publish(
      nothing(() => {
        throw new Error("no room");
      }),
    ),
  ]);
  expect(ended.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
});
