/** The function of the pipeline: calls of its steps, and what it returns. */
import type { ImportedStep } from "./imported-step.ts";
import { camelCase, itemKey, Names, reserved, stepName } from "./names.ts";
import type { ParamsCode } from "./params-code.ts";
import { callCode, objectCode } from "./step-code.ts";
import type { StepDefinitionCode } from "./step-definitions.ts";

/** What the wiring is made of. */
export interface Wiring {
  readonly definitions: readonly StepDefinitionCode[];
  /** In an order in which each comes after those it takes from. */
  readonly steps: readonly ImportedStep[];
  readonly params: ParamsCode;
  /** Outputs that the pipeline returns by names of their own, by path. */
  readonly named: ReadonlyMap<string, string>;
}

/** Writes the function that wires the steps. */
export class WiringWriter {
  readonly #content: Wiring;
  readonly #variables: Names;
  /** By stage the variable of what its call gives. */
  readonly #results = new Map<string, string>();
  /** Stages whose outputs another takes by itself. */
  readonly #taken: ReadonlySet<string>;

  constructor(content: Wiring) {
    this.#variables = new Names([...reserved, ...content.definitions.map(({ variable }) => variable)]);
    this.#content = content;
    this.#taken = new Set(
      content.steps.flatMap(({ inputs }) =>
        inputs.flatMap(({ from }) => (from.type === "output" ? [from.stage] : [])),
      ),
    );
  }

  lines(): readonly string[] {
    const lines: string[] = [];
    const written = new Set<StepDefinitionCode>();
    for (const step of this.#content.steps) {
      const group = this.#content.definitions.find(({ steps }) => steps.includes(step));
      if (group === undefined) throw new Error(`the stage ${step.stage.name} has no definition`);
      if (!this.#isFan(group)) lines.push(this.#call(step, group));
      else if (!written.has(group)) {
        written.add(group);
        lines.push(this.#fan(group));
      }
    }
    return [...lines, this.#returned()];
  }

  /** Whether the calls of a step can be one `each`: nobody takes what a single one of them makes. */
  #isFan({ steps }: StepDefinitionCode): boolean {
    return steps.every(
      ({ stage, outputs }) => stage.key !== undefined && !this.#taken.has(stage.name) && outputs.length > 0,
    );
  }

  #call(step: ImportedStep, group: StepDefinitionCode): string {
    const variable = this.#variables.take(camelCase(step.stage.name));
    this.#results.set(step.stage.name, variable);
    const called = group.steps.length === 1 ? "" : `.as(${JSON.stringify(stepName(step.stage.name))})`;
    return `const ${variable} = ${group.variable}${called}(${this.#given(step)});`;
  }

  #fan(group: StepDefinitionCode): string {
    const label = group.steps[0]?.stage.group ?? "";
    const variable = this.#variables.take(camelCase(label));
    const keys = new Names();
    const items = group.steps.map((step) => {
      this.#results.set(step.stage.name, variable);
      const child = JSON.stringify(keys.take(itemKey(step.stage.key ?? "")));
      return `  ${literal([["child", child], ...this.#fields(step)]).replaceAll("\n", "\n  ")},`;
    });
    const hasInputs = group.steps.some((step) => this.#fields(step).size > 0);
    const body = hasInputs
      ? `({ child: _, ...inputs }) => ${group.variable}(inputs)`
      : `() => ${group.variable}({})`;
    return `const ${variable} = each([\n${items.join("\n")}\n], ({ child }) => child, ${body});`;
  }

  #fields(step: ImportedStep): ReadonlyMap<string, string> {
    return callCode(step, {
      output: (stage, port) => `${this.#results.get(stage) ?? stage}.${port}`,
      param: (file, path) => this.#content.params.param(file, path),
    });
  }

  #given(step: ImportedStep): string {
    return literal([...this.#fields(step)]);
  }

  /** What users see: artifacts, metrics, plots, and what no other stage takes. */
  #returned(): string {
    const { steps, named } = this.#content;
    const taken = new Set(
      steps.flatMap(({ inputs }) =>
        inputs.flatMap(({ from }) => (from.type === "output" ? [`${from.stage}\0${from.port}`] : [])),
      ),
    );
    const names = new Names();
    const seen = new Set<string>();
    const fields = steps.flatMap(({ stage, outputs }) =>
      outputs.flatMap(({ port, path, role }) => {
        const variable = this.#results.get(stage.name) ?? "";
        const code = `${variable}.${port}`;
        const own = named.get(path);
        const isSeen = own !== undefined || role !== "out" || !taken.has(`${stage.name}\0${port}`);
        // The children of a loop are one ref.
        if (!isSeen || seen.has(code)) return [];
        seen.add(code);
        const label = own === undefined ? port : camelCase(own);
        const clash =
          steps.filter((other) => other.outputs.some((output) => output.port === port)).length > 1;
        const wanted = clash && own === undefined ? camelCase(`${variable} ${port}`) : label;
        return [`  ${names.take(wanted)}: ${code},\n`];
      }),
    );
    return `return {\n${fields.join("")}};`;
  }
}

/** An object literal, in lines if it is a long one. */
function literal(fields: readonly (readonly [string, string])[]): string {
  if (fields.length === 0) return "{}";
  const line = objectCode(fields);
  if (line.length <= 90) return line;
  return `{\n${fields.map((field) => `  ${objectCode([field]).slice(2, -2)},\n`).join("")}}`;
}
