/** The record of an executed step, made of what was decided and what its attempts did. */
import { relative, sep } from "node:path";
import type { KindSpec, ManifestSite, ManifestStep } from "@mlpipe/dsl";
import type { ResolvedInput } from "@mlpipe/planner";
import type { Attempt as AttemptRecord, StepRun } from "@mlpipe/provenance";
import { canonicalJson, type Content, type Digest, digestOfJson } from "@mlpipe/store";
import type { AttemptResult, RunDecision } from "./attempt.ts";
import { innerKind } from "./attempt-folder.ts";
import { failureRecord } from "./outcome-record.ts";
import type { TextLog } from "./text-log.ts";
import { timestamp } from "@mlpipe/provenance";

/** What is known of a step once its last attempt has ended. */
export interface StepFacts {
  readonly id: string;
  readonly run: string;
  readonly pipeline: string;
  readonly step: ManifestStep;
  readonly decision: RunDecision;
  readonly attempts: readonly AttemptResult[];
  /** Digests of what is inside of the sources, by port. */
  readonly details: Readonly<Record<string, Digest>>;
  /** Whether what it made becomes the cache entry of its key. */
  readonly kept: boolean;
  /** Of a step that was run again beside its kept result: which step run made that, and whether it came out the same. */
  readonly checked?: { readonly against: string; readonly same: boolean } | undefined;
  readonly storeRoot: string;
  /** The step run that made an upstream output. */
  makerOf(step: string): string | null;
}

/** A place as a record holds it, found out now. */
function siteRecord({ column, file, line }: ManifestSite): ManifestSite {
  return { column, file, line };
}

