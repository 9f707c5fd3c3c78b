/** The metrics of a run, and how they went over the runs before it. */
import { metric, shortId } from "../cli/format.ts";
import type { HistoricRun } from "./history.ts";
import { markup, type Markup, type Piece } from "./markup.ts";
import type { ReportedRun } from "./report-run.ts";
import { folded, json, table, time } from "./table.ts";

/** More are folded away. */
const mostRows = 40;
/** Columns and rows of the table of runs. */
const mostMetrics = 6;
const mostParams = 4;
const mostRuns = 12;

type Direction = "min" | "max" | undefined;

/** The table of metrics, and that of the runs. */
export function metrics({ steps, history }: ReportedRun): Markup | undefined {
  const now = history.at(-1);
  if (now === undefined || now.metrics.size === 0) return undefined;
  const directions = new Map<string, Direction>(
    steps.flatMap(({ id, stepRun }) =>
      (stepRun?.metrics ?? []).map(({ name, direction }) => [`${id}.${name}`, direction] as const),
    ),
  );
  const before = history.slice(0, -1);
  const families = familiesOf([...now.metrics.keys()]);
  const inFamilies = namesIn(families);
  const rows = [...now.metrics]
    .filter(([name]) => !inFamilies.has(name))
    .map(([name, value]) => metricRow(name, value, directions.get(name), before));
  const hasHistory = before.some(({ metrics: values }) =>
    [...now.metrics.keys()].some((name) => values.has(name)),
  );
  const columns = [
    { title: "Metric", isName: true },
    { title: "Value", isNumber: true },
    ...(hasHistory
      ? [{ title: "Before", isNumber: true }, { title: "Change" }, { title: "Over the runs" }]
      : []),
  ];
  const cells = rows.map((row) => row.slice(0, columns.length));
  const rest = cells.slice(mostRows);
  return markup`${rows.length === 0 ? undefined : table("metrics", columns, cells.slice(0, mostRows))}${
    rest.length === 0
      ? undefined
      : folded(`${rest.length} more metrics`, table("more metrics", columns, rest))
  }${families.map((family) => familyTable(family, now, before, directions))}${runTable(history, now)}`;
}

/** The metrics of the children of one `each`: as one table, a line for each child. */
interface Family {
  readonly step: string;
  readonly members: readonly { readonly key: string; readonly name: string; readonly metric: string }[];
}

/** Fewer children are listed as other steps are. */
const fewestOfFamily = 4;

function familiesOf(names: readonly string[]): readonly Family[] {
  const parts = names.flatMap((metricName) => {
    const [, step, key, name] = /^([^[]+)\[(.*)\]\.([^.\]]+)$/.exec(metricName) ?? [];
    return step === undefined || key === undefined || name === undefined
      ? []
      : [{ step, key, name, metric: metricName }];
  });
  return [...Map.groupBy(parts, ({ step }) => step)]
    .filter(([, members]) => new Set(members.map(({ key }) => key)).size >= fewestOfFamily)
    .map(([step, members]) => ({ step, members }));
}

function namesIn(families: readonly Family[]): ReadonlySet<string> {
  return new Set(families.flatMap(({ members }) => members.map(({ metric: name }) => name)));
}

function familyTable(
  { step, members }: Family,
  now: HistoricRun,
  before: readonly HistoricRun[],
  directions: ReadonlyMap<string, Direction>,
): Markup {
  const names = [...new Set(members.map(({ name }) => name))];
  const columns = [
    { title: step, isName: true },
    ...names.map((name) => {
      const direction = directions.get(members.find((member) => member.name === name)?.metric ?? "");
      return { title: `${name}${direction === undefined ? "" : `, ${wordsOf(direction)}`}`, isNumber: true };
    }),
  ];
  const byKey = Map.groupBy(members, ({ key }) => key);
  const rows = [...byKey].map(([key, own]): readonly Piece[] => [
    key,
    ...names.map((name) => {
      const found = own.find((member) => member.name === name);
      const value = found === undefined ? undefined : now.metrics.get(found.metric);
      if (found === undefined || value === undefined) return undefined;
      const last = before
        .findLast(({ metrics: values }) => values.has(found.metric))
        ?.metrics.get(found.metric);
      const change =
        last === undefined || last === value
          ? undefined
          : signedChange(value - last, directions.get(found.metric));
      return markup`<span title="${value}">${metric(value)}</span>${change === undefined ? undefined : markup` ${change}`}`;
    }),
  ]);
  const rest = rows.slice(mostRows);
  return markup`<h3>${step}, ${byKey.size} of them</h3>
${table(`metrics of ${step}`, columns, rows.slice(0, mostRows))}${
    rest.length === 0
      ? undefined
      : folded(`${rest.length} more`, table(`more metrics of ${step}`, columns, rest.slice(0, 10 * mostRows)))
  }${rest.length > 10 * mostRows ? markup`<p>… and ${rest.length - 10 * mostRows} more: <code>mlpipe show RUN --json</code></p>\n` : undefined}`;
}

