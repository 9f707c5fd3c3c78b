import { describeChange, describeRows, type InputDetail } from "@mlpipe/planner";
import { runOf, type Run } from "@mlpipe/provenance";
import {
  type Change,
  type DataChange,
  type DataSide,
  diffRuns,
  type RunDiff,
  type Side,
  sideOf,
  sourceText,
  unifiedDiff,
} from "@mlpipe/provenance/diff";
import { type Content, isDigest, type Store } from "@mlpipe/store";
import { bytes, localTime, metric, shortId } from "../format.ts";
import { columns, print, printJson } from "../output.ts";
import { styleFor, type Style } from "../style.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

/** `mlpipe diff A B`: what differs between two runs. Executes no code of the project. */
export function diff(a: string, b: string, options: { readonly json?: true }): number {
  const { store, project } = openRecords();
  try {
    const [before, after] = [sideOf(store, recordedRun(store, a)), sideOf(store, recordedRun(store, b))];
    const found = diffRuns(store, before, after);
    const texts = textsOf(found.code, { before, after, store, root: project.root });
    const inShort = ({ run }: Side): object => ({
      run: run.id,
      pipeline: run.pipeline.name,
      status: run.status,
    });
    if (options.json === true) {
      const data = (all: readonly DataChange[]): readonly object[] =>
        all.map((change) => ({ ...change, change: insideOf(change, before, after, store) ?? null }));
      printJson({
        schemaVersion: 1,
        before: inShort(before),
        after: inShort(after),
        ...found,
        sources: data(found.sources),
        outputs: data(found.outputs),
        texts,
      });
      return 0;
    }
    for (const line of linesOf(found, texts, { before, after, store, style: styleFor(process.stdout) }))
      print(line);
    return 0;
  } finally {
    store.close();
  }
}

interface Sides {
  readonly before: Side;
  readonly after: Side;
  readonly store: Store;
}

/** The text of a file that has changed declarations. */
interface FileText {
  readonly file: string;
  readonly declarations: readonly string[];
  /** A unified diff, or why there is none. */
  readonly diff: string | null;
  readonly missing?: string;
}

function textsOf(code: readonly Change[], sides: Sides & { readonly root: string }): readonly FileText[] {
  const files = new Map<string, string[]>();
  for (const { name } of code) {
    const [file = name, declaration] = name.split("#");
    files.set(file, [...(files.get(file) ?? []), ...(declaration === undefined ? [] : [declaration])]);
  }
  return [...files].map(([file, declarations]) => {
    const [was, is] = [sides.before, sides.after].map((side) => {
      const isThere = code.some(
        ({ name, ...change }) =>
          name.split("#")[0] === file && (side === sides.before ? "before" : "after") in change,
      );
      return isThere
        ? sourceText(sides.root, sides.store, makerOf(side, file, sides.store), file)
        : { text: "" };
    });
    if (was === undefined || is === undefined) return { file, declarations, diff: null };
    if ("missing" in was) return { file, declarations, diff: null, missing: was.missing };
    if ("missing" in is) return { file, declarations, diff: null, missing: is.missing };
    return { file, declarations, diff: unifiedDiff(was.text, is.text) };
  });
}

/** The run whose repository had this file as it counted: of a step that was taken from the cache, the one that ran it. */
function makerOf(side: Side, file: string, store: Store): Run {
  for (const stepRun of side.stepRuns.values()) {
    const digest = stepRun.keyParts["code"];
    // Written by the planner; only the names of parts are looked at.
    const document = (digest !== undefined && isDigest(digest) ? store.parts.get(digest) : undefined) as
      | { readonly parts?: object }
      | undefined;
    if (!Object.keys(document?.parts ?? {}).some((name) => name.split("#")[0] === file)) continue;
    const row = store.runs.get(stepRun.run);
    return row === undefined ? side.run : runOf(row, []);
  }
  return side.run;
}

/** What changed inside of data, in words: rows where both are kept, else what was noted of them. */
function insideOf(
  { before, after, step, port }: DataChange,
  was: Side,
  is: Side,
  store: Store,
): string | undefined {
  if (before === undefined || after === undefined) return undefined;
  const kind = kindOf(is, step, port, store) ?? kindOf(was, step, port, store);
  const [old, now] = [keptAt(store, before), keptAt(store, after)];
  if (old !== undefined && now !== undefined && kind !== undefined) {
    const rows = describeRows(old, now, kind);
    if (rows !== undefined) return rows;
  }
  const [a, b] = [detailOf(store, before), detailOf(store, after)];
  return a === undefined || b === undefined ? undefined : describeChange(a, b);
}

type Kind = Parameters<typeof describeRows>[2];

