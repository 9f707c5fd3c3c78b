/** Each step in full: what went in and came out, how it was executed, and the end of what it said. */
import { bytes, count, duration, metric, shortId } from "../cli/format.ts";
import type { LogTail } from "./log-tail.ts";
import { markup, type Markup, type Piece } from "./markup.ts";
import type { ReportedRun, ReportedStep } from "./report-run.ts";
import { classOf, signOf } from "./states.ts";
import { digest, facts, folded, json, table, time } from "./table.ts";

/** With more steps, those that failed, then those that were executed, then the others. */
const mostSteps = 120;
const mostAtOnce = 40;
/** More children of one `each` are folded together. */
const mostAlike = 6;
/** Of a `many` with thousands of items. */
const mostItems = 12;

/** A folded part for each step; open for those that failed. */
export function stepDetails({ run, steps, logs }: ReportedRun): Markup | undefined {
  const known = steps.filter(({ stepRun, outcome }) => stepRun !== undefined || outcome !== undefined);
  if (known.length === 0) return undefined;
  const weight = ({ status, executed }: ReportedStep): number =>
    classOf(status) === "bad" ? 0 : executed !== undefined ? 1 : 2;
  const chosen = new Set(known.toSorted((a, b) => weight(a) - weight(b)).slice(0, mostSteps));
  const rest = known.length - chosen.size;
  const details = (some: readonly ReportedStep[]): readonly Markup[] =>
    some.map((step) => stepDetail(step, run.id, logs.get(step.id) ?? []));
  // Of many, those that failed are not among what is folded away.
  const ordered = chosen.size > mostAtOnce ? [...chosen] : known;
  const units = [...Map.groupBy(ordered, unitOf).entries()].map(([name, members]) =>
    members.length > mostAlike
      ? [
          folded(
            markup`<strong>${name}</strong> <span class="quiet">${count(members.length, "step")}</span>`,
            details(members),
            "long",
          ),
        ]
      : details(members),
  );
  return markup`${units.slice(0, mostAtOnce)}${
    units.length > mostAtOnce
      ? folded(`${units.length - mostAtOnce} more`, units.slice(mostAtOnce), "long")
      : undefined
  }${
    rest > 0
      ? markup`<p>… and ${count(rest, "more step")}: <code>mlpipe show ${shortId(run.id)}</code> and <code>mlpipe logs ${shortId(run.id)} STEP</code> tell of each.</p>
`
      : undefined
  }`;
}

/** What is folded together: the children of an `each`, but for those that failed. */
function unitOf({ id, status }: ReportedStep): string {
  return classOf(status) === "bad" ? id : id.replaceAll(/\[[^\]]*\]/g, "[…]");
}

