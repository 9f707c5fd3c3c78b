/**
 * Random pipelines: their shape, which stays, and their state, which is edited; the files that say
 * so to mlpipe, and a model that says what each step must give, by executing everything always.
 */
import type { KindSpec, Manifest, ManifestStep } from "@mlpipe/dsl";
import fc from "fast-check";

/** What a port carries. */
export type PortKind = "value" | "csv" | "file";

/** A function that steps call, and that calls others. */
interface Helper {
  /** `helpers0.ts` or `helpers1.ts`. */
  readonly module: number;
  readonly calls: readonly number[];
}

interface Definition {
  /** `steps0.ts`, `steps1.ts` or `steps2.ts`. */
  readonly module: number;
  readonly kind: PortKind;
  readonly helpers: readonly number[];
  readonly inputs: readonly PortKind[];
  readonly hasParam: boolean;
  readonly hasSource: boolean;
}

/** A call of a definition. */
interface StepCall {
  readonly definition: number;
  readonly upstream: readonly number[];
  readonly param: number;
  readonly source: number;
}

/** What no operation changes. */
export interface Shape {
  readonly helpers: readonly Helper[];
  readonly definitions: readonly Definition[];
  readonly steps: readonly StepCall[];
}

/** What operations change. */
export interface State {
  readonly helperLiterals: readonly number[];
  readonly stepLiterals: readonly number[];
  readonly params: readonly number[];
  readonly sources: readonly (readonly number[])[];
  /** The extension of all ports that are files. */
  readonly extension: "txt" | "dat";
  /** By step: 0 for its first name, else another. */
  readonly names: readonly number[];
  /** By module: how it is written, in bits of {@link noisy}. */
  readonly noise: Readonly<Record<string, number>>;
}

const paramCount = 3;
const sourceCount = 2;

const small = fc.integer({ min: 0, max: 3 });
const rough = fc.record({
  helpers: fc.array(fc.record({ module: fc.nat(1), calls: fc.array(fc.nat(4), { maxLength: 2 }) }), {
    minLength: 1,
    maxLength: 5,
  }),
  steps: fc.array(
    fc.record({
      module: fc.nat(2),
      kind: fc.constantFrom<PortKind>("value", "csv", "file"),
      helpers: fc.array(fc.nat(4), { maxLength: 2 }),
      upstream: fc.array(fc.nat(7), { maxLength: 2 }),
      param: fc.option(fc.nat(paramCount - 1)),
      source: fc.option(fc.nat(sourceCount - 1)),
      sameAs: fc.option(fc.nat(7), { freq: 4 }),
    }),
    { minLength: 2, maxLength: 8 },
  ),
});

/** Random shapes. */
export const anyShape: fc.Arbitrary<Shape> = rough.map(({ helpers, steps }) => {
  const definitions: Definition[] = [];
  const calls: StepCall[] = [];
  const kindOf = (step: number): PortKind => definitions[calls[step]?.definition ?? 0]?.kind ?? "value";
  steps.forEach(({ module, kind, helpers: called, upstream, param, source, sameAs }, index) => {
    const wanted = distinct(upstream.filter(() => index > 0).map((at) => at % index));
    const other = sameAs === null || index === 0 ? undefined : calls[sameAs % index];
    if (other !== undefined) {
      // Another call of the same step: of what is there, it takes what fits.
      const inputs = other.upstream.map((given, port) => {
        const instead = wanted[port];
        return instead !== undefined && kindOf(instead) === kindOf(given) ? instead : given;
      });
      calls.push({ ...other, upstream: inputs, param: param ?? other.param, source: source ?? other.source });
      return;
    }
    calls.push({ definition: definitions.length, upstream: wanted, param: param ?? 0, source: source ?? 0 });
    definitions.push({
      module,
      kind,
      helpers: distinct(called.map((at) => at % helpers.length)),
      inputs: wanted.map(kindOf),
      hasParam: param !== null,
      hasSource: source !== null,
    });
  });
  return {
    helpers: helpers.map(({ module, calls: called }, index) => ({
      module,
      calls: distinct(called.filter(() => index > 0).map((at) => at % index)),
    })),
    definitions,
    steps: calls,
  };
});

/** Something that is done to a project between two runs. Places wrap around. */
export type Operation =
  | {
      readonly do: "edit helper" | "edit step" | "set param" | "rename step";
      readonly at: number;
      readonly to: number;
    }
  | { readonly do: "edit row"; readonly at: number; readonly row: number; readonly to: number }
  | { readonly do: "rewrite module"; readonly at: number; readonly noise: number }
  | { readonly do: "change extension" | "nothing" }
  | { readonly do: "revert"; readonly to: number }
  | { readonly do: "touch" | "force" | "remove object"; readonly at: number };

