import { print, printJson, say } from "./output.ts";
import { type CodedError, errorJson, renderError } from "./render-error.ts";
import { styleFor } from "./style.ts";

/** What a command prints to stdout: data as one document, events as lines, or text. */
export type ErrorFormat = "json" | "ndjson" | "text";

/** Tells what ended a command: people on stderr, and whoever reads its data there too. @param root of the project */
export function tellError(error: CodedError, root: string, format: ErrorFormat): void {
  if (format === "json") printJson({ schemaVersion: 1, error: errorJson(error, root) });
  else if (format === "ndjson") {
    // As all events have it. What makes their times is not loaded for an error of the command line.
    const at = new Date().toISOString().replace("Z", "+00:00");
    print(JSON.stringify({ type: "error", at, error: errorJson(error, root) }));
  }
  for (const line of renderError(error, root, styleFor(process.stderr))) say(line);
}
