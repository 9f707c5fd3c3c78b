/** What the function of a step returned: its values and metrics. */
import { describe, isKind, MlpipeError, type Port, specOf, type StepDefinition, toJson } from "@mlpipe/dsl";
import { describeRefusal, validate } from "../artifacts/schema.ts";
import { undeclaredMetrics } from "../undeclared-metrics.ts";
import { isReturned } from "./writers.ts";

/**
 * The JSON of what was returned, by port. It is kept as it was returned, not as its schema parsed
 * it: the step that reads it parses it.
 */
export async function checkReturned(
  definition: StepDefinition,
  result: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  const ports = Object.entries(definition.outputs).filter(([, declared]) => isReturned(declared));
  const hint = `The function must return { ${ports.map(([port]) => port).join(", ")} }.`;
  const fail = (message: string): never => {
    throw new MlpipeError("MLP3028", message, { exit: 1, hint: ports.length > 0 ? hint : undefined });
  };

  const isObject = typeof result === "object" && result !== null && !Array.isArray(result);
  if (!isObject) {
    // An arrow function returns whatever its last call does: without ports to return, that says nothing.
    if (ports.length === 0) return {};
    const names = ports.map(([port]) => port).join(" and ");
    return fail(
      result === undefined
        ? `The step returned nothing, and ${names} ${ports.length === 1 ? "is" : "are"} missing.`
        : `The step returned ${describe(result)}, and ${names} ${ports.length === 1 ? "is" : "are"} missing.`,
    );
  }
  const given = new Map<string, unknown>(Object.entries(result));
  const returned: [string, unknown][] = [];
  for (const [port, declared] of ports) {
    const value = given.get(port);
    if (value === undefined) fail(`The step did not return its output ${port}.`);
    given.delete(port);
    returned.push([port, await returnedJson(port, declared, value)]);
  }
  for (const [port, value] of given) {
    if (value === undefined) continue;
    if (port in definition.outputs) fail(`The step returned ${port}, which is written through out.${port}.`);
    fail(`The step returned ${port}, which is none of its outputs.`);
  }
  return Object.fromEntries(returned);
}

async function returnedJson(port: string, declared: Port, value: unknown): Promise<unknown> {
  if (isKind(declared)) checkMetrics(port, declared, value);
  else {
    const verdict = await validate(declared, value);
    if (verdict.issues) refuse(port, `does not fit its schema: ${describeRefusal(verdict.issues, value)}`);
  }
  const converted = toJson(value);
  if ("json" in converted) return converted.json;
  throw new MlpipeError("MLP3026", `The returned ${port} is not JSON: ${converted.problem}.`, {
    exit: 1,
    hint: converted.hint,
  });
}

function checkMetrics(port: string, declared: Port, value: unknown): void {
  const spec = specOf(declared);
  if (spec.kind !== "metrics") return;
  if (typeof value !== "object" || value === null)
    refuse(port, `is ${describe(value)}, and metrics are an object`);
  const found = new Map<string, unknown>(Object.entries(Object(value)));
  for (const name of Object.keys(spec.directions)) {
    const number = found.get(name);
    if (number === undefined) refuse(port, `lacks the metric ${name}`);
    if (typeof number !== "number" || !Number.isFinite(number)) {
      refuse(port, `has ${describe(number)} as ${name}, and a metric is a finite number`);
    }
    found.delete(name);
  }
  if (found.size === 0) return;
  const { what, hint } = undeclaredMetrics([...found.keys()]);
  refuse(port, what, hint);
}

function refuse(port: string, what: string, hint?: string): never {
  throw new MlpipeError("MLP3025", `The returned ${port} ${what}.`, { exit: 1, hint });
}