const place = fc.nat(7);
/** Random operations. */
export const anyOperation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("edit helper", "edit step", "set param", "rename step"),
      at: place,
      to: small,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("edit row"), at: place, row: fc.nat(3), to: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rewrite module"), at: place, noise: fc.nat(15) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("revert"), to: fc.nat(11) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("change extension", "nothing") }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("touch", "force", "remove object"), at: place }) },
);

/** The state before any operation. */
export function firstState({ helpers, definitions, steps }: Shape): State {
  return {
    helperLiterals: helpers.map((_, index) => index % 3),
    stepLiterals: definitions.map((_, index) => (index + 1) % 3),
    params: Array.from({ length: paramCount }, (_, index) => index),
    sources: Array.from({ length: sourceCount }, (_, index) => [index, 1, 2]),
    extension: "txt",
    names: steps.map(() => 0),
    noise: {},
  };
}

/** The state after an operation; the same one where it changes none. */
export function nextState(
  shape: Shape,
  state: State,
  operation: Operation,
  earlier: readonly State[],
): State {
  switch (operation.do) {
    case "edit helper":
      return { ...state, helperLiterals: replaced(state.helperLiterals, operation.at, operation.to) };
    case "edit step":
      return { ...state, stepLiterals: replaced(state.stepLiterals, operation.at, operation.to) };
    case "set param":
      return { ...state, params: replaced(state.params, operation.at, operation.to) };
    case "rename step":
      return { ...state, names: replaced(state.names, operation.at, operation.to) };
    case "edit row": {
      const rows = [...(state.sources[operation.at % sourceCount] ?? [])];
      rows[Math.min(operation.row, rows.length)] = operation.to;
      return { ...state, sources: replaced(state.sources, operation.at, rows) };
    }
    case "rewrite module": {
      const modules = modulesOf(shape);
      const module = modules[operation.at % modules.length] ?? "";
      return { ...state, noise: { ...state.noise, [module]: operation.noise } };
    }
    case "change extension":
      return { ...state, extension: state.extension === "txt" ? "dat" : "txt" };
    case "revert":
      return earlier[operation.to % earlier.length] ?? state;
    case "nothing":
    case "touch":
    case "force":
    case "remove object":
      return state;
  }
}

/** The id of a step. */
export function idOf(state: State, step: number): string {
  const name = state.names[step] ?? 0;
  return name === 0 ? `s${step}` : `s${step}-called-${name}`;
}

/** What the model says of a step. */
export interface Expected {
  readonly id: string;
  /** The bytes of its output. */
  readonly text: string;
  /** All that its output depends on: equal for equal steps, other for others. */
  readonly made: string;
}

/** Executes everything. */
export function expectedOf(shape: Shape, state: State): readonly Expected[] {
  const values: number[] = [];
  return shape.steps.map(({ definition: at, upstream, param, source }, step): Expected => {
    const definition = shape.definitions[at];
    if (definition === undefined) throw new Error("a call without a definition");
    const given = upstream.map((from) => values[from] ?? 0);
    const own = [
      definition.hasParam ? (state.params[param] ?? 0) : 0,
      definition.hasSource ? sum(state.sources[source] ?? []) : 0,
    ];
    const value = stepValue(shape, state, at, sum([...given, ...own]));
    values.push(value);
    const hasFile = definition.kind === "file" || definition.inputs.includes("file");
    return {
      id: idOf(state, step),
      text: textOf(definition.kind, value),
      made: JSON.stringify({
        definition: at,
        literal: state.stepLiterals[at],
        helpers: reached(shape, definition.helpers).map((helper) => [helper, state.helperLiterals[helper]]),
        extension: hasFile ? state.extension : null,
        given,
        param: definition.hasParam ? state.params[param] : null,
        source: definition.hasSource ? state.sources[source] : null,
      }),
    };
  });
}

/** What the function of a definition gives. Few values are possible, so that many an edit changes no output. */
export function stepValue(shape: Shape, state: State, definition: number, given: number): number {
  const call = (helper: number, x: number): number => {
    const inner = (shape.helpers[helper]?.calls ?? []).map((each) => call(each, x));
    return (x + (state.helperLiterals[helper] ?? 0) + sum(inner)) % 5;
  };
  const called = (shape.definitions[definition]?.helpers ?? []).map((helper) => call(helper, given));
  return ((state.stepLiterals[definition] ?? 0) + given + sum(called)) % 4;
}

/** An output as bytes. */
export function textOf(kind: PortKind, value: number): string {
  return kind === "csv" ? `v\n${value}\n` : String(value);
}

