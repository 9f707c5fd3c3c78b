/**
 * A run of a pipeline without processes: the planner decides, a function stands for what a step does,
 * and what it made is kept and recorded as the executor does.
 */
import { readFileSync } from "node:fs";
import type { Manifest, ManifestStep } from "@mlpipe/dsl";
import type { Decision, Planner, Reason, ResolvedInput } from "@mlpipe/planner";
import { type CacheEntry, type Content, type Store, uuid7 } from "@mlpipe/store";
import { stepRecord } from "../../packages/executor/src/step-record.ts";
import { TextLog } from "../../packages/executor/src/text-log.ts";

/** A decision to run a step. */
export type RunDecision = Decision & { readonly decision: "run" };

/** What a step does: the bytes of each output, and what a deploy leaves at its target. */
export interface Made {
  readonly outputs: Readonly<Record<string, Uint8Array | string>>;
  readonly target?: Content;
}

/** How to run. */
export interface RunOptions {
  readonly manifest: Manifest;
  readonly store: Store;
  readonly planner: Planner;
  readonly execute: (step: ManifestStep, decision: RunDecision) => Made;
}

/** What became of one step. */
export interface Settled {
  readonly id: string;
  readonly status: "ran" | "cached";
  readonly decision: Exclude<Decision, { decision: "unknown" }>;
  readonly stepRun: string;
  readonly outputs: Readonly<Record<string, Content>>;
}

/** Runs a pipeline to its end, in the order of its manifest. */
export function runInProcess(options: RunOptions): readonly Settled[] {
  const { manifest, store, planner } = options;
  planner.checkSources();
  const run = uuid7();
  const startedAt = new Date().toISOString().replace("Z", "+00:00");
  const document = { params: manifest.params };
  const settled = new Map<string, Settled>();
  store.runs.begin({ id: run, pipeline: manifest.pipeline, startedAt, document });
  for (const step of manifest.steps) {
    const decision = planner.decide(step.id, (from, port) => settled.get(from)?.outputs[port]);
    if (decision.decision === "unknown") throw new Error(`${step.id} waits for a step that comes later`);
    if (decision.decision === "cached") {
      const { stepRun, outputs } = decision.entry;
      settled.set(step.id, { id: step.id, status: "cached", decision, stepRun, outputs });
      continue;
    }
    const made = options.execute(step, decision);
    const makerOf = (from: string): string | null => settled.get(from)?.stepRun ?? null;
    settled.set(step.id, conclude({ ...options, run, step, decision, made, makerOf }));
  }
  const steps = [...settled.values()].map(({ id, status, stepRun }) => ({ id, status, stepRun }));
  store.runs.end(run, { status: "succeeded", endedAt: startedAt, document: { ...document, steps } });
  store.index.flush();
  return [...settled.values()];
}

/** Keeps what a step made, in one transaction. */
function conclude({
  manifest,
  store,
  planner,
  run,
  step,
  decision,
  made,
  makerOf,
}: RunOptions & {
  readonly run: string;
  readonly step: ManifestStep;
  readonly decision: RunDecision;
  readonly made: Made;
  readonly makerOf: (step: string) => string | null;
}): Settled {
  const outputs = Object.fromEntries(
    Object.entries(made.outputs).map(([port, bytes]) => [port, store.objects.putBytes(bytes)]),
  );
  for (const input of Object.values(decision.inputs)) keepCopy(store, input);
  const stepRun = uuid7();
  const now = new Date();
  const log = new TextLog("/nowhere", () => undefined);
  const details = planner.details(decision, step.id);
  const record = stepRecord({
    id: stepRun,
    run,
    pipeline: manifest.pipeline,
    step,
    decision,
    details,
    kept: decision.cacheable,
    storeRoot: store.root,
    makerOf,
    attempts: [
      {
        startedAt: now,
        endedAt: now,
        argv: [],
        ended: { code: 0, signal: null, timedOut: false, stopped: false, usage: null },
        usage: null,
        stdout: log,
        stderr: log,
        sandbox: "none",
        remarks: [],
        ranUnkeyedCode: false,
        outcome: {
          type: "made",
          outputs: Object.fromEntries(
            Object.entries(outputs).map(([port, content]) => [
              port,
              { content, path: store.objects.pathOf(content) },
            ]),
          ),
          ...(made.target !== undefined && { target: made.target }),
        },
      },
    ],
  });
  const at = record.endedAt;
  const entry: CacheEntry = { stepRun, run, outputs, createdAt: at, durationMs: 1 };
  store.publish([
    {
      objects: [],
      rows: () => {
        planner.keep(decision, details);
        if (decision.cacheable) store.cache.put(decision.key, entry);
        if (step.target !== undefined) {
          const { target } = step;
          const content = made.target ?? null;
          store.receipts.put({
            target,
            step: step.id,
            key: decision.key,
            stepRun,
            run,
            content,
            outputs,
            at,
          });
        }
        store.runs.addStepRun({
          id: stepRun,
          run,
          pipeline: manifest.pipeline,
          step: step.id,
          kind: step.kind,
          key: decision.key,
          status: "ran",
          startedAt: at,
          endedAt: at,
          preimage: decision.preimage,
          document: record,
        });
      },
    },
  ]);
  return { id: step.id, status: "ran", decision, stepRun, outputs };
}

function keepCopy(store: Store, input: ResolvedInput): void {
  if (input.type === "source" && input.keep === "copy") store.objects.putBytes(readFileSync(input.absolute));
}

/** The messages of reasons. */
export function messages(reasons: readonly Reason[]): readonly string[] {
  return reasons.map(({ message }) => message);
}
