/** How a report looks: quiet, on paper and in the dark too. Nothing of it is loaded from anywhere. */
export const styleSheet = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --quiet: #596169; --line: #dde1e5; --wash: #f4f6f8; --accent: #0b61a4; --bad: #b3261e; --node: #fff; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181b; --ink: #e3e6e9; --quiet: #9ba4ad; --line: #30363c; --wash: #1d2125; --accent: #6cb2f0; --bad: #ff8a7e; --node: #1d2125; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word; }
main { max-width: 1060px; margin: 0 auto; padding: 36px 28px 72px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -.015em; margin: 4px 0 10px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 12px; }
h3 { font-size: 14px; margin: 22px 0 6px; }
h4 { font-size: 13px; margin: 14px 0 4px; }
p { margin: 6px 0; }
section { margin-top: 40px; padding-top: 18px; border-top: 1px solid var(--line); }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.quiet, .kind, .over { color: var(--quiet); font-weight: 400; }
.over { font-size: 13px; margin: 0; }
.lead { font-size: 16px; margin: 0 0 18px; }
.status { font-size: 15px; letter-spacing: 0; font-weight: 600; white-space: nowrap; vertical-align: 4px; margin-left: 8px; padding: 3px 10px; border: 1.5px solid currentColor; border-radius: 99px; color: var(--accent); }
.status.bad { color: var(--bad); }
.tag { font-size: 13px; padding: 1px 8px; border: 1px solid var(--line); border-radius: 99px; }
.note { border-left: 3px solid var(--line); padding-left: 10px; }
nav { margin: 22px 0 0; font-size: 13.5px; }
nav a { margin-right: 14px; white-space: nowrap; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 2px 32px; margin: 0 0 8px; }
.facts div { display: grid; grid-template-columns: 92px 1fr; gap: 10px; padding: 3px 0; }
dt { color: var(--quiet); font-size: 13.5px; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: baseline; padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-size: 12.5px; font-weight: 500; color: var(--quiet); white-space: nowrap; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 7em; }
td { overflow-wrap: break-word; }
.number { text-align: right; white-space: nowrap; }
time { white-space: nowrap; }
.number code, td code[title], th code[title] { overflow-wrap: normal; white-space: nowrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.better { color: var(--accent); font-weight: 600; white-space: nowrap; }
.worse { color: var(--bad); font-weight: 600; white-space: nowrap; }
.curve { display: block; overflow: visible; margin: -2px 0; }
td:has(> .curve) { vertical-align: middle; padding-top: 0; padding-bottom: 0; }
.curve polyline { fill: none; stroke: var(--quiet); stroke-width: 1.5; stroke-linejoin: round; }
.curve circle { fill: var(--accent); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 20px; }
figure { margin: 0; }
figure img { display: block; width: 100%; max-height: 480px; object-fit: contain; background: #fff; border: 1px solid var(--line); border-radius: 4px; }
figcaption { margin-top: 6px; font-size: 13.5px; overflow-wrap: anywhere; }
.graph { display: block; margin: 0 auto; }
.graph.fits { max-width: 100%; height: auto; }
.graph text { font: 600 13px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; fill: var(--ink); text-anchor: middle; }
.graph .small { font-weight: 400; font-size: 11.5px; fill: var(--quiet); }
.graph rect { fill: var(--node); stroke: var(--ink); stroke-width: 1.3; }
.graph .cached rect { stroke-dasharray: 6 3; stroke: var(--quiet); }
.graph .cached text { fill: var(--quiet); }
.graph .bad rect { stroke: var(--bad); stroke-width: 3; }
.graph .bad .sign { fill: var(--bad); }
.graph .ran .sign { fill: var(--accent); }
.graph .held rect { stroke-dasharray: 1.5 3.5; stroke-linecap: round; stroke: var(--quiet); }
.graph .held text { fill: var(--quiet); }
.graph .source rect { stroke: none; fill: var(--wash); }
.graph .source text { font-weight: 500; }
.edge { fill: none; stroke: var(--quiet); stroke-width: 1.2; opacity: .75; }
.head { fill: var(--quiet); }
.steps { table-layout: auto; }
.steps tbody th { width: 22%; }
.steps .kind { font-size: 12.5px; }
.steps .state { white-space: nowrap; }
.steps .why { color: var(--quiet); font-size: 13px; width: 25%; }
.steps .bar { width: 30%; min-width: 190px; padding-top: 8px; padding-bottom: 0; vertical-align: top; background: repeating-linear-gradient(to right, var(--line) 0 1px, transparent 1px 25%) no-repeat 0 0 / calc(100% - 18px) 100%; }
.bar svg { display: block; overflow: visible; }
.ticks div { display: grid; grid-template-columns: repeat(4, 1fr); font-weight: 400; }
rect.ran { fill: var(--accent); }
rect.bad { fill: var(--paper); stroke: var(--bad); stroke-width: 2.5; }
rect.held { fill: none; stroke: var(--quiet); stroke-dasharray: 2 2; }
rect.several { opacity: .55; }
path.cached { fill: none; stroke: var(--quiet); stroke-width: 1.6; }
.sign { font-weight: 700; }
.ran .state .sign, .sign.ran { color: var(--accent); }
.bad .state, .sign.bad { color: var(--bad); font-weight: 600; }
.held .state, .cached .state { color: var(--quiet); }
.legend { font-size: 12.5px; color: var(--quiet); margin: 8px 0 0; }
.key { margin-right: 18px; white-space: nowrap; }
.key svg { vertical-align: -3px; overflow: visible; }
.error { border-left: 4px solid var(--bad); background: var(--wash); padding: 8px 14px; margin: 10px 0; border-radius: 0 4px 4px 0; }
pre { margin: 4px 0; white-space: pre-wrap; }
.log { display: flex; flex-direction: column-reverse; background: var(--wash); padding: 10px 12px; border-radius: 4px; max-height: 420px; overflow: auto; font-size: 12.5px; }
.log code { font-size: 1em; }
.warnings { padding-left: 20px; }
details { border-bottom: 1px solid var(--line); }
details:last-child { border-bottom: 0; }
summary { padding: 7px 0; cursor: pointer; overflow-wrap: anywhere; }
details[open] { padding-bottom: 14px; }
details details { margin-left: 18px; }
details .scroll { margin-bottom: 8px; }
.digests { list-style: none; padding: 0; font-size: 13px; }
.digests code { color: var(--quiet); display: block; }
footer { margin-top: 48px; padding-top: 14px; border-top: 1px solid var(--line); font-size: 13px; color: var(--quiet); }
@media (max-width: 720px) {
  main { padding: 20px 16px 48px; }
  h1 { font-size: 25px; }
  .status { display: inline-block; margin-left: 0; }
  .facts { grid-template-columns: 1fr; }
  tbody th { min-width: 11em; }
  tbody th .quiet { display: block; font-size: 12.5px; }
  td:has(> code:not([title])) { min-width: 13em; }
  .steps, .steps tbody { display: block; }
  .steps thead { display: none; }
  .steps tr { display: grid; grid-template-columns: 1fr auto auto; gap: 0 12px; padding: 8px 0; border-bottom: 1px solid var(--line); }
  .steps tr > * { border: 0; padding: 1px 0; width: auto; }
  .steps tbody th { width: auto; grid-column: 1; }
  .steps .state { grid-column: 2 / 4; grid-row: 1; text-align: right; }
  .steps .bar { grid-column: 1 / 4; width: 100%; padding: 3px 0; background-size: 100% 100%; }
  .steps .why { grid-column: 1; grid-row: 3; width: auto; }
  .steps .number { grid-row: 3; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --quiet: #444; --line: #bbb; --wash: #f4f4f4; --accent: #0b61a4; --bad: #a00; --node: #fff; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  @page { margin: 16mm 14mm; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  section { margin-top: 22px; padding-top: 12px; }
  h2, h3, h4, summary { break-after: avoid; }
  tr, figure, .error { break-inside: avoid; }
  .scroll, .log { overflow: visible; max-height: none; display: block; }
  .graph { max-width: 100%; height: auto; max-height: 230mm; }
  table { font-size: 8.5pt; }
  th, td { padding-right: 10px; }
  td code { overflow-wrap: anywhere; }
  .steps .bar { min-width: 120px; }
  .plots { grid-template-columns: 1fr 1fr; }
  details:not(.long)::details-content { content-visibility: visible; display: block; block-size: auto; }
}
`;
