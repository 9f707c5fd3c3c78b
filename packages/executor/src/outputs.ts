/** What a step made, checked against what it promised. */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describeKind, type KindSpec, type ManifestStep } from "@mlpipe/dsl";
import { type Content, hashPath, StoreError } from "@mlpipe/store";
import { stepError } from "./attempt-failure.ts";
import type { AttemptFolder } from "./attempt-folder.ts";
import type { StepError } from "./events.ts";
import { undeclaredMetrics } from "./undeclared-metrics.ts";

/** An output with the file the store is to take. */
export interface MadeOutput {
  readonly content: Content;
  readonly path: string;
  /** Of a value or metrics. */
  readonly value?: unknown;
}

/**
 * Gathers the outputs of a step that ended well.
 *
 * @param places of the output ports, relative to `root`
 * @param returned values and metrics of a TypeScript step; a command writes them as JSON
 */
export function gatherOutputs(options: {
  readonly root: string;
  readonly step: ManifestStep;
  readonly folder: AttemptFolder;
  readonly places: Readonly<Record<string, string>>;
  readonly returned: Readonly<Record<string, unknown>> | undefined;
}): { readonly outputs: Readonly<Record<string, MadeOutput>> } | { readonly error: StepError } {
  const { root, step, folder, places, returned } = options;
  const outputs: Record<string, MadeOutput> = {};
  for (const [port, kind] of Object.entries(step.outputs)) {
    const place = places[port] ?? "";
    const path = join(root, place);
    if (isReturned(kind)) {
      const value = returned === undefined ? readJson(path) : { json: returned[port] };
      if ("problem" in value) return { error: missing(step, port, kind, place, value.problem, value.hint) };
      const problem = kind.kind === "metrics" ? metricsProblem(kind, value.json) : undefined;
      if (problem !== undefined) return { error: wrong(step, port, problem.what, problem.hint) };
      let file: string;
      try {
        file = folder.valueFile(port, value.json);
      } catch (error) {
        // A number beyond all numbers, half a character: a command can write what JSON reads and cannot hold.
        if (!(error instanceof StoreError) || error.code !== "MLP4001") throw error;
        return { error: wrong(step, port, error.message) };
      }
      outputs[port] = { content: hashPath(file), path: file, value: value.json };
      continue;
    }
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return { error: missing(step, port, kind, place, "nothing is there") };
    if (stat.isSymbolicLink())
      return { error: wrong(step, port, "it is a link, and must be the thing itself") };
    const folderWanted = kind.kind === "dir" || (kind.kind === "model" && stat.isDirectory());
    if (stat.isDirectory() !== folderWanted) {
      const found = stat.isDirectory() ? "a folder" : "a file";
      return { error: wrong(step, port, `${describeKind(kind)} was promised, and ${place} is ${found}`) };
    }
    try {
      outputs[port] = { content: hashPath(path), path };
    } catch (error) {
      // A pipe in a folder, a name that is no text: the step's doing, and of no other step.
      if (!(error instanceof StoreError)) throw error;
      return { error: unkeepable(step, port, error) };
    }
  }
  return { outputs };
}

/** The places where something must be when the process of a step has ended well. @param places of the output ports */
export function placesLeft(
  { body, outputs, target }: ManifestStep,
  places: Readonly<Record<string, string>>,
): readonly string[] {
  const left = target === undefined ? [] : [target];
  // What a gate lets pass is there already.
  if (body.type === "check") return left;
  for (const [port, kind] of Object.entries(outputs)) {
    const place = places[port];
    if (place !== undefined && (body.type === "command" || !isReturned(kind))) left.push(place);
  }
  return left;
}

/** Whether the content of a kind is JSON that a function returns. */
export function isReturned(kind: KindSpec): boolean {
  return kind.kind === "value" || kind.kind === "metrics";
}

function readJson(
  path: string,
): { readonly json: unknown } | { readonly problem: string; readonly hint?: string } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return { problem: "nothing is there" };
  }
  try {
    return { json: JSON.parse(text) };
  } catch (error) {
    const number = pythonNumber(text);
    if (number !== undefined) {
      return {
        problem: `it holds ${number}, which JSON has no number for`,
        hint: "Python's json writes it all the same; json.dump(…, allow_nan=False) fails instead, and says where.",
      };
    }
    const problem = `it is not JSON: ${error instanceof Error ? error.message : String(error)}`;
    return { problem, hint: 'What the command writes there must be JSON: 0.5, "text", {"mae": 0.5}.' };
  }
}

/** A number that Python writes into what would be JSON without it: of a training that diverged, say. */
function pythonNumber(text: string): string | undefined {
  const number = /(?<=[[:,\s]|^)(?:NaN|-?Infinity)(?=[\],}\s]|$)/;
  const found = number.exec(text)?.[0];
  try {
    if (found !== undefined) JSON.parse(text.replaceAll(new RegExp(number, "g"), "0"));
    return found;
  } catch {
    return undefined;
  }
}

function metricsProblem(
  kind: KindSpec & { kind: "metrics" },
  value: unknown,
): { readonly what: string; readonly hint?: string } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { what: "metrics are a JSON object" };
  const found = new Map<string, unknown>(Object.entries(value));
  for (const name of Object.keys(kind.directions)) {
    const number = found.get(name);
    if (typeof number !== "number" || !Number.isFinite(number)) {
      const is = JSON.stringify(number) ?? "missing";
      return { what: `the metric ${name} must be a finite number, and is ${is}` };
    }
    found.delete(name);
  }
  if (found.size === 0) return undefined;
  const { what, hint } = undeclaredMetrics([...found.keys()]);
  return { what: `it ${what}`, hint };
}

function missing(
  step: ManifestStep,
  port: string,
  kind: KindSpec,
  place: string,
  problem: string,
  hint = step.body.type === "command" ? `The command must write ${place}.` : `Write it through out.${port}.`,
): StepError {
  return {
    code: "MLP3005",
    message: `"${step.id}" did not make its output ${port} (${describeKind(kind)}): ${problem}.`,
    hint,
    ...(step.defined !== undefined && { at: [step.defined] }),
  };
}

function unkeepable(step: ManifestStep, port: string, { code, message, hint }: StoreError): StepError {
  return {
    code,
    message: `The output ${port} of "${step.id}" cannot be kept: ${message}.`,
    ...(hint !== undefined && { hint }),
    ...(step.defined !== undefined && { at: [step.defined] }),
  };
}

function wrong(step: ManifestStep, port: string, problem: string, hint?: string): StepError {
  const message = `The output ${port} of "${step.id}" is not what was promised: ${problem}.`;
  return stepError(step, "MLP3006", message, hint);
}
