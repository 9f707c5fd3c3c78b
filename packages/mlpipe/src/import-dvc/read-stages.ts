/** The stages of one `dvc.yaml`, templates found and loops unrolled. */
import { posix, relative, sep } from "node:path";
import { MlpipeError, type Site } from "@mlpipe/dsl";
import type { ParamsFiles } from "./params-file.ts";
import { readStage } from "./read-stage.ts";
import type { Remarks } from "./remark.ts";
import type { Stage } from "./stage.ts";
import { type Layer, textOf, valueAt, Variables } from "./template.ts";
import { isMapping, type YamlFile, type YamlPath } from "./yaml-file.ts";

/** What reading a file needs to know of its surroundings. */
export interface Surroundings {
  /** Absolute path of the project's root. */
  readonly root: string;
  readonly params: ParamsFiles;
  readonly remarks: Remarks;
}

/**
 * Reads the stages of a file.
 *
 * @param prefix what goes before the names of its stages
 * @throws MlpipeError MLP6201 for a file of `vars` that is not there, MLP6203, MLP6204
 */
export function readStages(file: YamlFile, prefix: string, around: Surroundings): readonly Stage[] {
  const { value } = file;
  if (value === null) return [];
  if (!isMapping(value)) throw noShape("dvc.yaml is no mapping", file.place([]));
  const folder = posix.dirname(relative(around.root, file.path).split(sep).join("/"));
  const variables = new Variables([
    ...readVars(value["vars"], ["vars"], file, folder, around),
    ...defaultParams(folder, around),
  ]);
  const stages = value["stages"] ?? {};
  if (!isMapping(stages)) throw noShape("stages is no mapping", file.place(["stages"]));
  return Object.entries(stages).flatMap(([name, definition]) => {
    const at: YamlPath = ["stages", name];
    if (!isMapping(definition)) throw noShape(`the stage ${name} is no mapping`, file.place(at));
    const read = (body: unknown, path: YamlPath, key: string | undefined, items: Layer[]): Stage => {
      if (!isMapping(body)) throw noShape(`the stage ${name} has no mapping under do`, file.place(path));
      const inner = variables.with(items);
      const wdir = typeof body["wdir"] === "string" ? body["wdir"] : undefined;
      const vars = readVars(body["vars"], [...path, "vars"], file, folder, around);
      // A stage elsewhere sees the params that lie there as well.
      const own =
        wdir === undefined || wdir.includes("${") ? [] : defaultParams(posix.join(folder, wdir), around);
      return readStage(body, {
        ...around,
        file,
        path,
        folder,
        variables: inner.with(vars).and(own),
        name: `${prefix}${name}`,
        key,
      });
    };
    if ("matrix" in definition) return matrixStages(definition, at, file, variables, around.remarks, read);
    if (!("foreach" in definition)) return [read(definition, at, undefined, [])];
    return foreachStages(definition, at, file, variables, around.remarks, read);
  });
}

type Read = (body: unknown, path: YamlPath, key: string | undefined, items: Layer[]) => Stage;

function foreachStages(
  definition: Readonly<Record<string, unknown>>,
  at: YamlPath,
  file: YamlFile,
  variables: Variables,
  remarks: Remarks,
  read: Read,
): readonly Stage[] {
  const list = whole(definition["foreach"], variables, file.place([...at, "foreach"]), remarks);
  const stage = (key: string, item: unknown, named: string | undefined): Stage =>
    read(definition["do"], [...at, "do"], key, [
      { origin: { type: "item" }, values: { item, ...(named !== undefined && { key: named }) } },
    ]);
  if (Array.isArray(list)) {
    return list.map((item: unknown, index) =>
      stage(isScalar(item) ? textOf(item) : String(index), item, undefined),
    );
  }
  if (isMapping(list)) return Object.entries(list).map(([key, item]) => stage(key, item, key));
  throw noShape("foreach is neither a list nor a mapping", file.place([...at, "foreach"]));
}

