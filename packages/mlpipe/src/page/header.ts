/** What a run was, at a glance. */
import { count, duration } from "../cli/format.ts";
import { markup, type Markup, type Piece } from "./markup.ts";
import type { ReportedRun, ReportedStep } from "./report-run.ts";
import { countsOf, signOf, type State } from "./states.ts";
import { facts, time } from "./table.ts";

/** Name, status and the circumstances. */
export function header({ run, steps, said }: ReportedRun): Markup {
  const signs: Readonly<Record<string, State>> = {
    succeeded: "ran",
    failed: "failed",
    rejected: "rejected",
    crashed: "failed",
    cancelled: "cancelled",
    waiting: "waiting",
  };
  const sign = signs[run.status];
  const isBad = run.status === "failed" || run.status === "rejected" || run.status === "crashed";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const notes = said.notes.map(
    ({ text, at, by }) => markup`<p class="note">${text} <span class="quiet">${by}, ${time(at)}</span></p>
`,
  );
  const tags = said.tags.map((tag) => markup`<span class="tag">${tag}</span> `);
  return markup`<header>
<p class="over">${run.tool.name} ${run.tool.version} · report of a run</p>
<h1>${run.pipeline.name} <span class="status ${isBad ? "bad" : "fine"}"><span aria-hidden="true">${sign === undefined ? "▸" : signOf(sign)}</span> ${run.status}</span></h1>
<p class="lead">${workOf(steps)}</p>
${tags.length === 0 ? undefined : markup`<p>${tags}</p>\n`}${notes}${facts([
    ["Started", markup`${time(run.startedAt)} <span class="quiet">${zone}</span>`],
    ["Took", run.durationMs === null ? undefined : duration(run.durationMs)],
    ["Pipeline", markup`<code>${run.pipeline.file}</code>`],
    ["Command", markup`<code>${run.argv.join(" ")}</code>`],
    ["By", `${run.by.user} on ${run.by.host}`],
    ["Started by", triggerOf(run.trigger)],
    ["Code", commitOf(run)],
    ["Run", markup`<code>${run.id}</code>`],
  ])}</header>
`;
}

function workOf(steps: readonly ReportedStep[]): string {
  const counts = countsOf(steps.map(({ status }) => status));
  const saved = steps.reduce(
    (sum, { status, stepRun, executed }) =>
      status === "cached" && stepRun !== undefined && executed === undefined
        ? sum + Date.parse(stepRun.endedAt) - Date.parse(stepRun.startedAt)
        : sum,
    0,
  );
  const text = steps.length === 0 ? "No steps are recorded." : `${count(steps.length, "step")}: ${counts}.`;
  return saved < 100 ? text : `${text} What came from the cache had taken ${duration(saved)}.`;
}

function triggerOf(trigger: ReportedRun["run"]["trigger"]): Piece {
  const { kind, provider, event, actor, runUrl } = trigger;
  const words = [provider, event, actor].filter((word) => word !== undefined);
  const said = kind === "cli" ? "the command line" : kind === "ci" ? "CI" : "a schedule";
  // Printed, not linked: a page that somebody else sends leads nowhere.
  return markup`${said}${words.length === 0 ? "" : ` (${words.join(", ")})`}${runUrl === undefined ? undefined : markup` <span class="quiet">${runUrl}</span>`}`;
}

function commitOf({ git, status }: ReportedRun["run"]): Piece {
  if (git === null) {
    return status === "crashed" || status === "running"
      ? "not recorded before the end of a run"
      : "no commit recorded: nothing was executed, or no git";
  }
  const branch = git.ref?.replace("refs/heads/", "");
  const commit =
    git.commit === null
      ? "no commit yet"
      : markup`<code title="${git.commit}">${git.commit.slice(0, 12)}</code>`;
  return markup`${commit}${branch === undefined ? "" : ` on ${branch}`}${git.dirty === null ? "" : ", with changes"}`;
}
