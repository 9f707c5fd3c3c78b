/** The plots of a run, each with what made it. */
import { bytes } from "../cli/format.ts";
import { markup, type Markup } from "./markup.ts";
import type { Plot } from "./plots.ts";
import { digest } from "./table.ts";

/** Images, and a line for each that is not shown. */
export function plotFigures(plots: readonly Plot[]): Markup | undefined {
  if (plots.length === 0) return undefined;
  const shown = plots.filter(({ url }) => url !== undefined);
  const missing = plots.filter(({ url }) => url === undefined);
  const figures = shown.map(
    ({
      step,
      name,
      url,
      size,
      digest: of,
    }) => markup`<figure><img src="${url}" alt="${name}, made by ${step}"/><figcaption><strong>${step}</strong> ${name} <span class="quiet">${bytes(size)} ${digest(of)}</span></figcaption></figure>
`,
  );
  return markup`${shown.length === 0 ? undefined : markup`<div class="plots">\n${figures}</div>\n`}${
    missing.length === 0
      ? undefined
      : markup`<ul>${missing.map(
          ({ step, name, size, missing: why }) =>
            markup`<li><strong>${step}</strong> ${name} (${bytes(size)}) is not shown: ${why}. <code>mlpipe get</code> takes it out of the store.</li>
`,
        )}</ul>
`
  }`;
}
