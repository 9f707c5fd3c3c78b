import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "./canonical.ts";
import { digestOf } from "./digest.ts";
import { newStore, thrownBy } from "./fixtures/project.ts";
import { openStore, type Store } from "./store.ts";
import { uuid7 } from "./uuid7.ts";

const startedAt = "2026-01-01T00:00:00.000+00:00";
const endedAt = "2026-01-01T00:00:01.000+00:00";

function begin(store: Store, pipeline = "weather"): string {
  const id = uuid7();
  store.runs.begin({ id, pipeline, startedAt, document: { params: { trees: 10 } } });
  return id;
}

function stepRun(store: Store, run: string, step: string, status = "succeeded"): string {
  const id = uuid7();
  store.runs.addStepRun({
    id,
    run,
    pipeline: "weather",
    step,
    kind: "train",
    key: digestOf(step),
    status,
    startedAt,
    endedAt,
    preimage: null,
    document: { step },
  });
  return id;
}

describe("runs", () => {
  test("are listed newest first, by pipeline, up to a limit", () => {
    const store = newStore();
    const ids = [begin(store), begin(store, "other"), begin(store)];
    expect(store.runs.list().map(({ id }) => id)).toEqual(ids.toReversed());
    expect(store.runs.list({ pipeline: "weather" }).map(({ id }) => id)).toEqual([ids[2], ids[0]]);
    expect(store.runs.list({ limit: 1 }).map(({ id }) => id)).toEqual([ids[2]]);
    expect(store.runs.get("last")?.id).toBe(ids[2]);
  });

  test("say how they ended", () => {
    const store = newStore();
    const id = begin(store);
    store.runs.end(id, { status: "succeeded", endedAt, document: { steps: 3 } });
    expect(store.runs.get(id)).toEqual({
      id,
      pipeline: "weather",
      status: "succeeded",
      startedAt,
      endedAt,
      head: null,
      document: { steps: 3 },
    });
  });

  test("are found by a prefix that only one has", () => {
    const store = newStore();
    const at = (n: string) => `01a0000${n}-0000-7000-8000-000000000000`;
    for (const n of ["1", "2"]) store.runs.begin({ id: at(n), pipeline: "p", startedAt, document: null });
    expect(store.runs.get("01a00001")?.id).toBe(at("1"));
    expect(store.runs.get("01A00002")?.id).toBe(at("2"));
    expect(store.runs.get("ffff")).toBeUndefined();
    const error = thrownBy(() => store.runs.get("01a0"));
    expect(error).toMatchObject({ code: "MLP4011", exit: 2, message: expect.stringContaining(at("1")) });
    for (const text of ["01a", "", "%", "weather"]) {
      expect(thrownBy(() => store.runs.get(text))).toMatchObject({ code: "MLP4011" });
    }
  });

  test("know their step runs", () => {
    const store = newStore();
    const [one, two] = [begin(store), begin(store)];
    const a = stepRun(store, one, "fit");
    const b = stepRun(store, one, "score");
    const c = stepRun(store, two, "fit", "failed");
    expect(store.runs.stepRuns(one).map(({ id }) => id)).toEqual([a, b]);
    expect(store.runs.stepRun(b)).toMatchObject({
      id: b,
      run: one,
      key: digestOf("score"),
      document: { step: "score" },
    });
    expect(store.runs.latestStepRun("weather", "fit")?.id).toBe(c);
    expect(store.runs.latestStepRun("weather", "fit", "succeeded")?.id).toBe(a);
    expect(store.runs.latestStepRun("other", "fit")).toBeUndefined();
  });
});

test("a pipeline has step runs when one of its steps has run", () => {
  const store = newStore();
  expect(store.runs.hasStepRuns("weather")).toBe(false);
  stepRun(store, begin(store), "fit");
  expect([store.runs.hasStepRuns("weather"), store.runs.hasStepRuns("other")]).toEqual([true, false]);
});