function wordsOf(direction: NonNullable<Direction>): string {
  return direction === "min" ? "lower is better" : "higher is better";
}

function metricRow(
  name: string,
  value: number,
  direction: Direction,
  before: readonly HistoricRun[],
): readonly Piece[] {
  const known = before.flatMap(({ metrics: values }) => values.get(name) ?? []);
  const last = known.at(-1);
  const values = [...known, value];
  const wanted =
    direction === undefined ? undefined : markup` <span class="quiet">${wordsOf(direction)}</span>`;
  return [
    markup`${name}${wanted}`,
    markup`<span title="${value}">${metric(value)}</span>`,
    last === undefined
      ? markup`<span class="quiet">none</span>`
      : markup`<span title="${last}">${metric(last)}</span>`,
    last === undefined ? undefined : changeOf(value, last, direction, values),
    values.length < 2 ? undefined : curve(name, values),
  ];
}

function changeOf(value: number, last: number, direction: Direction, values: readonly number[]): Piece {
  const finite = values.filter((each) => Number.isFinite(each));
  const best =
    direction === undefined ? undefined : direction === "min" ? Math.min(...finite) : Math.max(...finite);
  const isBest = value === best && finite.filter((each) => each === best).length < finite.length;
  const difference = value - last;
  const remark = isBest ? ", best so far" : "";
  if (difference === 0) return `same${remark}`;
  return markup`${signedChange(difference, direction)}${remark}`;
}

/** `▲ better +0.02`: which way, whether that is what is wanted, and by how much. */
function signedChange(difference: number, direction: Direction): Piece {
  const amount = `${difference > 0 ? "+" : "−"}${metric(Math.abs(difference))}`;
  if (direction === undefined || Number.isNaN(difference)) return amount;
  const isBetter = direction === "min" ? difference < 0 : difference > 0;
  return markup`<span class="${isBetter ? "better" : "worse"}">${isBetter ? "▲ better" : "▼ worse"}</span> ${amount}`;
}

const width = 132;
const tall = 26;

/** The values of the runs, the oldest left, this one marked. */
function curve(name: string, all: readonly number[]): Markup {
  const values = all.filter((value) => Number.isFinite(value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (index: number): string =>
    ((index / Math.max(1, values.length - 1)) * (width - 10) + 5).toFixed(1);
  const y = (value: number): string =>
    (high === low ? tall / 2 : tall - 5 - ((value - low) / (high - low)) * (tall - 10)).toFixed(1);
  const points = values.map((value, index) => `${x(index)},${y(value)}`);
  const last = values.at(-1);
  return markup`<svg class="curve" width="${width}" height="${tall}" viewBox="0 0 ${width} ${tall}" role="img"><title>${name} over ${values.length} runs: ${values.slice(-12).map(metric).join(", ")}</title><polyline points="${points.join(" ")}"/>${
    last === undefined ? undefined : markup`<circle cx="${x(values.length - 1)}" cy="${y(last)}" r="3.2"/>`
  }</svg>`;
}

/** The runs beside one another: what was set differently, and what came of it. */
function runTable(history: readonly HistoricRun[], now: HistoricRun): Markup | undefined {
  const measured = history.filter((run) => run.metrics.size > 0).slice(-mostRuns);
  if (measured.length < 2) return undefined;
  const inFamilies = namesIn(familiesOf([...now.metrics.keys()]));
  const all = [...now.metrics.keys()].filter((name) => !inFamilies.has(name));
  const varied = all.filter((name) => new Set(measured.map((run) => run.metrics.get(name))).size > 1);
  const names = (varied.length > 0 ? varied : all).slice(0, mostMetrics);
  const params = [...new Set(measured.flatMap((run) => [...run.params.keys()]))]
    .filter((name) => new Set(measured.map((run) => json(run.params.get(name)))).size > 1)
    .slice(0, mostParams);
  const columns = [
    { title: "Run", isName: true },
    { title: "Started" },
    { title: "Status" },
    ...params.map((title) => ({ title, isNumber: true })),
    ...names.map((title) => ({ title, isNumber: true })),
  ];
  const rows = measured.toReversed().map((run): readonly Piece[] => [
    run === now
      ? markup`<strong>this run</strong>`
      : markup`<code title="${run.id}">${shortId(run.id)}</code>`,
    time(run.startedAt),
    run.status,
    ...params.map((name) => (run.params.has(name) ? json(run.params.get(name)) : undefined)),
    ...names.map((name) => {
      const value = run.metrics.get(name);
      return value === undefined ? undefined : metric(value);
    }),
  ]);
  const left = (varied.length > 0 ? varied : all).length - names.length;
  const caption =
    left > 0
      ? `The last ${measured.length} runs (${left} metrics that changed are left out)`
      : `The last ${measured.length} runs`;
  return markup`<h3>${caption}</h3>
${table("the runs beside one another", columns, rows)}`;
}
