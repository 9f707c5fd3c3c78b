import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { digestOf } from "./digest.ts";
import { newStore, projectOf, temporaryFolder, thrownBy } from "./fixtures/project.ts";
import { openStore, type Store } from "./store.ts";

/** How many files a later process has to read to know these contents. */
function readAnew(store: Store, ...paths: string[]): number {
  const later = openStore(store.root);
  try {
    later.index.contentsOf(paths);
    return later.index.counts.hashedFiles;
  } finally {
    later.close();
  }
}

/** Longer than a tick of any kernel, so that what was written before is older than what follows. */
const tick = () => sleep(30);

test("a file that did not change is not read again, neither now nor by the next process", async () => {
  const store = newStore();
  const file = join(projectOf(store), "a.csv");
  writeFileSync(file, "a,b\n");
  await tick();
  expect(store.index.contentOf(file)).toEqual({ type: "file", digest: digestOf("a,b\n"), size: 4 });
  expect(store.index.contentOf(file).digest).toBe(digestOf("a,b\n"));
  expect(store.index.counts).toEqual({ statted: 2, hashedFiles: 1, hashedBytes: 4 });
  store.index.flush();
  expect(readAnew(store, file)).toBe(0);
});

test("an edit that keeps size and mtime is seen", async () => {
  const store = newStore();
  const file = join(projectOf(store), "a.csv");
  writeFileSync(file, "one");
  utimesSync(file, 1_000, 1_000);
  await tick();
  store.index.contentOf(file);
  store.index.flush();
  writeFileSync(file, "two");
  utimesSync(file, 1_000, 1_000);
  expect(statSync(file).mtimeMs).toBe(1_000_000);
  expect(store.index.contentOf(file).digest).toBe(digestOf("two"));
});

test("edits in the same instant as the reading are seen, a thousand times over", () => {
  const store = newStore();
  const file = join(projectOf(store), "a.csv");
  const descriptor = openSync(file, "w");
  onTestFinished(() => closeSync(descriptor));
  for (let i = 0; i < 1_000; i++) {
    const text = String(i).padStart(4, "0");
    writeSync(descriptor, text, 0);
    utimesSync(file, 1_000, 1_000);
    expect(store.index.contentOf(file).digest).toBe(digestOf(text));
  }
});

const canMount = process.platform === "linux" && spawnSync("unshare", ["-rm", "true"]).status === 0;

// Newer kernels refine timestamps that somebody looked at; ramfs still has those of the clock tick.
test.skipIf(!canMount)("so they are where the timestamps of two edits are the same", () => {
  const script = new URL("./fixtures/same-instant.ts", import.meta.url).pathname;
  const mounted = 'mount -t ramfs none "$1" && exec "$2" "$3" "$1"';
  const output = execFileSync(
    "unshare",
    ["-rm", "sh", "-c", mounted, "sh", temporaryFolder(), process.execPath, script],
    { encoding: "utf8" },
  );
  expect(JSON.parse(output)).toEqual({ sharedAny: true, missed: 0 });
});

test("a file written just now is read once more, and then trusted", async () => {
  const store = newStore();
  const file = join(projectOf(store), "a.csv");
  await tick();
  let rereads = 0;
  for (let i = 0; i < 20; i++) {
    writeFileSync(file, `${i}`);
    store.index.contentOf(file);
    const before = store.index.counts.hashedFiles;
    store.index.contentOf(file);
    rereads += store.index.counts.hashedFiles - before;
  }
  // Depends on where in a tick the writes fall; never trusting would be as wrong as always trusting.
  expect(rereads).toBeLessThanOrEqual(20);
  await tick();
  store.index.contentOf(file);
  const before = store.index.counts.hashedFiles;
  store.index.contentOf(file);
  expect(store.index.counts.hashedFiles).toBe(before);
});

