import type { Outcome } from "./scores.ts";

const size = 360;
const margin = 50;

/**
 * A reliability diagram as SVG: of the days with about this forecast, how many had rain? The
 * nearer a circle is to the diagonal, the more a probability can be taken at its word.
 */
export function reliabilityPlot(outcomes: readonly Outcome[], title: string): string {
  const bins = Map.groupBy(outcomes, ({ probability }) => Math.min(Math.floor(probability * 10), 9));
  const circles = [...bins]
    .toSorted(([a], [b]) => a - b)
    .map(([, bin]) => {
      const forecast = bin.reduce((total, { probability }) => total + probability, 0) / bin.length;
      const observed = bin.filter(({ rained }) => rained).length / bin.length;
      const radius = Math.sqrt(bin.length) * 1.5;
      return `<circle cx="${x(forecast)}" cy="${y(observed)}" r="${radius.toFixed(1)}"><title>${bin.length} days, forecast ${percent(forecast)}, rain on ${percent(observed)}</title></circle>`;
    });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(share)}" y="${size - margin + 18}" text-anchor="middle">${percent(share)}</text>` +
      `<text x="${margin - 8}" y="${Number(y(share)) + 4}" text-anchor="end">${percent(share)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="${size / 2}" y="24" text-anchor="middle" font-size="14">${title}</text>
<path d="M${x(0)} ${y(1)}V${y(0)}H${x(1)}" fill="none" stroke="black"/>
<path d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}" stroke="gray" stroke-dasharray="4"/>
<g fill="steelblue" fill-opacity="0.7">
${circles.join("\n")}
</g>
${ticks.join("\n")}
<text x="${size / 2}" y="${size - 10}" text-anchor="middle">forecast probability of rain</text>
<text transform="translate(12 ${size / 2}) rotate(-90)" text-anchor="middle">days with rain</text>
</svg>
`;
}

function x(share: number): string {
  return (margin + share * (size - 2 * margin)).toFixed(1);
}

function y(share: number): string {
  return (size - margin - share * (size - 2 * margin)).toFixed(1);
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
