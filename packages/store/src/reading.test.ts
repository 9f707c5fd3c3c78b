import { execFileSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical.ts";
import { digestOf, type Content } from "./digest.ts";
import { temporaryFolder, thrownBy } from "./fixtures/project.ts";
import { hashPath, readContents } from "./reading.ts";
import { parseManifest, rememberedManifest, type Tree } from "./tree.ts";

function treeOf(content: Content): Tree {
  return parseManifest(rememberedManifest(content) ?? "", "test");
}

describe("a file", () => {
  test("has the sha256 of its bytes", () => {
    const file = join(temporaryFolder(), "a.csv");
    writeFileSync(file, "abc");
    expect(hashPath(file)).toEqual({ type: "file", digest: digestOf("abc"), size: 3 });
  });

  test.each([0, 1, 512 * 1024 - 1, 512 * 1024, 512 * 1024 + 1, 3_000_000])(
    "of %i bytes is read to its end",
    (size) => {
      const file = join(temporaryFolder(), "a.bin");
      const bytes = Buffer.alloc(size, "mlpipe");
      writeFileSync(file, bytes);
      expect(hashPath(file).digest).toBe(digestOf(bytes));
    },
  );

  test("reached through a link is the file", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "real"), "abc");
    symlinkSync("real", join(folder, "link"));
    expect(hashPath(join(folder, "link"))).toEqual(hashPath(join(folder, "real")));
  });

  test("that does not exist, and a link to nowhere, are named", () => {
    const folder = temporaryFolder();
    symlinkSync("nowhere", join(folder, "link"));
    expect(thrownBy(() => hashPath(join(folder, "absent")))).toMatchObject({
      code: "MLP4006",
      exit: 4,
      errno: "ENOENT",
    });
    expect(thrownBy(() => hashPath(join(folder, "link")))).toMatchObject({
      code: "MLP4006",
      path: join(folder, "link"),
    });
  });

  test("of /proc, whose length is a lie, is refused and not hashed as empty", () => {
    if (process.platform !== "linux") return;
    expect(thrownBy(() => hashPath("/proc/self/status"))).toMatchObject({ code: "MLP4008" });
  });
});

