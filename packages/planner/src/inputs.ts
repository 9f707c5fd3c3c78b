/**
 * Inputs as a step's key sees them: where each binding of a manifest leads, by content.
 */
import { isAbsolute, join } from "node:path";
import { readFileSync, statSync } from "node:fs";
import {
  type Binding,
  describeKind,
  type KindSpec,
  type ManifestFanOut,
  type ManifestSite,
  type ManifestStep,
  MlpipeError,
} from "@mlpipe/dsl";
import {
  canonicalJson,
  type Content,
  type Digest,
  digestOf,
  digestOfJson,
  type Store,
  StoreError,
} from "@mlpipe/store";
import type { ResolvedInput } from "./plan.ts";

/** How the content of things is found out. */
export interface InputResolver {
  readonly root: string;
  /** The content of an upstream output, or nothing while it is not known. */
  readonly outputOf: (step: string, port: string) => Content | undefined;
  /** The content of a file or folder of the project. */
  contentOf(path: string): Content;
  /** The same, if it was asked for before: then it was there, and nobody need look again. */
  knownContent(path: string): Content | undefined;
}

/** The upstream step whose output is not known yet. */
export interface Waiting {
  readonly type: "waiting";
  readonly step: string;
}

/**
 * Resolves one input.
 * @throws MlpipeError MLP2001, MLP2002 for a source that is missing or of the wrong sort
 */
export function resolveInput(
  step: Pick<ManifestStep, "id" | "called">,
  port: string,
  kind: KindSpec,
  binding: Binding,
  resolver: InputResolver,
): ResolvedInput | Waiting {
  switch (binding.type) {
    case "absent":
      return { type: "absent" };
    case "value":
      return binding.from === undefined
        ? valueInput(binding.value)
        : { ...valueInput(binding.value), from: binding.from };
    case "item":
      return { type: "waiting", step: binding.from?.step ?? binding.each };
    case "joined":
      // Which children there are is not known, so the steps that stand for all of them are waited for.
      return { type: "waiting", step: upstreamIn(binding)[0] ?? binding.each };
    case "step": {
      const content = resolver.outputOf(binding.step, binding.port);
      if (content === undefined) return { type: "waiting", step: binding.step };
      return { type: "object", content, from: { step: binding.step, port: binding.port } };
    }
    case "source":
      return resolveSource(step, port, kind, binding, resolver);
    case "many": {
      const of = kind.kind === "many" ? kind.of : kind;
      const items: { key: string; input: ResolvedInput }[] = [];
      for (const { key, from } of binding.items) {
        const input = resolveInput(step, `${port}[${key}]`, of, from, resolver);
        if (input.type === "waiting") return input;
        items.push({ key, input });
      }
      return { type: "many", items };
    }
  }
}

/** A value as the step will see it: the key does not tell in which order an object was written, so all see one. */
function valueInput(value: unknown): Extract<ResolvedInput, { type: "value" }> {
  const digest = digestOfJson(value);
  if (typeof value !== "object" || value === null) return { type: "value", value, digest };
  const canonical: unknown = JSON.parse(canonicalJson(value));
  return { type: "value", value: canonical, digest };
}

function resolveSource(
  step: Pick<ManifestStep, "id" | "called">,
  port: string,
  kind: KindSpec,
  source: Extract<Binding, { type: "source" }>,
  resolver: InputResolver,
): ResolvedInput {
  const absolute = absolutePath(resolver.root, source.path);
  const known = resolver.knownContent(absolute);
  const place = { absolute, found: known?.type };
  if (!checkSource(step, port, kind, source, resolver.root, place)) return { type: "absent" };
  const content = known ?? resolver.contentOf(absolute);
  return { type: "source", path: source.path, absolute, keep: source.keep, content };
}

function absolutePath(root: string, path: string): string {
  if (isAbsolute(path)) return path;
  // Almost all are plain, and asked for several times a run: to join them takes as long as to look at the file.
  return isPlain(path) && root !== "/" ? `${root}/${path}` : join(root, path);
}

