/** Writes the pipeline's modules. ts-morph takes long to load, and nothing but an import loads this file. */
import { IndentationText, Project, type SourceFile, VariableDeclarationKind } from "ts-morph";
import type { ImportedStep } from "./imported-step.ts";
import type { ParamsCode } from "./params-code.ts";
import { stepDefinitions } from "./step-definitions.ts";
import { WiringWriter } from "./wiring.ts";

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

/** The texts of the modules by their names. */
export function writeModules(content: ModuleContent): ReadonlyMap<string, string> {
  const { name, comment, steps, params, hidden, named } = content;
  const project = new Project({
    useInMemoryFileSystem: true,
    manipulationSettings: { indentationText: IndentationText.TwoSpaces },
  });
  const definitions = stepDefinitions(steps, hidden.length > 0);

  // Apart from the pipeline: what reads the params is no code of the steps.
  const stepsFile = project.createSourceFile(`${name}.steps.ts`);
  if (hidden.length > 0) {
    const about = "What no command finds in its folder, unless its step is given it.";
    constant(stepsFile, "hidden", `JSON.stringify(${JSON.stringify(hidden, null, 2)})`, about);
  }
  for (const { variable, name: step, code, steps: own } of definitions) {
    stepsFile.addVariableStatement({
      isExported: true,
      leadingTrivia: "\n",
      declarationKind: VariableDeclarationKind.Const,
      declarations: [
        { name: variable, initializer: `${own[0]?.kind ?? "data"}(${JSON.stringify(step)}, ${code})` },
      ],
    });
  }
  const file = project.createSourceFile(`${name}.pipeline.ts`);
  if (params.schema !== undefined) {
    const about = "What the params files say, unless the command line does: mlpipe run -s NAME=VALUE.";
    constant(file, "Params", params.schema, about);
  }
  const body = new WiringWriter({ definitions, steps, params, named }).lines();
  file.addExportAssignment({
    isExportEquals: false,
    leadingTrivia: "\n",
    expression:
      `pipeline(${JSON.stringify(name)}, ${params.schema === undefined ? "() => {" : "Params, (p) => {"}\n` +
      `${body.map((line) => `  ${line.replaceAll("\n", "\n  ")}\n`).join("")}})`,
  });
  addImports(stepsFile);
  addImports(file, [
    ...(params.schema === undefined
      ? []
      : [
          {
            moduleSpecifier: "./params-file.ts",
            namedImports: ["fromFile", ...(params.schema.includes("section(") ? ["section"] : [])],
          },
        ]),
    {
      moduleSpecifier: `./${name}.steps.ts`,
      namedImports: definitions.map(({ variable }) => variable).toSorted(),
    },
  ]);
  file.insertStatements(0, `/**\n${comment.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */`);
  return new Map(
    [file, stepsFile].map((each) => {
      each.formatText({ indentSize: 2 });
      return [each.getBaseName(), each.getFullText().replaceAll(/\n{3,}/g, "\n\n")];
    }),
  );
}

function constant(file: SourceFile, name: string, initializer: string, about: string): void {
  file.addVariableStatement({
    leadingTrivia: `\n/** ${about} */\n`,
    declarationKind: VariableDeclarationKind.Const,
    declarations: [{ name, initializer }],
  });
}

const language =
  "cmd csv data dir each evaluate file json metrics model onnx pipeline plot seed source train".split(" ");

/** Imports what a module uses of the language, and other modules. */
function addImports(
  file: SourceFile,
  others: readonly { readonly moduleSpecifier: string; readonly namedImports: string[] }[] = [],
): void {
  const text = file.getFullText();
  const uses = (word: string): boolean => new RegExp(String.raw`(?<![.\w"/])${word}[(\u0060]`).test(text);
  file.insertImportDeclarations(0, [
    { moduleSpecifier: "mlpipe", namedImports: language.filter(uses) },
    ...(/(?<![.\w"])z\./.test(text) ? [{ moduleSpecifier: "zod", namedImports: ["z"] }] : []),
    ...others,
  ]);
}
