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
  // To ask a schema for its names takes a while, and most commands say nothing that could be misspelt.
  if (given.paramsFile === undefined && (given.set ?? []).length === 0) return {};
  const params: Record<string, unknown> =
    given.paramsFile === undefined ? {} : await readFile(given.paramsFile, given.cwd);
  const shape = paramShape(pipeline.params);
  checkNames(pipeline, shape, params, []);
  for (const assignment of given.set ?? []) {
    const split = assignment.indexOf("=");
    if (split < 1) {
      throw new MlpipeError("MLP6007", `-s takes KEY=VALUE, and was given ${JSON.stringify(assignment)}.`, {
        hint: "For example: -s trees=50",
      });
    }
    const path = assignment.slice(0, split).split(".");
    checkPath(pipeline, shape, path);
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

/** Checks every name in an object of params. */
function checkNames(
  pipeline: Pipeline,
  shape: ParamShape | undefined,
  params: Readonly<Record<string, unknown>>,
  above: readonly string[],
): void {
  for (const [name, value] of Object.entries(params)) {
    const inner = checkName(pipeline, shape, [...above, name]);
    if (isObject(value)) checkNames(pipeline, inner, value, [...above, name]);
  }
}

function checkPath(pipeline: Pipeline, shape: ParamShape | undefined, path: readonly string[]): void {
  let at = shape;
  for (let depth = 1; depth <= path.length; depth++) at = checkName(pipeline, at, path.slice(0, depth));
}

/** Checks the last name of a path, and gives what lies below it. */
function checkName(
  pipeline: Pipeline,
  shape: ParamShape | undefined,
  path: readonly string[],
): ParamShape | undefined {
  if (shape === undefined) return undefined;
  const name = path.at(-1) ?? "";
  const inner = shape.get(name);
  if (inner !== undefined) return inner.below;
  const prefix = path
    .slice(0, -1)
    .map((part) => `${part}.`)
    .join("");
  const known = [...shape.keys()];
  const similar = nearest(name, known);
  throw new MlpipeError("MLP6006", `The pipeline "${pipeline.name}" has no param ${path.join(".")}.`, {
    at: pipeline.site,
    hint:
      similar !== undefined
        ? `Did you mean ${prefix}${similar}?`
        : known.length > 0
          ? `${prefix === "" ? "Its params" : `Below ${prefix.slice(0, -1)}`}: ${known.join(", ")}.`
          : "It has no params.",
  });
}

/** The names of params, each with what lies below it; nothing where any name is taken. */
type ParamShape = ReadonlyMap<string, { readonly below: ParamShape | undefined }>;

/** The shape of the params, where the schema can say it (Standard JSON Schema). */
function paramShape(schema: StandardSchemaV1 | undefined): ParamShape | undefined {
  if (schema === undefined) return new Map();
  const described: unknown = Reflect.get(schema["~standard"], "jsonSchema");
  if (!isObject(described) || typeof described["input"] !== "function") return undefined;
  try {
    return shapeOf(described["input"]({ target: "draft-2020-12" }));
  } catch {
    // A schema that JSON Schema cannot express accepts what it accepts.
    return undefined;
  }
}

function shapeOf(document: unknown): ParamShape | undefined {
  if (!isObject(document) || !isObject(document["properties"])) return undefined;
  const open = document["additionalProperties"];
  if (open !== undefined && open !== false) return undefined;
  return new Map(
    Object.entries(document["properties"]).map(([name, inner]) => [name, { below: shapeOf(inner) }]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