function stepDetail(step: ReportedStep, run: string, tails: readonly LogTail[]): Markup {
  const { id, kind, status, stepRun, executed, outcome } = step;
  const isBad = classOf(status) === "bad";
  const summary = markup`<span class="sign ${classOf(status)}" aria-hidden="true">${signOf(status)}</span> <strong>${id}</strong> <span class="quiet">${kind}, ${status}${tails.length > 0 ? ", with a log" : ""}</span>`;
  if (stepRun === undefined)
    return folded(
      summary,
      markup`<p>${outcome?.reasons.map(({ message }) => message).join("; ") || "Not executed."}${
        step.needs.size === 0 ? "" : ` Fed by ${[...step.needs.keys()].slice(0, mostItems).join(", ")}.`
      }</p>
`,
    );
  const usage = stepRun.attempts.at(-1)?.usage;
  const cpu =
    usage == null || usage.cpuUserMs === null
      ? undefined
      : duration(usage.cpuUserMs + (usage.cpuSystemMs ?? 0));
  const content = markup`${facts([
    [
      "Executed",
      markup`${time(stepRun.startedAt)}, took ${duration(Date.parse(stepRun.endedAt) - Date.parse(stepRun.startedAt))}${
        executed === undefined
          ? markup`, in run <code title="${stepRun.run}">${shortId(stepRun.run)}</code>`
          : undefined
      }`,
    ],
    ["Defined", markup`<code>${stepRun.step.module}#${stepRun.step.export}</code>`],
    ["Command", stepRun.argv.length === 0 ? undefined : markup`<code>${stepRun.argv.join(" ")}</code>`],
    [
      "Used",
      usage == null
        ? undefined
        : [
            cpu === undefined ? "" : `${cpu} of processor time`,
            usage.maxRssBytes === null ? "" : `${bytes(usage.maxRssBytes)} of memory`,
          ]
            .filter((text) => text !== "")
            .join(", "),
    ],
    ["Fence", stepRun.sandbox === undefined || stepRun.sandbox === "none" ? undefined : stepRun.sandbox],
    ["Attempts", stepRun.attempts.length < 2 ? undefined : stepRun.attempts.map(attemptWords).join("; ")],
    [
      "Seeds",
      Object.entries(stepRun.seeds)
        .map(([port, seed]) => `${port} ${seed}`)
        .join(", "),
    ],
    [
      "Verdict",
      stepRun.checks
        .map(({ status: verdict, message }) => (message === undefined ? verdict : `${verdict}: ${message}`))
        .join("; "),
    ],
    ["Metrics", stepRun.metrics.map(({ name, value }) => `${name} ${metric(value)}`).join(", ")],
    [
      "Target",
      stepRun.target === undefined
        ? undefined
        : markup`<code>${stepRun.target.path}</code>${stepRun.target.digest === null ? undefined : markup` ${digest(stepRun.target.digest)}`}`,
    ],
    [
      "Run again",
      stepRun.determinism.samples < 2
        ? undefined
        : `${stepRun.determinism.samples} executions, ${count(stepRun.determinism.distinct, "result")}`,
    ],
    ["Key", digest(stepRun.key)],
  ])}${portTable("inputs", inputRows(step))}${portTable("outputs", outputRows(step))}${logOf(step, run, tails)}`;
  return folded(summary, content, isBad ? "open" : "closed");
}

function attemptWords({
  n,
  exit,
  startedAt,
  endedAt,
  error,
}: NonNullable<ReportedStep["stepRun"]>["attempts"][number]): string {
  const took = duration(Date.parse(endedAt) - Date.parse(startedAt));
  const end = exit.timedOut === true ? "timed out" : exit.signal !== null ? exit.signal : `exit ${exit.code}`;
  return `${n}. ${end} after ${took}${error === undefined ? "" : ` (${error.code})`}`;
}

function inputRows({ stepRun }: ReportedStep): readonly (readonly Piece[])[] {
  return Object.entries(stepRun?.inputs ?? {}).map(([port, input]): readonly Piece[] => {
    const items = Object.entries(input.items ?? {});
    const names = items.slice(0, mostItems).map(([key]) => key);
    const what =
      input.value !== undefined
        ? markup`<code>${json(input.value)}</code>`
        : items.length > 0
          ? `${count(items.length, "item")}: ${names.join(", ")}${items.length > mostItems ? ", …" : ""}`
          : input.from === undefined
            ? input.name
            : markup`<span class="quiet">from</span> ${input.from.step}.${input.from.port}`;
    return [port, what, bytes(input.size), digest(input.digest)];
  });
}

function outputRows({ stepRun }: ReportedStep): readonly (readonly Piece[])[] {
  return Object.entries(stepRun?.outputs ?? {}).map(([port, output]): readonly Piece[] => [
    port,
    output.value === undefined
      ? output.entries === undefined
        ? output.mediaType
        : count(output.entries, "file")
      : markup`<code>${json(output.value)}</code>`,
    bytes(output.size),
    digest(output.digest),
  ]);
}

function portTable(caption: string, rows: readonly (readonly Piece[])[]): Markup | undefined {
  if (rows.length === 0) return undefined;
  const title = caption === "inputs" ? "Input" : "Output";
  return table(
    caption,
    [{ title, isName: true }, { title: "What" }, { title: "Size", isNumber: true }, { title: "Digest" }],
    rows,
  );
}

function logOf({ id, executed, stepRun }: ReportedStep, run: string, tails: readonly LogTail[]): Piece {
  if (executed === undefined) {
    const said = stepRun?.attempts.some(({ stdout, stderr }) => stdout !== null || stderr !== null) ?? false;
    return said
      ? markup`<p class="quiet">Its log is with the run that made it: <code>mlpipe logs ${shortId(stepRun?.run ?? "")} ${id}</code></p>
`
      : undefined;
  }
  return logTail(id, run, tails);
}

/** The end of what a step said. */
export function logTail(id: string, run: string, tails: readonly LogTail[]): Piece {
  return tails.map(({ stream, size, isCut, lines }) => {
    const whole = isCut
      ? markup`the last ${count(lines?.length ?? 0, "line")} of ${bytes(size)}; all of it: <code>mlpipe logs ${shortId(run)} ${id}</code>`
      : bytes(size);
    return lines === undefined
      ? markup`<p class="quiet">${stream}, ${bytes(size)}: the log is no longer kept.</p>
`
      : markup`<h4>${stream} <span class="quiet">${whole}</span></h4>
<pre class="log" tabindex="0"><code>${lines.join("\n")}</code></pre>
`;
  });
}
