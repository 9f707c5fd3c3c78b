import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newAttempt, newStore } from "./fixtures/project.ts";
import { digestOf } from "./digest.ts";

/** Holds the write lock, as a gc does while it deletes; deletes an object before it lets go. */
const collector = `
  import { chmodSync, rmSync } from "node:fs";
  import { DatabaseSync } from "node:sqlite";
  const [path, object] = process.argv.slice(1);
  const database = new DatabaseSync(path);
  database.exec("BEGIN IMMEDIATE");
  console.log("locked");
  setTimeout(() => {
    rmSync(object);
    database.exec("COMMIT");
    database.close();
  }, 400);
`;

test("an object that is collected while its twin is published is put in place again", async () => {
  const store = newStore();
  const publish = (): void => {
    const path = join(newAttempt(store), "out.txt");
    writeFileSync(path, "twice the same\n");
    const content = store.index.contentOf(path);
    store.publish([{ objects: [{ path, content }], rows: () => store.cache.drop(digestOf("key")) }]);
    expect(existsSync(path)).toBe(false);
  };
  publish();
  const content = { type: "file" as const, digest: digestOf("twice the same\n"), size: 15 };
  const object = store.objects.pathOf(content);
  expect(store.objects.verify(content)).toBe("ok");

  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", collector, join(store.root, "state.db"), object],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  // It is there when this begins, and gone when its rows are written.
  expect(existsSync(object)).toBe(true);
  publish();
  expect(store.objects.verify(content)).toBe("ok");
});
