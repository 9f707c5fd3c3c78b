/** What went wrong in a step, as data. */
import { inspect } from "node:util";
import { messageOf, MlpipeError } from "@mlpipe/dsl";
import type { StepError } from "../events.ts";
import type { RunnerErrorCode } from "./errors.ts";
import { shownPath, userFrames } from "./stack.ts";
import { noteRefusal } from "./undeclared.ts";

/** How deep a chain of causes is told. */
const maxCauses = 5;

/** More of one message than anybody reads. */
const maxLength = 20_000;

/** A thrown value as the error of its step. What is coded already keeps its code. */
export function failureOf(
  thrown: unknown,
  root: string,
  as: { readonly code: RunnerErrorCode; readonly before?: string; readonly hint?: string } = {
    code: "MLP3010",
  },
): StepError {
  noteRefusal(thrown);
  if (isCoded(thrown)) {
    const frames = userFrames(thrown.stack, root);
    const sites = thrown.at.map((site) => ({ ...site, file: shownPath(site.file, root) }));
    const at = [...sites, ...frames.at];
    return {
      code: thrown.code,
      message: thrown.message,
      ...(thrown.hint !== undefined && { hint: thrown.hint }),
      ...(frames.text !== "" && { stack: `${thrown.message}\n${frames.text}` }),
      ...(at.length > 0 && { at }),
    };
  }
  const { at } = userFrames(stackOf(thrown), root);
  return {
    code: as.code,
    message: `${as.before ?? ""}${chain(thrown)}`,
    ...(as.hint !== undefined && { hint: as.hint }),
    stack: told(thrown, root),
    ...(at.length > 0 && { at }),
  };
}

/** The error and its causes in one line. */
function chain(thrown: unknown): string {
  const parts = [headline(thrown)];
  for (
    let cause = causeOf(thrown);
    cause !== undefined && parts.length <= maxCauses;
    cause = causeOf(cause)
  ) {
    parts.push(headline(cause));
  }
  return parts.join(", caused by ");
}

/** The error and its causes, each with the user's frames. */
function told(thrown: unknown, root: string, depth = 0): string {
  const frames = userFrames(stackOf(thrown), root).text;
  const parts = [frames === "" ? headline(thrown) : `${headline(thrown)}\n${frames}`];
  if (depth >= maxCauses) return parts.join("\n");
  for (const error of errorsOf(thrown)) parts.push(`one of them: ${told(error, root, depth + 1)}`);
  const cause = causeOf(thrown);
  if (cause !== undefined) parts.push(`caused by ${told(cause, root, depth + 1)}`);
  return parts.join("\n");
}

function headline(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `thrown without an error: ${shown(thrown)}`;
  const name = thrown.name === "" ? "Error" : thrown.name;
  const first = thrown.message === "" ? name : `${name}: ${readable(messageOf(thrown))}`;
  const errors = errorsOf(thrown);
  return errors.length === 0 ? first : `${first} (${errors.slice(0, maxCauses).map(headline).join("; ")})`;
}

/** Libraries put whole documents into messages, and a message is in every record of the step and of its run. */
function readable(message: string): string {
  if (message.length <= maxLength) return message;
  return `${message.slice(0, maxLength)}… (${message.length.toLocaleString("en")} characters)`;
}

function errorsOf(thrown: unknown): readonly unknown[] {
  return thrown instanceof AggregateError ? thrown.errors : [];
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? thrown.cause : undefined;
}

function stackOf(thrown: unknown): unknown {
  return thrown instanceof Error ? thrown.stack : undefined;
}

function shown(value: unknown): string {
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  try {
    return (JSON.stringify(value) ?? typeof value).slice(0, 200);
  } catch {
    // Circular, or with a toJSON of its own that throws.
    return inspect(value, { depth: 1, breakLength: Infinity, customInspect: false }).slice(0, 200);
  }
}

/** A step's project may have loaded a second copy of the language. */
function isCoded(thrown: unknown): thrown is MlpipeError {
  return (
    thrown instanceof MlpipeError ||
    (thrown instanceof Error && thrown.name === "MlpipeError" && "code" in thrown && "at" in thrown)
  );
}