function reached({ helpers }: Shape, from: readonly number[]): readonly number[] {
  const found = new Set(from);
  for (const helper of found) for (const each of helpers[helper]?.calls ?? []) found.add(each);
  return [...found].toSorted((a, b) => a - b);
}

function modulesOf({ helpers, definitions }: Shape): readonly string[] {
  const names = [
    ...helpers.map(({ module }) => `helpers${module}.ts`),
    ...definitions.map(({ module }) => `steps${module}.ts`),
  ];
  return distinct(names).toSorted();
}

/** The files of the project. */
export function filesOf(shape: Shape, state: State): Readonly<Record<string, string>> {
  const files: Record<string, string> = {
    "package.json": '{ "name": "random", "type": "module" }\n',
    "rows.ts": 'import { z } from "zod";\nexport const Row = z.object({ v: z.number() });\n',
    "random.pipeline.ts": pipelineText(shape, state),
  };
  state.sources.forEach((rows, index) => {
    files[`data/${index}.csv`] = `v\n${rows.join("\n")}\n`;
  });
  for (const module of modulesOf(shape)) {
    const at = Number(/\d/.exec(module)?.[0]);
    const text = module.startsWith("helpers") ? helperModule(shape, state, at) : stepModule(shape, state, at);
    files[module] = noisy(text, state.noise[module] ?? 0);
  }
  return files;
}

/** A module as its imports and its declarations. */
interface ModuleText {
  readonly imports: string;
  readonly declarations: readonly string[];
}

function importsOf({ helpers }: Shape, module: string, names: readonly number[]): string {
  return [0, 1]
    .flatMap((from) => {
      const wanted = names.filter((name) => helpers[name]?.module === from).toSorted((a, b) => a - b);
      if (wanted.length === 0 || module === `helpers${from}.ts`) return [];
      return `import { ${wanted.map((name) => `h${name}`).join(", ")} } from "./helpers${from}${endingOf(from)}";\n`;
    })
    .join("");
}

function helperModule(shape: Shape, state: State, at: number): ModuleText {
  const own = shape.helpers.flatMap((helper, index) => (helper.module === at ? [{ ...helper, index }] : []));
  return {
    imports: importsOf(shape, `helpers${at}.ts`, distinct(own.flatMap(({ calls }) => calls))),
    declarations: own.map(({ calls, index }) => {
      const terms = ["x", String(state.helperLiterals[index]), ...calls.map((call) => `h${call}(x)`)];
      return `export function h${index}(x: number): number {\n  return (${terms.join(" + ")}) % 5;\n}\n`;
    }),
  };
}

function stepModule(shape: Shape, state: State, at: number): ModuleText {
  const own = shape.definitions.flatMap((definition, index) =>
    definition.module === at ? [{ ...definition, index }] : [],
  );
  const imports =
    'import { csv, data, file } from "mlpipe";\nimport { z } from "zod";\nimport { Row } from "./rows.ts";\n' +
    importsOf(shape, "", distinct(own.flatMap(({ helpers }) => helpers)));
  const port = { value: "z.int()", csv: "csv(Row)", file: `file("${state.extension}")` };
  const rows = (name: string): string => `(await ${name}.all()).reduce((sum, { v }) => sum + v, 0)`;
  const reads = {
    value: (name: string) => name,
    csv: rows,
    file: (name: string) => `Number(await ${name}.text())`,
  };
  return {
    imports,
    declarations: own.map(({ kind, helpers, inputs, hasParam, hasSource, index }) => {
      const ports: [string, PortKind][] = inputs.map((input, number) => [`a${number}`, input]);
      if (hasParam) ports.push(["param", "value"]);
      if (hasSource) ports.push(["source", "csv"]);
      const terms = ["0", ...ports.map(([name, input]) => reads[input](name))];
      const called = [
        "given",
        String(state.stepLiterals[index]),
        ...helpers.map((helper) => `h${helper}(given)`),
      ];
      const end = {
        value: "return { out: v };",
        csv: "await out.out.write([{ v }]);",
        file: "await out.out.write(String(v));",
      };
      return `export const d${index} = data("d${index}", {
  inputs: { ${ports.map(([name, input]) => `${name}: ${port[input]}`).join(", ")} },
  outputs: { out: ${port[kind]} },
  async run({ ${ports.map(([name]) => name).join(", ")} }, out) {
    const given = (${terms.join(" + ")});
    const v = (${called.join(" + ")}) % 4;
    ${end[kind]}
  },
});
`;
    }),
  };
}

