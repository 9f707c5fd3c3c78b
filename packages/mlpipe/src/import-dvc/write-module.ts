/** Writes the pipeline's module. ts-morph takes long to load, and nothing but an import loads this file. */
import { IndentationText, Project, VariableDeclarationKind } from "ts-morph";
import type { ImportedStep } from "./imported-step.ts";
import { camelCase, itemKey, Names, reserved, stepName } from "./names.ts";
import type { ParamsCode } from "./params-code.ts";
import { callCode, definitionCode, objectCode } from "./step-code.ts";

export interface ModuleContent {
  /** The name of the pipeline. */
  readonly name: string;
  /** Lines of the comment at the top. */
  readonly comment: readonly string[];
  /** In an order in which each comes after those it takes from. */
  readonly steps: readonly ImportedStep[];
  readonly params: ParamsCode;
  /** Places that no command finds unless its step is given them. */
  readonly hidden: readonly string[];
  /** Outputs that a pipeline returns by names of their own, by path. */
  readonly named: ReadonlyMap<string, string>;
}

/** Stages that share a definition. */
interface Shared {
  readonly variable: string;
  readonly name: string;
  readonly code: string;
  readonly steps: readonly ImportedStep[];
}

/** The text of the module. */
export function writeModule(content: ModuleContent): string {
  const { name, comment, steps, params, hidden } = content;
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: { indentationText: IndentationText.TwoSpaces },
  });
  const file = project.createSourceFile(
    "it.pipeline.ts",
    `/**\n${comment.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n`,
  );
  const groups = shared(steps, hidden.length > 0);
  for (const { variable, name: step, code, steps: own } of groups) {
    file.addVariableStatement({
      isExported: true,
      leadingTrivia: "\n",
      declarationKind: VariableDeclarationKind.Const,
      declarations: [
        { name: variable, initializer: `${own[0]?.kind ?? "data"}(${JSON.stringify(step)}, ${code})` },
      ],
    });
  }
  const body = new BodyWriter(groups, content).lines();
  file.addExportAssignment({
    isExportEquals: false,
    leadingTrivia: "\n",
    expression:
      `pipeline(${JSON.stringify(name)}, ${params.schema === undefined ? "() => {" : "Params, (p) => {"}\n` +
      `${body.map((line) => `  ${line.replaceAll("\n", "\n  ")}\n`).join("")}})`,
  });
  const text = file.getFullText();
  const uses = (word: string): boolean => new RegExp(String.raw`(?<![.\w"])${word}\(`).test(text);
  const constants: { name: string; initializer: string; comment: string }[] = [];
  if (hidden.length > 0) {
    constants.push({
      name: "hidden",
      initializer: `JSON.stringify(${JSON.stringify(hidden, null, 2)})`,
      comment: "What no command finds in its folder, unless its step is given it.",
    });
  }
  if (params.schema !== undefined) {
    constants.push({
      name: "Params",
      initializer: params.schema,
      comment: "What the params files say, unless the command line does: mlpipe run -s NAME=VALUE.",
    });
  }
  const at = file.getStatements()[0]?.getChildIndex() ?? 0;
  file.insertVariableStatements(
    at,
    constants.map(({ name: constant, initializer, comment: about }) => ({
      leadingTrivia: `\n/** ${about} */\n`,
      declarationKind: VariableDeclarationKind.Const,
      declarations: [{ name: constant, initializer }],
    })),
  );
  const words =
    "cmd csv data dir each evaluate file json metrics model onnx pipeline plot seed source train".split(" ");
  const imported = words.filter((word) => uses(word) || (word === "cmd" && text.includes("cmd`")));
  file.insertImportDeclarations(at, [
    { moduleSpecifier: "mlpipe", namedImports: imported },
    ...(file.getFullText().includes("z.") ? [{ moduleSpecifier: "zod", namedImports: ["z"] }] : []),
    ...(params.schema === undefined
      ? []
      : [{ moduleSpecifier: "./params-file.ts", namedImports: ["fromFile"] }]),
  ]);
  return file.getFullText().replaceAll(/\n{3,}/g, "\n\n");
}

/** Stages of one loop become one step where their definitions are the same, and one each where they are not. */
function shared(steps: readonly ImportedStep[], hasHidden: boolean): readonly Shared[] {
  const variables = new Names(reserved);
  const ids = new Names();
  const byGroup = Map.groupBy(steps, ({ stage }) => stage.group);
  return [...byGroup.values()].flatMap((group): Shared[] => {
    const codes = group.map((step) => definitionCode(step, hasHidden));
    const [first] = group;
    const [code = ""] = codes;
    const take = (label: string): { variable: string; name: string } => ({
      variable: variables.take(`${camelCase(label)}Stage`),
      name: ids.take(stepName(label)),
    });
    if (first !== undefined && codes.every((each) => each === code)) {
      return [{ ...take(first.stage.group), code, steps: group }];
    }
    return group.map((step, index) => ({
      ...take(step.stage.name),
      code: codes[index] ?? "",
      steps: [step],
    }));
  });
}

/** Writes the function that wires the steps. */
class BodyWriter {
  readonly #groups: readonly Shared[];
  readonly #content: ModuleContent;
  readonly #variables = new Names([...reserved, "data", "train", "evaluate"]);
  /** By stage the variable of what its call gives. */
  readonly #results = new Map<string, string>();
  /** Stages whose outputs another takes by itself. */
  readonly #taken: ReadonlySet<string>;

  constructor(groups: readonly Shared[], content: ModuleContent) {
    this.#groups = groups;
    this.#content = content;
    this.#taken = new Set(
      content.steps.flatMap(({ inputs }) =>
        inputs.flatMap(({ from }) => (from.type === "output" ? [from.stage] : [])),
      ),
    );
  }

  lines(): readonly string[] {
    const lines: string[] = [];
    const written = new Set<Shared>();
    for (const step of this.#content.steps) {
      const group = this.#groups.find(({ steps }) => steps.includes(step));
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
  #isFan({ steps }: Shared): boolean {
    return steps.every(
      ({ stage, outputs }) => stage.key !== undefined && !this.#taken.has(stage.name) && outputs.length > 0,
    );
  }

  #call(step: ImportedStep, group: Shared): string {
    const variable = this.#variables.take(camelCase(step.stage.name));
    this.#results.set(step.stage.name, variable);
    const called = group.steps.length === 1 ? "" : `.as(${JSON.stringify(stepName(step.stage.name))})`;
    return `const ${variable} = ${group.variable}${called}(${this.#given(step)});`;
  }

  #fan(group: Shared): string {
    const label = group.steps[0]?.stage.group ?? "";
    const variable = this.#variables.take(camelCase(label));
    const keys = new Names();
    const items = group.steps.map((step) => {
      this.#results.set(step.stage.name, variable);
      return `  ${objectCode([["child", JSON.stringify(keys.take(itemKey(step.stage.key ?? "")))], ...this.#fields(step)])},`;
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
    const fields = this.#fields(step);
    const line = objectCode(fields);
    if (fields.size === 0) return "{}";
    if (line.length <= 90) return line;
    return `{\n${[...fields].map((field) => `  ${objectCode([field]).slice(2, -2)},\n`).join("")}}`;
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
