/** The code of a step, and of a call of it. */
import type { ImportedStep, ParamInput } from "./imported-step.ts";
import { propertyName } from "./kinds.ts";
import { schemaCode } from "./schema-code.ts";
import { resolved, type Text, type Variable } from "./template.ts";

/** What a step is called with, by port; each a piece of code. */
export type CallCode = ReadonlyMap<string, string>;

/**
 * The definition of a step after its name: `{ inputs: …, outputs: …, command: … }`. Stages of one loop share it if it
 * is the same.
 */
export function definitionCode(step: ImportedStep, hasHidden: boolean): string {
  const inputs = [
    ...step.inputs.map(({ port, kind }) => `${propertyName(port)}: ${kind}`),
    ...step.params.map(({ port, schema }) => `${propertyName(port)}: ${schema}`),
    ...step.items.map(({ port, variable }) => `${propertyName(port)}: ${schemaCode(variable.value)}`),
  ];
  const outputs = step.outputs.map(({ port, kind }) => `${propertyName(port)}: ${kind}`);
  const lines = [
    ...(step.stage.description === undefined
      ? []
      : [`description: ${JSON.stringify(step.stage.description)},`]),
    ...(inputs.length === 0 ? [] : [block("inputs", inputs)]),
    outputs.length === 0 ? "outputs: {}," : block("outputs", outputs),
    ...(step.files.length === 0 ? [] : [`files: ${JSON.stringify(step.files)},`]),
    ...(step.env.length === 0 ? [] : [`env: ${JSON.stringify(step.env)},`]),
    ...(step.isCached ? [] : ["cache: false,"]),
    `command: (${usesInputs(step) ? "i" : "_i"}, ${outputs.length > 0 ? "o" : "_o"}) => cmd\`\n${commandLines(
      step,
      hasHidden,
    )
      .map((line) => `    ${line}\n`)
      .join("")}  \`,`,
  ];
  return `{\n${lines.map((line) => `  ${line}\n`).join("")}}`;
}

function block(name: string, fields: readonly string[]): string {
  return `${name}: {\n${fields.map((field) => `    ${field.replaceAll("\n", "\n    ")},\n`).join("")}  },`;
}

function usesInputs(step: ImportedStep): boolean {
  return step.inputs.length + step.params.length + step.items.length > 0;
}

/** A piece of an argument: text, or a port of one side. */
type Piece = string | { readonly side: "i" | "o"; readonly port: string };

function commandLines(step: ImportedStep, hasHidden: boolean): readonly string[] {
  const { folder } = step.stage;
  const isGiven = step.params.filter(({ name }) => name !== undefined);
  return [
    "node dvc-stage.mjs",
    ...step.scripts.map((script) => argumentCode([`--code=${script}`])),
    ...(hasHidden ? ["--hide=${hidden}"] : []),
    ...step.inputs.flatMap(({ port, place }) =>
      place === undefined ? [] : [argumentCode(["--in=", ...pieces(place, step), "<", { side: "i", port }])],
    ),
    ...isGiven.map((param) =>
      argumentCode([
        `--${param.isText ? "text" : "param"}=${param.file}#`,
        ...pieces(param.name ?? [], step),
        "=",
        { side: "i", port: param.port },
      ]),
    ),
    ...isGiven.flatMap(({ file, marks }) =>
      marks.map(({ as, path }) => argumentCode([`--${as}=${file}#${path.join(".")}`])),
    ),
    ...sectionPorts(step).map((port) => argumentCode([`--options=${port}=`, { side: "i", port }])),
    ...step.outputs.map(({ port, place }) =>
      argumentCode(["--out=", ...pieces(place, step), ">", { side: "o", port }]),
    ),
    ...(folder === "." ? [] : [argumentCode([`--wdir=${folder}`])]),
    ...step.commands.map((command) => argumentCode(["--run=", ...pieces(command, step)])),
  ];
}

/** A text with its variables as ports. */
function pieces(text: Text, step: ImportedStep): readonly Piece[] {
  return text.map((piece): Piece => {
    if (typeof piece === "string") return piece;
    const port = piece.origin.type === "item" ? itemPort(piece, step) : paramPort(piece, step);
    if (port === undefined) return resolved([piece]);
    // The launcher puts the options of a section there.
    return isSection(piece) ? `@{${port}}` : { side: "i", port };
  });
}

function isSection(piece: Variable): boolean {
  return typeof piece.value === "object" && piece.value !== null;
}

/** Ports of the sections that commands are given as options. */
function sectionPorts(step: ImportedStep): readonly string[] {
  const sections = step.commands.flatMap((command) =>
    command.flatMap((piece) =>
      typeof piece !== "string" && isSection(piece) ? [paramPort(piece, step)] : [],
    ),
  );
  return [...new Set(sections.filter((port) => port !== undefined))];
}

function itemPort(piece: Variable, step: ImportedStep): string | undefined {
  return step.items.find(({ variable }) => variable.name === piece.name)?.port;
}

function paramPort(piece: Variable, step: ImportedStep): string | undefined {
  const { origin } = piece;
  const isIt = (param: ParamInput): boolean =>
    origin.type === "params" && param.file === origin.file && param.path.join(".") === piece.path.join(".");
  return step.params.find(isIt)?.port;
}

/** One argument in the template of a command. */
function argumentCode(parts: readonly Piece[]): string {
  const isPlain = parts.every((part) => typeof part !== "string" || /^[^"'`\\$\n]*$/.test(part));
  if (!isPlain) {
    return parts
      .map((part) => (typeof part === "string" ? `\${${JSON.stringify(part)}}` : portCode(part)))
      .join("");
  }
  const text = parts.map((part) => (typeof part === "string" ? part : portCode(part))).join("");
  return parts.some((part) => typeof part === "string" && /\s/.test(part)) ? `"${text}"` : text;
}

function portCode({ side, port }: { readonly side: "i" | "o"; readonly port: string }): string {
  return `\${${side}.${port}}`;
}

/**
 * What a call of a step is given.
 *
 * @param names.output the code of a ref to another step's output
 * @param names.param the code of a param
 */
export function callCode(
  step: ImportedStep,
  names: {
    readonly output: (stage: string, port: string) => string;
    readonly param: (file: string, path: readonly string[]) => string;
  },
): CallCode {
  return new Map([
    ...step.inputs.map(({ port, kind, from }): [string, string] => [
      port,
      from.type === "source"
        ? `source(${JSON.stringify(from.path)}, ${kind})`
        : names.output(from.stage, from.port),
    ]),
    ...step.params.map(({ port, file, path }): [string, string] => [port, names.param(file, path)]),
    ...step.items.map(({ port, variable }): [string, string] => [port, JSON.stringify(variable.value)]),
  ]);
}

/** An object literal of a call. */
export function objectCode(fields: CallCode | readonly (readonly [string, string])[]): string {
  return `{ ${[...fields].map(([name, code]) => `${propertyName(name)}: ${code}`).join(", ")} }`;
}
