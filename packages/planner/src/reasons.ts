/**
 * Reasons: what differs between the preimage of now and an earlier one, down to the declaration,
 * the package, the variable or the value.
 */
import { isDeepStrictEqual } from "node:util";
import type { Digest, Store } from "@mlpipe/store";
import { isArrangement } from "./code/code-node.ts";
import type { CodeDocument } from "./preimage.ts";
import type { Preimage, Reason, ResolvedInput } from "./plan.ts";

/** A preimage with a way to its documents. */
export interface Comparable {
  readonly preimage: Preimage;
  /** The document of a part; nothing where it is no longer kept. */
  document(digest: Digest): unknown;
  /** The params the pipeline had. Asked for only where an input is a value that changed. */
  params(): unknown;
}

/** What is known of the inputs of now: where they come from, and how they differ from those before. */
export interface InputsNow {
  readonly inputs: Readonly<Record<string, ResolvedInput>>;
  /** How the content of a port differs, in words; nothing if that cannot be told. */
  readonly changeOf: (port: string) => string | undefined;
}

/** Every difference between an earlier preimage and the present one. */
export function compare(before: Comparable, after: Comparable, now: InputsNow): readonly Reason[] {
  const reasons: Reason[] = [];
  if (before.preimage.format !== after.preimage.format) {
    reasons.push({
      part: "format",
      name: "format",
      before: before.preimage.format,
      after: after.preimage.format,
      message: `keys are made anew by this version of mlpipe (format ${before.preimage.format} → ${after.preimage.format})`,
    });
  }
  compareContract(before, after, reasons);
  compareInputs(before, after, now, reasons);
  compareCode(before, after, reasons);
  compareNamed(before, after, "packages", packageFacts, reasons);
  compareNamed(before, after, "environment", environmentFacts, reasons);
  return reasons;
}

function compareInputs(
  before: Comparable,
  after: Comparable,
  { inputs, changeOf }: InputsNow,
  reasons: Reason[],
): void {
  for (const port of names(before.preimage.inputs, after.preimage.inputs)) {
    const was = before.preimage.inputs[port];
    const is = after.preimage.inputs[port];
    if (was === is) continue;
    if (was === undefined || is === undefined) {
      const change = is === undefined ? "is gone" : "is new";
      reasons.push({ part: "inputs", name: port, message: `input ${port} ${change}` });
      continue;
    }
    const input = inputs[port];
    if (input?.type === "value") {
      const value = before.document(was);
      const param = paramBehind(before.params(), after.params(), value, input.value);
      const known = value !== undefined;
      reasons.push({
        part: "inputs",
        name: port,
        ...(known && { before: value }),
        after: input.value,
        message:
          `input ${port} ${known ? show(value) : "?"} → ${show(input.value)}` +
          (param === undefined ? "" : ` (params.${param})`),
      });
      continue;
    }
    const change = changeOf(port);
    reasons.push({
      part: "inputs",
      name: port,
      before: was,
      after: is,
      message: `input ${port}${change === undefined ? " changed" : `: ${change}`}${originOf(input)}`,
    });
  }
}

function originOf(input: ResolvedInput | undefined): string {
  if (input?.type === "source") return ` (${input.path})`;
  if (input?.type === "object") return ` (from ${input.from.step})`;
  if (input?.type === "absent") return " (it is absent now)";
  return "";
}

/**
 * The param that an input's value came from: the one that had the value of before then and has the
 * value of now. The path alone cannot tell, since a pipeline is a function of its params.
 */
function paramBehind(before: unknown, after: unknown, was: unknown, is: unknown): string | undefined {
  const found: string[] = [];
  const visit = (left: unknown, right: unknown, path: readonly string[]): void => {
    if (path.length > 0 && sameJson(left, was) && sameJson(right, is)) {
      found.push(path.join("."));
      return;
    }
    if (!isRecord(left) || !isRecord(right)) return;
    for (const name of Object.keys(right)) visit(left[name], right[name], [...path, name]);
  };
  visit(before, after, []);
  return found.length === 1 ? found[0] : undefined;
}

function compareCode(before: Comparable, after: Comparable, reasons: Reason[]): void {
  if (before.preimage.code === after.preimage.code) return;
  // Documents of `code` are written by this package alone.
  const was = before.document(before.preimage.code) as CodeDocument | undefined;
  const is = after.document(after.preimage.code) as CodeDocument | undefined;
  if (was === undefined || is === undefined) {
    reasons.push({ part: "code", name: "code", message: "code changed" });
    return;
  }
  const count = reasons.length;
  const changed = names(was.parts, is.parts).filter((name) => was.parts[name] !== is.parts[name]);
  // Pieces that come or go change how all are put together, which need not be said beside.
  const follows = changed.some(
    (name) => !isArrangement(name) && (was.parts[name] === undefined || is.parts[name] === undefined),
  );
  for (const name of changed) {
    if (follows && isArrangement(name)) continue;
    const left = was.parts[name];
    const right = is.parts[name];
    const change = left === undefined ? "was added" : right === undefined ? "was removed" : "changed";
    reasons.push({
      part: "code",
      name,
      ...(left !== undefined && { before: left }),
      ...(right !== undefined && { after: right }),
      message: `code: ${describeCode(name)} ${change}`,
    });
  }
  // Documents of an earlier format have no step.
  if (was.step !== is.step && typeof was.step === "string") {
    reasons.push({
      part: "code",
      name: "step",
      before: was.step,
      after: is.step,
      message: `the step is ${describeCode(is.step)}, and was ${describeCode(was.step)}`,
    });
  }
  if (!sameJson(was.argv, is.argv)) {
    reasons.push({
      part: "code",
      name: "command",
      before: showArgv(was.argv),
      after: showArgv(is.argv),
      message: `command ${showArgv(was.argv)} → ${showArgv(is.argv)}`,
    });
  }
  if (reasons.length === count) reasons.push({ part: "code", name: "code", message: "code changed" });
}

