/**
 * The report of a run: one HTML file that loads nothing and runs nothing. The same run gives the same bytes, as long as
 * nothing more was said of it and the runs before it are kept.
 */
import { createHash } from "node:crypto";
import { digests, outputs, params, sources } from "./data.ts";
import { code, environment } from "./environment.ts";
import { graphDrawing } from "./graph-drawing.ts";
import { header } from "./header.ts";
import { markup, Markup } from "./markup.ts";
import { metrics } from "./metrics.ts";
import { plotFigures } from "./plot-figures.ts";
import type { ReportedRun } from "./report-run.ts";
import { stepDetails } from "./step-details.ts";
import { styleSheet } from "./style-sheet.ts";
import { section } from "./table.ts";
import { timeline } from "./timeline.ts";
import { trouble } from "./trouble.ts";

/** By what a report is known as one: such a file may be replaced by a newer one. */
export const reportMark = '<meta name="generator" content="mlpipe report"/>';

/** The page. */
export function reportPage(reported: ReportedRun): string {
  const { run } = reported;
  const isBad = run.status === "failed" || run.status === "rejected" || run.status === "crashed";
  const parts = [
    [
      "trouble",
      isBad ? "What went wrong" : run.endedAt === null ? "Under way" : "Warnings",
      trouble(reported),
    ],
    ["metrics", "Metrics", metrics(reported)],
    ["plots", "Plots", plotFigures(reported.plots)],
    ["graph", "Graph", graphDrawing(reported)],
    ["time", "Timeline", timeline(reported)],
    ["params", "Params", params(reported)],
    ["sources", "Sources", sources(reported)],
    ["outputs", "Outputs", outputs(reported)],
    ["code", "Code", code(reported)],
    ["environment", "Environment", environment(reported)],
    ["steps", "Steps in detail", stepDetails(reported)],
    ["digests", "Digests", digests(reported)],
  ] as const;
  const present = parts.filter(([, , content]) => content !== undefined && content.text.trim() !== "");
  const style = new Markup(styleSheet);
  const hash = createHash("sha256").update(styleSheet).digest("base64");
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'sha256-${hash}'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
${new Markup(reportMark)}
<meta name="referrer" content="no-referrer"/>
<title>${run.pipeline.name}: run of ${run.startedAt.slice(0, 16).replace("T", " ")} UTC, ${run.status}</title>
<link rel="icon" href="data:,"/>
<style>${style}</style>
</head>
<body>
<main>
${header(reported)}<nav aria-label="sections">
${present.map(([id, title]) => markup`<a href="#${id}">${title}</a>\n`)}</nav>
${present.map(([id, title, content]) => section(id, title, content))}<footer>
<p>Made by <code>mlpipe report ${run.id}</code> from the records of the run. Nothing was executed for it, and nothing in it is loaded from elsewhere. <code>mlpipe verify</code> says whether the records are as they were written.</p>
</footer>
</main>
</body>
</html>
`.text;
}
