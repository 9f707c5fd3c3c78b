/**
 * The format of `mlpipe.lock`: TOML that any TOML reader reads, in the narrow form that is written here: one fact a line,
 * sorted, a table for each step. Two branches that change different steps change different lines.
 */
import type { Content } from "@mlpipe/store";
import { isDigest } from "@mlpipe/store";

/** What is locked of one step. */
export interface LockedStep {
  /** The portable key. */
  readonly key: string;
  /** The beginnings of the digests of what the key is made of, to name what changed. */
  readonly code: string;
  readonly packages: string;
  /** By port, what does not come from other steps. */
  readonly given: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, Content>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether it was executed more than once and made the same each time. */
  readonly deterministic: boolean;
}

/** What is locked of one pipeline. */
export interface LockedPipeline {
  /** The pipeline's module, relative to the lock. */
  readonly file: string;
  /** Where it was last written, in words. */
  readonly environment: string;
  readonly steps: ReadonlyMap<string, LockedStep>;
}

/** A lock, by the names of its pipelines. */
export type Lock = ReadonlyMap<string, LockedPipeline>;

/** The version of the format. */
export const lockVersion = 1;

/** What cannot be read, and where. */
export interface Unreadable {
  readonly line: number;
  readonly problem: string;
  /** Written by a later mlpipe. */
  readonly newer?: true;
}

const heading = `# Written by mlpipe run, to be committed: what the pipelines here made, and of what.
# A changed line in a review is a changed step or a changed result. See docs/reproducibility.md.
version = ${lockVersion}
`;

/** The text of a lock. */
export function lockText(lock: Lock): string {
  const tables = [heading];
  for (const [name, pipeline] of sorted(lock)) {
    tables.push(pipelineTable(name, pipeline));
    for (const [id, step] of sorted(pipeline.steps)) tables.push(stepTable(name, id, step));
  }
  return tables.join("\n");
}

function pipelineTable(name: string, { file, environment }: LockedPipeline): string {
  const lines = [`environment = ${JSON.stringify(environment)}`, `file = ${JSON.stringify(file)}`];
  return `${header(name)}\n${lines.join("\n")}\n`;
}

function stepTable(name: string, id: string, step: LockedStep): string {
  return `${header(name, id)}\n${stepLines(step).join("\n")}\n`;
}

function header(...names: readonly string[]): string {
  return `[${names.map(word).join(".")}]`;
}

/**
 * The text of a lock with nothing but some steps of one pipeline, cut out of one that `lockText` wrote: of thousands, few
 * have to be read. Nothing if it lacks one of them.
 */
export function excerptOf(text: string, pipeline: string, steps: Iterable<string>): string | undefined {
  const places = tablesIn(text, headersOf(pipeline, steps));
  if (places === undefined) return undefined;
  return [heading, ...places.map(({ start, end }) => text.slice(start, end))].join("\n");
}

/** A text that `lockText` wrote, with other tables for a pipeline and those steps that are given of it. */
export function withTables(text: string, name: string, pipeline: LockedPipeline): string {
  const steps = sorted(pipeline.steps);
  const tables = [pipelineTable(name, pipeline), ...steps.map(([id, step]) => stepTable(name, id, step))];
  const places = tablesIn(text, headersOf(name, pipeline.steps.keys()));
  if (places === undefined) throw new Error(`the lock lacks a table of ${name}`);
  const parts: string[] = [];
  let at = 0;
  for (const [index, { start, end }] of places.entries()) {
    parts.push(text.slice(at, start), tables[index] ?? "");
    at = end;
  }
  return parts.join("") + text.slice(at);
}

/**
 * The steps of a pipeline of which a lock says something else than what is given. Nothing if there is more to be seen in
 * its text: other steps or lack of some, words that `lockText` does not write, or what a merge left. Then it has to be read.
 * One step is looked at after the other, so that thousands take no more memory than one.
 *
 * @param steps in the order of a lock
 */
export function differingSteps(
  text: string,
  pipeline: string,
  steps: Iterable<readonly [id: string, step: LockedStep]>,
): ReadonlySet<string> | undefined {
  const [own] = tablesIn(text, [header(pipeline)]) ?? [];
  if (own === undefined) return undefined;
  const differing = new Set<string>();
  let at = own.end;
  for (const [id, step] of steps) {
    const start = at + 1;
    if (!text.startsWith(`\n${header(pipeline, id)}\n`, at)) return undefined;
    at = endOfTable(text, start);
    const table = stepTable(pipeline, id, step);
    if (at - start !== table.length || !text.startsWith(table, start)) differing.add(id);
  }
  // All else is read, and a further step of this pipeline would be among it.
  const rest = text.slice(0, own.end) + text.slice(at);
  const lock = parseLock(rest);
  if ("problem" in lock || lock.get(pipeline)?.steps.size !== 0) return undefined;
  return lockText(lock) === rest ? differing : undefined;
}

/** The headers of a pipeline and of steps of it, in the order of a lock. */
function headersOf(pipeline: string, steps: Iterable<string>): readonly string[] {
  return [header(pipeline), ...[...steps].toSorted(byText).map((id) => header(pipeline, id))];
}

/** Where tables are that come in this order; nothing if one is missing. */
function tablesIn(
  text: string,
  headers: readonly string[],
): readonly { readonly start: number; readonly end: number }[] | undefined {
  const places: { start: number; end: number }[] = [];
  let from = 0;
  for (const each of headers) {
    // Strings of a lock are in one line each, so a header that stands alone is one.
    const before = text.indexOf(`\n\n${each}\n`, from);
    if (before === -1) return undefined;
    const start = before + 2;
    const end = endOfTable(text, start);
    places.push({ start, end });
    from = end - 1;
  }
  return places;
}