test("of a folder, only what changed is read again", async () => {
  const store = newStore();
  const folder = join(projectOf(store), "data");
  mkdirSync(join(folder, "sub"), { recursive: true });
  for (let i = 0; i < 50; i++) writeFileSync(join(folder, i % 2 === 0 ? "sub" : ".", `f${i}`), `${i}`);
  await tick();
  const first = store.index.contentOf(folder);
  store.index.flush();
  expect(readAnew(store, folder)).toBe(0);

  writeFileSync(join(folder, "sub/f2"), "changed");
  renameSync(join(folder, "f1"), join(folder, "f1-renamed"));
  unlinkSync(join(folder, "f3"));
  await tick();
  const later = openStore(store.root);
  const second = later.index.contentOf(folder);
  expect(later.index.counts.hashedFiles).toBe(2);
  expect(second.digest).not.toBe(first.digest);
  expect(second.entries).toBe(49);
  later.close();
  expect(readAnew(store, folder)).toBe(0);
});

const shared = "/dev/shm";

test.skipIf(!existsSync(shared) || statSync(shared).dev === statSync(tmpdir()).dev)(
  "a folder on a file system whose clock is not the store's is read as one beside it",
  async () => {
    const store = newStore();
    const there = mkdtempSync(join(shared, "mlpipe-"));
    onTestFinished(() => rmSync(there, { recursive: true }));
    const here = join(projectOf(store), "data");
    for (const folder of [there, here]) {
      mkdirSync(join(folder, "sub"), { recursive: true });
      for (let i = 0; i < 50; i++) writeFileSync(join(folder, "sub", `${i}`), "x".repeat(i * 1_000));
    }
    await tick();
    const [first, second] = store.index.contentsOf([there, here]);
    expect(first).toEqual(second);
    writeFileSync(join(there, "sub/7"), "y".repeat(7_000));
    expect(store.index.contentOf(there).digest).not.toBe(first?.digest);
    expect(store.index.contentOf(here).digest).toBe(first?.digest);
  },
);

test("a link that is pointed elsewhere, inside of a folder or as the path itself, is seen", async () => {
  const store = newStore();
  const project = projectOf(store);
  mkdirSync(join(project, "data"));
  writeFileSync(join(project, "one"), "1");
  writeFileSync(join(project, "two"), "2");
  for (const link of ["current", "data/link"]) symlinkSync("one", join(project, link));
  await tick();
  const before = store.index.contentsOf([join(project, "current"), join(project, "data")]);
  for (const link of ["current", "data/link"]) {
    unlinkSync(join(project, link));
    symlinkSync("two", join(project, link));
  }
  const after = store.index.contentsOf([join(project, "current"), join(project, "data")]);
  expect(after[0]?.digest).toBe(digestOf("2"));
  expect(after[1]?.digest).not.toBe(before[1]?.digest);
});

test("a project that moves as a whole keeps its index", async () => {
  const store = newStore();
  const project = projectOf(store);
  mkdirSync(join(project, "data"));
  for (const file of ["a.csv", "data/b.csv"]) writeFileSync(join(project, file), file);
  await tick();
  store.index.contentsOf([join(project, "a.csv"), join(project, "data")]);
  store.close();
  renameSync(project, `${project}-moved`);
  onTestFinished(() => renameSync(`${project}-moved`, project));
  using moved = openStore(`${project}-moved/.mlpipe`);
  moved.index.contentsOf([`${project}-moved/a.csv`, `${project}-moved/data`]);
  expect(moved.index.counts.hashedFiles).toBe(0);
});

test("a row whose bits flipped in the database is not believed", async () => {
  const store = newStore();
  const project = projectOf(store);
  mkdirSync(join(project, "data"));
  for (const file of ["a.csv", "data/b.csv"]) writeFileSync(join(project, file), file);
  await tick();
  const paths = [join(project, "a.csv"), join(project, "data")];
  const truth = store.index.contentsOf(paths);
  store.close();
  const database = new DatabaseSync(join(store.root, "state.db"));
  for (const table of ["stat_files", "stat_trees"]) {
    database.exec(`UPDATE ${table} SET digest = replace(digest, substr(digest, 1, 8), '00000000')`);
  }
  database.exec("UPDATE stat_trees SET digests = zeroblob(length(digests))");
  database.close();
  using later = openStore(store.root);
  expect(later.index.contentsOf(paths)).toEqual(truth);
  expect(later.index.counts.hashedFiles).toBe(2);
});

