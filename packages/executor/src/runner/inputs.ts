/** What the function of a step is given for its input ports. */
import { resolve } from "node:path";
import { isKind, MlpipeError, type Port, specOf, type StepDefinition } from "@mlpipe/dsl";
import { InputFile, InputFolder, type InputPlace } from "../artifacts/input-file.ts";
import { InputJson } from "../artifacts/json-reader.ts";
import { describeRefusal, type Schema, validate } from "../artifacts/schema.ts";
import type { Task, TaskInput } from "../task.ts";

/** Readers and values by port. Files are not opened before the step asks; values are validated here. */
export async function readInputs(
  definition: StepDefinition,
  task: Task,
  root: string,
): Promise<Readonly<Record<string, unknown>>> {
  const inputs: [string, unknown][] = [];
  for (const [port, declared] of Object.entries(definition.inputs)) {
    const given = task.inputs[port] ?? { type: "absent" };
    inputs.push([port, await readInput(port, declared, given, root)]);
  }
  return Object.fromEntries(inputs);
}

async function readInput(port: string, declared: Port, given: TaskInput, root: string): Promise<unknown> {
  if (given.type === "absent") return undefined;
  const spec = specOf(declared);
  if (isKind(declared) && declared.of !== undefined && spec.kind !== "many") {
    return readInput(port, declared.of, given, root);
  }
  if (given.type === "many") {
    const item = isKind(declared) ? declared.of : undefined;
    if (item === undefined) throw unfit(port, "several, and takes one");
    const items = new Map<string, unknown>();
    for (const { key, input } of given.items)
      items.set(key, await readInput(`${port}[${key}]`, item, input, root));
    return items;
  }
  if (given.type === "value") return checked(port, declared, given.value);
  return reader(declared, { port, path: resolve(root, given.path) });
}

/** The reader of a file; the csv and jsonl readers are loaded only where there is such a port. */
async function reader(declared: Port, place: InputPlace): Promise<unknown> {
  const { kind } = specOf(declared);
  switch (kind) {
    case "file":
    case "model":
    case "plot":
      return new InputFile(place);
    case "dir":
      return new InputFolder(place);
    case "checkpoint":
      return { path: place.path };
    case "csv": {
      const { CsvReader } = await import("../artifacts/csv-reader.ts");
      return new CsvReader(place, schemaOf(declared));
    }
    case "jsonl": {
      const { JsonlReader } = await import("../artifacts/jsonl-reader.ts");
      return new JsonlReader(place, schemaOf(declared));
    }
    case "json":
      return new InputJson(place, schemaOf(declared));
    case "metrics":
      return new InputJson(place, undefined).read();
    case "value":
    case "seed":
      return checked(place.port, declared, await new InputJson(place, undefined).read());
    default:
      throw unfit(place.port, `a file, and is ${kind}`);
  }
}

async function checked(port: string, declared: Port, value: unknown): Promise<unknown> {
  if (isKind(declared)) {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw unfit(port, `${JSON.stringify(value)} as its seed, which must be a whole number from 0 up`);
  }
  const verdict = await validate(declared, value);
  if (!verdict.issues) return verdict.value;
  const problem = describeRefusal(verdict.issues, value);
  throw new MlpipeError("MLP3023", `The input ${port} does not fit its schema: ${problem}.`, {
    exit: 1,
    hint: "Give the step another value, or correct its schema.",
  });
}

function schemaOf(declared: Port): Schema {
  const schema = isKind(declared) ? declared.schema : declared;
  // csv, jsonl and json cannot be made without one.
  if (schema === undefined) throw new Error(`A kind ${specOf(declared).kind} without a schema`);
  return schema;
}

function unfit(port: string, what: string): MlpipeError {
  return new MlpipeError("MLP3023", `The input ${port} was given ${what}.`, { exit: 1 });
}
