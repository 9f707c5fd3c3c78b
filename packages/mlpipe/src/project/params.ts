import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { MlpipeError, type Pipeline } from "@mlpipe/dsl";
import { nearest } from "./nearest.ts";

/** What a command line says about params. */
export interface GivenParams {
  /** `KEY=VALUE`, later ones over earlier ones and over the file. */
  readonly set?: readonly string[];
  /** A YAML or JSON file, relative to `cwd`. */
  readonly paramsFile?: string | undefined;
  readonly cwd: string;
}

/**
 * The raw params of a command line, for the pipeline's schema to parse.
 * @throws MlpipeError MLP6006 for a param the schema does not know, MLP6007 for what cannot be read
 */
export async function readParams(pipeline: Pipeline, given: GivenParams): Promise<Record<string, unknown>> {
  const params: Record<string, unknown> =
    given.paramsFile === undefined ? {} : await readFile(given.paramsFile, given.cwd);
  const known = paramNames(pipeline.params);
  if (known !== undefined) {
    for (const name of Object.keys(params)) checkKnown(pipeline, known, name);
  }
  for (const assignment of given.set ?? []) {
    const split = assignment.indexOf("=");
    if (split < 1) {
      throw new MlpipeError("MLP6007", `-s takes KEY=VALUE, and was given ${JSON.stringify(assignment)}.`, {
        hint: "For example: -s trees=50",
      });
    }
    const path = assignment.slice(0, split).split(".");
    if (known !== undefined) checkKnown(pipeline, known, path[0] ?? "");
    await assign(pipeline, params, path, assignment.slice(split + 1));
  }
  return params;
}

/**
 * Text on a command line has no type: `50` may be meant as a number or as text. It is taken as JSON
 * if it is JSON, unless the schema accepts only the text.
 */
async function assign(
  pipeline: Pipeline,
  params: Record<string, unknown>,
  path: readonly string[],
  text: string,
): Promise<void> {
  const parsed = parseScalar(text);
  place(params, path, parsed);
  if (parsed === text || pipeline.params === undefined) return;
  if (!(await refuses(pipeline.params, params, path))) return;
  place(params, path, text);
  if (await refuses(pipeline.params, params, path)) place(params, path, parsed);
}

async function refuses(schema: StandardSchemaV1, params: unknown, path: readonly string[]): Promise<boolean> {
  const result = await schema["~standard"].validate(params);
  return (result.issues ?? []).some((issue) => {
    const at = issue.path?.map((part) => String(typeof part === "object" ? part.key : part)) ?? [];
    return path.every((part, index) => at[index] === undefined || at[index] === part);
  });
}

function parseScalar(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function place(params: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let target = params;
  for (const part of path.slice(0, -1)) {
    const inner = Object.hasOwn(target, part) ? target[part] : undefined;
    // A param below something that is no object makes it one; the schema judges the result.
    const next = isObject(inner) ? inner : {};
    define(target, part, next);
    target = next;
  }
  define(target, path.at(-1) ?? "", value);
}

/** Sets an own property even for a name such as `__proto__`. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

async function readFile(path: string, cwd: string): Promise<Record<string, unknown>> {
  const file = resolve(cwd, path);
  const fail = (message: string, cause?: unknown): never => {
    throw new MlpipeError("MLP6007", message, {
      hint: "A params file is a YAML or JSON object: trees: 50",
      cause,
    });
  };
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return fail(
      `The params file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      error,
    );
  }
  const yaml = await import("yaml");
  let value: unknown;
  try {
    value = yaml.parse(text);
  } catch (error) {
    return fail(
      `The params file ${path} is not valid: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
  if (value === null || value === undefined) return {};
  return isObject(value) ? value : fail(`The params file ${path} holds no object.`);
}

function checkKnown(pipeline: Pipeline, known: readonly string[], name: string): void {
  if (known.includes(name)) return;
  const similar = nearest(name, known);
  throw new MlpipeError("MLP6006", `The pipeline "${pipeline.name}" has no param ${name}.`, {
    at: pipeline.site,
    hint:
      similar !== undefined
        ? `Did you mean ${similar}?`
        : known.length > 0
          ? `Its params: ${known.join(", ")}.`
          : "It has no params.",
  });
}

/** The names of the params, where the schema can say them (Standard JSON Schema); nothing if it takes any. */
export function paramNames(schema: StandardSchemaV1 | undefined): readonly string[] | undefined {
  if (schema === undefined) return [];
  const described: unknown = Reflect.get(schema["~standard"], "jsonSchema");
  if (!isObject(described) || typeof described["input"] !== "function") return undefined;
  let document: unknown;
  try {
    document = described["input"]({ target: "draft-2020-12" });
  } catch {
    // A schema that JSON Schema cannot express accepts what it accepts.
    return undefined;
  }
  if (!isObject(document) || !isObject(document["properties"])) return undefined;
  const open = document["additionalProperties"];
  return open === undefined || open === false ? Object.keys(document["properties"]) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
