/** The lines around a place in a source file, with the place marked. */
import { readFileSync } from "node:fs";
import type { Style } from "./style.ts";

/** How many lines are shown before and after. */
const around = 2;

/** Longer lines are cut: a minified file must not fill the screen. */
const longest = 160;

/** The frame's lines; none if the file is gone or shorter than the place says. */
export function codeFrame(file: string, line: number, column: number, style: Style): readonly string[] {
  let lines: readonly string[];
  try {
    lines = readFileSync(file, "utf8").split(/\r?\n/);
  } catch {
    return [];
  }
  if (line > lines.length) return [];
  const first = Math.max(1, line - around);
  const last = Math.min(lines.length, line + around);
  const width = String(last).length;
  const frame: string[] = [];
  for (let number = first; number <= last; number++) {
    const text = (lines[number - 1] ?? "").replaceAll("\t", " ").slice(0, longest);
    if (number === last && number !== line && text.trim() === "") continue;
    const here = number === line;
    const gutter = `${here ? ">" : " "} ${String(number).padStart(width)} |`;
    frame.push(`${style(here ? "bad" : "quiet", gutter)} ${here ? text : style("quiet", text)}`.trimEnd());
    if (here && column <= longest) {
      frame.push(
        `${style("quiet", `  ${" ".repeat(width)} |`)} ${" ".repeat(column - 1)}${style("bad", "^")}`,
      );
    }
  }
  return frame;
}
