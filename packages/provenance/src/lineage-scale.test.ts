/** A history of 100,000 step runs: questions are answered without a wait. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, openStore, type Digest, type StepRunRow } from "@mlpipe/store";
import { openLineage } from "@mlpipe/store/lineage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { impactFrom, makersOf, takersOf, traceFrom } from "./lineage.ts";

const runs = 1_000;
const features = 97;
/** Milliseconds of processor time: the clock on the wall says what else the machine does. What is measured is printed:
 * a few for what is asked of one model or day, a second or two for what all 100,000 hang on, on a machine with nothing else to do. */
const bound = 5_000;

const root = mkdtempSync(join(tmpdir(), "mlpipe-scale-"));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const id = (run: number, step: number): string =>
  `01a2${String(run).padStart(4, "0")}-${String(step).padStart(4, "0")}-7000-8000-000000000000`;
const time = (run: number, step: number): string =>
  new Date(1_700_000_000_000 + run * 86_400_000 + step * 1000).toISOString().replace("Z", "+00:00");
const calendar = digestOf("calendar.csv");

/** Each day one run: the day's data and a calendar that never changes become features, and these a model. */
function* history(): Generator<StepRunRow> {
  for (let run = 0; run < runs; run++) {
    const day = digestOf(`day ${run}`);
    const prepared = digestOf(`prepared ${run}`);
    const from = { step: "prepare", port: "rows", stepRun: id(run, 0) };
    yield step(run, 0, "prepare", { day: ref(day), calendar: ref(calendar) }, prepared);
    const items: Record<string, unknown> = {};
    for (let n = 1; n <= features; n++) {
      const made = digestOf(`feature ${run} ${n}`);
      yield step(run, n, `feature[${n}]`, { rows: { ...ref(prepared), from } }, made);
      items[String(n)] = { ...ref(made), stepRun: id(run, n) };
    }
    const many = { type: "value", digest: digestOf(`all ${run}`), items };
    yield step(run, features + 1, "fit", { features: many }, digestOf(`model ${run}`));
    const model = { step: "fit", port: "rows", stepRun: id(run, features + 1) };
    const score = { model: { ...ref(digestOf(`model ${run}`)), from: model } };
    // Nearly always the same few bytes.
    yield step(run, features + 2, "score", score, digestOf(`score ${run % 3}`));
  }
}

const ref = (digest: Digest): object => ({ name: "rows", type: "file", digest, size: 1000 });

function step(run: number, n: number, name: string, inputs: object, made: Digest): StepRunRow {
  return {
    id: id(run, n),
    run: id(run, 9999),
    pipeline: "daily",
    step: name,
    kind: "data",
    key: null,
    status: "ran",
    startedAt: time(run, n),
    endedAt: time(run, n + 1),
    preimage: null,
    document: { inputs, outputs: { rows: ref(made) } },
  };
}

beforeAll(() => {
  using store = openStore(root);
  store.publish([
    {
      objects: [],
      rows: () => {
        for (const row of history()) store.runs.addStepRun(row);
      },
    },
  ]);
}, 300_000);

function timed<Answer>(what: string, ask: () => Answer): Answer {
  const began = performance.now();
  const before = process.cpuUsage();
  const answer = ask();
  const { user, system } = process.cpuUsage(before);
  const took = (user + system) / 1000;
  console.log(
    `${what}: ${took.toFixed(0)} ms of processor time, ${(performance.now() - began).toFixed(0)} ms`,
  );
  expect(took).toBeLessThan(bound);
  return answer;
}

test("what made the last model", () => {
  using index = openLineage(root);
  const { steps } = timed("trace of a model", () =>
    traceFrom(index, makersOf(index, digestOf(`model ${runs - 1}`))),
  );
  expect(steps.size).toBe(features + 2);
});

test("what a day's data reached", () => {
  using index = openLineage(root);
  const { steps } = timed("impact of a day", () => impactFrom(index, takersOf(index, digestOf("day 5"))));
  expect(steps.size).toBe(features + 3);
});

test("what a file that is in everything reached", () => {
  using index = openLineage(root);
  const { steps } = timed("impact on 100,000 step runs", () => impactFrom(index, takersOf(index, calendar)));
  expect(steps.size).toBe(runs * (features + 3));
});

test("what made bytes that a third of the runs made", () => {
  using index = openLineage(root);
  const { steps } = timed("trace of 33,000 step runs", () =>
    traceFrom(index, makersOf(index, digestOf("score 0"))),
  );
  expect(steps.size).toBe(Math.ceil(runs / 3) * (features + 3));
});