describe("records", () => {
  const file = (store: Store, run: string) => join(store.root, "runs", run, "records.jsonl");

  function threeRecords(): { store: Store; run: string } {
    const store = newStore();
    const run = begin(store);
    for (const n of [1, 2, 3]) store.runs.appendRecord(run, { n, b: "\n" });
    store.runs.end(run, { status: "succeeded", endedAt, document: null });
    return { store, run };
  }

  test("are canonical JSON lines, each with the digest of the line before", () => {
    const { store, run } = threeRecords();
    const lines = readFileSync(file(store, run), "utf8").trimEnd().split("\n");
    const [first = "", second = "", third = ""] = lines;
    expect(lines).toEqual([
      canonicalJson({ n: 1, b: "\n", prev: null }),
      canonicalJson({ n: 2, b: "\n", prev: digestOf(first) }),
      canonicalJson({ n: 3, b: "\n", prev: digestOf(second) }),
    ]);
    expect(store.runs.get(run)?.head).toBe(digestOf(third));
    expect(store.runs.records(run)).toEqual(lines.map((line) => JSON.parse(line)));
  });

  test.each(["", "a"])(
    "of megabytes are written as they are, whatever character a piece of them ends in: %j",
    (shift) => {
      const store = newStore();
      const run = begin(store);
      const records = [`${shift}${"\u{1F600}".repeat(500_000)}`, "short", "\n".repeat(500_000)].map((b) => ({
        b,
      }));
      for (const record of records) store.runs.appendRecord(run, record);
      store.runs.end(run, { status: "succeeded", endedAt, document: null });
      const [first = "", second = "", third = ""] = readFileSync(file(store, run), "utf8").split("\n");
      expect(store.runs.records(run)).toMatchObject(records);
      expect(JSON.parse(second)).toMatchObject({ prev: digestOf(first) });
      expect(third).toBe(canonicalJson({ ...records[2], prev: digestOf(second) }));
      expect(store.runs.get(run)?.head).toBe(digestOf(third));
    },
  );

  test.each<[string, (path: string) => void]>([
    ["a changed line", (path) => writeFileSync(path, readFileSync(path, "utf8").replace('"n":2', '"n":7'))],
    [
      "a line taken out",
      (path) => writeFileSync(path, readFileSync(path, "utf8").replace(/^.*"n":2.*\n/m, "")),
    ],
    [
      "the last line taken off",
      (path) => writeFileSync(path, readFileSync(path, "utf8").replace(/^.*"n":3.*\n/m, "")),
    ],
    ["half of the last line", (path) => truncateSync(path, readFileSync(path).length - 10)],
    ["nothing left", (path) => writeFileSync(path, "")],
    ["no JSON at the end", (path) => appendFileSync(path, "hello\n")],
  ])("with %s are refused", (_, harm) => {
    const { store, run } = threeRecords();
    harm(file(store, run));
    expect(thrownBy(() => store.runs.records(run))).toMatchObject({ code: "MLP4012", exit: 4 });
  });

  test("of a run that was killed in the middle of a line are read up to there, and can go on", () => {
    const store = newStore();
    const run = begin(store);
    store.runs.appendRecord(run, { n: 1 });
    store.close();
    appendFileSync(file(store, run), '{"n":2,"pr');
    using later = openStore(store.root);
    expect(later.runs.records(run)).toEqual([{ n: 1, prev: null }]);
    later.runs.appendRecord(run, { n: 3 });
    expect(later.runs.records(run)).toMatchObject([{ n: 1 }, { n: 3 }]);
  });

  test("go with their transaction if it is rolled back", () => {
    const store = newStore();
    const run = begin(store);
    store.runs.appendRecord(run, { n: 1 });
    const error = new Error("no");
    const rows = () => {
      store.runs.appendRecord(run, { n: 2 });
      throw error;
    };
    expect(thrownBy(() => store.publish([{ objects: [], rows }]))).toBe(error);
    store.runs.appendRecord(run, { n: 3 });
    store.runs.end(run, { status: "failed", endedAt, document: null });
    expect(store.runs.records(run)).toMatchObject([{ n: 1 }, { n: 3 }]);
    expect(store.runs.get(run)?.head).toBe(
      digestOf(readFileSync(file(store, run), "utf8").trimEnd().split("\n")[1] ?? ""),
    );
  });

  test.each([
    ["short", 3, 1_000],
    ["many", 40, 20_000],
    ["with long ones between", 4, 400_000],
  ])(
    "%s of one transaction are a chain with those around it, and none of them stays if it fails",
    (_, count, length) => {
      const store = newStore();
      const run = begin(store);
      store.runs.appendRecord(run, { n: "before" });
      const texts = Array.from({ length: count }, (__, n) =>
        `${n}\u{1F600}`.repeat(n % 2 === 0 ? 1 : length / 4),
      );
      const error = new Error("no");
      const publish = (fails: boolean): void => {
        const rows = (): void => {
          for (const n of texts) store.runs.appendRecord(run, { n });
          if (fails) throw error;
        };
        store.publish([{ objects: [], rows }]);
      };
      expect(thrownBy(() => publish(true))).toBe(error);
      expect(store.runs.records(run)).toEqual([{ n: "before", prev: null }]);
      publish(false);
      expect(store.runs.get(run)?.head).toBe(
        digestOf(readFileSync(file(store, run), "utf8").trimEnd().split("\n").at(-1) ?? ""),
      );
      store.runs.appendRecord(run, { n: "after" });
      store.runs.end(run, { status: "succeeded", endedAt, document: null });
      expect(store.runs.records(run)).toMatchObject(["before", ...texts, "after"].map((n) => ({ n })));
    },
  );

  test("a run without any has no file", () => {
    const store = newStore();
    const run = begin(store);
    store.runs.end(run, { status: "succeeded", endedAt, document: null });
    expect(existsSync(join(store.root, "runs", run))).toBe(false);
    expect(store.runs.records(run)).toEqual([]);
  });
});

describe("logs", () => {
  test("have one file per slot, in the folder of the run", () => {
    const store = newStore();
    const run = begin(store);
    expect(store.runs.logPath(run, "0")).toBe(join(store.root, "runs", run, "0.log"));
    expect(existsSync(join(store.root, "runs", run))).toBe(true);
    expect(() => store.runs.logPath(run, "../0")).toThrow("job slot");
  });
});