/** `src/features.ts#lag` as people say it: `lag in src/features.ts`. */
function describeCode(name: string): string {
  const hash = name.lastIndexOf("#");
  return hash === -1 ? name : `${name.slice(hash + 1)} in ${name.slice(0, hash)}`;
}

function showArgv(argv: readonly unknown[] | undefined): string {
  if (argv === undefined) return "(none)";
  return argv
    .map((parts) =>
      (Array.isArray(parts) ? parts : [parts])
        .map((part: unknown) => (isRecord(part) ? `{${String(Object.values(part)[0])}}` : String(part)))
        .join(""),
    )
    .join(" ");
}

function compareContract(before: Comparable, after: Comparable, reasons: Reason[]): void {
  if (before.preimage.contract === after.preimage.contract) return;
  const was = before.document(before.preimage.contract);
  const is = after.document(after.preimage.contract);
  if (!isRecord(was) || !isRecord(is)) {
    reasons.push({ part: "contract", name: "contract", message: "the step's ports changed" });
    return;
  }
  for (const field of names(was, is)) {
    if (sameJson(was[field], is[field])) continue;
    if ((field === "inputs" || field === "outputs") && isRecord(was[field]) && isRecord(is[field])) {
      const side = field === "inputs" ? "input" : "output";
      for (const port of names(was[field], is[field])) {
        const left = was[field][port];
        const right = is[field][port];
        if (sameJson(left, right)) continue;
        const change = left === undefined ? "is new" : right === undefined ? "is gone" : "changed its kind";
        reasons.push({
          part: "contract",
          name: port,
          ...(left !== undefined && { before: left }),
          ...(right !== undefined && { after: right }),
          message: `${side} port ${port} ${change}`,
        });
      }
      continue;
    }
    reasons.push({
      part: "contract",
      name: field,
      before: was[field],
      after: is[field],
      message: `${field} ${show(was[field])} → ${show(is[field])}`,
    });
  }
}

/** A fact of a part: what people call it, and its value. */
interface Fact {
  readonly title: string;
  readonly value: unknown;
}

type Facts = Readonly<Record<string, Fact>>;

function compareNamed(
  before: Comparable,
  after: Comparable,
  partName: "packages" | "environment",
  factsOf: (document: unknown) => Facts,
  reasons: Reason[],
): void {
  if (before.preimage[partName] === after.preimage[partName]) return;
  const was = factsOf(before.document(before.preimage[partName]));
  const is = factsOf(after.document(after.preimage[partName]));
  const count = reasons.length;
  for (const name of names(was, is)) {
    const left = was[name];
    const right = is[name];
    if (sameJson(left?.value, right?.value)) continue;
    const title = (left ?? right)?.title ?? name;
    reasons.push({
      part: partName,
      name,
      ...(left !== undefined && { before: left.value }),
      ...(right !== undefined && { after: right.value }),
      message: `${title} ${left === undefined ? "(none)" : show(left.value)} → ${right === undefined ? "(none)" : show(right.value)}`,
    });
  }
  if (reasons.length === count)
    reasons.push({ part: partName, name: partName, message: `${partName} changed` });
}

function packageFacts(document: unknown): Facts {
  const facts = isRecord(document) ? document : {};
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, { title: `package ${name}`, value }]),
  );
}

/** The environment's document as facts with one name each: `env TZ`, `node`, `tool gcc`. */
function environmentFacts(document: unknown): Facts {
  const facts: Record<string, Fact> = {};
  for (const [name, value] of Object.entries(isRecord(document) ? document : {})) {
    if (name === "variables" && isRecord(value)) {
      for (const [variable, state] of Object.entries(value)) {
        facts[variable] = { title: `env ${variable}`, value: variableValue(state) };
      }
    } else if (name === "tools" && isRecord(value)) {
      for (const [tool, digest] of Object.entries(value)) {
        facts[tool] = { title: `tool ${tool}`, value: String(digest).slice(0, 12) };
      }
    } else {
      facts[name] = { title: name, value: isRecord(value) ? Object.values(value).join(" ") : value };
    }
  }
  return facts;
}

function variableValue(state: unknown): unknown {
  if (!isRecord(state)) return state;
  if ("value" in state) return state["value"];
  if ("secret" in state) return state["set"] === true ? "(a secret)" : "(a secret, unset)";
  return "(unset)";
}

function names(before: object, after: object): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sameJson(left: unknown, right: unknown): boolean {
  return isDeepStrictEqual(left, right);
}

function show(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** The documents that a store keeps. */
export function documentsOf(store: Store): (digest: Digest) => unknown {
  return (digest) => store.parts.get(digest);
}
