/** A DVC project as a pipeline: reads `dvc.yaml` and `*.dvc`, and writes a module. Nothing of the project is executed. */
import { basename, posix, relative, sep } from "node:path";
import { MlpipeError, type Site } from "@mlpipe/dsl";
import { DataPlaces } from "./data-places.ts";
import type { ImportedStep } from "./imported-step.ts";
import { stepName } from "./names.ts";
import { paramsCode } from "./params-code.ts";
import { ParamsFiles } from "./params-file.ts";
import { noShape, readStages } from "./read-stages.ts";
import { type MadeOutput, outputsOf, resolveStep } from "./resolve-step.ts";
import { type Remark, Remarks } from "./remark.ts";
import type { Stage } from "./stage.ts";
import { readTopLevel } from "./top-level.ts";
import { YamlFile } from "./yaml-file.ts";

/** What an import makes. Nothing is written yet. */
export interface DvcImport {
  /** The name of the pipeline, and of its file without `.pipeline.ts`. */
  readonly name: string;
  /** The texts of the pipeline's modules by their names. */
  readonly modules: ReadonlyMap<string, string>;
  /** How many stages became steps, those of loops one by one. */
  readonly stages: number;
  /** Whether steps are given params of a file, so that the module needs `params-file.ts`. */
  readonly hasParams: boolean;
  readonly remarks: readonly Remark[];
  /** Data that the pipeline begins with and that is not there: `dvc pull` brings it. */
  readonly absent: readonly string[];
}

/**
 * Imports a project.
 *
 * @param root absolute path of the folder that the pipeline is made for
 * @param given a `dvc.yaml`, or a folder below which all are taken; absolute
 * @throws MlpipeError MLP6201, MLP6202, MLP6203, MLP6204
 */
export async function importDvc(root: string, given: string): Promise<DvcImport> {
  const remarks = new Remarks();
  const places = new DataPlaces(root, remarks);
  const params = new ParamsFiles(root);
  const isFile = /\.ya?ml$/.test(given);
  const paths = isFile ? [given] : places.pipelines.filter((path) => path.startsWith(`${given}/`));
  if (paths.length === 0) {
    throw new MlpipeError("MLP6201", `There is no dvc.yaml in ${given}.`, {
      hint: "Name the file, or the folder it lies in: mlpipe init --from-dvc path/to/dvc.yaml",
    });
  }
  const files = paths.map((path) => new YamlFile(path));
  const folderOf = (file: YamlFile): string => posix.dirname(relative(root, file.path).split(sep).join("/"));
  const read = files.flatMap((file) => {
    const folder = folderOf(file);
    // Names of stages are their own in each file alone.
    const prefix = files.length === 1 || folder === "." ? "" : `${folder.replaceAll("/", "-")}-`;
    return readStages(file, prefix, { root, params, remarks });
  });
  const { stages, fixed } = withoutFrozen(read, remarks);
  const outs = new Set(stages.flatMap((stage) => stage.outs.map(({ path }) => path)));
  const top = files.map((file) => readTopLevel(file, folderOf(file), outs, remarks));
  const models = new Set(top.flatMap((each) => [...each.models]));
  const named = new Map(top.flatMap((each) => [...each.named]));

  const made = new Map<string, MadeOutput>();
  const outputs = new Map<string, readonly MadeOutput[]>();
  const metrics = new Map(top.flatMap((each) => [...each.metrics]));
  const whole = stages.map((stage) => withMetrics(placed(stage, remarks), metrics));
  for (const stage of whole) {
    const own = outputsOf(stage, models, { places, remarks });
    outputs.set(stage.name, own);
    for (const output of own) {
      const other = made.get(output.out.path);
      if (other !== undefined)
        throw noShape(
          `the stages ${other.stage} and ${stage.name} both make ${output.out.path}`,
          output.out.at,
        );
      made.set(output.out.path, output);
    }
  }
  const steps = inOrder(
    whole.map((stage) =>
      resolveStep(stage, outputs.get(stage.name) ?? [], { places, params, remarks, made }),
    ),
  );
  const code = paramsCode(steps, params, folderOf(files[0] ?? new YamlFile(given)));
  const hidden = new Set([
    ...made.keys(),
    ...fixed,
    ...places.tracked.map(({ path }) => path),
    ...steps.flatMap((step) => step.params.map(({ file }) => file)),
  ]);
  remarkUntaken(steps, places, remarks);
  const all = remarks.sorted();
  const name = stepName(basename(root));
  const { writeModules } = await import("./write-modules.ts");
  return {
    name,
    modules: writeModules({
      name,
      comment: commentOf(all, paths, root),
      steps,
      params: code,
      hidden: [...hidden].filter((path) => !posix.isAbsolute(path) && !path.startsWith("../")).toSorted(),
      named,
    }),
    stages: steps.length,
    hasParams: code.schema !== undefined,
    remarks: all,
    absent: absentSources(steps, places),
  };
}

