/** Imports the module of a step and finds the step in it. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { definitionOf, MlpipeError, type StepDefinition } from "@mlpipe/dsl";
import type { StepError } from "../events.ts";
import type { Task } from "../task.ts";
import { importUserModule } from "../user-module.ts";
import { failureOf } from "./failure.ts";
import { shownPath, syntaxSite } from "./stack.ts";

/** @returns the step, or why there is none */
export async function loadStep(
  { module, export: name, mode }: Task,
  root: string,
): Promise<{ readonly definition: StepDefinition } | { readonly error: StepError }> {
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = await importUserModule(resolve(root, module));
  } catch (error) {
    return { error: importFailure(error, module, root) };
  }
  const definition = Object.hasOwn(exports, name) ? definitionOf(exports[name]) : undefined;
  if (definition === undefined) {
    const steps = Object.keys(exports).filter((each) => definitionOf(exports[each]) !== undefined);
    const hint =
      steps.length > 0 ? `The steps it exports: ${steps.join(", ")}.` : "It exports no step at all.";
    const what = Object.hasOwn(exports, name) ? "is no step" : "does not exist";
    return { error: { code: "MLP3015", message: `The export ${name} of ${module} ${what}.`, hint } };
  }
  if ((mode === "check" ? definition.check : definition.run) === undefined) {
    const message = `The ${definition.kind} step ${name} of ${module} has no ${mode} function.`;
    return { error: { code: "MLP3015", message } };
  }
  return { definition };
}

function importFailure(error: unknown, module: string, root: string): StepError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : "";
  if (code === "ERR_MODULE_NOT_FOUND") return notFound(message, module, root);

  const stack = error instanceof Error ? error.stack : undefined;
  const site = syntaxSite(stack, root);
  const at = site !== undefined ? { at: [site] } : {};
  const where = site?.file ?? module;
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return {
      code: "MLP3013",
      message: `${where} has TypeScript that is more than types: ${message}.`,
      hint: process.execArgv.includes("--permission")
        ? "Node's permission model alone lets no compiler in: use a union or an object as const."
        : "Enums, namespaces and parameter properties are compiled in ES modules alone (.ts or .mts, without require); write the rest as JavaScript has it.",
      ...at,
    };
  }
  if (error instanceof SyntaxError && (code === undefined || code === "ERR_INVALID_TYPESCRIPT_SYNTAX")) {
    const isLink = message.includes("does not provide an export named");
    const hint = "A type needs import type, since only values exist when the step runs.";
    return {
      code: "MLP3012",
      message: `${where} ${isLink ? "cannot be linked" : "has a syntax error"}: ${message}.`,
      ...(isLink && { hint }),
      ...at,
    };
  }
  if (error instanceof MlpipeError) return failureOf(error, root);
  const before = `${module} failed while it was imported: `;
  return failureOf(error, root, {
    code: "MLP3014",
    before,
    hint: "Modules of steps do nothing when they are imported; work belongs into run.",
  });
}

/** Node says which, and from where, in its message alone. */
function notFound(message: string, module: string, root: string): StepError {
  const match = /^Cannot find (package|module) '(.*)' imported from (.*)$/s.exec(message);
  if (match === null) return { code: "MLP3011", message: `${module} cannot be imported: ${message}.` };
  const [, what, wanted = "", importer = ""] = match;
  if (wanted === resolve(root, module)) {
    return { code: "MLP3011", message: `The module ${module} of the step is not there.` };
  }
  const file = shownPath(importer, root);
  const found = findImport(importer, wanted.slice(wanted.lastIndexOf("/") + 1));
  const at = found === undefined ? {} : { at: [{ file, line: found.line, column: found.column }] };
  if (what === "package") {
    const message = `${file} imports the package ${wanted}, which is not installed.`;
    return { code: "MLP3011", message, hint: `npm install ${wanted}`, ...at };
  }
  return {
    code: "MLP3011",
    message: `${file} imports ${found?.specifier ?? shownPath(wanted, root)}, and there is no such file.`,
    hint: "Was it moved or renamed?",
    ...at,
  };
}

/** The import in a file whose specifier names something. */
function findImport(
  importer: string,
  wanted: string,
): { readonly specifier: string; readonly line: number; readonly column: number } | undefined {
  let text: string;
  try {
    text = readFileSync(importer, "utf8");
  } catch {
    return undefined;
  }
  for (const [index, line] of text.split("\n").entries()) {
    for (const { 1: specifier = "", index: start } of line.matchAll(
      /\b(?:import|from)\b[\s(]*["']([^"']+)["']/g,
    )) {
      if (specifier.includes(wanted)) {
        return { specifier, line: index + 1, column: line.indexOf(specifier, start) + 1 };
      }
    }
  }
  return undefined;
}
