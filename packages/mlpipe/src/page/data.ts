/** What a run was given and what it gave: params, sources and outputs, by digest. */
import { bytes, count } from "../cli/format.ts";
import { sourcesOf } from "@mlpipe/provenance/export";
import { markup, type Markup, type Piece } from "./markup.ts";
import type { ReportedRun } from "./report-run.ts";
import { digest, folded, json, table } from "./table.ts";

const mostRows = 200;

/** The params, with what they were in the run before. */
export function params({ history }: ReportedRun): Markup | undefined {
  const [before, now] = [history.at(-2), history.at(-1)];
  if (now === undefined || now.params.size === 0) return undefined;
  const changed = (name: string): boolean =>
    before !== undefined && json(before.params.get(name)) !== json(now.params.get(name));
  const rows = [...now.params].map(([name, value]): readonly Piece[] => [
    name,
    markup`<code>${json(value)}</code>`,
    changed(name)
      ? before?.params.has(name) === true
        ? markup`was <code>${json(before.params.get(name))}</code>`
        : "is new"
      : undefined,
  ]);
  const columns = [{ title: "Param", isName: true }, { title: "Value" }];
  return rows.some(([, , then]) => then !== undefined)
    ? table("params", [...columns, { title: "In the run before" }], rows)
    : table(
        "params",
        columns,
        rows.map((row) => row.slice(0, 2)),
      );
}

/** What the run read that no step made. */
export function sources({ run, steps, host }: ReportedRun): Markup | undefined {
  const found = sourcesOf({ run, steps, host });
  if (found.length === 0) return undefined;
  const rows = found.map(({ path, size, detail, entries, digest: of }): readonly Piece[] => [
    path,
    bytes(size),
    detail?.type === "rows"
      ? markup`<span title="${detail.columns.join(", ")}">${count(detail.rows, "row")}, ${count(detail.columns.length, "column")}</span>`
      : entries === undefined
        ? undefined
        : count(entries, "file"),
    digest(of),
  ]);
  const columns = [
    { title: "Source", isName: true },
    { title: "Size", isNumber: true },
    { title: "Inside" },
    { title: "Digest" },
  ];
  return shortened("sources", columns, rows);
}

/** What the pipeline returned. */
export function outputs({ run }: ReportedRun): Markup | undefined {
  const rows = Object.entries(run.outputs).map(([name, { path, size, digest: of }]): readonly Piece[] => [
    name,
    path === null ? undefined : markup`<code>${path}</code>`,
    bytes(size),
    digest(of),
  ]);
  if (rows.length === 0) return undefined;
  const columns = [
    { title: "Output", isName: true },
    { title: "Copied to" },
    { title: "Size", isNumber: true },
    { title: "Digest" },
  ];
  return shortened("outputs", columns, rows);
}

function shortened(
  caption: string,
  columns: Parameters<typeof table>[1],
  rows: readonly (readonly Piece[])[],
): Markup {
  const rest = rows.slice(mostRows, 10 * mostRows);
  const left = rows.length - mostRows - rest.length;
  return markup`${table(caption, columns, rows.slice(0, mostRows))}${
    rest.length === 0 ? undefined : folded(`${rest.length} more`, table(`more ${caption}`, columns, rest))
  }${left > 0 ? markup`<p>… and ${left} more: <code>mlpipe show RUN --json</code></p>\n` : undefined}`;
}

/** Digests in full, for whoever compares them with files: sources, outputs, code, and the records themselves. */
export function digests(reported: ReportedRun): Markup {
  const { run, steps, host } = reported;
  const made = steps.flatMap(({ id, stepRun }) =>
    Object.entries(stepRun?.outputs ?? {}).map(([port, { digest: of }]) => [`${id}.${port}`, of] as const),
  );
  const all: readonly (readonly [string, string])[] = [
    ["pipeline's graph", run.pipeline.graph],
    ...(run.pipeline.digest === null ? [] : [[run.pipeline.file, run.pipeline.digest] as const]),
    ...(run.git?.dirty?.diff == null
      ? []
      : [["changes that were not committed", run.git.dirty.diff.digest] as const]),
    ...sourcesOf({ run, steps, host }).map(({ path, digest: of }) => [path, of] as const),
    ...made,
    ...steps.flatMap(({ id, outcome }) =>
      outcome?.key == null ? [] : [[`key of ${id}`, outcome.key] as const],
    ),
  ];
  const shown = all.slice(0, 10 * mostRows);
  return folded(
    `${all.length} digests in full`,
    markup`<ul class="digests">${shown.map(([name, of]) => markup`<li>${name} <code>${of}</code></li>\n`)}</ul>
${shown.length < all.length ? markup`<p>… and ${all.length - shown.length} more: <code>mlpipe show RUN --json</code></p>\n` : undefined}`,
    shown.length > mostRows ? "long" : "closed",
  );
}