test.each([
  ["by itself", "."],
  ["in a folder", "data"],
])("a file that never holds still is an error that names it: %s", async (_, folder) => {
  const store = newStore();
  const asked = join(projectOf(store), folder);
  mkdirSync(asked, { recursive: true });
  const file = join(asked, "growing.log");
  writeFileSync(file, Buffer.alloc(64 * 1024 * 1024));
  // A real process that writes all the time, faster than 64 MiB can be read.
  const script = `const fs=require("fs");const d=fs.openSync(process.argv[1],"r+");console.log("on");for(;;)fs.writeSync(d,"x",0)`;
  const writer = spawn(process.execPath, ["-e", script, file], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void writer.kill("SIGKILL"));
  await new Promise((resolve) => writer.stdout.once("data", resolve));
  expect(thrownBy(() => store.index.contentOf(folder === "." ? file : asked))).toMatchObject({
    code: "MLP4008",
    path: file,
  });
});

test("a store opened for reading hashes, and writes nothing", () => {
  const store = newStore();
  const file = join(projectOf(store), "a.csv");
  writeFileSync(file, "x");
  store.close();
  using reader = openStore(store.root, { readonly: true });
  expect(reader.index.contentOf(file).digest).toBe(digestOf("x"));
});

test.each(["folder", "folder/below/a.csv", "link.csv"])(
  "what a step reads, %s: a change shows, also one that was taken back, and being touched beforehand does not",
  async (name) => {
    const store = newStore();
    const folder = join(projectOf(store), "folder");
    mkdirSync(join(folder, "below"), { recursive: true });
    const file = join(folder, "below", "a.csv");
    symlinkSync(file, join(projectOf(store), "link.csv"));
    const source = join(projectOf(store), name);
    const write = (text: string): void => {
      writeFileSync(file, text);
      utimesSync(file, 1, 1);
    };
    const { index } = store;
    // Read in this process and in an earlier one, in the tick in which it was written and later.
    for (const [text, wait, reread] of [
      ["1", 0, false],
      ["2", 30, false],
      ["3", 30, true],
    ] as const) {
      write(text);
      await sleep(wait);
      const content = index.contentOf(source);
      if (reread) index.flush();
      const later = reread ? openStore(store.root) : store;
      onTestFinished(() => later.close());
      if (wait > 0) {
        // A touch in the very tick in which the step begins would count as an edit.
        utimesSync(file, 1, 1);
        await sleep(wait);
      }
      const mark = later.index.mark(source);
      if (mark === undefined) throw new Error("a source that is there has a mark");
      expect(later.index.isUnchanged(source, content, mark)).toBe(true);
      await tick();
      write("x");
      expect(later.index.isUnchanged(source, content, mark)).toBe(false);
      write(text);
      expect(later.index.contentOf(source).digest).toBe(content.digest);
      expect(later.index.isUnchanged(source, content, mark)).toBe(false);
      unlinkSync(file);
      expect(later.index.isUnchanged(source, content, mark)).toBe(false);
    }
  },
);

test("a folder that a step has read is looked at again as a whole: files, links, what came, what is executable", async () => {
  const store = newStore();
  const folder = join(projectOf(store), "folder");
  mkdirSync(join(folder, "empty"), { recursive: true });
  writeFileSync(join(folder, "a.csv"), "a");
  symlinkSync("a.csv", join(folder, "link"));
  const { index } = store;
  const relink = (target: string): void => {
    unlinkSync(join(folder, "link"));
    symlinkSync(target, join(folder, "link"));
  };
  const edits: readonly (readonly [change: () => void, back: () => void])[] = [
    [
      () => writeFileSync(join(folder, "empty", "b.csv"), ""),
      () => unlinkSync(join(folder, "empty", "b.csv")),
    ],
    [() => relink("empty"), () => relink("a.csv")],
    [() => chmodSync(join(folder, "a.csv"), 0o755), () => chmodSync(join(folder, "a.csv"), 0o644)],
    [
      () => renameSync(join(folder, "empty"), join(folder, "vacant")),
      () => renameSync(join(folder, "vacant"), join(folder, "empty")),
    ],
  ];
  for (const [change, back] of edits) {
    await tick();
    const content = index.contentOf(folder);
    const mark = index.mark(folder);
    if (mark === undefined) throw new Error("a folder that is there has a mark");
    expect(index.isUnchanged(folder, content, mark)).toBe(true);
    change();
    expect(index.isUnchanged(folder, content, mark), String(change)).toBe(false);
    back();
    expect(index.isUnchanged(folder, content, mark), String(back)).toBe(false);
  }
});
