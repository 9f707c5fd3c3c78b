/** Which kind of step a stage becomes, and which kind of artifact a path is. */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { DataPlaces } from "./data-places.ts";
import type { Remarks } from "./remark.ts";
import type { Stage, StageOut } from "./stage.ts";
import { written } from "./template.ts";
import { isMapping } from "./yaml-file.ts";

export type ImportedStepKind = "data" | "train" | "evaluate";

/** A kind as the pipeline writes it: `dir()`, `file("csv")`, `metrics({ mae: "min" })`. */
export type KindCode = string;

/** DVC does not tell kinds of stages apart; names and outputs do. */
export function stepKindOf(stage: Stage): ImportedStepKind {
  const name = stage.group.toLowerCase();
  const roles = new Set(stage.outs.map(({ role }) => role));
  const isJudge = /eval|test|score|assess|valid|metric|report/.test(name) && !/split|data/.test(name);
  if (isJudge && (roles.has("metrics") || roles.has("plots"))) return "evaluate";
  if (/train|fit|tun(?:e|ing)|learn/.test(name) && !/split|data|prep|feature/.test(name)) return "train";
  return roles.has("metrics") && !roles.has("out") ? "evaluate" : "data";
}

const modelFormats = new Set(
  "pkl pickle joblib h5 keras pt pth ckpt onnx pb tflite safetensors model cbm bst json.gz rds skops bin".split(
    " ",
  ),
);

/** The kind of an output. */
export function outputKind(
  out: StageOut,
  step: ImportedStepKind,
  options: { readonly isModel: boolean; readonly places: DataPlaces; readonly remarks: Remarks },
): KindCode {
  const { places, remarks } = options;
  const { folder, isKnown } = places.isFolder(out.path);
  if (!isKnown) {
    const message = `${written(out.text)} is taken for a folder: neither dvc.lock nor its name says what it is.`;
    remarks.changed("outs", message, out.at);
  }
  if (folder) return "dir()";
  const extension = extensionOf(out.path);
  if (out.role === "metrics") {
    const names = extension === "json" ? flatMetrics(join(places.root, out.path)) : undefined;
    if (names !== undefined) {
      const directions = names.map((name) => `${propertyName(name)}: "${directionOf(name)}"`);
      remarks.changed(
        "metrics",
        `${written(out.text)}: which way each metric is better was guessed by its name (${directions.join(", ")}).`,
        out.at,
      );
      return `metrics({ ${directions.join(", ")} })`;
    }
    remarks.changed(
      "metrics",
      `${written(out.text)} is kept as a file, and its numbers are not compared: ` +
        "mlpipe's metrics are a JSON object of numbers, whose names it takes from the file where it lies in the project.",
      out.at,
    );
    return extension === "json" ? "json(z.json())" : fileKind(extension);
  }
  if (out.role === "plots" && /^(?:svg|png|html)$/.test(extension)) return `plot("${extension}")`;
  if (options.isModel || (step === "train" && out.role === "out" && modelFormats.has(extension)))
    return extension === "onnx" ? "onnx()" : `model("${extension}")`;
  return fileKind(extension);
}

/** The kind of data that no stage makes. */
export function sourceKind(path: string, places: DataPlaces): KindCode {
  return places.isFolder(path).folder ? "dir()" : fileKind(extensionOf(path));
}

function fileKind(extension: string): KindCode {
  return `file("${extension}")`;
}

/** The extension of a path without its dot, of letters and digits alone. */
function extensionOf(path: string): string {
  return posix.extname(path).slice(1).replaceAll(/\W/g, "").toLowerCase() || "bin";
}

/** The names in a flat JSON object of numbers. */
function flatMetrics(path: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isMapping(value)) return undefined;
    const isFlat = Object.values(value).every((each) => typeof each === "number" && Number.isFinite(each));
    return isFlat && Object.keys(value).length > 0 ? Object.keys(value) : undefined;
  } catch {
    return undefined;
  }
}

function directionOf(metric: string): "min" | "max" {
  return /loss|err|mae|mse|mape|deviation|perplexity|wer|time|duration|latency|brier/i.test(metric)
    ? "min"
    : "max";
}

/** A name as a property of an object literal. */
export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
