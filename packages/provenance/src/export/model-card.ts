/**
 * A model card: Markdown with the front matter that the Hugging Face Hub reads. It says what the records say; where
 * they are silent it leaves the place to whoever knows. https://huggingface.co/docs/hub/model-cards
 */
import type { StepRun } from "../records.ts";
import type { Consumed } from "./artifact.ts";
import type { ModelStatements } from "./cyclonedx.ts";
import type { ExportedRun } from "./exported-run.ts";
import { type Evaluation, type ExecutedStep, modelHistory, type ModelHistory } from "./model-history.ts";
import { packagesOf } from "./package-identity.ts";

/**
 * The card of a model.
 * @throws MlpipeError MLP5010 if there is none, MLP5015 if there are several
 */
export function modelCard(exported: ExportedRun, statements: ModelStatements): string {
  const history = modelHistory(exported, statements.model);
  const { run } = exported;
  const { model, maker, deployments } = history;
  const { stepRun } = maker;
  return [
    "---",
    ...yaml(frontMatter(exported, history, statements)),
    "---",
    "",
    `# ${run.pipeline.name}: ${model.step}.${model.port}`,
    "",
    `A model in the format \`${formatOf(history)}\`, made by the step \`${model.step}\` of the pipeline \`${run.pipeline.name}\` on ` +
      `${stepRun.endedAt.slice(0, 10)} with mlpipe ${run.tool.version}.`,
    "",
    "## Training data",
    "",
    ...table(["read by the training", "size", "sha256"], history.datasets.map(dataRow)),
    "",
    ...(history.sources.length === 0
      ? []
      : ["It was made from:", "", ...table(["source", "size", "sha256"], history.sources.map(dataRow)), ""]),
    "## Training parameters",
    "",
    ...table(
      ["parameter", "value"],
      Object.entries(stepRun.params).map(([name, value]: [string, unknown]) => [
        name in stepRun.seeds ? `${name} (seed)` : name,
        code(typeof value === "string" ? value : JSON.stringify(value)),
      ]),
    ),
    "",
    "## Evaluation",
    "",
    ...table(["metric", "value", "better", "measured by", "on"], history.evaluations.flatMap(metricRows)),
    "",
    ...section(
      "## Gates",
      history.gates.map(({ id, stepRun: gate }) => {
        const [check] = gate.checks;
        return `- \`${id}\`: ${check?.status ?? gate.status}${check?.message === undefined ? "" : `, ${check.message}`}${paramsIn(gate)}`;
      }),
    ),
    ...section(
      "## Deployments",
      deployments.map(
        ({ id, stepRun: deploy }) =>
          `- \`${id}\`${deploy.target === undefined ? "" : ` to ${code(deploy.target.path)}`} on ${deploy.endedAt.slice(0, 16).replace("T", " ")} UTC`,
      ),
    ),
    "## Provenance",
    "",
    ...table(
      ["what", "which"],
      [
        ["run", code(run.id)],
        ["execution of the training", code(stepRun.id)],
        [model.type === "file" ? "sha256 of the model" : "digest of the model's folder", code(model.digest)],
        ...commitRows(run.git),
        ["pipeline", code(run.pipeline.file)],
        ...(stepRun.argv.length > 0 ? [["command", code(stepRun.argv.join(" "))]] : []),
        ["environment", environmentOf(maker)],
      ],
    ),
    "",
    "Made by, in this order:",
    "",
    ...history.ancestors.map(
      ({ id, kind, stepRun: step, isReused }) =>
        `1. \`${id}\` (${kind}), ${step.endedAt.slice(0, 16).replace("T", " ")} UTC${isReused ? `, in run \`${step.run}\`` : ""}`,
    ),
    "",
    "## Packages",
    "",
    ...packagesOf(history.ancestors).map(({ name, version }) => `- ${name} ${version}`),
    "",
  ]
    .join("\n")
    .replace(/\n{3,}/g, "\n\n");
}

/** A value of front matter. */
type Yaml = string | number | readonly Yaml[] | { readonly [key: string]: Yaml | undefined };

function frontMatter(
  { run }: ExportedRun,
  history: ModelHistory,
  { task, license }: ModelStatements,
): Readonly<Record<string, Yaml | undefined>> {
  const { evaluations, model } = history;
  const name = `${run.pipeline.name}-${model.port}`;
  return {
    license,
    pipeline_tag: task,
    tags: ["mlpipe"],
    metrics: [...new Set(evaluations.flatMap(({ metrics }) => metrics.map((metric) => metric.name)))],
    "model-index":
      evaluations.length === 0
        ? undefined
        : [{ name, results: evaluations.map((each) => result(each, task)) }],
  };
}

/** The Hub wants a task and a dataset for every result; `other` is its own word for one that is not said. */
function result({ step, metrics, datasets }: Evaluation, task: string | undefined): Yaml {
  const names = datasets.map(nameOf);
  const [first] = datasets;
  return {
    task: { type: task ?? "other" },
    dataset: {
      name: names.join(", ") || step.id,
      type: names[0] ?? step.id,
      revision: first?.digest,
    },
    metrics: metrics.map(({ name, value }) => ({ type: name, name: `${name} (${step.id})`, value })),
  };
}

function metricRows({ step, metrics, datasets }: Evaluation): readonly (readonly string[])[] {
  return metrics.map(({ name, value, direction }) => [
    name,
    `${value}`,
    direction === "min" ? "lower" : "higher",
    code(step.id),
    datasets.map((each) => code(nameOf(each))).join(", "),
  ]);
}

function dataRow(each: Consumed): readonly string[] {
  const rows = each.detail?.type === "rows" ? `, ${each.detail.rows} rows` : "";
  return [code(nameOf(each)), `${each.size} bytes${rows}`, code(each.digest)];
}

function nameOf({ from, path }: Consumed): string {
  return from === undefined ? path : `${from.step}.${from.port}`;
}

function formatOf({ model }: ModelHistory): string {
  return model.kind?.kind === "model" ? model.kind.format : model.fileName;
}

function paramsIn({ params }: StepRun): string {
  const told = Object.entries(params).map(
    ([name, value]: [string, unknown]) =>
      `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return told.length === 0 ? "" : ` (${told.join(", ")})`;
}

function commitRows(git: ExportedRun["run"]["git"]): readonly (readonly string[])[] {
  if (git?.commit == null) return [];
  return [
    ["commit", code(git.commit) + (git.dirty === null ? "" : ", with changes that were not committed")],
    ...(git.remote === null ? [] : [["repository", git.remote]]),
  ];
}

function environmentOf({ environment }: ExecutedStep): string {
  const { platform, arch, node, python } = environment;
  const known = [
    typeof node === "string" ? `Node ${node}` : undefined,
    typeof python === "object" && python !== null && "version" in python && typeof python.version === "string"
      ? `Python ${python.version}`
      : undefined,
    [platform, arch].filter((each) => typeof each === "string").join(" "),
  ];
  return known.filter((each) => each !== undefined && each !== "").join(", ");
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, "", ...lines, ""];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return ["None is recorded."];
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `| ${head.map(() => "---").join(" | ")} |`, ...rows.map(line)];
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** Text as it is: nothing in it is Markdown or HTML. */
function code(text: string): string {
  const ticks = "`".repeat(Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1);
  return ticks.length > 1 ? `${ticks} ${text} ${ticks}` : `\`${text}\``;
}