/** Whether a relative path has nothing that joining would take out. */
function isPlain(path: string): boolean {
  return !/(?:^|\/)\.{0,2}(?:\/|$)/.test(path);
}

/**
 * Whether a source is there; false if it may be absent and is.
 * @param place its path, and what lies there, if somebody has looked
 */
function checkSource(
  step: Pick<ManifestStep, "id" | "called">,
  port: string,
  kind: KindSpec,
  source: Extract<Binding, { type: "source" }>,
  root: string,
  place: { readonly absolute: string; readonly found: Content["type"] | undefined },
): boolean {
  const there = place.found ?? typeAt(place.absolute);
  if (there === undefined) {
    if (kind.kind === "optional") return false;
    throw new MlpipeError("MLP2001", `The source ${source.path} of ${step.id}.${port} does not exist.`, {
      at: absoluteSite(root, source.site ?? step.called),
      hint: "Sources are relative to the project's root. Fetch the file, correct the path, or declare the port as optional(…).",
    });
  }
  const inner = innermost(kind);
  // A model may be either: some formats are folders.
  const fits = inner.kind === "dir" ? there === "tree" : inner.kind === "model" || there === "file";
  if (!fits) {
    throw new MlpipeError(
      "MLP2002",
      `The source ${source.path} of ${step.id}.${port} is a ${there === "tree" ? "folder" : "file"}, and ${describeKind(inner)} is not.`,
      { at: absoluteSite(root, source.site ?? step.called) },
    );
  }
  return true;
}

function typeAt(path: string): Content["type"] | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat && (stat.isDirectory() ? "tree" : "file");
}

/**
 * Looks whether every source is there and of the right sort, before anything runs: the last step's
 * source must not be missed when the first has trained for hours.
 *
 * @param typeOf what lies at an absolute path, if somebody has looked
 */
export function checkSources(
  steps: readonly Pick<ManifestStep, "id" | "called" | "inputs">[],
  root: string,
  typeOf: (path: string) => Content["type"] | undefined,
): void {
  for (const step of steps) {
    for (const [port, { kind, from }] of Object.entries(step.inputs)) {
      const sources = [from];
      for (const binding of sources) {
        if (binding.type === "many") sources.push(...binding.items.map((item) => item.from));
        else if (binding.type === "joined") sources.push(binding.from);
        else if (binding.type === "source") {
          const absolute = absolutePath(root, binding.path);
          checkSource(step, port, kind, binding, root, { absolute, found: typeOf(absolute) });
        }
      }
    }
  }
}

/** A site of the manifest as a place on this machine. */
export function absoluteSite(
  root: string,
  site: ManifestSite | undefined,
): { file: string; line: number; column: number } | undefined {
  if (site === undefined) return undefined;
  const { file, line, column } = site;
  return { file: isAbsolute(file) ? file : join(root, file), line, column };
}

/** The kind of the content itself. */
export function innermost(kind: KindSpec): KindSpec {
  return kind.kind === "optional" || kind.kind === "approved" || kind.kind === "many"
    ? innermost(kind.of)
    : kind;
}

// Not of JSON: a document that is there must not pass for one that is not, whatever it says.
const absentDigest = digestOf("\0absent");

/** The digest by which an input enters the key. */
export function inputDigest(input: ResolvedInput): Digest {
  switch (input.type) {
    case "absent":
      return absentDigest;
    case "value":
      return input.digest;
    case "object":
    case "source":
      // A folder's digest is one of its listing: tagged, so that no file's bytes can pass for it.
      return input.content.type === "tree"
        ? digestOfJson({ tree: input.content.digest })
        : input.content.digest;
    case "many":
      return digestOfJson({ many: input.items.map(({ key, input: item }) => [key, inputDigest(item)]) });
  }
}

