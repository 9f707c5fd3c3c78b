import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "./digest.ts";
import { newStore, projectOf } from "./fixtures/project.ts";

describe("checkpoints", () => {
  const key = digestOf("one");
  const other = digestOf("another");

  it("of one key are one folder however often it is opened, private, with what was left in it", () => {
    const store = newStore();
    expect(store.checkpoints.list()).toEqual([]);
    const folder = store.checkpoints.open("fit", key);
    writeFileSync(join(folder, "epoch"), "3");
    expect(store.checkpoints.open("fit", key)).toBe(folder);
    expect(existsSync(join(folder, "epoch"))).toBe(true);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(store.checkpoints.open("fit", other)).not.toBe(folder);
  });

  it("are listed with their size and age, links counted as links, and removed one by one", () => {
    const store = newStore();
    const root = projectOf(store);
    const folder = store.checkpoints.open("fit@lr=0.1", key);
    mkdirSync(join(folder, "inner"));
    writeFileSync(join(folder, "inner", "weights"), "x".repeat(1000));
    writeFileSync(join(root, "large"), "x".repeat(100_000));
    symlinkSync(join(root, "large"), join(folder, "link"));
    store.checkpoints.open("fit", other);
    const listed = store.checkpoints.list();
    expect(listed).toMatchObject([
      { name: `fit-${other.slice(0, 16)}`, key: other.slice(0, 16), size: 0 },
      { name: `fit@lr=0.1-${key.slice(0, 16)}`, path: folder, key: key.slice(0, 16) },
    ]);
    expect(listed[1]?.size).toBe(1000 + join(root, "large").length);
    expect(Math.abs((listed[1]?.modifiedAt ?? 0) - Date.now())).toBeLessThan(60_000);

    for (const checkpoint of listed.slice(0, 1)) store.checkpoints.discard(checkpoint);
    expect(store.checkpoints.list().map(({ path }) => path)).toEqual([folder]);
    store.checkpoints.remove("fit@lr=0.1", key);
    store.checkpoints.remove("fit@lr=0.1", key);
    expect(store.checkpoints.list()).toEqual([]);
    expect(existsSync(join(root, "large"))).toBe(true);
  });
});
