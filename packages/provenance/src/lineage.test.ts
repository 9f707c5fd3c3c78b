/** `trace` and `impact` over random histories, against the obvious walk of all records. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, openStore, type Digest } from "@mlpipe/store";
import { openLineage } from "@mlpipe/store/lineage";
import fc from "fast-check";
import { expect, test } from "vitest";
import { impactFrom, makersOf, takersOf, traceFrom } from "./lineage.ts";

/** What a record says that lineage is made of. */
interface Made {
  readonly id: string;
  readonly pipeline: string;
  readonly step: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly inputs: readonly Taken[];
  readonly outputs: Readonly<Record<string, Digest>>;
  readonly target: Digest | null;
}

interface Taken {
  readonly digest: Digest;
  readonly from?: {
    readonly stepRun: string;
    readonly pipeline: string;
    readonly step: string;
    readonly port: string;
  };
}

/** Step runs as choices: of the earlier outputs and bytes that there are, which are taken. */
const choices = fc.array(
  fc.record({
    pipeline: fc.constantFrom("p", "q"),
    step: fc.constantFrom("a", "b", "c"),
    takes: fc.array(fc.record({ outside: fc.boolean(), pick: fc.nat(40) }), { maxLength: 3 }),
    asMany: fc.boolean(),
    makes: fc.dictionary(fc.constantFrom("x", "y"), fc.nat(5), { maxKeys: 2 }),
    target: fc.option(fc.nat(5)),
    overlaps: fc.boolean(),
  }),
  { maxLength: 14 },
);

type Choices = typeof choices extends fc.Arbitrary<infer Value> ? Value : never;

const bytes = (n: number): Digest => digestOf(`bytes ${n}`);
const time = (n: number): string =>
  new Date(1_800_000_000_000 + n * 1000).toISOString().replace("Z", "+00:00");

function historyOf(all: Choices): readonly Made[] {
  const history: Made[] = [];
  for (const [n, choice] of all.entries()) {
    const made = history.flatMap((each) =>
      Object.entries(each.outputs).map(([port, digest]) => ({ each, port, digest })),
    );
    const inputs = choice.takes.map(({ outside, pick }): Taken => {
      const chosen = outside ? undefined : made[pick % Math.max(1, made.length)];
      if (chosen === undefined) return { digest: bytes(pick % 6) };
      const { each, port, digest } = chosen;
      return { digest, from: { stepRun: each.id, pipeline: each.pipeline, step: each.step, port } };
    });
    history.push({
      id: idOf(n),
      pipeline: choice.pipeline,
      step: choice.step,
      startedAt: time(n * 2 - (choice.overlaps ? 1 : 0)),
      endedAt: time(n * 2 + (choice.overlaps ? 3 : 1)),
      inputs,
      outputs: Object.fromEntries(Object.entries(choice.makes).map(([port, of]) => [port, bytes(of)])),
      target: choice.target === null ? null : bytes(choice.target),
    });
  }
  return history;
}

const idOf = (n: number): string => `01a20000-0000-7000-8000-${String(n).padStart(12, "0")}`;
const run = idOf(999);

/** The document of a step run, as far as the index looks at it; items of a `many` say less of where they are from. */
function documentOf(made: Made, asMany: boolean): unknown {
  const refs = made.inputs.map(({ digest, from }, i): [string, unknown] => [
    `in${i}`,
    asMany
      ? {
          type: "value",
          digest: digestOf("many"),
          items: { k: { type: "file", digest, ...(from !== undefined && { stepRun: from.stepRun }) } },
        }
      : {
          type: "file",
          digest,
          ...(from !== undefined && { from: { step: from.step, port: from.port, stepRun: from.stepRun } }),
        },
  ]);
  return {
    inputs: { ...Object.fromEntries(refs), param: { type: "value", digest: bytes(0), value: 1 } },
    outputs: Object.fromEntries(
      Object.entries(made.outputs).map(([port, digest]) => [port, { type: "file", digest }]),
    ),
    ...(made.target !== null && { target: { path: "deployed", digest: made.target } }),
  };
}

/** Whether one feeds the other, by the words of the definition. */
function feeds(maker: Made, taker: Made, many: boolean, history: readonly Made[]): boolean {
  return taker.inputs.some(({ digest, from }) => {
    if (from !== undefined) {
      const named = history.find(({ id }) => id === from.stepRun);
      // An item does not say which output it was: the first of those with its bytes.
      const port = many
        ? Object.keys(named?.outputs ?? {})
            .toSorted()
            .find((name) => named?.outputs[name] === digest)
        : from.port;
      return (
        maker.pipeline === from.pipeline && maker.step === from.step && maker.outputs[port ?? ""] === digest
      );
    }
    const made = Object.values(maker.outputs).includes(digest) || maker.target === digest;
    return made && !maker.inputs.some((taken) => taken.digest === digest) && maker.endedAt <= taker.startedAt;
  });
}

test("are each other's inverse, and agree with a walk of the records", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(choices, (all) => {
      const history = historyOf(all);
      const root = mkdtempSync(join(tmpdir(), "mlpipe-lineage-"));
      try {
        using store = openStore(root);
        history.forEach((made, n) => {
          store.runs.addStepRun({
            ...made,
            run,
            kind: "data",
            key: null,
            status: "ran",
            preimage: null,
            document: documentOf(made, all[n]?.asMany ?? false),
          });
        });
        using index = openLineage(root);
        const edges = new Map(
          history.map((maker) => [
            maker.id,
            history
              .filter((taker, n) => feeds(maker, taker, all[n]?.asMany ?? false, history))
              .map(({ id }) => id),
          ]),
        );
        const back = new Map(
          history.map(({ id }) => [
            id,
            [...edges].filter(([, takers]) => takers.includes(id)).map(([maker]) => maker),
          ]),
        );
        const traces = new Map<string, ReadonlySet<string>>();
        for (const { id } of history) {
          const trace = new Set(traceFrom(index, [id]).steps.keys());
          traces.set(id, trace);
          expect(trace).toEqual(reached(back, [id]));
          expect(new Set(impactFrom(index, [id]).steps.keys())).toEqual(reached(edges, [id]));
        }
        for (const { id } of history) {
          const impact = impactFrom(index, [id]).steps;
          for (const { id: other } of history) expect(traces.get(other)?.has(id)).toBe(impact.has(other));
        }
        // And of bytes: what is behind them has them in its reach.
        for (let a = 0; a < 6; a++) {
          for (let b = 0; b < 6; b++) {
            const behind = [...traceFrom(index, makersOf(index, bytes(b))).links.values()].flat();
            const ahead = [...impactFrom(index, takersOf(index, bytes(a))).links.values()].flat();
            expect(behind.some(({ role, artifact }) => role === "in" && artifact.digest === bytes(a))).toBe(
              ahead.some(({ role, artifact }) => role !== "in" && artifact.digest === bytes(b)),
            );
          }
        }
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    }),
    { numRuns: 100 },
  );
});

function reached(
  edges: ReadonlyMap<string, readonly string[]>,
  from: readonly string[],
): ReadonlySet<string> {
  const seen = new Set(from);
  for (const id of seen) for (const next of edges.get(id) ?? []) seen.add(next);
  return seen;
}