/** Block YAML; texts as JSON, which is YAML as well and leaves nothing to be taken for something else. */
function yaml(value: { readonly [key: string]: Yaml | undefined }, indent = ""): readonly string[] {
  return Object.entries(value).flatMap(([key, each]) => {
    if (each === undefined) return [];
    if (typeof each === "string" || typeof each === "number") return [`${indent}${key}: ${scalar(each)}`];
    if (isList(each)) {
      return each.length === 0 ? [] : [`${indent}${key}:`, ...each.flatMap((item) => listItem(item, indent))];
    }
    return [`${indent}${key}:`, ...yaml(each, `${indent}  `)];
  });
}

function listItem(item: Yaml, indent: string): readonly string[] {
  if (typeof item === "string" || typeof item === "number") return [`${indent}- ${scalar(item)}`];
  if (isList(item)) throw new Error("no list is directly in another");
  const [first = "", ...rest] = yaml(item, `${indent}  `);
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

function isList(value: Yaml): value is readonly Yaml[] {
  return Array.isArray(value);
}

function scalar(value: string | number): string {
  // YAML 1.1 takes 1e-7 for a text: to be a number it needs a point.
  if (typeof value === "number") return `${value}`.replace(/^(-?\d+)e/, "$1.0e");
  const isPlain = /^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$/.test(value);
  return isPlain && !/^(?:true|false|null|yes|no|on|off|y|n)$/.test(value) ? value : JSON.stringify(value);
}
