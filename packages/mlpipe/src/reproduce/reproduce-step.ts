/** Executes one step twice from what is recorded of it, and judges what came of it. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Manifest, ManifestStep } from "@mlpipe/dsl";
import { type Again, executeAgain, type OutputAgain } from "@mlpipe/executor/again";
import type { Planner, Preimage } from "@mlpipe/planner";
import type { HostDocument, Run, StepRun } from "@mlpipe/provenance";
import { type EnvironmentDifference, type ReproducedStep, worst } from "@mlpipe/provenance/reproduction";
import { isDigest, type Store } from "@mlpipe/store";
import { compareContents, type Likeness } from "./compare-contents.ts";
import { differenceText, environmentDifferences } from "./environment-differences.ts";
import { recordedInputs } from "./recorded-inputs.ts";
import { suspectsOf } from "./suspects.ts";
import { type Variation, variedEnvironment, variedUmask } from "./variations.ts";

/** Where a step is reproduced. */
export interface Workshop {
  /** The project's own store, with the records. */
  readonly store: Store;
  /** Absolute path of the project's root. */
  readonly projectRoot: string;
  /** The scratch project. */
  readonly root: string;
  readonly scratchStore: Store;
  readonly manifest: Manifest;
  readonly planner: Planner;
  readonly host: HostDocument;
  /** An id for logs and locks of the scratch store. */
  readonly id: string;
  readonly signal: AbortSignal;
}

/** How. */
export interface HowToReproduce {
  readonly executions: number;
  readonly tolerance: number;
  readonly varied: readonly Variation[];
  readonly strictEnvironment: boolean;
  /** By step and port, what was made again of it; empty where steps are looked at by themselves. */
  readonly madeAgain: Map<string, Readonly<Record<string, OutputAgain>>>;
  readonly cascade: boolean;
}

/** A step that was not executed again. */
export function notRerun(stepRun: Pick<StepRun, "id" | "step">, reason: string): ReproducedStep {
  return {
    step: stepRun.step.id,
    stepRun: stepRun.id,
    verdict: "NOT_RERUN",
    executions: 0,
    outputs: {},
    reason,
    suspects: [],
    environment: [],
  };
}

