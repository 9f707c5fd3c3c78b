/** How many columns a text takes on a terminal. */
import { createRequire } from "node:module";
import type stringWidth from "string-width";

/** Characters that take one column each: what nearly all of our lines are made of. */
const narrow = /^[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u21ff\u2298\u25b8\u2713\u2717]*$/;

let measure: typeof stringWidth | undefined;

/** The columns of a text without colours. */
export function textWidth(text: string): number {
  if (narrow.test(text)) return text.length;
  // Loading it takes longer than a run in which nothing has to run, so only a text that needs it does.
  measure ??= (createRequire(import.meta.url)("string-width") as { default: typeof stringWidth }).default;
  return measure(text);
}
