import type { Run, StepRun } from "@mlpipe/provenance";
import { runOf, stepRunOf } from "@mlpipe/provenance";
import {
  makersOf,
  takersOf,
  traceFrom,
  traceOf,
  type Trace,
  type TracedStep,
} from "@mlpipe/provenance/lineage";
import { isDigest, type Store } from "@mlpipe/store";
import { type LineageIndex, openLineage } from "@mlpipe/store/lineage";
import { bytes, count, localTime, metric, shortId } from "../format.ts";
import { print, printJson } from "../output.ts";
import { styleFor, type Style } from "../style.ts";
import { openRecords } from "./session.ts";
import { subjectOf, unknown, type Subject } from "./subject.ts";

/** `mlpipe trace`: what made something, back to the sources. Executes no code of the project. */
export function trace(word: string, options: { readonly json?: true }): number {
  const { store } = openRecords();
  using index = openLineage(store.root);
  try {
    const subject = subjectOf(word, store, index);
    const makers = subject.made === undefined ? makersOf(index, subject.digest) : [subject.made.stepRun];
    const takers = makers.length > 0 ? [] : takersOf(index, subject.digest);
    if (makers.length + takers.length === 0) throw unknown(subject.name);
    const answer = answered(store, index, makers);
    if (options.json === true) printJson(asJson(answer, subject, makers, takers));
    else
      for (const line of linesOf(answer, subject, { makers, takers, style: styleFor(process.stdout) }))
        print(line);
    return 0;
  } finally {
    store.close();
  }
}

interface Answer {
  readonly trace: Trace;
  readonly store: Store;
  recordOf(stepRun: string): StepRun | undefined;
  runOf(run: string): Run | undefined;
}

function answered(store: Store, index: LineageIndex, makers: readonly string[]): Answer {
  const records = new Map<string, StepRun | undefined>();
  const runs = new Map<string, Run | undefined>();
  const recordOf = (id: string): StepRun | undefined => {
    if (!records.has(id)) {
      const row = store.runs.stepRun(id);
      records.set(id, row === undefined ? undefined : stepRunOf(row));
    }
    return records.get(id);
  };
  return {
    trace: traceOf(traceFrom(index, makers), makers, recordOf),
    store,
    recordOf,
    runOf(id) {
      if (!runs.has(id)) {
        const row = store.runs.get(id);
        runs.set(id, row === undefined ? undefined : runOf(row, []));
      }
      return runs.get(id);
    },
  };
}

function asJson(
  answer: Answer,
  subject: Subject,
  makers: readonly string[],
  takers: readonly string[],
): Record<string, unknown> {
  const { trace, store } = answer;
  return {
    schemaVersion: 1,
    subject: { name: subject.name, digest: subject.digest },
    madeBy: makers,
    ...(makers.length === 0 && { takenBy: takers }),
    stepRuns: [...trace.tree.values()].map(({ step, record, inputs }) => {
      const run = answer.runOf(step.run);
      return {
        stepRun: step.id,
        ...withoutId(step),
        params: record.params,
        seeds: record.seeds,
        metrics: record.metrics,
        environment: partOf(store, record.env),
        packages: partOf(store, record.keyParts["packages"] ?? null),
        mlpipe: run?.tool.version ?? null,
        git:
          run?.git == null
            ? null
            : { commit: run.git.commit, ref: run.git.ref, dirty: run.git.dirty !== null },
        by: run?.by ?? null,
        trigger: run?.trigger ?? null,
        inputs,
        outputs: record.outputs,
      };
    }),
    others: trace.others.map((step) => ({ stepRun: step.id, ...withoutId(step) })),
    sources: [...trace.sources].map(([digest, ref]) => ({ digest, ...ref })),
  };
}

function withoutId<Step extends { readonly id: string }>({ id: _id, ...rest }: Step): Omit<Step, "id"> {
  return rest;
}

function partOf(store: Store, digest: string | null): unknown {
  return digest !== null && isDigest(digest) ? (store.parts.get(digest) ?? null) : null;
}

interface Shown {
  readonly makers: readonly string[];
  readonly takers: readonly string[];
  readonly style: Style;
}

function linesOf(answer: Answer, subject: Subject, { makers, takers, style }: Shown): readonly string[] {
  const { trace } = answer;
  const head = `${style("strong", subject.name)}  ${style("quiet", subject.digest.slice(0, 12))}`;
  if (makers.length === 0) return [head, ...takenLines(answer, subject, takers)];
  // Those that first made the bytes are told in full; whoever passed them on is a line.
  const taking = (id: string): boolean =>
    trace.tree.get(id)?.inputs.some(({ digest }) => digest === subject.digest) === true;
  const origins = makers.filter((id) => !taking(id));
  const [shown, rest] = [origins.slice(-1), origins.slice(0, -1)];
  const roots = shown.length > 0 ? shown : makers.slice(-1);
  const passing = makers.filter((id) => taking(id) && !roots.includes(id));
  const tree = new TreeLines(answer, style);
  return [
    head,
    ...roots.flatMap((root, i) =>
      tree.of(root, i === roots.length - 1 && passing.length + rest.length === 0),
    ),
    ...passing.slice(-5).map((id) => `├─ ${style("quiet", "passed on by")} ${stepLine(answer, id, style)}`),
    ...(rest.length > 0
      ? [
          `└─ ${style("quiet", `${count(rest.length, "other step run")} made the same bytes before; --json has them`)}`,
        ]
      : []),
    "",
    ...runLines(answer, style),
  ].map((line, i, all) => (all[i + 1] === "" ? line.replace(/^├/, "└") : line));
}