/** Builds the record. */
export function stepRecord(facts: StepFacts): StepRun {
  const { step, decision, attempts, checked } = facts;
  const last = attempts.at(-1);
  const first = attempts[0];
  if (first === undefined || last === undefined)
    throw new Error(`${step.id} has a record without an attempt`);
  const { outcome } = last;
  const status = outcome.type === "made" ? "ran" : outcome.type;
  const made = outcome.type === "made" ? outcome.outputs : {};
  return {
    schema: "mlpipe/step-run/v1",
    id: facts.id,
    run: facts.run,
    pipeline: facts.pipeline,
    step: {
      id: step.id,
      name: step.id.replace(/\[.*$/, ""),
      kind: step.kind,
      module: step.module,
      export: step.export,
      ...(step.defined !== undefined && { defined: step.defined }),
      ...(step.called !== undefined && { called: siteRecord(step.called) }),
    },
    status,
    key: decision.key,
    preimage: decision.preimage,
    keyParts: {
      contract: decision.parts.contract,
      code: decision.parts.code,
      packages: decision.parts.packages,
      environment: decision.parts.environment,
      ...Object.fromEntries(
        Object.entries(decision.parts.inputs).map(([port, digest]) => [`input:${port}`, digest]),
      ),
    },
    cache: {
      decision: decisionOf(facts),
      reasons: [...decision.reasons],
      kept: facts.kept,
    },
    inputs: Object.fromEntries(
      Object.entries(decision.inputs).flatMap(([port, input]) => {
        const ref = inputRef(port, input, facts);
        return ref === undefined ? [] : [[port, ref]];
      }),
    ),
    outputs: Object.fromEntries(
      Object.entries(made).map(([port, { content, value }]) => [
        port,
        { ...contentRef(port, content, step.outputs[port]), ...(value !== undefined && { value }) },
      ]),
    ),
    params: Object.fromEntries(
      Object.entries(decision.inputs).flatMap(([port, input]) =>
        input.type === "value" ? [[port, input.value]] : [],
      ),
    ),
    seeds: Object.fromEntries(
      Object.entries(decision.inputs).flatMap(([port, input]) => {
        const isSeed = step.inputs[port]?.kind.kind === "seed";
        return isSeed && input.type === "value" && typeof input.value === "number"
          ? [[port, input.value]]
          : [];
      }),
    ),
    env: decision.parts.environment,
    argv: [...last.argv],
    sandbox: last.sandbox,
    ...(last.imported !== undefined && { imported: last.imported }),
    cwd: ".",
    attempts: attempts.map((attempt, index) => attemptRecord(attempt, index + 1, facts.storeRoot)),
    metrics: Object.entries(made).flatMap(([port, { value }]) => metricsOf(port, step.outputs[port], value)),
    checks:
      step.body.type === "check"
        ? [
            {
              name: step.id,
              status: outcome.type === "made" ? "pass" : outcome.type === "rejected" ? "fail" : "error",
              ...("error" in outcome && { message: outcome.error.message }),
            },
          ]
        : [],
    determinism:
      checked === undefined || status !== "ran"
        ? { samples: 1, distinct: 1, evidence: [] }
        : { samples: 2, distinct: checked.same ? 1 : 2, evidence: [checked.against, facts.id] },
    ...(step.target !== undefined && {
      target: targetRecord(step.target, outcome.type === "made" ? outcome.target : undefined),
    }),
    startedAt: timestamp(first.startedAt),
    endedAt: timestamp(last.endedAt),
    ...("error" in outcome && { error: failureRecord(outcome.error) }),
  };
}

function targetRecord(path: string, content: Content | undefined): NonNullable<StepRun["target"]> {
  if (content === undefined) return { path, digest: null };
  const { type, digest, size, entries } = content;
  return { path, digest, type, size, ...(entries !== undefined && { entries }) };
}

function attemptRecord(attempt: AttemptResult, n: number, storeRoot: string): AttemptRecord {
  const { code, signal, timedOut } = attempt.ended;
  return {
    n,
    startedAt: timestamp(attempt.startedAt),
    endedAt: timestamp(attempt.endedAt),
    exit: { code, signal, ...(timedOut && { timedOut }) },
    usage: attempt.usage,
    stdout: logRef(attempt.stdout, storeRoot),
    stderr: logRef(attempt.stderr, storeRoot),
    ...("error" in attempt.outcome && { error: failureRecord(attempt.outcome.error) }),
  };
}

function logRef(log: TextLog, storeRoot: string): AttemptRecord["stdout"] {
  if (log.size === 0) return null;
  const path = relative(storeRoot, log.path).split(sep).join("/");
  return { path, size: log.size, digest: log.digest() };
}

type InputRef = StepRun["inputs"][string];

function inputRef(port: string, input: ResolvedInput, facts: StepFacts): InputRef | undefined {
  switch (input.type) {
    case "absent":
      return undefined;
    case "value": {
      const size = Buffer.byteLength(canonicalJson(input.value));
      const ref: InputRef = { name: port, type: "value", digest: input.digest, size, value: input.value };
      if (input.from === undefined) return ref;
      return { ...ref, from: { ...input.from, stepRun: facts.makerOf(input.from.step) } };
    }
    case "object": {
      const { step, port: from } = input.from;
      const ref = contentRef(port, input.content, facts.step.inputs[port]?.kind);
      return { ...ref, from: { step, port: from, stepRun: facts.makerOf(step) } };
    }
    case "source": {
      const detail = facts.details[port];
      const ref = contentRef(input.path, input.content, facts.step.inputs[port]?.kind);
      return { ...ref, ...(detail !== undefined && { detail }) };
    }
    case "many": {
      const items = input.items.flatMap(({ key, input: item }) => {
        const ref = inputRef(key, item, facts);
        return ref === undefined ? [] : [{ key, ref }];
      });
      const digest = digestOfJson(items.map(({ key, ref }) => [key, ref.digest]));
      return {
        name: port,
        type: "value",
        digest,
        size: items.reduce((sum, { ref }) => sum + ref.size, 0),
        items: Object.fromEntries(
          items.map(({ key, ref: { from, value: _value, items: _items, ...ref } }) => [
            key,
            { ...ref, ...(from !== undefined && { stepRun: from.stepRun }) },
          ]),
        ),
      };
    }
  }
}

const mediaTypes: Readonly<Record<string, string>> = {
  csv: "text/csv",
  jsonl: "application/jsonl",
  json: "application/json",
  value: "application/json",
  metrics: "application/json",
};

function contentRef(name: string, content: Content, kind: KindSpec | undefined): InputRef {
  const mediaType = kind === undefined ? undefined : mediaTypes[innerKind(kind).kind];
  return {
    name,
    type: content.type,
    digest: content.digest,
    size: content.size,
    ...(content.entries !== undefined && { entries: content.entries }),
    ...(mediaType !== undefined && { mediaType }),
  };
}

function metricsOf(port: string, kind: KindSpec | undefined, value: unknown): StepRun["metrics"] {
  if (kind?.kind !== "metrics" || typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, number]: [string, unknown]) => {
    const direction = kind.directions[name];
    return typeof number === "number" && direction !== undefined
      ? [{ name, value: number, port, direction }]
      : [];
  });
}

function decisionOf({ decision, checked }: StepFacts): StepRun["cache"]["decision"] {
  if (checked !== undefined) return "check";
  if (decision.reasons.some(({ part }) => part === "forced")) return "forced";
  return decision.cacheable ? "miss" : "off";
}