/** The same module otherwise written. No step may care. */
function noisy({ imports, declarations }: ModuleText, noise: number): string {
  let text = imports + ((noise & 8) === 0 ? declarations : declarations.toReversed()).join("");
  if ((noise & 1) !== 0) text = `// A remark.\n${text.replaceAll("{\n", "{ /* begins */\n")}`;
  if ((noise & 2) !== 0) text = text.replaceAll(" + ", "\n      +   ").replaceAll(", ", " ,  ");
  if ((noise & 4) !== 0) {
    text = `type Nothing = never;\n${text}export const unused = 12;\nexport function idle(): number {\n  return unused;\n}\n`;
  }
  return text;
}

function pipelineText(shape: Shape, state: State): string {
  const modules = [0, 1, 2].flatMap((module) => {
    const names = shape.definitions.flatMap((each, index) => (each.module === module ? [`d${index}`] : []));
    return names.length === 0
      ? []
      : [`import { ${names.join(", ")} } from "./steps${module}${endingOf(module)}";\n`];
  });
  const calls = shape.steps.map(({ definition: at, upstream, param, source }, step) => {
    const definition = shape.definitions[at];
    const given = upstream.map((from, port) => `a${port}: r${from}.out`);
    if (definition?.hasParam === true) given.push(`param: ${state.params[param]}`);
    if (definition?.hasSource === true) given.push(`source: source("data/${source}.csv", csv(Row))`);
    return `  const r${step} = d${at}.as("${idOf(state, step)}")({ ${given.join(", ")} });\n`;
  });
  const last = shape.steps.length - 1;
  return `import { csv, pipeline, source } from "mlpipe";
import { Row } from "./rows.ts";
${modules.join("")}
export default pipeline("random", () => {
${calls.join("")}  return { last: r${last}.out };
});
`;
}

/** The manifest that loading the files would give, as far as a planner looks at it. */
export function manifestOf(shape: Shape, state: State): Manifest {
  const spec = (kind: PortKind): KindSpec =>
    kind === "file" ? { kind, extension: state.extension } : { kind };
  const steps = shape.steps.map(({ definition: at, upstream, param, source }, step): ManifestStep => {
    const definition = shape.definitions[at];
    if (definition === undefined) throw new Error("a call without a definition");
    const inputs: ManifestStep["inputs"] = {};
    upstream.forEach((from, port) => {
      const kind = spec(definition.inputs[port] ?? "value");
      inputs[`a${port}`] = { kind, from: { type: "step", step: idOf(state, from), port: "out" } };
    });
    if (definition.hasParam)
      inputs["param"] = { kind: { kind: "value" }, from: { type: "value", value: state.params[param] } };
    if (definition.hasSource) {
      const path = `data/${source}.csv`;
      inputs["source"] = { kind: { kind: "csv" }, from: { type: "source", path, keep: "reference" } };
    }
    return {
      id: idOf(state, step),
      kind: "data",
      module: `steps${definition.module}.ts`,
      export: `d${at}`,
      inputs,
      outputs: { out: spec(definition.kind) },
      body: { type: "run" },
      env: [],
      cache: { mode: "keyed" },
      scheduling: {},
    };
  });
  return {
    schemaVersion: 1,
    pipeline: "random",
    file: "random.pipeline.ts",
    params: {},
    steps,
    outputs: {},
    warnings: [],
  };
}

/** A pipeline for people to read. */
export function describeShape(shape: Shape): string {
  const helpers = shape.helpers.map(
    ({ module, calls }, index) =>
      `  h${index} in helpers${module}.ts${calls.length > 0 ? ` calls ${calls.map((call) => `h${call}`).join(", ")}` : ""}`,
  );
  const steps = shape.steps.map(({ definition: at, upstream, param, source }, index) => {
    const definition = shape.definitions[at];
    const given = [
      ...upstream.map((from) => `s${from}`),
      ...(definition?.hasParam === true ? [`param ${param}`] : []),
      ...(definition?.hasSource === true ? [`data/${source}.csv`] : []),
    ];
    const called = definition?.helpers.map((helper) => ` h${helper}`).join("") ?? "";
    return `  s${index} = d${at}(${given.join(", ")}): ${definition?.kind}, in steps${definition?.module}.ts, calls${called || " nothing"}`;
  });
  return [...helpers, ...steps].join("\n");
}

/** An operation for people to read. */
export function describeOperation({ do: what, ...where }: Operation): string {
  const details = Object.entries(where).map(([name, value]) => `${name} ${String(value)}`);
  return [what, ...details].join(", ");
}

function replaced<Item>(items: readonly Item[], at: number, item: Item): readonly Item[] {
  return items.with(at % items.length, item);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function distinct<Item>(items: readonly Item[]): readonly Item[] {
  return [...new Set(items)];
}

/** Imports name a module in one of the ways in which TypeScript finds it. */
function endingOf(module: number): string {
  return ["", ".js", ".ts"][module % 3] ?? "";
}
