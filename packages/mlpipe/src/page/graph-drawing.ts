/** The graph of a run as a picture. */
import { bytes, count, duration } from "../cli/format.ts";
import { textWidth } from "../cli/text-width.ts";
import { graphNodes, type GraphNode } from "./run-graph.ts";
import { layered } from "./graph-layout.ts";
import { markup, type Markup } from "./markup.ts";
import type { ReportedRun, ReportedStep } from "./report-run.ts";
import { classOf, countsOf, signOf, stateOfAll } from "./states.ts";

const height = 46;
const between = 42;
const margin = 6;
const narrowest = 116;
const widest = 250;
/** Wider pictures are scrolled and not made smaller: their text would be too small. */
const fitting = 620;

/** The picture, or why there is none. */
export function graphDrawing({ steps, run }: ReportedRun): Markup | undefined {
  if (steps.length === 0) return undefined;
  const nodes = graphNodes(steps, run);
  if (nodes === undefined) {
    return markup`<p>The graph of these ${steps.length} steps is too large for a picture. <code>mlpipe graph</code> prints it.</p>
`;
  }
  const texts = new Map(nodes.map((node) => [node.id, textsOf(node)]));
  const widths = new Map(nodes.map(({ id }) => [id, widthOf(texts.get(id) ?? [])]));
  const layout = layered(
    nodes.map(({ id, needs }) => ({ id, width: widths.get(id) ?? narrowest, needs: [...needs.keys()] })),
  );
  const top = (layer: number): number => margin + layer * (height + between);
  const known = new Map(nodes.map((node) => [node.id, node]));
  const edges = layout.edges.map(({ from, to, xs }) => {
    const ports = known.get(to)?.needs.get(from) ?? [];
    const layer = layout.places.get(from)?.layer ?? 0;
    let path = "";
    for (const [index, x] of xs.entries()) {
      const y = top(layer + index);
      if (index === 0) path = `M${at(x)} ${y + height}`;
      else {
        const half = between / 2;
        const end = index === xs.length - 1 ? y - 5 : y;
        path += `C${at(xs[index - 1] ?? x)} ${y - half} ${at(x)} ${y - half} ${at(x)} ${end}`;
        if (index < xs.length - 1) path += `V${y + height}`;
      }
    }
    const title =
      ports.length === 0 ? "" : `: ${ports.slice(0, 8).join(", ")}${ports.length > 8 ? ", …" : ""}`;
    return markup`<path class="edge" d="${path}" marker-end="url(#arrow)"><title>${nameOf(from)} to ${nameOf(to)}${title}</title></path>
`;
  });
  const boxes = nodes.map((node) => {
    const { x, layer } = layout.places.get(node.id) ?? { x: 0, layer: 0 };
    const width = widths.get(node.id) ?? narrowest;
    const [first = "", second = ""] = texts.get(node.id) ?? [];
    const state = stateOfAll(node.steps.map(({ status }) => status));
    const look = node.type === "source" ? "source" : classOf(state);
    const left = x + margin - width / 2;
    const back =
      node.type === "group"
        ? markup`<rect x="${at(left + 4)}" y="${top(layer) + 4}" width="${at(width)}" height="${height}" rx="5"/>`
        : undefined;
    return markup`<g class="node ${look}">${back}<rect x="${at(left)}" y="${top(layer)}" width="${at(width)}" height="${height}" rx="${node.type === "source" ? 23 : 5}"/><text x="${at(x + margin)}" y="${top(layer) + 20}">${node.type === "source" ? undefined : markup`<tspan class="sign">${signOf(state)} </tspan>`}${first}</text><text class="small" x="${at(x + margin)}" y="${top(layer) + 36}">${second}</text><title>${titleOf(node)}</title></g>
`;
  });
  const [width, tall] = [Math.ceil(layout.width + 2 * margin + 4), top(layout.layers) - between + margin + 4];
  const amount = count(steps.length, "step");
  // Coordinates of edges are of the middles, those of the picture begin at its margin.
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="graph"><svg class="graph${width <= fitting ? " fits" : ""}" width="${width}" height="${tall}" viewBox="0 0 ${width} ${tall}" role="img" aria-labelledby="graph-name graph-words">
<title id="graph-name">The graph of the run</title>
<desc id="graph-words">${amount}, each below those that feed it: ${countsOf(steps.map(({ status }) => status))}. The details of each step name what feeds it.</desc>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 .8 7 4 0 7.2z"/></marker></defs>
<g transform="translate(${margin} 0)">
${edges}</g>
${boxes}</svg></div>
`;
}

function textsOf({ type, label, steps }: GraphNode): readonly [string, string] {
  const [only] = steps;
  if (type === "source") return [cut(label, 30), "source"];
  if (type === "group" || only === undefined)
    return [cut(label, 32), `${steps.length} steps: ${countsOf(steps.map(({ status }) => status))}`];
  return [cut(label, 30), `${only.kind} · ${wordOf(only)}`];
}

function wordOf({ status, outcome, executed }: ReportedStep): string {
  return executed !== undefined && outcome !== undefined && status === "ran"
    ? duration(outcome.durationMs)
    : status;
}

function titleOf(node: GraphNode): string {
  const [only] = node.steps;
  if (node.type === "source") return node.id.replace(/^source:/, "") || node.label;
  if (node.type === "group" || only === undefined)
    return node.steps
      .slice(0, 40)
      .map(({ id }) => id)
      .join("\n");
  const size = Object.values(only.stepRun?.outputs ?? {}).reduce((sum, output) => sum + output.size, 0);
  return `${only.id}: ${only.kind}, ${only.status}${size > 0 ? `, ${bytes(size)} made` : ""}`;
}

function nameOf(id: string): string {
  return id.replace(/^source:/, "");
}

/** Room for two lines of text, as far as that can be told without the font. */
function widthOf([first = "", second = ""]: readonly string[]): number {
  return Math.min(widest, Math.max(narrowest, textWidth(first) * 7.4 + 42, textWidth(second) * 6 + 28));
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 9)}…${text.slice(-8)}`;
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}
