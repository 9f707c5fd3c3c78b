import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  openSync,
  readSync,
  writeSync,
  closeSync,
} from "node:fs";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { digestOf } from "./digest.ts";
import { StoreError } from "./errors.ts";
import { newStore, projectOf, temporaryFolder, thrownBy } from "./fixtures/project.ts";
import { openStore, type Store } from "./store.ts";
import { uuid7 } from "./uuid7.ts";

const key = digestOf("key");
const cached = {
  run: "run",
  stepRun: "step-run",
  outputs: { model: { type: "file" as const, digest: digestOf("model"), size: 5 } },
  metrics: { mae: 1.5 },
  createdAt: "2026-01-01T00:00:00.000+00:00",
  durationMs: 12,
};
const receipt = {
  target: "deploy/model.onnx",
  step: "publish",
  key,
  stepRun: "step-run",
  run: "run",
  content: null,
  outputs: {},
  at: "2026-01-01T00:00:00.000+00:00",
};

function state(store: Store): string {
  return join(store.root, "state.db");
}

describe("opening", () => {
  test("makes the folders and a .gitignore that hides all of it, and no database yet", () => {
    const store = newStore();
    expect(readdirSync(store.root).toSorted()).toEqual([".gitignore", "attempts", "objects", "runs"]);
    expect(readFileSync(join(store.root, ".gitignore"), "utf8")).toBe("*\n");
  });

  test("for reading makes nothing: no store reads as an empty one", () => {
    const root = join(temporaryFolder(), ".mlpipe");
    using store = openStore(root, { readonly: true });
    expect(store.runs.list()).toEqual([]);
    expect(store.cache.get(key)).toBeUndefined();
    expect(store.objects.has({ type: "file", digest: key, size: 1 })).toBe(false);
    expect(existsSync(root)).toBe(false);
    expect(() => store.cache.put(key, cached)).toThrow("opened for reading");
  });

  test("for reading sees what another store writes", () => {
    const store = newStore();
    store.cache.put(key, cached);
    using reader = openStore(store.root, { readonly: true });
    expect(reader.cache.get(key)).toEqual(cached);
    store.cache.drop(key);
    expect(reader.cache.get(key)).toBeUndefined();
  });

  test("ten processes at once make one store", async () => {
    const folder = temporaryFolder();
    const module = new URL("./store.ts", import.meta.url).href;
    const script =
      `const { openStore } = await import(${JSON.stringify(module)});` +
      `const s = openStore(process.argv[1]); s.parts.put({ n: process.pid }); s.cache.get("x"); s.close();`;
    const codes = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const child = spawn(
          process.execPath,
          ["--input-type=module", "-e", script, join(folder, ".mlpipe")],
          {
            stdio: ["ignore", "ignore", "inherit"],
          },
        );
        return await new Promise((resolve) => child.once("exit", resolve));
      }),
    );
    expect(codes).toEqual(Array.from({ length: 10 }, () => 0));
    const database = new DatabaseSync(join(folder, ".mlpipe/state.db"));
    expect(database.prepare("SELECT count(*) AS n FROM parts").get()).toEqual({ n: 10 });
    database.close();
  });

  test("a folder that cannot be made is an error with path and errno", () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    expect(thrownBy(() => openStore(join(file, ".mlpipe")))).toMatchObject({
      code: "MLP4005",
      errno: "ENOTDIR",
      exit: 4,
    });
  });

  test("a closed store says so", () => {
    const store = newStore();
    store.close();
    store.close();
    expect(() => store.cache.get(key)).toThrow("closed");
  });
});

