/** The steps of a run over its time: when each was executed, and which were taken from the cache. */
import { bytes, count, duration } from "../cli/format.ts";
import { summaryOf } from "../cli/commands/plan.ts";
import { markup, type Markup, type Piece } from "./markup.ts";
import type { ReportedRun, ReportedStep } from "./report-run.ts";
import { classOf, countsOf, signOf, stateOfAll } from "./states.ts";
import { folded } from "./table.ts";

/** Up to so many steps are shown one by one at once; of more, children of one `each` share a line. */
const mostLines = 60;
/** Of what is folded away. */
const mostFolded = 2_000;

/** Where in the run something happened, in shares of its time. */
type Clock = (timestamp: string) => number;

interface View {
  readonly clock: Clock;
  /** Where in the run each executed step ended. */
  readonly ends: ReadonlyMap<string, number>;
}

/** The steps with their bars. */
export function timeline({ run, steps }: ReportedRun): Markup | undefined {
  if (steps.length === 0) return undefined;
  const begin = Date.parse(run.startedAt);
  const ends = steps.flatMap(({ executed }) =>
    executed === undefined ? [] : [Date.parse(executed.endedAt)],
  );
  const whole = Math.max(1, run.durationMs ?? 0, ...ends.map((end) => end - begin));
  const clock: Clock = (timestamp) => Math.min(1, Math.max(0, (Date.parse(timestamp) - begin) / whole));
  const view: View = {
    clock,
    ends: new Map(
      steps.flatMap(({ id, executed }) => (executed === undefined ? [] : [[id, clock(executed.endedAt)]])),
    ),
  };
  const rows = rowsOf(steps, view);
  const some =
    rows.length === mostLines && steps.length > mostLines
      ? markup`<p class="legend">These ${mostLines} failed or took longest.</p>
`
      : undefined;
  const all = steps.length <= mostLines ? undefined : allSteps(steps, view, whole);
  return markup`${stepTable("steps over time", rows, whole)}${legend(steps)}${some}${all}`;
}

function rowsOf(steps: readonly ReportedStep[], view: View): readonly Markup[] {
  if (steps.length <= mostLines) return steps.map((step) => stepRow(step, view));
  const groups = Map.groupBy(steps, ({ id }) =>
    id.includes("[") ? id.replaceAll(/\[[^\]]*\]/g, "[…]") : id,
  );
  const lines = [...groups].map(([name, members]) => ({ name, members }));
  // What failed, and then what took longest, tells most where there are too many lines.
  const weight = ({ members }: (typeof lines)[number]): number =>
    members.some(({ status }) => classOf(status) === "bad")
      ? Infinity
      : members.reduce(
          (sum, { executed, outcome }) => sum + (executed === undefined ? 0 : (outcome?.durationMs ?? 0)),
          0,
        );
  const shown = new Set(lines.toSorted((a, b) => weight(b) - weight(a)).slice(0, mostLines));
  return lines
    .filter((line) => shown.has(line))
    .map(({ name, members }) => {
      const [only] = members;
      return members.length === 1 && only !== undefined
        ? stepRow(only, view)
        : groupRow(name, members, view.clock);
    });
}

function allSteps(steps: readonly ReportedStep[], view: View, whole: number): Markup {
  const shown = steps.slice(0, mostFolded);
  const rest =
    shown.length < steps.length
      ? markup`<p>… and ${steps.length - shown.length} more: <code>mlpipe show RUN</code> lists them.</p>
`
      : undefined;
  const rows = shown.map((step) => stepRow(step, view));
  return folded(
    `All ${count(steps.length, "step")}, one by one`,
    markup`${stepTable("all steps", rows, whole)}${rest}`,
    "long",
  );
}

function stepTable(caption: string, rows: readonly Markup[], whole: number): Markup {
  const ticks = [0, 0.25, 0.5, 0.75].map(
    (share) => markup`<span>${share === 0 ? "0" : duration(share * whole)}</span>`,
  );
  return markup`<table class="steps">
<caption class="unseen">${caption}</caption>
<thead><tr><th scope="col">Step</th><th scope="col">State</th><th scope="col" class="ticks"><span class="unseen">Time of the run</span><div aria-hidden="true">${ticks}</div></th><th scope="col" class="number">Time</th><th scope="col" class="number">Memory</th><th scope="col">Why</th></tr></thead>
<tbody>
${rows}</tbody></table>
`;
}

