/** Where commands write to: data to stdout, everything else to stderr. */
import { stripVTControlCharacters } from "node:util";
import { textWidth } from "./text-width.ts";

/** Prints a line of data. */
export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** Prints a line that is no data: progress, warnings, errors. */
export function say(line = ""): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a document as `--json` does. */
export function printJson(document: unknown): void {
  print(JSON.stringify(document, null, 2));
}

/**
 * A reader that went away (`| head`) is no error: what is still written is dropped, and a run goes
 * on to its end.
 */
export function tolerateClosedOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") return;
    // A full disk, most likely: what was to be read is incomplete, and whoever reads it must know.
    process.exitCode = 4;
    say(`mlpipe could not write its output: ${error.message}`);
  });
  process.stderr.on("error", () => {
    // There is nowhere left to say it.
  });
}

/** Node's own warnings, without those about things that mlpipe relies on and users need not know of. */
export function quietWarnings(): void {
  const known = new Set(["MODULE_TYPELESS_PACKAGE_JSON", "ExperimentalWarning"]);
  process.removeAllListeners("warning");
  process.on("warning", (warning: Error & { readonly code?: string }) => {
    if (!known.has(warning.code ?? "") && !known.has(warning.name))
      say(`${warning.name}: ${warning.message}`);
  });
}

/** Rows as aligned columns; the last one is not padded. */
export function columns(rows: readonly (readonly string[])[], gap = 2): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(cell));
    });
  }
  return rows.map((row) =>
    row
      .map((cell, index) =>
        index === row.length - 1 ? cell : cell + " ".repeat((widths[index] ?? 0) - widthOf(cell) + gap),
      )
      .join("")
      .trimEnd(),
  );
}

function widthOf(cell: string): number {
  return textWidth(stripVTControlCharacters(cell));
}