describe("rows", () => {
  test("of the cache are kept, replaced and dropped", () => {
    const store = newStore();
    store.cache.put(key, { ...cached, durationMs: 1 });
    store.cache.put(key, cached);
    store.close();
    using later = openStore(store.root);
    expect(later.cache.get(key)).toEqual(cached);
    later.cache.drop(key);
    expect(later.cache.get(key)).toBeUndefined();
  });

  test("of parts are held back and written before the rows that name them", () => {
    const store = newStore();
    const digest = store.parts.put({ b: 1, a: [null] });
    expect(digest).toBe(digestOf('{"a":[null],"b":1}'));
    expect(store.parts.get(digest)).toEqual({ a: [null], b: 1 });
    using other = openStore(store.root);
    expect(other.parts.get(digest)).toBeUndefined();
    store.runs.begin({ id: uuid7(), pipeline: "p", startedAt: "now", document: null });
    expect(other.parts.get(digest)).toEqual({ a: [null], b: 1 });
    expect(other.parts.get(key)).toBeUndefined();
  });

  test("of parts that were held back are there after closing", () => {
    const store = newStore();
    const digest = store.parts.put("only");
    store.close();
    using later = openStore(store.root);
    expect(later.parts.get(digest)).toBe("only");
  });

  test("of receipts are one per target", () => {
    const store = newStore();
    store.receipts.put(receipt);
    store.receipts.put({ ...receipt, run: "later" });
    expect(store.receipts.get(receipt.target)).toEqual({ ...receipt, run: "later" });
    expect(store.receipts.get("elsewhere")).toBeUndefined();
  });

  test("in which a bit flipped answer nothing", () => {
    const store = newStore();
    store.cache.put(key, cached);
    store.receipts.put(receipt);
    const part = store.parts.put({ a: 1 });
    store.close();
    const database = new DatabaseSync(state(store));
    database.exec("UPDATE cache_entries SET entry = replace(entry, '1.5', '1.4')");
    database.exec("UPDATE receipts SET receipt = replace(receipt, 'publish', 'Publish')");
    database.exec("UPDATE parts SET document = replace(document, '1', '2')");
    database.close();
    using later = openStore(store.root);
    expect(later.cache.get(key)).toBeUndefined();
    expect(later.receipts.get(receipt.target)).toBeUndefined();
    expect(later.parts.get(part)).toBeUndefined();
    // Putting it again heals it.
    later.parts.put({ a: 1 });
    later.runs.begin({ id: uuid7(), pipeline: "p", startedAt: "now", document: null });
    expect(later.parts.get(part)).toEqual({ a: 1 });
  });
});