function stepRow(step: ReportedStep, view: View): Markup {
  const { id, kind, status, executed, outcome, stepRun } = step;
  const memory = executed?.attempts.at(-1)?.usage?.maxRssBytes;
  const took =
    executed === undefined ? undefined : Date.parse(executed.endedAt) - Date.parse(executed.startedAt);
  const before =
    executed === undefined && stepRun !== undefined
      ? `took ${duration(Date.parse(stepRun.endedAt) - Date.parse(stepRun.startedAt))} then`
      : undefined;
  return row(
    status,
    id,
    kind,
    bars(step, view),
    {
      time: took === undefined ? undefined : duration(took),
      memory: memory == null ? undefined : bytes(memory),
      why: [whyOf(step), before].filter((text) => text !== undefined && text !== "").join("; "),
    },
    outcome?.check?.same === false ? " · differs when run again" : "",
  );
}

function row(
  status: ReportedStep["status"],
  name: Piece,
  kind: string,
  bar: Markup,
  cells: { readonly time: Piece; readonly memory: Piece; readonly why: Piece },
  remark = "",
): Markup {
  return markup`<tr class="${classOf(status)}"><th scope="row">${name} <span class="kind">${kind}</span></th><td class="state"><span class="sign" aria-hidden="true">${signOf(status)}</span> ${status}${remark}</td><td class="bar">${bar}</td><td class="number">${cells.time}</td><td class="number">${cells.memory}</td><td class="why">${cells.why}</td></tr>
`;
}

function whyOf({ outcome, executed }: ReportedStep): string {
  if (outcome?.error !== undefined) return outcome.error.message.split("\n")[0] ?? "";
  const reasons = outcome?.reasons ?? executed?.cache.reasons ?? [];
  return summaryOf(reasons.map(({ message }) => message));
}

/** A bar for each attempt; for what came from the cache a mark where it was known. */
function bars({ executed, status, needs }: ReportedStep, { clock, ends }: View): Markup {
  if (executed !== undefined) {
    const { attempts } = executed;
    return svg(
      attempts.map(({ startedAt, endedAt, n }, index) =>
        rect(
          clock(startedAt),
          clock(endedAt),
          index < attempts.length - 1 ? "bad" : classOf(status),
          `attempt ${n}`,
        ),
      ),
    );
  }
  if (status !== "cached") return svg([]);
  // Nothing of a hit is timed: it is known once what feeds it is.
  const known = Math.max(0, ...[...needs.keys()].map((need) => ends.get(need) ?? 0));
  return svg([
    markup`<svg x="${percent(known)}" width="10" height="14" overflow="visible"><path class="cached" d="M5 2 10 7 5 12 0 7z"/></svg>`,
  ]);
}

function groupRow(name: string, members: readonly ReportedStep[], clock: Clock): Markup {
  const states = members.map(({ status }) => status);
  const done = members.flatMap(({ executed }) => executed ?? []);
  const begins = done.map(({ startedAt }) => clock(startedAt));
  const ends = done.map(({ endedAt }) => clock(endedAt));
  const state = stateOfAll(states);
  const sum = done.reduce(
    (total, { startedAt, endedAt }) => total + Date.parse(endedAt) - Date.parse(startedAt),
    0,
  );
  const most = Math.max(0, ...done.map(({ attempts }) => attempts.at(-1)?.usage?.maxRssBytes ?? 0));
  const bar = svg(
    done.length === 0
      ? []
      : [rect(Math.min(...begins), Math.max(...ends), `several ${classOf(state)}`, name)],
  );
  return row(state, name, `${members.length} steps`, bar, {
    time: done.length === 0 ? undefined : markup`Σ ${duration(sum)}`,
    memory: most === 0 ? undefined : markup`≤ ${bytes(most)}`,
    why: countsOf(states),
  });
}

function rect(from: number, to: number, look: string, title: string): Markup {
  // What was over at once is still seen.
  return markup`<rect class="${look}" x="${percent(Math.min(from, 0.996))}" y="2" width="${percent(Math.max(0.004, to - from))}" height="10" rx="2"><title>${title}</title></rect>`;
}

function svg(content: Piece): Markup {
  return markup`<svg width="100%" height="14" aria-hidden="true">${content}</svg>`;
}

function percent(share: number): string {
  return `${Math.round(share * 10_000) / 100}%`;
}

const words: Readonly<Record<ReturnType<typeof classOf>, string>> = {
  ran: "executed",
  cached: "taken from the cache, where it was known",
  bad: "failed or rejected",
  held: "not executed",
};

function legend(steps: readonly ReportedStep[]): Markup {
  const looks = [...new Set(steps.map(({ status }) => classOf(status)))].filter((look) => look !== "held");
  const items = looks.map((look) => {
    const mark =
      look === "cached"
        ? markup`<path class="cached" d="M7 2 12 7 7 12 2 7z"/>`
        : markup`<rect class="${look}" y="2" width="18" height="10" rx="2"/>`;
    return markup`<span class="key"><svg width="18" height="14" aria-hidden="true">${mark}</svg> ${words[look]}</span> `;
  });
  return markup`<p class="legend">${items}</p>
`;
}
