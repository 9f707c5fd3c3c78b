/** What went wrong, first of all. */
import { markup, type Markup } from "./markup.ts";
import type { ReportedRun } from "./report-run.ts";
import { logTail } from "./step-details.ts";

const mostErrors = 30;

/** The errors of steps, what `--check` found, and warnings. */
export function trouble({ run, steps, unfinished }: ReportedRun): Markup | undefined {
  const errors = steps.flatMap(({ id, outcome, stepRun, executed }) => {
    const error =
      outcome?.error ?? outcome?.check?.error ?? (executed === undefined ? undefined : stepRun?.error);
    return error === undefined ? [] : [{ id, error }];
  });
  const different = steps.flatMap(({ id, outcome }) =>
    outcome?.check === undefined || outcome.check.same
      ? []
      : [{ id, differences: outcome.check.differences }],
  );
  const crashed =
    run.status === "crashed"
      ? markup`<p>mlpipe itself ended without a word. This is what it got done.</p>
`
      : undefined;
  const underWay = [...unfinished].map(
    ([name, tails]) => markup`<p><strong>${name}</strong> was under way.</p>
${logTail(name, run.id, tails)}`,
  );
  if (errors.length + different.length + run.warnings.length + underWay.length === 0) return crashed;
  return markup`${crashed}${underWay}${errors.slice(0, mostErrors).map(
    ({ id, error: { code, message, hint, at } }) => markup`<div class="error">
<p><strong>${id}</strong> <code>${code}</code>${at?.[0] === undefined ? undefined : markup` <span class="quiet">${at[0].file}:${at[0].line}</span>`}</p>
<pre>${message}</pre>
${hint === undefined ? undefined : markup`<p class="quiet">${hint}</p>\n`}</div>
`,
  )}${
    errors.length > mostErrors
      ? markup`<p>… and ${errors.length - mostErrors} more: <code>mlpipe show ${run.id}</code></p>
`
      : undefined
  }${different.map(
    ({ id, differences }) => markup`<div class="error">
<p><strong>${id}</strong> gave other outputs when it was run again</p>
<pre>${differences.join("\n")}</pre></div>
`,
  )}${
    run.warnings.length === 0
      ? undefined
      : markup`<ul class="warnings">${run.warnings.map((warning) => markup`<li>${warning}</li>\n`)}</ul>
`
  }`;
}
