import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestOf, type Content } from "./digest.ts";
import { newAttempt, newStore, projectOf, temporaryFolder, thrownBy } from "./fixtures/project.ts";
import { removeAll } from "./layout.ts";
import { hashPath } from "./reading.ts";
import { openStore, type Store } from "./store.ts";

const key = digestOf("key");

function entry(outputs: Record<string, Content>) {
  return {
    run: "run",
    stepRun: "step-run",
    outputs,
    createdAt: "2026-01-01T00:00:00.000+00:00",
    durationMs: 1,
  };
}

/** Publishes what lies at a path, with a cache entry for it. */
function publish(store: Store, path: string): Content {
  const content = hashPath(path);
  store.publish([
    { objects: [{ path, content }], rows: () => store.cache.put(key, entry({ out: content })) },
  ]);
  return content;
}

function newFile(store: Store, text: string): string {
  const path = join(newAttempt(store), "out.txt");
  writeFileSync(path, text);
  return path;
}

function modeOf(path: string): string {
  return (lstatSync(path).mode & 0o7777).toString(8);
}

describe("publishing", () => {
  test("into a folder that somebody has taken away since: it is made again, for the owner alone", () => {
    const store = newStore();
    const folder = dirname(store.objects.pathOf(publish(store, newFile(store, "result"))));
    removeAll(folder);
    const content = publish(store, newFile(store, "result"));
    expect(readFileSync(store.objects.pathOf(content), "utf8")).toBe("result");
    expect(modeOf(folder)).toBe("700");
  });

  test("a file: it moves to its digest, read-only, and its entry is there", () => {
    const store = newStore();
    const path = newFile(store, "result");
    const content = publish(store, path);
    expect(existsSync(path)).toBe(false);
    expect(store.objects.pathOf(content)).toBe(
      join(store.root, "objects", content.digest.slice(0, 2), content.digest.slice(2)),
    );
    expect(readFileSync(store.objects.pathOf(content), "utf8")).toBe("result");
    expect(modeOf(store.objects.pathOf(content))).toBe("444");
    expect(store.cache.get(key)?.outputs).toEqual({ out: content });
    expect(store.objects.verify(content)).toBe("ok");
  });

  test("a folder: a real folder, all of it read-only, its manifest beside it", () => {
    const store = newStore();
    const folder = newAttempt(store);
    mkdirSync(join(folder, "sub/empty"), { recursive: true });
    writeFileSync(join(folder, "sub/run.sh"), "echo", { mode: 0o777 });
    writeFileSync(join(folder, "data"), "data", { mode: 0o666 });
    chmodSync(join(folder, "data"), 0o666);
    const content = publish(store, folder);
    const path = store.objects.pathOf(content);
    expect([path, join(path, "sub"), join(path, "sub/empty")].map(modeOf)).toEqual(["555", "555", "555"]);
    expect([join(path, "sub/run.sh"), join(path, "data")].map(modeOf)).toEqual(["555", "444"]);
    expect(store.objects.tree(content).entries).toHaveLength(3);
    expect(digestOf(readFileSync(`${path}.json`))).toBe(content.digest);
    expect(store.objects.verify(content)).toBe("ok");
  });

  test("a folder hashed in another process comes without its manifest, and is hashed again", () => {
    const store = newStore();
    const folder = newAttempt(store);
    writeFileSync(join(folder, "a"), "a");
    const content: Content = JSON.parse(JSON.stringify(hashPath(folder)));
    store.publish([{ objects: [{ path: folder, content }], rows: () => {} }]);
    expect(store.objects.verify(content)).toBe("ok");
  });

  test("what exists already stays, and the new copy goes", () => {
    const store = newStore();
    const file = publish(store, newFile(store, "same"));
    const { ino } = statSync(store.objects.pathOf(file));
    const again = newFile(store, "same");
    publish(store, again);
    expect(statSync(store.objects.pathOf(file)).ino).toBe(ino);
    expect(existsSync(again)).toBe(false);

    const folders = [newAttempt(store), newAttempt(store)];
    for (const folder of folders) writeFileSync(join(folder, "a"), "a");
    // Both in one batch: neither is there when the other is looked at.
    const objects = folders.map((path) => ({ path, content: hashPath(path) }));
    store.publish(objects.map((object) => ({ objects: [object], rows: () => {} })));
    expect(folders.map((folder) => existsSync(folder))).toEqual([false, false]);
    expect(objects.map(({ content }) => store.objects.verify(content))).toEqual(["ok", "ok"]);
    expect(readdirSync(join(store.root, "attempts"))).not.toContainEqual(expect.stringMatching(/^\.tmp/));
  });

  test("a file that consists of the manifest of a folder is another object", () => {
    const store = newStore();
    const folder = newAttempt(store);
    writeFileSync(join(folder, "a"), "a");
    const tree = publish(store, folder);
    const twin = publish(store, newFile(store, readFileSync(`${store.objects.pathOf(tree)}.json`, "utf8")));
    expect(twin.digest).toBe(tree.digest);
    expect(store.objects.pathOf(twin)).not.toBe(store.objects.pathOf(tree));
    expect([store.objects.verify(tree), store.objects.verify(twin)]).toEqual(["ok", "ok"]);
  });

  test("an output with a second name is copied, so that writing to the other name changes no object", () => {
    const store = newStore();
    const input = join(projectOf(store), "input.csv");
    writeFileSync(input, "input");
    const file = join(newAttempt(store), "out.csv");
    linkSync(input, file);
    const folder = newAttempt(store);
    linkSync(input, join(folder, "inside.csv"));
    const contents = [publish(store, file), publish(store, folder)];
    appendFileSync(input, "changed");
    expect(contents.map((content) => store.objects.verify(content))).toEqual(["ok", "ok"]);
    expect(modeOf(input)).toBe("644");
  });

  test.each<[string, (path: string) => void]>([
    ["grew", (path) => appendFileSync(path, "more")],
    ["became a link", (path) => (unlinkSync(path), symlinkSync("/etc/passwd", path))],
    ["became a folder", (path) => (unlinkSync(path), mkdirSync(path))],
  ])("a file that %s after it was hashed is refused, and no row is written", (_, change) => {
    const store = newStore();
    const path = newFile(store, "result");
    const content = hashPath(path);
    change(path);
    const error = thrownBy(() =>
      store.publish([{ objects: [{ path, content }], rows: () => store.cache.put(key, entry({})) }]),
    );
    expect(error).toMatchObject({ code: "MLP4010", path });
    expect(store.objects.has(content)).toBe(false);
    expect(store.cache.get(key)).toBeUndefined();
  });

  test("a folder in which a file came, went, grew or became executable is refused", () => {
    const store = newStore();
    const changes: ((folder: string) => void)[] = [
      (folder) => writeFileSync(join(folder, "b"), ""),
      (folder) => rmSync(join(folder, "a")),
      (folder) => appendFileSync(join(folder, "a"), "x"),
      (folder) => chmodSync(join(folder, "a"), 0o755),
    ];
    for (const change of changes) {
      const path = newAttempt(store);
      writeFileSync(join(path, "a"), "a");
      const content = hashPath(path);
      change(path);
      expect(thrownBy(() => store.publish([{ objects: [{ path, content }], rows: () => {} }]))).toMatchObject(
        {
          code: "MLP4010",
        },
      );
    }
  });

  test("if the rows of one publication throw, the batch has no row at all", () => {
    const store = newStore();
    const path = newFile(store, "result");
    const content = hashPath(path);
    const failure = new Error("no");
    const error = thrownBy(() =>
      store.publish([
        { objects: [{ path, content }], rows: () => store.cache.put(key, entry({ out: content })) },
        {
          objects: [],
          rows: () => {
            throw failure;
          },
        },
      ]),
    );
    expect(error).toBe(failure);
    expect(store.cache.get(key)).toBeUndefined();
    // The object stays: it is what its name says, and harms nobody.
    expect(store.objects.verify(content)).toBe("ok");
    store.cache.put(key, entry({ out: content }));
    expect(store.cache.get(key)?.outputs).toEqual({ out: content });
  });

  test("200 files are one batch", () => {
    const store = newStore();
    const batch = Array.from({ length: 200 }, (_, i) => {
      const path = newFile(store, `file ${i}`);
      const content = hashPath(path);
      return {
        objects: [{ path, content }],
        rows: () => store.cache.put(content.digest, entry({ out: content })),
      };
    });
    store.publish(batch);
    for (const { objects } of batch) {
      for (const { content } of objects) {
        expect(store.objects.verify(content)).toBe("ok");
        expect(store.cache.get(content.digest)?.outputs).toEqual({ out: content });
      }
    }
  });
});

