/** Errors as people read them: the code, what happened, where, and what to do. */
import { isAbsolute, join } from "node:path";
import { codeFrame } from "./code-frame.ts";
import type { Style } from "./style.ts";
import { projectPath } from "../project/project.ts";

/** A place in a source file. */
interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What all coded errors have in common, of whichever package they are. */
export interface CodedError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly at?: readonly Place[] | undefined;
  /** The user's own frames, one a line. */
  readonly stack?: string | undefined;
  /** The last lines that a step wrote. */
  readonly logTail?: readonly string[] | undefined;
}

/** Whether an error is meant for the user: coded, with an exit code of its own. */
export function isCoded(error: unknown): error is Error & CodedError & { readonly exit: number } {
  return (
    error instanceof Error && "code" in error && /^MLP\d{4}$/.test(String(error.code)) && "exit" in error
  );
}

/** The lines of an error. */
export function renderError(error: CodedError, root: string, style: Style): readonly string[] {
  const lines = [`${style("bad", error.code)}  ${error.message}`];
  const [place, ...others] = error.at ?? [];
  if (place !== undefined) {
    const file = isAbsolute(place.file) ? place.file : join(root, place.file);
    lines.push("", `  ${style("name", `${projectPath(root, file)}:${place.line}:${place.column}`)}`);
    for (const line of codeFrame(file, place.line, place.column, style)) lines.push(`  ${line}`);
    for (const { file: path, line, column } of others.slice(0, 4)) {
      const from = projectPath(root, isAbsolute(path) ? path : join(root, path));
      lines.push(style("quiet", `  from ${from}:${line}:${column}`));
    }
  }
  if (error.logTail !== undefined && error.logTail.length > 0) {
    lines.push("", "  The last it said:", ...error.logTail.map((line) => `  ${style("quiet", "|")} ${line}`));
  }
  if (error.hint !== undefined) {
    lines.push("", ...error.hint.split("\n").map((line, index) => `  ${index === 0 ? "→" : " "} ${line}`));
  }
  return lines;
}

/** An error as `--json` prints it, files relative to the root. */
export function errorJson(error: CodedError, root: string): Record<string, unknown> {
  const { code, message, hint, at = [] } = error;
  return {
    code,
    message,
    ...(hint !== undefined && { hint }),
    ...(at.length > 0 && {
      at: at.map(({ file, line, column }) => ({ file: projectPath(root, file), line, column })),
    }),
  };
}
