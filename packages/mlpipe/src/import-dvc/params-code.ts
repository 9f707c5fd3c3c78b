/** The params of the pipeline: those of the files that stages name, each read when the pipeline is built. */
import { posix } from "node:path";
import type { ImportedStep } from "./imported-step.ts";
import { propertyName } from "./kinds.ts";
import { camelCase, Names } from "./names.ts";
import type { ParamsFiles } from "./params-file.ts";
import { memberCode, schemaCode } from "./schema-code.ts";

export interface ParamsCode {
  /** The code of the schema; nothing if no step has a param. */
  readonly schema: string | undefined;
  /** The code of a param. */
  param(file: string, path: readonly string[]): string;
}

/**
 * @param folder the one whose `params.yaml` has its names at the top
 */
export function paramsCode(steps: readonly ImportedStep[], files: ParamsFiles, folder: string): ParamsCode {
  const usual = posix.join(folder, "params.yaml");
  const used = [...new Set(steps.flatMap(({ params }) => params.map(({ file }) => file)))];
  const main = used.includes(usual) ? usual : used[0];
  if (main === undefined) return { schema: undefined, param: () => "undefined" };
  const valuesOf = (file: string): Readonly<Record<string, unknown>> => files.read(file).values ?? {};
  const names = new Names(Object.keys(valuesOf(main)));
  const others = new Map(
    used
      .filter((file) => file !== main)
      .map((file): [string, string] => [
        file,
        names.take(camelCase(posix.basename(file, posix.extname(file)))),
      ]),
  );
  const read = (file: string): string => `fromFile(${JSON.stringify(file)}, ${objectSchema(valuesOf(file))})`;
  const extended = [...others].map(([file, name]) => `${propertyName(name)}: section(${read(file)}),`);
  const schema =
    extended.length === 0 ? read(main) : `${read(main)}.extend({\n  ${extended.join("\n  ")}\n})`;
  return {
    schema,
    param(file, path) {
      const name = others.get(file);
      if (name !== undefined) return memberCode("p", [name, ...path]);
      if (path.length > 0 || others.size === 0) return memberCode("p", path);
      const fields = Object.keys(valuesOf(main)).map(
        (each) => `${propertyName(each)}: ${memberCode("p", [each])}`,
      );
      return `{ ${fields.join(", ")} }`;
    },
  };
}

function objectSchema(values: Readonly<Record<string, unknown>>): string {
  return Object.keys(values).length === 0 ? "z.object({})" : schemaCode(values);
}
