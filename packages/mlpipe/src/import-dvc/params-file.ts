/** A file of params: what DVC compares name by name. */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { valueAt } from "./template.ts";
import { isMapping, YamlFile } from "./yaml-file.ts";

export interface ParamsFile {
  /** Relative to the project's root. */
  readonly path: string;
  /** What it holds; undefined for a file that only Python or TOML can read, or that is not there. */
  readonly values: Readonly<Record<string, unknown>> | undefined;
  readonly isThere: boolean;
  /** Places below a path whose numbers or words other readers of YAML take otherwise than JSON says. */
  marks(path: readonly string[]): readonly Mark[];
}

/** How a script's own YAML reader sees a value that JSON would write otherwise. */
export interface Mark {
  /** `float`: 1.0 and never 1. `plain`: without quotes, as a date or `yes`. */
  readonly as: "float" | "plain";
  readonly path: readonly string[];
}

/** Params files by their path; each is read once. */
export class ParamsFiles {
  readonly #root: string;
  readonly #known = new Map<string, ParamsFile>();

  constructor(root: string) {
    this.#root = root;
  }

  /** @throws MlpipeError MLP6202 for a file that is no YAML */
  read(path: string): ParamsFile {
    let file = this.#known.get(path);
    if (file === undefined) {
      file = readParamsFile(this.#root, path);
      this.#known.set(path, file);
    }
    return file;
  }
}

function readParamsFile(root: string, path: string): ParamsFile {
  const absolute = join(root, path);
  const isThere = existsSync(absolute);
  if (!isThere || !/^\.(?:ya?ml|json)$/.test(extname(path)))
    return { path, values: undefined, isThere, marks: () => [] };
  const yaml = new YamlFile(absolute);
  const values = isMapping(yaml.value) ? yaml.value : {};
  return { path, values, isThere, marks: (below) => marksOf(yaml, valueAt(values, below), below) };
}

function marksOf(yaml: YamlFile, value: unknown, path: readonly string[]): readonly Mark[] {
  if (Array.isArray(value))
    return value.flatMap((item, index) => marksOf(yaml, item, [...path, String(index)]));
  if (isMapping(value))
    return Object.entries(value).flatMap(([name, inner]) => marksOf(yaml, inner, [...path, name]));
  const source = yaml.source(path);
  if (source === undefined) return [];
  if (typeof value === "number" && Number.isInteger(value) && /[.eE]/.test(source))
    return [{ as: "float", path }];
  // What YAML 1.1 reads as a date or a truth value, 1.2 reads as text.
  if (typeof value === "string" && /^(?:\d{4}-\d\d?-\d\d?(?:[Tt ].*)?|y|n|yes|no|on|off)$/i.test(source))
    return [{ as: "plain", path }];
  return [];
}