describe("a folder", () => {
  test("lists files with modes, links as text, and empty folders, sorted by the bytes of the path", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "d/empty"), { recursive: true });
    writeFileSync(join(folder, "d/x"), "x");
    writeFileSync(join(folder, "d.csv"), "1");
    writeFileSync(join(folder, "run.sh"), "", { mode: 0o755 });
    writeFileSync(join(folder, "\uFF5E"), "");
    writeFileSync(join(folder, "\u{1F600}"), "");
    symlinkSync("../somewhere", join(folder, "link"));
    const content = hashPath(folder);
    expect(content).toMatchObject({ type: "tree", size: 2, entries: 5 });
    expect(treeOf(content).entries.map(({ path, type }) => `${type} ${path}`)).toEqual([
      "file d.csv",
      "folder d/empty",
      "file d/x",
      "link link",
      "file run.sh",
      "file \uFF5E",
      "file \u{1F600}",
    ]);
    expect(treeOf(content).entries).toContainEqual(
      expect.objectContaining({ path: "run.sh", mode: "x", digest: digestOf("") }),
    );
    expect(treeOf(content).entries).toContainEqual({ path: "link", type: "link", target: "../somewhere" });
  });

  test("has the digest of the canonical JSON of its manifest", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a "b"\n'), "x");
    symlinkSync("\t", join(folder, "l"));
    mkdirSync(join(folder, "e"));
    const content = hashPath(folder);
    const { entries } = treeOf(content);
    expect(content.digest).toBe(digestOf(canonicalJson({ type: "mlpipe/tree/v1", entries })));
  });

  test("keeps its digest when it is touched, moved, or written in another order", () => {
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    for (const name of ["a", "b", "c"]) writeFileSync(join(one, name), name);
    for (const name of ["c", "b", "a"]) writeFileSync(join(two, name), name, { mode: 0o600 });
    utimesSync(join(two, "a"), 1, 1);
    expect(hashPath(two).digest).toBe(hashPath(one).digest);
  });

  test.each<[string, (folder: string) => void]>([
    ["a byte", (folder) => writeFileSync(join(folder, "a"), "B")],
    ["a name", (folder) => renameSync(join(folder, "a"), join(folder, "b"))],
    ["the exec bit", (folder) => chmodSync(join(folder, "a"), 0o755)],
    ["an empty folder", (folder) => mkdirSync(join(folder, "e"))],
    [
      "a link where the file was",
      (folder) => (rmSync(join(folder, "a")), symlinkSync("A", join(folder, "a"))),
    ],
    ["where a link leads", (folder) => (rmSync(join(folder, "l")), symlinkSync("b", join(folder, "l")))],
  ])("has another digest after a change of %s", (_, change) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "A");
    symlinkSync("a", join(folder, "l"));
    const before = hashPath(folder).digest;
    change(folder);
    expect(hashPath(folder).digest).not.toBe(before);
  });

  test("with a pipe, a socket or a store in it is refused by name", async () => {
    const folder = temporaryFolder();
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(thrownBy(() => hashPath(folder))).toMatchObject({
      code: "MLP4007",
      exit: 2,
      path: join(folder, "pipe"),
    });
    expect(thrownBy(() => hashPath(join(folder, "pipe")))).toMatchObject({ code: "MLP4007" });
    rmSync(join(folder, "pipe"));

    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
    expect(thrownBy(() => hashPath(folder))).toMatchObject({ code: "MLP4007", path: join(folder, "socket") });
    await new Promise((resolve) => server.close(resolve));

    mkdirSync(join(folder, "sub/.mlpipe"), { recursive: true });
    expect(thrownBy(() => hashPath(folder))).toMatchObject({
      code: "MLP4007",
      path: join(folder, "sub/.mlpipe"),
    });
  });

  test("with a name that is not UTF-8 is refused by name; one with a replacement character is fine", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "\uFFFD"), "");
    expect(hashPath(folder).entries).toBe(1);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff, 0x41])]), "");
    expect(thrownBy(() => hashPath(folder))).toMatchObject({
      code: "MLP4007",
      message: expect.stringContaining("bad-\\xffA"),
    });
  });

  test("of 12,000 files is hashed on several threads with the same result", () => {
    const folder = temporaryFolder();
    const lines: string[] = [];
    for (let i = 0; i < 12_000; i++) {
      const name = `f${String(i).padStart(5, "0")}`;
      writeFileSync(join(folder, name), `${i}`);
      lines.push(`${digestOf(`${i}`)} ${name}`);
    }
    // A large one among them, which is taken first.
    writeFileSync(join(folder, "large"), Buffer.alloc(6_000_000));
    lines.push(`${digestOf(Buffer.alloc(6_000_000))} large`);
    const entries = treeOf(hashPath(folder)).entries;
    expect(entries.map((entry) => (entry.type === "file" ? `${entry.digest} ${entry.path}` : ""))).toEqual(
      lines,
    );
  });

  test("several folders, empty ones and large files among them, are read together, each for itself", () => {
    const folders = [3, 0, 7_000, 0, 5_000].map((count) => {
      const folder = temporaryFolder();
      for (let i = 0; i < count; i++) writeFileSync(join(folder, `${i}`), `${count} ${i}`);
      if (count === 3) writeFileSync(join(folder, "large"), Buffer.alloc(100_000, "l"));
      return folder;
    });
    const together = readContents(folders);
    expect(together).toEqual(folders.map((folder) => hashPath(folder)));
    expect(together.map(({ entries }) => entries)).toEqual([4, 0, 7_000, 0, 5_000]);
    const [first] = together;
    expect(first && treeOf(first).entries).toContainEqual(
      expect.objectContaining({ path: "large", size: 100_000, digest: digestOf("l".repeat(100_000)) }),
    );
  });

  test("a file that nobody may read is an error that names it", () => {
    if (process.getuid?.() === 0) return;
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "x", { mode: 0o000 });
    expect(thrownBy(() => hashPath(folder))).toMatchObject({ code: "MLP4005", path: join(folder, "a") });
  });

  test("a file with two names is two files", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "a"), "x");
    linkSync(join(folder, "a"), join(folder, "b"));
    expect(hashPath(folder).entries).toBe(2);
  });
});

describe("a manifest that was tampered with", () => {
  const file = { type: "file", mode: "-", size: 0, digest: digestOf("") };
  test.each<[string, readonly object[]]>([
    ["leaves its folder", [{ ...file, path: "../a" }]],
    ["is absolute", [{ ...file, path: "/etc/passwd" }]],
    [
      "writes through a link",
      [
        { type: "link", path: "a", target: "/etc" },
        { ...file, path: "a/passwd" },
      ],
    ],
    [
      "names a path twice",
      [
        { ...file, path: "a" },
        { ...file, path: "a" },
      ],
    ],
    [
      "is not sorted",
      [
        { ...file, path: "b" },
        { ...file, path: "a" },
      ],
    ],
    ["has a name of dots", [{ ...file, path: "a/./b" }]],
  ])("and %s is refused", (_, entries) => {
    const manifest = canonicalJson({ type: "mlpipe/tree/v1", entries });
    expect(thrownBy(() => parseManifest(manifest, "m"))).toMatchObject({ code: "MLP4009" });
  });
});