describe("a full disk", () => {
  const canMount = process.platform === "linux" && spawnSync("unshare", ["-rm", "true"]).status === 0;
  test.skipIf(!canMount)(
    "is one error with path and errno, leaves no object, and is forgotten once there is room",
    () => {
      const mount = temporaryFolder();
      const source = new URL("./fixtures/full-disk.ts", import.meta.url).pathname;
      const output = execFileSync(
        "unshare",
        [
          "-rm",
          "sh",
          "-c",
          'mount -t tmpfs -o size=1m none "$1" && exec "$2" "$3" "$1"',
          "sh",
          mount,
          process.execPath,
          source,
        ],
        { encoding: "utf8" },
      );
      expect(JSON.parse(output)).toEqual({
        first: { code: "MLP4005", errno: "ENOSPC", exit: 4 },
        has: false,
        entry: false,
        leftovers: [],
        second: "ok",
      });
    },
  );
});

describe("damage", () => {
  test.each<[string, "missing" | "damaged", (path: string) => void]>([
    ["is gone", "missing", (path) => unlinkSync(path)],
    ["was cut", "damaged", (path) => (chmodSync(path, 0o644), truncateSync(path, 3))],
    ["has another byte", "damaged", (path) => (chmodSync(path, 0o644), writeFileSync(path, "Result"))],
    [
      "is a link to the right bytes",
      "damaged",
      (path) => {
        writeFileSync(`${path}x`, "result");
        unlinkSync(path);
        symlinkSync(`${path}x`, path);
      },
    ],
  ])("an object that %s is found, not handed out, and healed by publishing again", (_, verdict, harm) => {
    const store = newStore();
    const content = publish(store, newFile(store, "result"));
    harm(store.objects.pathOf(content));
    expect(store.objects.verify(content)).toBe(verdict);
    const to = join(projectOf(store), "copy");
    expect(thrownBy(() => store.objects.copyOut(content, to))).toMatchObject({ code: "MLP4009" });
    expect(existsSync(to)).toBe(false);
    store.objects.remove(content);
    expect(store.objects.has(content)).toBe(false);
    publish(store, newFile(store, "result"));
    expect(store.objects.verify(content)).toBe("ok");
  });

  test.each<[string, (path: string) => void]>([
    ["one byte", (path) => (chmodSync(join(path, "d/a"), 0o644), writeFileSync(join(path, "d/a"), "A"))],
    ["one entry more", (path) => (chmodSync(path, 0o755), writeFileSync(join(path, "b"), ""))],
    ["one entry less", (path) => (chmodSync(join(path, "d"), 0o755), unlinkSync(join(path, "d/a")))],
    ["another manifest", (path) => (chmodSync(`${path}.json`, 0o644), writeFileSync(`${path}.json`, "{}"))],
    ["a pipe", (path) => (chmodSync(path, 0o755), void execFileSync("mkfifo", [join(path, "p")]))],
  ])("a folder with %s is damaged, and can be removed and made again", (_, harm) => {
    const store = newStore();
    const make = () => {
      const folder = newAttempt(store);
      mkdirSync(join(folder, "d"));
      writeFileSync(join(folder, "d/a"), "a");
      return publish(store, folder);
    };
    const content = make();
    harm(store.objects.pathOf(content));
    expect(store.objects.verify(content)).toBe("damaged");
    store.objects.remove(content);
    expect(store.objects.verify(content)).toBe("missing");
    make();
    expect(store.objects.verify(content)).toBe("ok");
  });
});

