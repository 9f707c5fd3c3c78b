/**
 * What every store has to keep to, whatever it keeps things in. A new kind of store passes this suite before anything
 * else is asked of it:
 *
 * ```ts
 * // test/contracts/s3-store.test.ts
 * storeContract("a store over S3", () => {
 *   const bucket = newBucket();
 *   return { open: () => openS3Store(bucket), newAttempt: (store) => mkdtempSync(join(store.root, "attempts", "x-")) };
 * });
 * ```
 *
 * What belongs to the local store alone has its tests beside its source: the layout on disk, crash safety, the stat
 * index. Nothing here looks below the interface, except that objects have a path, because steps read them as files.
 */
import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Content, digestOf, digestOfJson, hashPath, type Store, uuid7 } from "@mlpipe/store";
import { describe, expect, onTestFinished, test } from "vitest";

/** One store of the kind that is tested, new and empty. */
export interface StoreUnderTest {
  /** Opens it, for the second time as another process would. */
  open(): Store;
  /** A work folder whose contents can be published. */
  newAttempt(store: Store): string;
}

const at = "2026-01-01T00:00:00.000+00:00";

/** Defines the suite. @param newStore makes a store that is gone after the test */
export function storeContract(name: string, newStore: () => StoreUnderTest): void {
  const setUp = (): { store: Store; another: () => Store; work: () => string } => {
    const place = newStore();
    const opened: Store[] = [];
    const open = (): Store => {
      const store = place.open();
      opened.push(store);
      return store;
    };
    onTestFinished(() => {
      for (const store of opened) store.close();
    });
    const store = open();
    return { store, another: open, work: () => place.newAttempt(store) };
  };

  /** Writes a file or folder into a work folder and says what it is. */
  const made = (work: string, files: string | Readonly<Record<string, string>>) => {
    const path = join(work, "made");
    if (typeof files === "string") writeFileSync(path, files);
    else {
      for (const [file, text] of Object.entries(files)) {
        mkdirSync(dirname(join(path, file)), { recursive: true });
        writeFileSync(join(path, file), text);
      }
    }
    return { path, content: hashPath(path) };
  };

  const entryOf = (outputs: Readonly<Record<string, Content>>) => ({
    run: uuid7(),
    stepRun: uuid7(),
    outputs,
    metrics: { mae: 0.5 },
    createdAt: at,
    durationMs: 12,
  });

  const key = digestOf("key");
  const another = digestOf("another key");

  describe(`${name}: objects`, () => {
    test("a file that is published is there, whole and read-only, for others too", () => {
      const { store, another: open, work } = setUp();
      const object = made(work(), "model\n");
      const { content } = object;
      expect(store.objects.has(content)).toBe(false);
      expect(store.objects.verify(content)).toBe("missing");
      store.publish([{ objects: [object], rows: () => {} }]);
      for (const each of [store, open()]) {
        expect(each.objects.has(content)).toBe(true);
        expect(each.objects.verify(content)).toBe("ok");
        expect(readFileSync(each.objects.pathOf(content), "utf8")).toBe("model\n");
      }
      expect(lstatSync(store.objects.pathOf(content)).mode & 0o222).toBe(0);
      expect(lstatSync(object.path, { throwIfNoEntry: false })).toBeUndefined();
    });

    test("a folder comes back as it was", () => {
      const { store, work } = setUp();
      const folder = work();
      mkdirSync(join(folder, "made/empty"), { recursive: true });
      const before = made(folder, { "a.txt": "a", "deep/run.sh": "#!/bin/sh\n", "deep/b.txt": "" });
      chmodSync(join(before.path, "deep/run.sh"), 0o755);
      symlinkSync("deep/b.txt", join(before.path, "link"));
      const content = hashPath(before.path);
      store.publish([{ objects: [{ path: before.path, content }], rows: () => {} }]);
      const copy = join(work(), "copy");
      store.objects.copyOut(content, copy);
      expect(hashPath(copy)).toEqual(content);
      expect(store.objects.tree(content).entries.map(({ path, type }) => [path, type])).toEqual([
        ["a.txt", "file"],
        ["deep/b.txt", "file"],
        ["deep/run.sh", "file"],
        ["empty", "folder"],
        ["link", "link"],
      ]);
    });

    test("what is published twice is kept once, and both work folders are done with", () => {
      const { store, work } = setUp();
      const [one, two] = [made(work(), "same"), made(work(), "same")];
      store.publish([
        { objects: [one], rows: () => {} },
        { objects: [two], rows: () => {} },
      ]);
      store.publish([{ objects: [made(work(), "same")], rows: () => {} }]);
      expect(store.objects.verify(one.content)).toBe("ok");
      for (const { path } of [one, two]) expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
    });

    test("what is published soon is there when that is said, or nothing of it", async () => {
      const { store, another: open, work } = setUp();
      const [object, changed] = [made(work(), "soon"), made(work(), "before")];
      writeFileSync(changed.path, "after it was hashed");
      const rows = (): void => store.cache.put(key, entryOf({ model: object.content }));
      await expect(store.publishSoon([{ objects: [changed], rows }])).rejects.toMatchObject({
        code: "MLP4010",
      });
      expect(store.cache.get(key)).toBeUndefined();
      await store.publishSoon([{ objects: [object], rows }]);
      expect(open().cache.get(key)?.outputs).toEqual({ model: object.content });
      expect(store.objects.verify(object.content)).toBe("ok");
    });

    test("what is no longer what was hashed is refused, and no row is written", () => {
      const { store, work } = setUp();
      const object = made(work(), "before");
      writeFileSync(object.path, "after it was hashed");
      const publish = (): void =>
        store.publish([{ objects: [object], rows: () => store.cache.put(key, entryOf({})) }]);
      expect(publish).toThrow(expect.objectContaining({ code: "MLP4010" }));
      expect(store.objects.has(object.content)).toBe(false);
      expect(store.cache.get(key)).toBeUndefined();
    });

    test("a damaged one is told from a whole one, is never handed out, and can be dropped", () => {
      const { store, work } = setUp();
      const object = made(work(), "model");
      store.publish([{ objects: [object], rows: () => {} }]);
      const path = store.objects.pathOf(object.content);
      chmodSync(dirname(path), 0o700);
      rmSync(path);
      writeFileSync(path, "medal");
      expect(store.objects.verify(object.content)).toBe("damaged");
      const copy = join(work(), "copy");
      expect(() => store.objects.copyOut(object.content, copy)).toThrow(
        expect.objectContaining({ code: "MLP4009" }),
      );
      expect(lstatSync(copy, { throwIfNoEntry: false })).toBeUndefined();
      store.objects.remove(object.content);
      expect(store.objects.verify(object.content)).toBe("missing");
      store.publish([{ objects: [made(work(), "model")], rows: () => {} }]);
      expect(store.objects.verify(object.content)).toBe("ok");
    });

    test("a copy may be written to, and the object stays what it is", () => {
      const { store, work } = setUp();
      const content = store.objects.putBytes("small value");
      const copy = join(work(), "copy");
      store.objects.copyOut(content, copy);
      writeFileSync(copy, "scribbled over");
      expect(store.objects.verify(content)).toBe("ok");
      expect(store.objects.putBytes("small value")).toEqual(content);
    });
  });

  describe(`${name}: results`, () => {
    test("an entry is what was put, for others too, and can be dropped", () => {
      const { store, another: open } = setUp();
      const entry = entryOf({ model: store.objects.putBytes("model") });
      expect(store.cache.get(key)).toBeUndefined();
      store.cache.put(key, entry);
      const other = open();
      for (const each of [store, other]) expect(each.cache.get(key)).toEqual(entry);
      const { metrics: _metrics, ...later } = entryOf({});
      other.cache.put(key, later);
      expect(store.cache.get(key)).toEqual(later);
      store.cache.drop(key);
      expect(other.cache.get(key)).toBeUndefined();
    });

    test("rows of one batch are written together or not at all", () => {
      const { store, another: open, work } = setUp();
      const object = made(work(), "kept all the same");
      const publish = (): void =>
        store.publish([
          { objects: [object], rows: () => store.cache.put(key, entryOf({ model: object.content })) },
          {
            objects: [],
            rows: () => {
              store.cache.put(another, entryOf({}));
              throw new Error("the second one fails");
            },
          },
        ]);
      expect(publish).toThrow("the second one fails");
      for (const each of [store, open()]) {
        expect(each.cache.get(key)).toBeUndefined();
        expect(each.cache.get(another)).toBeUndefined();
      }
    });

    test("documents are found by digest, before they are written and after", () => {
      const { store, another: open } = setUp();
      const document = { code: { "a.ts#f": "1" }, list: [1, 2.5, null] };
      const digest = store.parts.put(document);
      expect(digest).toBe(digestOfJson(document));
      expect(store.parts.get(digest)).toEqual(document);
      store.facts.put("a fact", { found: true });
      store.close();
      const other = open();
      expect(other.parts.get(digest)).toEqual(document);
      expect(other.facts.get("a fact")).toEqual({ found: true });
      expect(other.parts.get(digestOf("nothing"))).toBeUndefined();
      expect(other.facts.get("another")).toBeUndefined();
    });

    test("a document that many have need be put twice only, and again if that came to nothing", () => {
      const { store } = setUp();
      const digest = store.parts.put("of many");
      const publishTwice = (fails: boolean): void => {
        store.publish([
          {
            objects: [],
            rows: () => {
              for (let n = 0; n < 2; n++) store.parts.put("of many");
              if (fails) throw new Error("it failed");
            },
          },
        ]);
      };
      expect(() => publishTwice(true)).toThrow("it failed");
      expect(store.parts.isShared(digest)).toBe(false);
      publishTwice(false);
      expect(store.parts.isShared(digest)).toBe(true);
    });

    test("a receipt is that of the last deployment of its target", () => {
      const { store, another: open } = setUp();
      const receipt = {
        target: "/elsewhere/deployed",
        step: "publish",
        key,
        stepRun: uuid7(),
        run: uuid7(),
        content: null,
        outputs: {},
        at,
      };
      store.receipts.put(receipt);
      store.receipts.put({ ...receipt, key: another });
      expect(open().receipts.get(receipt.target)).toEqual({ ...receipt, key: another });
      expect(store.receipts.get("/another/deployed")).toBeUndefined();
    });
  });

  describe(`${name}: runs`, () => {
    const step = (run: string, id = "fit") => ({
      id: uuid7(),
      run,
      pipeline: "weather",
      step: id,
      kind: "train",
      key,
      status: "ran",
      startedAt: at,
      endedAt: at,
      preimage: null,
      document: { step: id },
    });

    test("are listed newest first, by pipeline, and found by the beginning of their id", () => {
      const { store, another: open } = setUp();
      const ids = ["weather", "prices", "weather"].map((pipeline) => {
        const id = uuid7();
        store.claims.enter(id);
        store.runs.begin({ id, pipeline, startedAt: at, document: { id } });
        store.runs.end(id, { status: "succeeded", endedAt: at, document: { id, ended: true } });
        store.claims.leave(id);
        return id;
      });
      const other = open();
      expect(other.runs.list().map(({ id }) => id)).toEqual(ids.toReversed());
      expect(other.runs.list({ pipeline: "weather", limit: 1 }).map(({ id }) => id)).toEqual([ids[2]]);
      expect(other.runs.get("last")).toMatchObject({
        id: ids[2],
        status: "succeeded",
        document: { ended: true },
      });
      expect(other.runs.get((ids[0] ?? "").slice(0, 36))?.id).toBe(ids[0]);
      expect(other.runs.get("ffff")).toBeUndefined();
      expect(() => other.runs.get("f")).toThrow(expect.objectContaining({ code: "MLP4011" }));
    });

    test("that nobody executes and nobody ended are crashed", () => {
      const { store, another: open } = setUp();
      const id = uuid7();
      store.claims.enter(id);
      store.runs.begin({ id, pipeline: "weather", startedAt: at, document: null });
      const other = open();
      expect(other.runs.get(id)?.status).toBe("running");
      expect(other.claims.isAlive(id)).toBe(true);
      store.claims.leave(id);
      expect(other.claims.isAlive(id)).toBe(false);
      expect(other.runs.get(id)?.status).toBe("crashed");
    });

    test("have step runs in their order, and the latest of a step", () => {
      const { store, another: open } = setUp();
      const run = uuid7();
      store.runs.begin({ id: run, pipeline: "weather", startedAt: at, document: null });
      const rows = [step(run), step(run, "score"), { ...step(run), status: "failed" }];
      for (const row of rows) store.runs.addStepRun(row);
      const other = open();
      expect(other.runs.stepRuns(run)).toEqual(rows);
      expect(other.runs.stepRun(rows[1]?.id ?? "")).toEqual(rows[1]);
      expect(other.runs.latestStepRun("weather", "fit")).toEqual(rows[2]);
      expect(other.runs.latestStepRun("weather", "fit", "ran")).toEqual(rows[0]);
      expect(other.runs.latestStepRun("prices", "fit")).toBeUndefined();
    });

    test("tell what the newest of a pipeline made of a step, and what those before it did", () => {
      const { store, another: open } = setUp();
      const [first, second, third] = [uuid7(), uuid7(), uuid7()];
      for (const [id, steps] of [
        [first, [{ id: "fit", status: "ran", n: 1 }]],
        [
          second,
          [
            { id: 'fit["a"]', status: "ran" },
            { id: "fit", status: "cached", n: [2, "fit"] },
          ],
        ],
      ] as const) {
        store.runs.begin({ id, pipeline: "weather", startedAt: at, document: { params: { id: "fit" } } });
        store.runs.end(id, { status: "succeeded", endedAt: at, document: { steps } });
      }
      store.runs.begin({ id: third, pipeline: "weather", startedAt: at, document: null });
      const { runs } = open();
      expect(runs.latestOutcome("weather", "fit")).toEqual({ run: third, outcome: undefined });
      expect(runs.latestOutcome("weather", "fit", third)).toEqual({
        run: second,
        outcome: { id: "fit", status: "cached", n: [2, "fit"] },
      });
      expect(runs.latestOutcome("weather", "score", third)).toEqual({ run: second, outcome: undefined });
      expect(runs.latestOutcome("weather", "fit", second)?.outcome).toEqual({
        id: "fit",
        status: "ran",
        n: 1,
      });
      expect(runs.latestOutcome("weather", "fit", first)).toBeUndefined();
      expect(runs.latestOutcome("prices", "fit")).toBeUndefined();
    });

    test("have records in a chain, without those of a transaction that failed", () => {
      const { store, another: open } = setUp();
      const run = uuid7();
      store.runs.begin({ id: run, pipeline: "weather", startedAt: at, document: null });
      const first = store.runs.appendRecord(run, { type: "run-started" });
      expect(() =>
        store.publish([
          {
            objects: [],
            rows: () => {
              store.runs.appendRecord(run, { type: "never" });
              throw new Error("no");
            },
          },
        ]),
      ).toThrow("no");
      store.publish([{ objects: [], rows: () => void store.runs.appendRecord(run, { type: "step-run" }) }]);
      store.runs.end(run, { status: "succeeded", endedAt: at, document: null });
      expect(open().runs.records(run)).toEqual([
        { type: "run-started", prev: null },
        { type: "step-run", prev: first },
      ]);
    });
  });

  describe(`${name}: claims`, () => {
    test("a key belongs to one living run, is given back, and dies with its run", () => {
      const { store, another: open } = setUp();
      const other = open();
      const [mine, theirs] = [uuid7(), uuid7()];
      store.claims.enter(mine);
      other.claims.enter(theirs);
      expect(store.claims.claim(key, mine)).toEqual({ mine: true });
      expect(store.claims.claim(key, mine)).toEqual({ mine: true });
      expect(other.claims.claim(key, theirs)).toEqual({ mine: false, by: mine });
      expect(other.claims.claim(another, theirs)).toEqual({ mine: true });
      expect([...other.claims.claimAll([key, another, digestOf("a third")], theirs)]).toEqual([
        another,
        digestOf("a third"),
      ]);
      other.claims.release(key, theirs);
      expect(other.claims.claim(key, theirs)).toEqual({ mine: false, by: mine });
      store.claims.release(key, mine);
      expect(other.claims.claim(key, theirs)).toEqual({ mine: true });
      // Nothing was collected since this process began.
      expect(other.claims.entered()).toBe(false);
      other.close();
      expect(store.claims.claim(key, mine)).toEqual({ mine: true });
      expect(store.claims.claim(another, mine)).toEqual({ mine: true });
    });
  });
}