/** What a frozen stage has made is data: DVC would not run it either. */
function withoutFrozen(
  stages: readonly Stage[],
  remarks: Remarks,
): { readonly stages: readonly Stage[]; readonly fixed: readonly string[] } {
  const frozen = stages.filter((stage) => stage.frozen);
  for (const { name, at } of frozen) {
    const message = `${name} is frozen, and no step: what it has made is taken as it lies there, as a source.`;
    remarks.changed(`stages.${name}.frozen`, message, at);
  }
  return {
    stages: stages.filter((stage) => !stage.frozen),
    fixed: frozen.flatMap(({ outs }) => outs.map(({ path }) => path)),
  };
}

/** What top-level `metrics` name: outputs that are metrics, and files in the folder of an output, which become one. */
function withMetrics(stage: Stage, metrics: ReadonlyMap<string, Site>): Stage {
  const outs = stage.outs.map((out) =>
    out.role === "out" && metrics.has(out.path) ? { ...out, role: "metrics" as const } : out,
  );
  const inner = [...metrics].filter(([path]) => stage.outs.some((out) => path.startsWith(`${out.path}/`)));
  return {
    ...stage,
    outs: [...outs, ...inner.map(([path, at]) => ({ path, text: [path], role: "metrics" as const, at }))],
  };
}

/** Outputs outside of the project are not the pipeline's. */
function placed(stage: Stage, remarks: Remarks): Stage {
  const isInside = (path: string): boolean =>
    !/^[a-z][a-z0-9+.-]*:\/\//i.test(path) && !/^(?:\/|\.\.\/)/.test(path);
  for (const { path, at } of stage.outs.filter((out) => !isInside(out.path))) {
    remarks.lost(`stages.${stage.group}.outs`, `${path} lies outside of the project, and is no output.`, at);
  }
  return { ...stage, outs: stage.outs.filter((out) => isInside(out.path)) };
}

/** Each step after those it takes from. */
function inOrder(steps: readonly ImportedStep[]): readonly ImportedStep[] {
  const waiting = new Map(steps.map((step) => [step.stage.name, step]));
  const ordered: ImportedStep[] = [];
  while (waiting.size > 0) {
    const ready = [...waiting.values()].filter(({ inputs }) =>
      inputs.every(({ from }) => from.type === "source" || !waiting.has(from.stage)),
    );
    const [stuck] = waiting.values();
    if (ready.length === 0 && stuck !== undefined)
      throw noShape(`the stages ${[...waiting.keys()].join(", ")} wait for each other`, stuck.stage.at);
    for (const step of ready) {
      waiting.delete(step.stage.name);
      ordered.push(step);
    }
  }
  return ordered;
}

/** Data that is tracked and no stage takes; much of it in one folder is said once. */
function remarkUntaken(steps: readonly ImportedStep[], { tracked }: DataPlaces, remarks: Remarks): void {
  const taken = steps.flatMap(({ inputs }) =>
    inputs.flatMap(({ from }) => (from.type === "source" ? [from.path] : [])),
  );
  const rest = tracked.filter(({ path }) => !taken.some((each) => each === path || overlap(each, path)));
  for (const [folder, data] of Map.groupBy(rest, ({ path }) => posix.dirname(path))) {
    if (data.length <= 5) {
      for (const { path, at } of data)
        remarks.lost("a .dvc file", `${path} is tracked, and no stage takes it.`, at);
    } else if (data[0] !== undefined) {
      const message = `${data.length} files and folders in ${folder} are tracked, and no stage takes them.`;
      remarks.lost("a .dvc file", message, data[0].at);
    }
  }
}

function absentSources(steps: readonly ImportedStep[], places: DataPlaces): readonly string[] {
  const sources = steps.flatMap(({ inputs }) =>
    inputs.flatMap(({ from }) => (from.type === "source" ? [from.path] : [])),
  );
  return [...new Set(sources)].filter((path) => !places.isThere(path)).toSorted();
}

function overlap(a: string, b: string): boolean {
  return a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

function commentOf(remarks: readonly Remark[], paths: readonly string[], root: string): readonly string[] {
  const shown = (path: string): string => relative(root, path).split(sep).join("/");
  const section = (title: string, kind: Remark["kind"]): readonly string[] => {
    const own = remarks.filter((remark) => remark.kind === kind);
    if (own.length === 0) return [];
    return [
      "",
      title,
      ...own.map(({ at, message }) => `- ${shown(at.file)}:${at.line}  ${message.replaceAll("*/", "* /")}`),
    ];
  };
  return [
    `Made of ${paths.map(shown).join(", ")} by mlpipe init --from-dvc. Yours to change.`,
    "",
    "Each command runs by dvc-stage.mjs in a folder that looks like the project, where it finds what its step is given",
    "under the names it knows.",
    ...section("Not carried:", "lost"),
    ...section("Carried in another way:", "changed"),
  ];
}