describe("small values", () => {
  test("are kept as files, once", () => {
    const store = newStore();
    const content = store.objects.putBytes("42");
    expect(content).toEqual({ type: "file", digest: digestOf("42"), size: 2 });
    const { ino } = statSync(store.objects.pathOf(content));
    store.objects.putBytes(Buffer.from("42"));
    expect(statSync(store.objects.pathOf(content)).ino).toBe(ino);
    expect(store.objects.verify(content)).toBe("ok");
  });
});

describe("copying out", () => {
  test("gives a file of its own: writing to it changes no object", () => {
    const store = newStore();
    const content = publish(store, newFile(store, "result"));
    const to = join(projectOf(store), "artifacts/deep/result.txt");
    store.objects.copyOut(content, to);
    appendFileSync(to, "!");
    expect(lstatSync(to).nlink).toBe(1);
    expect(store.objects.verify(content)).toBe("ok");
    expect(readdirSync(dirname(to))).toEqual(["result.txt"]);
  });

  test("replaces a file, a folder, and a link without writing through it", () => {
    const store = newStore();
    const file = publish(store, newFile(store, "result"));
    const folder = newAttempt(store);
    writeFileSync(join(folder, "new"), "new");
    const tree = publish(store, folder);
    const victim = join(projectOf(store), "victim");
    const to = join(projectOf(store), "to");
    for (const content of [file, tree]) {
      const befores: (() => void)[] = [
        () => writeFileSync(to, "old"),
        () => (mkdirSync(to), writeFileSync(join(to, "old"), "old")),
        () => symlinkSync(victim, to),
        () => symlinkSync(projectOf(store), to),
      ];
      for (const before of befores) {
        removeAll(to);
        writeFileSync(victim, "victim");
        before();
        store.objects.copyOut(content, to);
        expect(hashPath(to)).toEqual(content);
        expect(lstatSync(to).isSymbolicLink()).toBe(false);
        expect(readFileSync(victim, "utf8")).toBe("victim");
      }
    }
    expect(readdirSync(projectOf(store)).toSorted()).toEqual([".mlpipe", "to", "victim"]);
  });

  test("refuses to write among the objects, also by way of a link", () => {
    const store = newStore();
    const content = publish(store, newFile(store, "result"));
    symlinkSync(join(store.root, "objects"), join(projectOf(store), "side-door"));
    for (const to of [join(store.root, "objects/aa/x"), join(projectOf(store), "side-door/x")]) {
      expect(thrownBy(() => store.objects.copyOut(content, to))).toMatchObject({ code: "MLP4014", exit: 2 });
    }
  });

  test("leaves what was there if the copy cannot be made", () => {
    const store = newStore();
    const content = publish(store, newFile(store, "result"));
    chmodSync(store.objects.pathOf(content), 0o644);
    writeFileSync(store.objects.pathOf(content), "RESULT");
    const to = join(projectOf(store), "to");
    writeFileSync(to, "old");
    expect(thrownBy(() => store.objects.copyOut(content, to))).toMatchObject({ code: "MLP4009" });
    expect(readFileSync(to, "utf8")).toBe("old");
    expect(readdirSync(projectOf(store)).toSorted()).toEqual([".mlpipe", "to"]);
  });
});