function takenLines(answer: Answer, { digest }: Subject, takers: readonly string[]): readonly string[] {
  const records = takers.flatMap((id) => answer.recordOf(id) ?? []);
  const names = new Set(
    records.flatMap(({ inputs }) =>
      Object.values(inputs)
        .flatMap((input) => [input, ...Object.values(input.items ?? {})])
        .filter((ref) => ref.digest === digest)
        .map(({ name }) => name),
    ),
  );
  const first = records[0];
  return [
    `It came from outside: nothing that is recorded here made it.`,
    `Taken as ${[...names].join(", ")} by ${count(takers.length, "step run")}${first === undefined ? "" : ` since ${localTime(first.startedAt)}`}; mlpipe impact says what it reached.`,
  ];
}

function stepLine(answer: Answer, id: string, style: Style): string {
  const found = answer.trace.tree.get(id);
  if (found === undefined) return id;
  const { step, record } = found;
  const params = Object.entries(record.params).map(([name, value]) => `${name}=${short(value)}`);
  const metrics = record.metrics.map(({ name, value }) => `${name} ${metric(value)}`);
  return [
    style("name", step.step),
    style("quiet", step.kind),
    localTime(step.startedAt),
    style("quiet", `run ${shortId(step.run)}`),
    ...params,
    ...metrics,
    style("quiet", versionsOf(answer, record)),
  ]
    .filter((part) => part !== "")
    .join("  ");
}

/** What a step was run with: `node 26`, `CPython 3.11.7, numpy 2.3.1`. */
function versionsOf({ store }: Answer, { env, keyParts }: StepRun): string {
  const environment = partOf(store, env);
  const packages = partOf(store, keyParts["packages"] ?? null);
  const parts: string[] = [];
  if (typeof environment === "object" && environment !== null) {
    if ("node" in environment) parts.push(`node ${String(environment.node)}`);
    const python: unknown = "python" in environment ? environment.python : undefined;
    if (typeof python === "object" && python !== null && "version" in python)
      parts.push(`python ${String(python.version)}`);
  }
  if (typeof packages === "object" && packages !== null) {
    const names = Object.entries(packages).map(
      ([name, version]) => `${name} ${String(version).split("+")[0]}`,
    );
    parts.push(...names.slice(0, 4), ...(names.length > 4 ? [`${names.length - 4} more packages`] : []));
  }
  return parts.join(", ");
}

/** The longest value that is shown beside a step. */
const longestValue = 40;

function short(value: unknown): string {
  const text = JSON.stringify(value) ?? "";
  return text.length > longestValue ? `${text.slice(0, longestValue - 1)}…` : text;
}

/** The most lines of a tree: what is longer nobody reads, and JSON has all of it. */
const mostLines = 200;

class TreeLines {
  readonly #answer: Answer;
  readonly #style: Style;
  readonly #shown = new Set<string>();

  constructor(answer: Answer, style: Style) {
    this.#answer = answer;
    this.#style = style;
  }

  of(root: string, isLast: boolean): readonly string[] {
    const style = this.#style;
    const lines: string[] = [];
    interface Open {
      readonly indent: string;
      readonly isLast: boolean;
      readonly text: string;
      readonly below: TracedStep | undefined;
    }
    const opened = (id: string, label: string, indent: string, last: boolean): Open => {
      const known = this.#shown.has(id);
      this.#shown.add(id);
      const below = this.#answer.trace.tree.get(id);
      const text = known
        ? `${below?.step.step ?? id} ${style("quiet", "(above)")}`
        : stepLine(this.#answer, id, style);
      return { indent, isLast: last, text: label + text, below: known ? undefined : below };
    };
    // A stack and no recursion: pipelines may be long chains.
    const open = [opened(root, "", "", isLast)];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (lines.length === mostLines) {
        lines.push(style("quiet", "… and more; --json has all of it"));
        break;
      }
      lines.push(`${next.indent}${next.isLast ? "└─ " : "├─ "}${next.text}`);
      const indent = `${next.indent}${next.isLast ? "   " : "│  "}`;
      const inputs = next.below?.inputs ?? [];
      const below = inputs.map(({ port, item, digest, name, size, madeBy, others }, i) => {
        const last = i === inputs.length - 1;
        const label = `${port}${item === undefined ? "" : `[${item}]`} ${style("quiet", `${digest.slice(0, 12)} ←`)} `;
        const also = others > 0 ? style("quiet", `  (and ${others} more with the same bytes)`) : "";
        if (madeBy !== null) {
          const made = opened(madeBy, label, indent, last);
          return { ...made, text: made.text + also };
        }
        return {
          indent,
          isLast: last,
          text: `${label}${style("strong", name)}  ${bytes(size)}`,
          below: undefined,
        };
      });
      open.push(...below.toReversed());
    }
    return lines;
  }
}

/** The runs of the tree: who, with which code. */
function runLines(answer: Answer, style: Style): readonly string[] {
  const ids = new Set([...answer.trace.tree.values()].map(({ step }) => step.run));
  return [...ids].toSorted().flatMap((id) => {
    const run = answer.runOf(id);
    if (run === undefined) return [];
    const git =
      run.git === null
        ? "no git"
        : `${run.git.commit?.slice(0, 12) ?? "no commit yet"}${run.git.dirty === null ? "" : " with changes"}`;
    return [
      style(
        "quiet",
        `run ${shortId(id)}  ${run.pipeline.name}, ${git}, mlpipe ${run.tool.version}, by ${run.by.user} on ${run.by.host}`,
      ),
    ];
  });
}