/** Every source that a manifest names, as absolute paths: hashing them together uses both cores. */
export function sourcePaths(root: string, steps: readonly ManifestStep[]): readonly string[] {
  const paths = new Set<string>();
  const visit = (binding: Binding): void => {
    if (binding.type === "source") paths.add(absolutePath(root, binding.path));
    else if (binding.type === "many") for (const { from } of binding.items) visit(from);
    else if (binding.type === "joined") visit(binding.from);
  };
  for (const step of steps) for (const { from } of Object.values(step.inputs)) visit(from);
  return [...paths];
}

/** The steps that a step takes refs from, or items of their lists. */
export function upstreamOf({ inputs }: Pick<ManifestStep, "inputs">): readonly string[] {
  let ids: Set<string> | undefined;
  for (const port of Object.keys(inputs)) {
    const from = inputs[port]?.from;
    if (from !== undefined && from.type !== "source") addUpstream(from, (ids ??= new Set()));
  }
  return ids === undefined || ids.size === 0 ? none : [...ids];
}

/** The steps that a binding leads to. */
export function upstreamIn(binding: Binding): readonly string[] {
  const ids = new Set<string>();
  addUpstream(binding, ids);
  return [...ids];
}

const none: readonly string[] = [];

function addUpstream(binding: Binding, ids: Set<string>): void {
  if (binding.type === "step") ids.add(binding.step);
  else if (binding.type === "many") for (const { from } of binding.items) addUpstream(from, ids);
  else if (binding.type === "joined") addUpstream(binding.from, ids);
  else if ((binding.type === "item" || binding.type === "value") && binding.from !== undefined)
    ids.add(binding.from.step);
}

/**
 * The items of a fan-out's list; nothing while it is not known.
 * @param user the first step of its body, for messages about a source
 * @throws MlpipeError MLP1013 for what is no list, MLP2001 for a source that is missing
 * @throws StoreError MLP4009 for a list that was damaged in the store
 */
export function listOf(
  fanOut: ManifestFanOut,
  user: ManifestStep | undefined,
  store: Store,
  resolver: InputResolver,
): readonly unknown[] | undefined {
  const { id, list, kind } = fanOut;
  if (list.type === "value") return checkList(list.value, fanOut, resolver.root);
  if (list.type !== "step" && list.type !== "source") return undefined;
  const spec: KindSpec = { kind };
  const place = user ?? { id, called: fanOut.called };
  const input = resolveInput(place, "list", spec, list, resolver);
  if (input.type === "source") {
    return checkList(parse(readFileSync(input.absolute), fanOut, resolver.root), fanOut, resolver.root);
  }
  if (input.type !== "object") return undefined;
  const { content } = input;
  if (!store.objects.has(content)) return undefined;
  const path = store.objects.pathOf(content);
  const bytes = readFileSync(path);
  if (digestOf(bytes) !== content.digest) {
    store.objects.remove(content);
    throw new StoreError("MLP4009", `the list of ${id} was damaged in the store, and was dropped`, {
      path,
      hint: "Run again: it is made anew.",
    });
  }
  return checkList(parse(bytes, fanOut, resolver.root), fanOut, resolver.root);
}

function parse(bytes: Uint8Array, fanOut: ManifestFanOut, root: string): unknown {
  const text = new TextDecoder().decode(bytes);
  try {
    if (fanOut.kind !== "jsonl") return JSON.parse(text);
    return text.split("\n").flatMap((line): unknown[] => (line.trim() === "" ? [] : [JSON.parse(line)]));
  } catch (error) {
    throw noList(fanOut, root, error instanceof Error ? `no JSON: ${error.message}` : "no JSON");
  }
}

function checkList(value: unknown, fanOut: ManifestFanOut, root: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw noList(
    fanOut,
    root,
    value === null ? "null" : typeof value === "object" ? "an object" : `a ${typeof value}`,
  );
}

function noList({ id, called }: ManifestFanOut, root: string, found: string): MlpipeError {
  return new MlpipeError("MLP1013", `What ${id} is to fan out over is no list but ${found}.`, {
    at: absoluteSite(root, called),
  });
}
