/** What re-runs after an edit, and why. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KindSpec, Manifest, ManifestStep } from "@mlpipe/dsl";
import { Planner } from "@mlpipe/planner";
import { canonicalJson, digestOf, digestOfJson, openStore, type Store } from "@mlpipe/store";
import { type Made, messages, type RunDecision, runInProcess } from "./in-process-run.ts";
import type { Manifests } from "./manifests.ts";
import type { Sandbox } from "./sandbox.ts";

/** The steps that ran, each with the lines that say why. */
export type Reruns = Readonly<Record<string, string | readonly string[]>>;

/** Runs what must run in a sandbox, with everything that is kept there. */
export async function rerun(sandbox: Sandbox, manifests: Manifests): Promise<Reruns> {
  const { root, params, env } = sandbox;
  const manifest = await manifests.load({ root, file: "days.pipeline.ts", set: params });
  using store = openStore(join(root, ".mlpipe"));
  const planner = new Planner({ manifest, store, root, env });
  const asked = whyOf(manifest, planner);
  const execute = (step: ManifestStep, decision: RunDecision): Made => effect(step, decision, store, root);
  const ran = runInProcess({ manifest, store, planner, execute }).filter(({ status }) => status === "ran");
  return Object.fromEntries(
    ran.map(({ id, decision }) => {
      const lines = messages(decision.reasons);
      const said = asked.get(id);
      if (said !== undefined && canonicalJson(said) !== canonicalJson(lines)) {
        throw new Error(`why ${id} says ${said.join("; ")}, and the run says ${lines.join("; ")}`);
      }
      return [id, lines.length === 1 ? (lines[0] ?? "") : lines];
    }),
  );
}

/** What `mlpipe why` says of each step that would run for sure. */
function whyOf(manifest: Manifest, planner: Planner): ReadonlyMap<string, readonly string[]> {
  return new Map(
    manifest.steps.flatMap(({ id }) => {
      const { decision, reasons } = planner.why(id);
      return decision === "run" ? [[id, messages(reasons)] as const] : [];
    }),
  );
}

/**
 * What stands for the steps' work: other outputs for other code, packages or inputs, and the same
 * ones for another contract or environment, so that the table shows where a wave stops too.
 */
function effect(step: ManifestStep, decision: RunDecision, store: Store, root: string): Made {
  const { code, packages, inputs } = decision.parts;
  const passed = step.body.type === "check" ? decision.inputs[step.body.pass] : undefined;
  if (passed?.type === "object")
    return { outputs: { model: readFileSync(store.objects.pathOf(passed.content)) } };
  const text = digestOfJson({ code, packages, inputs }).slice(0, 12);
  if (step.target === undefined) {
    return {
      outputs: Object.fromEntries(
        Object.entries(step.outputs).map(([port, kind]) => [port, bytesOf(kind, text)]),
      ),
    };
  }
  writeFileSync(join(root, step.target), text);
  return { outputs: {}, target: { type: "file", digest: digestOf(text), size: text.length } };
}

function bytesOf({ kind }: KindSpec, text: string): string {
  if (kind === "csv") return `name,size\n${text},1\n`;
  if (kind === "metrics") return canonicalJson({ mae: parseInt(text, 16) });
  return canonicalJson(text);
}
