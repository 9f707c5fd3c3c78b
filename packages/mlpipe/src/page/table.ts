/** Tables and other pieces that sections share. */
import { localTime } from "../cli/format.ts";
import { markup, Markup, type Piece } from "./markup.ts";

/** A column: its heading, and whether it holds numbers, which stand right. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
  /** Whether its cells name their rows. */
  readonly isName?: boolean;
}

/** A table that is scrolled within itself where it is too wide for the page. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Piece[])[],
): Markup {
  const head = columns.map(({ title, isNumber }) =>
    isNumber === true
      ? markup`<th scope="col" class="number">${title}</th>`
      : markup`<th scope="col">${title}</th>`,
  );
  const body = rows.map(
    (cells) =>
      markup`<tr>${cells.map((cell, index) => {
        const { isNumber, isName } = columns[index] ?? {};
        if (isName === true) return markup`<th scope="row">${cell}</th>`;
        return isNumber === true ? markup`<td class="number">${cell}</td>` : markup`<td>${cell}</td>`;
      })}</tr>
`,
  );
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption class="unseen">${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody></table></div>
`;
}

/** A section with its heading; nothing of it if there is nothing to say. */
export function section(id: string, title: string, ...content: readonly Piece[]): Markup | undefined {
  if (content.every((piece) => piece === undefined)) return undefined;
  return markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${content}</section>
`;
}

/** What is folded away until it is asked for; printed, it is open, unless it is `long`. */
export function folded(summary: Piece, content: Piece, look: "closed" | "open" | "long" = "closed"): Markup {
  const tag = { closed: "<details>", open: '<details open="">', long: '<details class="long">' }[look];
  return markup`${new Markup(tag)}<summary>${summary}</summary>
${content}</details>
`;
}

/** Terms and what they are. */
export function facts(pairs: readonly (readonly [string, Piece])[]): Markup | undefined {
  const known = pairs.filter(([, value]) => value !== undefined && value !== "");
  if (known.length === 0) return undefined;
  return markup`<dl class="facts">
${known.map(([term, value]) => markup`<div><dt>${term}</dt><dd>${value}</dd></div>\n`)}</dl>
`;
}

/** The beginning of a digest, enough to know it by; the whole of it is in the list of digests. */
export function digest(value: string): Markup {
  return markup`<code title="sha256 ${value}">${value.slice(0, 12)}</code>`;
}

/** A local time, and the exact one for machines. */
export function time(timestamp: string): Markup {
  return markup`<time datetime="${timestamp}" title="${timestamp}">${localTime(timestamp)}</time>`;
}

/** A value of JSON as text, not too much of it. */
export function json(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > longestValue ? `${text.slice(0, longestValue)}… (${text.length} characters)` : text;
}

const longestValue = 400;
