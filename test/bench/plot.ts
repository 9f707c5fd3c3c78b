/** A line plot with two logarithmic axes, as an SVG that can be read on light and on dark ground. */

export interface Series {
  readonly name: string;
  /** Drawn thicker than the others. */
  readonly strong: boolean;
  /** Drawn grey and dashed: something to compare with, and no tool. */
  readonly floor: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const width = 760;
const height = 430;
const margin = { left: 68, right: 150, top: 40, bottom: 44 };

// Of middling lightness: they stand out from white and from black.
const colours = [
  "#1f83e0",
  "#d9682c",
  "#1a9e77",
  "#b5609f",
  "#9a8700",
  "#8d6fd1",
  "#c94f58",
  "#2f95a5",
  "#7a8b2d",
  "#a87143",
  "#6c82a8",
];

/** @param title also what is read aloud in place of the picture */
export function logLogPlot(title: string, xLabel: string, yLabel: string, series: readonly Series[]): string {
  const drawn = series.filter(({ points }) => points.length > 0);
  const xs = drawn.flatMap(({ points }) => points.map(([x]) => x));
  const ys = drawn.flatMap(({ points }) => points.map(([, y]) => y));
  const x = new LogAxis(xs, margin.left, width - margin.right);
  const y = new LogAxis(ys, height - margin.bottom, margin.top);
  const labels = placeLabels(
    drawn.map(({ points }) => {
      const [lastX, lastY] = points.at(-1) ?? [1, 1];
      return { x: x.at(lastX), y: y.at(lastY) };
    }),
  );

  const parts: string[] = [];
  for (const tick of x.ticks()) {
    const at = x.at(tick).toFixed(1);
    parts.push(
      `<line class="grid" x1="${at}" y1="${margin.top}" x2="${at}" y2="${height - margin.bottom}"/>`,
      `<text x="${at}" y="${height - margin.bottom + 18}" text-anchor="middle">${tick.toLocaleString("en")}</text>`,
    );
  }
  for (const tick of y.ticks()) {
    const at = y.at(tick);
    parts.push(
      `<line class="grid" x1="${margin.left}" y1="${at.toFixed(1)}" x2="${width - margin.right}" y2="${at.toFixed(1)}"/>`,
      `<text x="${margin.left - 8}" y="${(at + 4).toFixed(1)}" text-anchor="end">${tick.toLocaleString("en")}</text>`,
    );
  }
  // By the place among all series, so that a tool has the same colour in every plot.
  const coloured = series.filter(({ floor }) => !floor).map(({ name }) => name);
  drawn.forEach(({ name, strong, floor, points }, i) => {
    const colour = (floor ? undefined : colours[coloured.indexOf(name) % colours.length]) ?? "#84888f";
    const path = points.map(([px, py]) => `${x.at(px).toFixed(1)},${y.at(py).toFixed(1)}`);
    const end = points.at(-1) ?? [1, 1];
    const label = labels[i] ?? 0;
    const lineWidth = strong ? 3.5 : 1.6;
    const dash = floor ? ` stroke-dasharray="5 4"` : "";
    parts.push(
      `<polyline points="${path.join(" ")}" fill="none" stroke="${colour}" stroke-width="${lineWidth}"${dash}/>`,
      ...path.map((point) => {
        const [cx, cy] = point.split(",");
        return `<circle cx="${cx}" cy="${cy}" r="${strong ? 4 : 2.5}" fill="${colour}"/>`;
      }),
      `<line x1="${(x.at(end[0]) + 5).toFixed(1)}" y1="${y.at(end[1]).toFixed(1)}" x2="${width - margin.right + 12}" y2="${label.toFixed(1)}" stroke="${colour}" stroke-width="0.8" opacity="0.6"/>`,
      `<text x="${width - margin.right + 16}" y="${(label + 4).toFixed(1)}" style="fill:${colour}"${strong ? ` font-weight="bold"` : ""}>${escaped(name)}</text>`,
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="12">
<style>
text { fill: #57606a } .grid { stroke: #8c959f; stroke-width: 0.5; opacity: 0.5 }
@media (prefers-color-scheme: dark) { text { fill: #9da7b1 } }
</style>
<text x="${margin.left}" y="20" font-size="14" font-weight="bold">${escaped(title)}</text>
<text x="${(margin.left + width - margin.right) / 2}" y="${height - 8}" text-anchor="middle">${escaped(xLabel)}</text>
<text x="16" y="${height / 2}" text-anchor="middle" transform="rotate(-90 16 ${height / 2})">${escaped(yLabel)}</text>
${parts.join("\n")}
</svg>
`;
}

class LogAxis {
  readonly #low: number;
  readonly #high: number;
  readonly #from: number;
  readonly #to: number;

  constructor(values: readonly number[], from: number, to: number) {
    const logs = values.map((value) => Math.log10(value));
    this.#low = Math.min(...logs, Infinity);
    this.#high = Math.max(...logs, -Infinity);
    if (!Number.isFinite(this.#low)) [this.#low, this.#high] = [0, 1];
    // A decade at least, so that one value has a place.
    if (this.#high - this.#low < 1) {
      this.#low = Math.floor(this.#low);
      this.#high = this.#low + Math.max(1, Math.ceil(this.#high - this.#low));
    }
    this.#from = from;
    this.#to = to;
  }

  at(value: number): number {
    const part = (Math.log10(value) - this.#low) / (this.#high - this.#low);
    return this.#from + part * (this.#to - this.#from);
  }

  ticks(): readonly number[] {
    const ticks: number[] = [];
    for (let power = Math.ceil(this.#low - 1e-9); power <= this.#high + 1e-9; power++)
      ticks.push(10 ** power);
    return ticks;
  }
}

/** Heights for labels beside the ends of lines, in their order and 15 apart. */
function placeLabels(ends: readonly { readonly y: number }[]): readonly number[] {
  const order = ends.map(({ y }, i) => ({ y, i })).sort((a, b) => a.y - b.y);
  const placed: number[] = Array.from({ length: ends.length });
  let above = margin.top - 15;
  for (const { y, i } of order) {
    above = Math.max(y, above + 15);
    placed[i] = above;
  }
  let below = height - margin.bottom + 15;
  for (const { i } of order.toReversed()) {
    below = Math.min(placed[i] ?? below, below - 15);
    placed[i] = below;
  }
  return placed;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