function endOfTable(text: string, start: number): number {
  const blank = text.indexOf("\n\n", start);
  return blank === -1 ? text.length : blank + 1;
}

/** The files of all pipelines in a text that `lockText` wrote. */
export function filesIn(text: string): readonly string[] {
  return Array.from(text.matchAll(/^file = (".*")$/gm), ([, file = '""']) => String(scalar(file)));
}

function stepLines(step: LockedStep): readonly string[] {
  const lines = [
    `code = ${JSON.stringify(step.code)}`,
    `key = ${JSON.stringify(step.key)}`,
    `packages = ${JSON.stringify(step.packages)}`,
  ];
  if (step.deterministic) lines.push("deterministic = true");
  for (const [port, text] of Object.entries(step.given))
    lines.push(`input.${word(port)} = ${JSON.stringify(text)}`);
  for (const [name, value] of Object.entries(step.metrics)) lines.push(`metric.${word(name)} = ${value}`);
  for (const [port, { type, digest, size }] of Object.entries(step.outputs))
    lines.push(`output.${word(port)} = ${JSON.stringify(`${type} ${digest} ${size}`)}`);
  return lines.toSorted();
}

function sorted<Value>(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...map].toSorted(([a], [b]) => byText(a, b));
}

/** The order of names in a lock. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** A key of TOML: bare where it may be. JSON's strings are TOML's too. */
function word(name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
}

/** A step while its lines are read. */
interface Draft {
  readonly facts: Map<string, string | number | boolean>;
  readonly line: number;
}

/** Reads the text of a lock. A conflict that git left in it makes it unreadable, and is named. */
export function parseLock(text: string): Lock | Unreadable {
  const pipelines = new Map<string, { own: Draft; steps: Map<string, Draft> }>();
  let draft: Draft = { facts: new Map(), line: 1 };
  const top = draft;
  let number = 0;
  // A checkout may have the line ends of Windows.
  for (const line of text.split(/\r?\n/)) {
    number++;
    if (line === "" || line.startsWith("#")) continue;
    if (/^(?:<{7}|={7}|>{7}|\|{7})/.test(line))
      return { line: number, problem: "a merge left its conflict there" };
    if (line.startsWith("[")) {
      const [pipeline, step, ...more] = (line.endsWith("]") && words(line.slice(1, -1))) || [];
      if (pipeline === undefined || more.length > 0)
        return { line: number, problem: "no table of a step or pipeline" };
      draft = { facts: new Map(), line: number };
      if (step === undefined) pipelines.set(pipeline, { own: draft, steps: new Map() });
      else {
        const section = pipelines.get(pipeline);
        if (section === undefined) return { line: number, problem: `${pipeline} has no table of its own` };
        section.steps.set(step, draft);
      }
      continue;
    }
    const at = line.indexOf(" = ");
    const name = at === -1 ? undefined : words(line.slice(0, at));
    const value = scalar(line.slice(at + 3));
    if (name === undefined || value === undefined)
      return { line: number, problem: "no line of the form NAME = VALUE" };
    draft.facts.set(name.join("\0"), value);
  }
  const version = top.facts.get("version");
  if (version !== lockVersion) {
    const newer = typeof version === "number" && version > lockVersion;
    const problem = newer ? "written by a later mlpipe" : "of no known version";
    return { line: top.line, problem, ...(newer && { newer }) };
  }
  const lock = new Map<string, LockedPipeline>();
  for (const [name, { own, steps }] of pipelines) {
    const locked = new Map<string, LockedStep>();
    for (const [id, each] of steps) {
      const step = stepOf(each.facts);
      if (step === undefined) return { line: each.line, problem: `${id} lacks something` };
      locked.set(id, step);
    }
    const [environment, file] = [own.facts.get("environment"), own.facts.get("file")];
    if (typeof environment !== "string" || typeof file !== "string")
      return { line: own.line, problem: `${name} lacks something` };
    lock.set(name, { environment, file, steps: locked });
  }
  return lock;
}

function stepOf(facts: Draft["facts"]): LockedStep | undefined {
  const [key, code, packages] = [facts.get("key"), facts.get("code"), facts.get("packages")];
  if (typeof key !== "string" || typeof code !== "string" || typeof packages !== "string") return undefined;
  const given: Record<string, string> = {};
  const metrics: Record<string, number> = {};
  const outputs: Record<string, Content> = {};
  for (const [name, value] of facts) {
    const [group = "", port = ""] = name.split("\0");
    if (group === "input" && typeof value === "string") given[port] = value;
    if (group === "metric" && typeof value === "number") metrics[port] = value;
    if (group !== "output") continue;
    const [type, digest = "", size] = String(value).split(" ");
    if ((type !== "file" && type !== "tree") || !isDigest(digest)) return undefined;
    outputs[port] = { type, digest, size: Number(size) };
  }
  return { key, code, packages, given, metrics, outputs, deterministic: facts.get("deterministic") === true };
}

/** The parts of a dotted key. */
function words(text: string): readonly string[] | undefined {
  // Almost all: looked at as a whole.
  if (/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/.test(text)) return text.split(".");
  const found: string[] = [];
  let rest = text;
  for (;;) {
    const part = /^(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*")/.exec(rest)?.[0];
    if (part === undefined) return undefined;
    const name = part.startsWith('"') ? scalar(part) : part;
    if (typeof name !== "string") return undefined;
    found.push(name);
    rest = rest.slice(part.length);
    if (rest === "") return found;
    if (!rest.startsWith(".")) return undefined;
    rest = rest.slice(1);
  }
}

function scalar(text: string): string | number | boolean | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}