function matrixStages(
  definition: Readonly<Record<string, unknown>>,
  at: YamlPath,
  file: YamlFile,
  variables: Variables,
  remarks: Remarks,
  read: Read,
): readonly Stage[] {
  const matrix = whole(definition["matrix"], variables, file.place([...at, "matrix"]), remarks);
  if (!isMapping(matrix)) throw noShape("matrix is no mapping", file.place([...at, "matrix"]));
  let combinations: readonly { readonly key: readonly string[]; readonly item: Record<string, unknown> }[] = [
    { key: [], item: {} },
  ];
  for (const [name, given] of Object.entries(matrix)) {
    const place = file.place([...at, "matrix", name]);
    const values = whole(given, variables, place, remarks);
    if (!Array.isArray(values)) throw noShape(`${name} of matrix is no list`, place);
    combinations = combinations.flatMap(({ key, item }) =>
      values.map((value: unknown, index) => ({
        key: [...key, isScalar(value) ? textOf(value) : `${name}${index}`],
        item: { ...item, [name]: value },
      })),
    );
  }
  const { matrix: _matrix, ...body } = definition;
  return combinations.map(({ key, item }) => {
    const name = key.join("-");
    return read(body, at, name, [{ origin: { type: "item" }, values: { item, key: name } }]);
  });
}

/** A value that may be a template for all of it: `foreach: ${models}`. */
function whole(value: unknown, variables: Variables, at: Site, remarks: Remarks): unknown {
  if (typeof value !== "string") return value;
  const name = /^\s*\$\{([^}]*)\}\s*$/.exec(value)?.[1];
  if (name === undefined) return value;
  const found = variables.find(name, at);
  if (found.origin.type === "params") {
    const message = `The items of \${${found.name}} are as ${found.origin.file} has them today: an edit of them there needs another import.`;
    remarks.changed("foreach", message, at);
  }
  return found.value;
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** The layers of `vars`: mappings as they are, and files or some names of a file. */
function readVars(
  vars: unknown,
  path: YamlPath,
  file: YamlFile,
  folder: string,
  around: Surroundings,
): readonly Layer[] {
  if (vars === undefined || vars === null) return [];
  if (!Array.isArray(vars)) throw noShape("vars is no list", file.place(path));
  return vars.map((entry: unknown, index): Layer => {
    const at = file.place([...path, index]);
    if (isMapping(entry)) return { origin: { type: "vars" }, values: entry };
    if (typeof entry !== "string") throw noShape("vars has something that is no file and no mapping", at);
    const [named = "", names] = entry.split(":");
    const from = posix.join(folder, named);
    const { values, isThere } = around.params.read(from);
    const origin = { type: "params", file: from } as const;
    if (!isThere) {
      throw new MlpipeError("MLP6201", `${from}, which vars names, is not there.`, { at });
    }
    if (values === undefined) {
      around.remarks.lost(entry, `${from} is no YAML or JSON: templates cannot take values from it.`, at);
      return { origin, values: {} };
    }
    if (names === undefined) return { origin, values };
    const some: Record<string, unknown> = {};
    for (const name of names.split(",").map((each) => each.trim())) {
      const parts = name.split(".");
      const value = valueAt(values, parts);
      if (value === undefined) throw new MlpipeError("MLP6203", `${from} has no ${name}.`, { at });
      place(some, parts, value);
    }
    return { origin, values: some };
  });
}

function place(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) into[first] = value;
  else {
    const inner = into[first];
    const next: Record<string, unknown> = isMapping(inner) ? { ...inner } : {};
    into[first] = next;
    place(next, rest, value);
  }
}

function defaultParams(folder: string, { params }: Surroundings): readonly Layer[] {
  const path = posix.join(folder, "params.yaml");
  const { values } = params.read(path);
  return values === undefined ? [] : [{ origin: { type: "params", file: path }, values }];
}

/** A part of a file in a shape that DVC does not have. */
export function noShape(message: string, at: Site): MlpipeError {
  return new MlpipeError("MLP6204", `${message.charAt(0).toUpperCase()}${message.slice(1)}.`, {
    at,
    hint: "DVC would refuse it too: dvc repro --dry names what it wants.",
  });
}