describe("a state database", () => {
  test("that is no database is refused and left alone", () => {
    const store = newStore();
    writeFileSync(state(store), "not a database at all, but long enough to look at".repeat(100));
    expect(thrownBy(() => store.cache.get(key))).toMatchObject({
      code: "MLP4002",
      exit: 4,
      path: state(store),
      hint: expect.stringContaining("verify --repair"),
    });
    expect(readFileSync(state(store), "utf8")).toContain("not a database");
  });

  test("with a document that is no JSON is damaged, whoever reads it", () => {
    const store = newStore();
    store.runs.begin({ id: uuid7(), pipeline: "p", startedAt: "now", document: { steps: [] } });
    expect(store.runs.latestOutcome("p", "fit")?.outcome).toBeUndefined();
    const hand = new DatabaseSync(state(store));
    hand.exec("UPDATE runs SET document = '{'");
    hand.close();
    expect(thrownBy(() => store.runs.latestOutcome("p", "fit"))).toMatchObject({ code: "MLP4002" });
    expect(thrownBy(() => store.runs.list())).toMatchObject({ code: "MLP4002" });
  });

  test("of another program is refused and left alone", () => {
    const store = newStore();
    const foreign = new DatabaseSync(state(store));
    foreign.exec("CREATE TABLE bookmarks (url TEXT)");
    foreign.close();
    const before = digestOf(readFileSync(state(store)));
    expect(thrownBy(() => store.cache.get(key))).toMatchObject({ code: "MLP4002" });
    expect(digestOf(readFileSync(state(store)))).toBe(before);
  });

  test("of a newer mlpipe is refused, for writing and for reading", () => {
    const store = newStore();
    store.cache.put(key, cached);
    store.close();
    const database = new DatabaseSync(state(store));
    database.exec("PRAGMA user_version = 99");
    database.close();
    for (const readonly of [false, true]) {
      using later = openStore(store.root, { readonly });
      expect(thrownBy(() => later.cache.get(key))).toMatchObject({
        code: "MLP4003",
        exit: 4,
        message: expect.stringContaining("99"),
      });
    }
  });

  test("that was deleted is an empty one, also with its write-ahead log left behind", () => {
    const store = newStore();
    store.cache.put(key, cached);
    copyFileSync(`${state(store)}-wal`, `${state(store)}-wal-saved`);
    store.close();
    rmSync(state(store));
    copyFileSync(`${state(store)}-wal-saved`, `${state(store)}-wal`);
    using later = openStore(store.root);
    expect(later.cache.get(key)).toBeUndefined();
    later.cache.put(key, cached);
    expect(later.cache.get(key)).toEqual(cached);
  });

  test("cut at any page, or with any page overwritten, is an error or an absent entry, never a wrong one", () => {
    const store = newStore();
    for (let i = 0; i < 200; i++) store.cache.put(digestOf(`${i}`), { ...cached, durationMs: i });
    store.close();
    const whole = readFileSync(state(store));
    const harms: ((path: string) => void)[] = [];
    for (let at = 0; at < whole.length; at += 4096) {
      harms.push((path) => truncateSync(path, at));
      harms.push((path) => truncateSync(path, at + 1000));
      harms.push((path) => overwrite(path, at + 100, Buffer.alloc(3000, at)));
      harms.push((path) => flip(path, at + 2000));
    }
    let [wrong, right] = [0, 0];
    const codes = new Set<string>();
    for (const harm of harms) {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(state(store) + suffix, { force: true });
      writeFileSync(state(store), whole);
      harm(state(store));
      using later = openStore(store.root);
      for (let i = 0; i < 200; i += 7) {
        try {
          const entry = later.cache.get(digestOf(`${i}`));
          if (entry?.durationMs === i) right++;
          else if (entry !== undefined) wrong++;
        } catch (error) {
          codes.add(error instanceof StoreError ? `${error.code} ${error.exit}` : String(error));
        }
      }
      try {
        later.close();
      } catch {
        // Closing a database in that state may fail too, and says nothing about what was read.
      }
    }
    expect(wrong).toBe(0);
    expect([...codes].filter((code) => !/^MLP400[235] 4$/.test(code))).toEqual([]);
    expect(right).toBeGreaterThan(100);
  });

  test("in a folder that cannot be written to can be read", () => {
    // Root may write anywhere.
    if (process.getuid?.() === 0) return;
    const store = newStore();
    store.cache.put(key, cached);
    store.close();
    chmodSync(store.root, 0o500);
    using reader = openStore(store.root, { readonly: true });
    expect(reader.cache.get(key)).toEqual(cached);
    chmodSync(store.root, 0o700);
  });
});

test("a store may lie anywhere, and inputs outside of its project are found by their absolute path", () => {
  const store = newStore();
  const elsewhere = temporaryFolder();
  mkdirSync(join(elsewhere, "data"));
  writeFileSync(join(elsewhere, "data/a"), "a");
  expect(store.index.contentOf(join(elsewhere, "data/a")).digest).toBe(digestOf("a"));
  // A sibling whose name begins like the project's is not inside of it.
  mkdirSync(`${projectOf(store)}-twin`);
  writeFileSync(`${projectOf(store)}-twin/a`, "twin");
  expect(store.index.contentOf(`${projectOf(store)}-twin/a`).digest).toBe(digestOf("twin"));
  rmSync(`${projectOf(store)}-twin`, { recursive: true });
  expect(statSync(store.root).isDirectory()).toBe(true);
});

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, "r+");
  writeSync(descriptor, bytes, 0, bytes.length, at);
  closeSync(descriptor);
}

function flip(path: string, at: number): void {
  const descriptor = openSync(path, "r+");
  const byte = new Uint8Array(1);
  readSync(descriptor, byte, 0, 1, at);
  writeSync(descriptor, new Uint8Array([(byte[0] ?? 0) ^ 0x10]), 0, 1, at);
  closeSync(descriptor);
}
