/** What a `dvc.yaml` has beside its stages: metrics, plots, params, artifacts, datasets. */
import { posix } from "node:path";
import type { Site } from "@mlpipe/dsl";
import type { Remarks } from "./remark.ts";
import { isMapping, type YamlFile } from "./yaml-file.ts";

export interface TopLevel {
  /** Paths that are metrics, outputs or in the folder of one, with the places that say so. */
  readonly metrics: ReadonlyMap<string, Site>;
  /** Paths of artifacts that are models. */
  readonly models: ReadonlySet<string>;
  /** Paths of artifacts, with their names. */
  readonly named: ReadonlyMap<string, string>;
}

const known = new Set(["stages", "vars", "metrics", "plots", "params", "artifacts", "datasets"]);

/**
 * Reads what stands beside the stages.
 * @param outs the paths of all outputs
 */
export function readTopLevel(
  file: YamlFile,
  folder: string,
  outs: ReadonlySet<string>,
  remarks: Remarks,
): TopLevel {
  const { value } = file;
  const top = isMapping(value) ? value : {};
  const metrics = new Map<string, Site>();
  const models = new Set<string>();
  const named = new Map<string, string>();
  for (const name of Object.keys(top)) {
    if (!known.has(name)) remarks.lost(name, `${name}: not known.`, file.place([name]));
  }
  listOf(top["metrics"]).forEach((entry, index) => {
    for (const name of namesOf(entry)) {
      const path = posix.join(folder, name);
      const at = file.place(["metrics", index]);
      const settings = isMapping(entry) && isMapping(entry[name]) ? Object.keys(entry[name]) : [];
      for (const setting of settings) remarks.lost("metrics", `${setting} of ${name}: not carried.`, at);
      const isMade = outs.has(path) || [...outs].some((out) => path.startsWith(`${out}/`));
      if (isMade) metrics.set(path, at);
      else remarks.lost("metrics", `${path} is no output of a stage.`, at);
    }
  });
  listOf(top["params"]).forEach((entry, index) => {
    const message = `${namesOf(entry).join(", ")}: params that DVC only shows; those of stages are carried.`;
    remarks.lost("params", message, file.place(["params", index]));
  });
  const plots = top["plots"];
  if (isMapping(plots)) {
    for (const name of Object.keys(plots)) remarks.lost("plots", drawing(name), file.place(["plots", name]));
  } else {
    listOf(plots).forEach((entry, index) => {
      for (const name of namesOf(entry)) remarks.lost("plots", drawing(name), file.place(["plots", index]));
    });
  }
  for (const [name, artifact] of Object.entries(isMapping(top["artifacts"]) ? top["artifacts"] : {})) {
    const at = file.place(["artifacts", name]);
    const path =
      isMapping(artifact) && typeof artifact["path"] === "string" ? posix.join(folder, artifact["path"]) : "";
    if (!outs.has(path)) {
      remarks.lost(
        "artifacts",
        `${name}: ${path || "it"} is no output of a stage, and the pipeline returns it under no name.`,
        at,
      );
      continue;
    }
    named.set(path, name);
    if (!isMapping(artifact)) continue;
    if (artifact["type"] === "model") models.add(path);
    for (const setting of Object.keys(artifact).filter((each) => each !== "path" && each !== "type"))
      remarks.lost(
        "artifacts",
        `${setting} of ${name}: not carried.`,
        file.place(["artifacts", name, setting]),
      );
    if (artifact["type"] !== undefined && artifact["type"] !== "model")
      remarks.lost("artifacts", `type of ${name}: not carried.`, file.place(["artifacts", name, "type"]));
  }
  listOf(top["datasets"]).forEach((_, index) => {
    remarks.lost(
      "datasets",
      "A dataset is not carried: name its data as a source.",
      file.place(["datasets", index]),
    );
  });
  return { metrics, models, named };
}

function drawing(name: string): string {
  return `How ${name} is drawn is not carried; the data is, where a stage makes it.`;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function namesOf(entry: unknown): readonly string[] {
  if (typeof entry === "string") return [entry];
  return isMapping(entry) ? Object.keys(entry) : [];
}