/** Reproduces a step run. */
export async function reproduceStep(
  shop: Workshop,
  run: Run,
  stepRun: StepRun,
  how: HowToReproduce,
): Promise<ReproducedStep> {
  const { store, planner, root, scratchStore } = shop;
  const { id, kind } = stepRun.step;
  // What a deploy does cannot be taken back.
  if (kind === "deploy") return notRerun(stepRun, "a deploy is never executed again");
  const step = planner.graph.step(id);
  if (step === undefined)
    return notRerun(stepRun, "the pipeline as it was then has no such step with the recorded params");
  const identity = planner.identityOf(id);
  if (identity.code.digest !== stepRun.keyParts["code"])
    return notRerun(
      stepRun,
      `its code could not be brought back: ${codeDifference(store, stepRun, identity.code.document.parts)}`,
    );
  const environment = environmentDifferences(store, stepRun, run, { identity, host: shop.host });
  const counting = environment.filter(({ part }) => part !== "machine");
  if (how.strictEnvironment && counting.length > 0) {
    const message = `its environment is not the recorded one: ${counting.map(differenceText).join("; ")}`;
    return { ...notRerun(stepRun, message), cause: "environment", environment: [...environment] };
  }
  const given = recordedInputs(step, stepRun, {
    store: scratchStore,
    roots: [root, shop.projectRoot],
    madeAgain: (from, port) => (how.cascade ? how.madeAgain.get(from)?.[port] : undefined),
  });
  if ("missing" in given) return { ...notRerun(stepRun, given.missing), environment: [...environment] };
  const preimage = isDigest(stepRun.preimage) ? store.parts.get(stepRun.preimage) : undefined;
  if (!isDigest(stepRun.key) || !isDigest(stepRun.preimage) || preimage === undefined)
    return notRerun(stepRun, "what its key was made of is no longer in the store");

  const decision = {
    decision: "run" as const,
    // The recorded one, so that the paths it is told are those it was told then.
    key: stepRun.key,
    preimage: stepRun.preimage,
    // A part under the digest of a preimage was put there by `Planner.keep`.
    parts: preimage as Preimage,
    cacheable: false,
    inputs: given.inputs,
    environment: identity.childEnv,
    reasons: [],
  };
  const executions: Again[] = [];
  for (let n = 1; n <= how.executions && !shop.signal.aborted; n++) {
    const isVaried = n > 1;
    const umask = isVaried && how.varied.includes("umask") ? process.umask(variedUmask) : undefined;
    try {
      executions.push(
        await executeAgain({ root, store: scratchStore, planner, run: shop.id }, step, decision, {
          asideIn: join(root, "..", `made-${n}`, stepRun.id),
          env: isVaried ? variedEnvironment(how.varied) : {},
          signal: shop.signal,
        }),
      );
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  }
  if (executions.some(({ type }) => type === "cancelled") || executions.length < how.executions)
    return notRerun(stepRun, "stopped");
  const [first] = executions;
  if (first?.type === "made") how.madeAgain.set(id, first.outputs);
  return judged(shop, step, stepRun, executions, environment, how, replacedInputs(step, stepRun, how));
}

async function judged(
  shop: Workshop,
  step: ManifestStep,
  stepRun: StepRun,
  executions: readonly Again[],
  environment: readonly EnvironmentDifference[],
  how: HowToReproduce,
  replaced: readonly string[],
): Promise<ReproducedStep> {
  const base = {
    step: step.id,
    stepRun: stepRun.id,
    executions: executions.length,
    environment: [...environment],
  };
  const failure = executions.find((each) => each.type === "failed");
  if (failure !== undefined) {
    const { code, message, logTail = [] } = failure.error;
    const isMissingFile = /ENOENT|No such file|FileNotFound|Cannot find/i.test(
      [message, ...logTail].join("\n"),
    );
    const cause = isMissingFile ? ("undeclared-input" as const) : ("failed" as const);
    const reason = isMissingFile
      ? `it opens a file that no port declares and that is not in the recorded code: ${message}`
      : `${code} ${message}`;
    const suspects = [...logTail.slice(-3), ...environment.map(differenceText)];
    return { ...base, verdict: "DIVERGED", outputs: {}, cause, reason, suspects };
  }
  const made = executions.flatMap((each) => (each.type === "made" ? [each] : []));
  const outputs: Record<string, ReproducedStep["outputs"][string]> = {};
  for (const [port, recorded] of Object.entries(stepRun.outputs)) {
    const again = made.flatMap(({ outputs: all }) => all[port] ?? []);
    const likenesses = again.map((output) => likenessOf(shop, recorded, output, port, how.tolerance));
    const verdict = again.length < made.length ? "DIVERGED" : worst(likenesses.map((each) => each.verdict));
    const detail = likenesses.find((each) => each.verdict === verdict)?.detail;
    outputs[port] = {
      verdict,
      recorded: recorded.digest,
      made: again.map(({ content }) => content.digest),
      ...(detail !== undefined && { detail }),
    };
  }
  const verdict = worst(Object.values(outputs).map((each) => each.verdict));
  const results = new Set([
    resultOf(Object.entries(stepRun.outputs).map(([port, { digest }]) => [port, digest])),
    ...made.map((each) =>
      resultOf(Object.entries(each.outputs).map(([port, { content }]) => [port, content.digest])),
    ),
  ]);
  const determinism = {
    samples: stepRun.determinism.samples + made.length,
    distinct: Math.max(stepRun.determinism.distinct, results.size),
  };
  const settled = {
    ...base,
    verdict: verdict === "NOT_RERUN" ? ("IDENTICAL" as const) : verdict,
    outputs,
    determinism,
  };
  if (results.size === 1) return { ...settled, suspects: [] };

  const among = new Set(Object.values(outputs).map((each) => new Set(each.made).size > 1));
  const isRandom = among.has(true);
  const remarks = made.flatMap((each) => each.remarks);
  const counting = environment.filter(({ part }) => part !== "machine");
  const cause = isRandom
    ? ("non-deterministic" as const)
    : replaced.length > 0
      ? ("upstream" as const)
      : counting.length > 0 && remarks.length === 0
        ? ("environment" as const)
        : ("undeclared-input" as const);
  const inCode = await suspectsOf(shop.root, shop.manifest, step, shop.planner);
  const embeds = made.some(({ outputs: all }) =>
    Object.values(all).some(({ path }) => hasText(path, shop.root)),
  );
  const suspects = [
    ...remarks,
    ...(embeds ? ["an output has the path of the folder that the step ran in"] : []),
    ...(isRandom ? [] : counting.map(differenceText)),
    ...inCode,
    ...environment.filter((each) => isRandom || !counting.includes(each)).map(differenceText),
  ];
  const varied = how.varied.length > 0 ? `, ${how.varied.join(" and ")} varied` : "";
  const reason = {
    upstream: `it was given other inputs than are recorded: ${replaced.join(", ")}`,
    "non-deterministic": `it made another result each time it was executed now${varied}`,
    environment: `it makes one and the same now, and its environment differs: ${counting.map(differenceText).join("; ")}`,
    "undeclared-input":
      remarks.length > 0
        ? `it reads what no port declares`
        : `it makes one and the same now, in the recorded environment: something that it reads and does not declare has changed`,
  }[cause];
  return { ...settled, cause, reason, suspects: [...new Set(suspects)] };
}

function likenessOf(
  shop: Workshop,
  recorded: StepRun["outputs"][string],
  again: OutputAgain,
  port: string,
  tolerance: number,
): Likeness {
  const { type, digest, size } = recorded;
  if (again.content.digest === digest) return { verdict: "IDENTICAL" };
  if (type === "value" || !isDigest(digest)) return { verdict: "DIVERGED" };
  const content = { type, digest, size };
  if (again.path === "" || !shop.store.objects.has(content))
    return {
      verdict: "DIVERGED",
      detail: "the digests differ, and the recorded bytes are no longer in the store",
    };
  return compareContents(shop.store.objects.pathOf(content), again.path, {
    name: again.path || port,
    tolerance,
  });
}

/** Inputs for which something else was made again than is recorded. */
function replacedInputs(
  step: ManifestStep,
  { inputs }: StepRun,
  { cascade, madeAgain }: HowToReproduce,
): readonly string[] {
  if (!cascade) return [];
  return Object.entries(step.inputs).flatMap(([port, { from }]) => {
    const bindings =
      from.type === "many"
        ? from.items.map(({ key, from: item }) => ({ key, item }))
        : [{ key: "", item: from }];
    const differs = bindings.some(({ key, item }) => {
      if (item.type !== "step") return false;
      const again = madeAgain.get(item.step)?.[item.port];
      const recorded = key === "" ? inputs[port] : inputs[port]?.items?.[key];
      return again !== undefined && again.content.digest !== recorded?.digest;
    });
    return differs ? [port] : [];
  });
}

function resultOf(digests: readonly (readonly [string, string])[]): string {
  return JSON.stringify(digests.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const searched = 16 * 1024 * 1024;

function hasText(path: string, text: string): boolean {
  if (path === "" || !existsSync(path)) return false;
  const stat = statSync(path);
  return stat.isFile() && stat.size <= searched && readFileSync(path).includes(text);
}

function codeDifference(store: Store, stepRun: StepRun, now: Readonly<Record<string, string>>): string {
  const digest = stepRun.keyParts["code"];
  const document = digest !== undefined && isDigest(digest) ? store.parts.get(digest) : undefined;
  // The planner alone writes documents of code.
  const { parts: was = {} } = (document ?? {}) as { readonly parts?: Readonly<Record<string, string>> };
  const names = [...new Set([...Object.keys(was), ...Object.keys(now)])].filter(
    (name) => was[name] !== now[name],
  );
  if (names.length === 0) return "it has another identity";
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""} differ`;
}