function kindOf(side: Side, step: string, port: string, store: Store): Kind | undefined {
  const digest = side.stepRuns.get(step)?.keyParts["contract"];
  // Written by the planner.
  const contract = (digest !== undefined && isDigest(digest) ? store.parts.get(digest) : undefined) as
    | { readonly inputs?: Readonly<Record<string, Kind>>; readonly outputs?: Readonly<Record<string, Kind>> }
    | undefined;
  return contract?.outputs?.[port] ?? contract?.inputs?.[port];
}

function keptAt(store: Store, { digest, size, type }: DataSide): string | undefined {
  if (!isDigest(digest) || type !== "file") return undefined;
  const content: Content = { type: "file", digest, size };
  return store.objects.has(content) ? store.objects.pathOf(content) : undefined;
}

function detailOf(store: Store, { detail }: DataSide): InputDetail | undefined {
  // Written by the planner.
  return detail !== undefined && isDigest(detail)
    ? (store.parts.get(detail) as InputDetail | undefined)
    : undefined;
}

function linesOf(
  found: RunDiff,
  texts: readonly FileText[],
  { before, after, store, style }: Sides & { readonly style: Style },
): readonly string[] {
  const head = ({ run }: Side, sign: string): readonly string[] => [
    sign,
    shortId(run.id),
    localTime(run.startedAt),
    run.pipeline.name,
    run.status,
  ];
  const rows = (changes: readonly Change[]): readonly string[] =>
    columns(changes.map(({ name, ...change }) => [`  ${name}`, changeText(change, style)]));
  const data = (changes: readonly DataChange[]): readonly string[] =>
    columns(
      changes.map((change) => [
        `  ${change.name}`,
        changeText(
          {
            ...(change.before && { before: dataText(change.before) }),
            ...(change.after && { after: dataText(change.after) }),
          },
          style,
        ),
        insideOf(change, before, after, store) ?? "",
      ]),
    );
  const sections: readonly (readonly [string, readonly string[]])[] = [
    ["params", rows(found.params)],
    ["steps", rows(found.steps)],
    ["code", texts.flatMap((text) => codeLines(text, found.code, style))],
    ["packages", rows(found.packages)],
    ["environment", rows(found.environment)],
    ["data", data(found.sources)],
    [
      "metrics",
      columns(
        found.metrics
          .filter((each) => !("verdict" in each) || each.verdict !== "same")
          .map((each) => metricRow(each, style)),
      ),
    ],
    ["outputs", data(found.outputs)],
  ];
  const shown = sections.filter(([, lines]) => lines.length > 0);
  return [
    ...columns([head(before, style("bad", "-")), head(after, style("good", "+"))]),
    ...shown.flatMap(([title, lines]) => ["", style("strong", title), ...lines]),
    ...(shown.length === 0 ? ["", "Nothing that was recorded differs."] : []),
  ];
}

function codeLines(
  { file, declarations, diff, missing }: FileText,
  code: readonly Change[],
  style: Style,
): readonly string[] {
  const isNew = code.every(({ name, ...change }) => name.split("#")[0] !== file || !("before" in change));
  const isGone = code.every(({ name, ...change }) => name.split("#")[0] !== file || !("after" in change));
  const what = isNew ? " (new)" : isGone ? " (gone)" : "";
  const title = `  ${style("name", file)}${what}${declarations.length === 0 ? "" : `: ${declarations.join(", ")}`}`;
  if (missing !== undefined) return [title, style("quiet", `    no text: ${missing}`)];
  const looks = { "+": "good", "-": "bad", "@": "quiet" } as const;
  const text = (diff ?? "").split("\n").filter((line) => line !== "");
  return [
    title,
    ...text.map((line) => {
      const sign = line.charAt(0);
      return `    ${sign === "+" || sign === "-" || sign === "@" ? style(looks[sign], line) : line}`;
    }),
  ];
}

function metricRow(change: RunDiff["metrics"][number], style: Style): readonly string[] {
  if (!("verdict" in change)) return [`  ${change.name}`, changeText(change, style)];
  const { name, before, after, direction, verdict } = change;
  const delta = after - before;
  return [
    `  ${name}`,
    `${metric(before)} → ${metric(after)}`,
    `${delta > 0 ? "+" : ""}${metric(delta)}`,
    style(verdict === "better" ? "good" : "bad", verdict),
    style("quiet", direction === "min" ? "lower is better" : "higher is better"),
  ];
}

function dataText({ digest, size }: DataSide): string {
  return `${digest.slice(0, 12)} (${bytes(size)})`;
}

function changeText(change: Omit<Change, "name">, style: Style): string {
  const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  if (!("before" in change)) return style("good", `new: ${show(change.after)}`);
  if (!("after" in change)) return style("bad", `gone: ${show(change.before)}`);
  return `${show(change.before)} → ${show(change.after)}`;
}