describe("any folder", () => {
  const name = fc.oneof(
    fc.constantFrom(
      "a",
      "b",
      "a.csv",
      "-rf",
      "--",
      "new\nline",
      'quo"te',
      "it's",
      " ",
      "\t",
      "é",
      "e\u0301",
      "\uFF5E",
      "\u{1F600}",
      "a\\b",
      "*",
    ),
    fc.constantFrom("x".repeat(255), "é".repeat(127), "\u{1F600}".repeat(63)),
    fc
      .string({ unit: "binary", minLength: 1, maxLength: 12 })
      .filter(
        (text) =>
          text.isWellFormed() && !/[/\0]/.test(text) && text !== "." && text !== ".." && text !== ".mlpipe",
      ),
  );
  interface Node {
    [name: string]: { file: Uint8Array; executable: boolean } | { link: string } | { folder: Node };
  }
  const { folder } = fc.letrec<{ folder: Node; node: Node[string] }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.record({ file: fc.uint8Array({ maxLength: 20 }), executable: fc.boolean() }),
      fc.record({ link: fc.oneof(name, fc.constantFrom("../..", "/etc/passwd", ".")) }),
      fc.record({ folder: tie("folder") }),
    ),
    folder: fc.dictionary(name, tie("node"), { maxKeys: 5, noNullPrototype: true }),
  }));

  function write(path: string, node: Node): void {
    mkdirSync(path, { recursive: true });
    for (const [child, what] of Object.entries(node)) {
      const at = `${path}/${child}`;
      if ("file" in what) writeFileSync(at, what.file, { mode: what.executable ? 0o755 : 0o644 });
      else if ("link" in what) symlinkSync(what.link, at);
      else write(at, what.folder);
    }
  }

  function read(path: string): Node {
    const names = readdirSync(path);
    return Object.fromEntries(
      names.map((child) => {
        const at = `${path}/${child}`;
        const stats = lstatSync(at);
        if (stats.isSymbolicLink()) return [child, { link: readlinkSync(at) }];
        if (stats.isDirectory()) return [child, { folder: read(at) }];
        return [child, { file: new Uint8Array(readFileSync(at)), executable: (stats.mode & 0o100) !== 0 }];
      }),
    );
  }

  test("comes back as it was, through publish and copyOut", () => {
    const store = newStore();
    fc.assert(
      fc.property(folder, (node) => {
        const attempt = newAttempt(store);
        write(attempt, node);
        const content = publish(store, attempt);
        expect(store.objects.verify(content)).toBe("ok");
        const to = join(projectOf(store), "copy");
        store.objects.copyOut(content, to);
        expect(read(to)).toEqual({ ...node });
        expect(hashPath(to).digest).toBe(content.digest);
      }),
      { numRuns: 150 },
    );
  });

  test("has one digest per content", () => {
    const store = newStore();
    fc.assert(
      fc.property(folder, folder, (a, b) => {
        const [left, right] = [newAttempt(store), newAttempt(store)];
        write(left, a);
        write(right, b);
        const equal = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(hashPath(left).digest === hashPath(right).digest).toBe(equal);
      }),
      { numRuns: 100 },
    );
  });

  function sorted(node: Node): unknown {
    return Object.entries(node)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([child, what]) => [
        child,
        "folder" in what ? sorted(what.folder) : "file" in what ? [...what.file, what.executable] : what.link,
      ]);
  }
});

describe("other users", () => {
  test("can neither read nor write the store, whatever the umask", () => {
    const folder = temporaryFolder();
    const before = process.umask(0);
    try {
      using store = openStore(join(folder, ".mlpipe"));
      publish(store, newFile(store, "x"));
      const open = (path: string): string[] => {
        const stats = lstatSync(path);
        const below = stats.isDirectory()
          ? readdirSync(path).flatMap((child) => open(join(path, child)))
          : [];
        return (stats.mode & 0o022) === 0 ? below : [path, ...below];
      };
      expect(modeOf(store.root)).toBe("700");
      expect(open(store.root).filter((path) => !path.includes("/attempts/"))).toEqual([]);
    } finally {
      process.umask(before);
    }
  });
});
