/** Inputs and outputs of executed steps, by their content. */
import { posix } from "node:path";
import type { KindSpec } from "@mlpipe/dsl";
import type { StepRun } from "../records.ts";
import type { ExportedRun, ExportedStep, InputDetail } from "./exported-run.ts";

/** A file or folder that a step made. */
export interface Artifact {
  readonly type: "file" | "tree";
  readonly digest: string;
  /** Bytes; the sum for a folder. */
  readonly size: number;
  /** Files of a folder. */
  readonly entries: number | undefined;
  readonly step: string;
  readonly port: string;
  readonly kind: KindSpec | undefined;
  /** For humans and tools: `model.onnx`, `train.csv`. */
  readonly fileName: string;
  readonly mediaType: string | undefined;
}

/** A file or folder that a step read. */
export interface Consumed {
  /** The port, and for an item of a `many` its key: `models[lr=0.1]`. */
  readonly port: string;
  readonly type: "file" | "tree";
  readonly digest: string;
  readonly size: number;
  readonly entries: number | undefined;
  readonly kind: KindSpec | undefined;
  readonly mediaType: string | undefined;
  /** The output it is; nothing for a source. */
  readonly from: { readonly step: string; readonly port: string } | undefined;
  /** Path of the project, of a source. */
  readonly path: string;
  readonly detail: InputDetail | undefined;
}

/** What a step made; nothing unless it succeeded. */
export function outputsOf(step: ExportedStep): readonly Artifact[] {
  return Object.entries(step.stepRun?.outputs ?? {}).map(([port, ref]) => {
    const kind = innerKind(step.outputKinds[port]);
    const fileName = fileNameOf(port, kind);
    return {
      type: ref.type === "tree" ? "tree" : "file",
      digest: ref.digest,
      size: ref.size,
      entries: ref.entries,
      step: step.id,
      port,
      kind,
      fileName,
      mediaType: ref.mediaType ?? mediaTypeOf(fileName),
    };
  });
}

/** What a step read that is a file or a folder, the items of a `many` one by one. */
export function inputsOf(step: ExportedStep, makerOf: MakerOf): readonly Consumed[] {
  return Object.entries(step.stepRun?.inputs ?? {}).flatMap(([port, input]) => {
    const kind = innerKind(step.inputKinds[port]);
    if (input.items !== undefined) {
      const of = kind?.kind === "many" ? innerKind(kind.of) : kind;
      return Object.entries(input.items).flatMap(([key, item]) =>
        consumed(
          `${port}[${key}]`,
          of,
          item,
          // A source has no step run, not even one that is not known.
          item.stepRun === undefined ? undefined : makerOf(item.stepRun, item.digest),
          step,
        ),
      );
    }
    return consumed(port, kind, input, input.from, step);
  });
}

/**
 * Whose output something is, by the step run that made it (null if that is not known) and its digest: the items of a
 * `many` tell no more.
 */
export type MakerOf = (
  stepRun: string | null,
  digest: string,
) => { readonly step: string; readonly port: string } | undefined;

/** Finds the makers of what the steps of a run read. */
export function makersOf({ steps }: ExportedRun): MakerOf {
  const made = steps.flatMap((step) =>
    outputsOf(step).map((artifact) => ({ artifact, stepRun: step.stepRun?.id })),
  );
  const exactly = new Map(made.map(({ artifact, stepRun }) => [`${stepRun} ${artifact.digest}`, artifact]));
  // An execution of an earlier run may have read what yet another one made: the same bytes, by the first to make them.
  const same = new Map(made.toReversed().map(({ artifact }) => [artifact.digest, artifact]));
  return (stepRun, digest) => exactly.get(`${stepRun} ${digest}`) ?? same.get(digest);
}

/** The sources of a run: what it read that no step made, each content of a path once. */
export function sourcesOf(exported: ExportedRun): readonly Consumed[] {
  const makerOf = makersOf(exported);
  const sources = exported.steps
    .flatMap((step) => inputsOf(step, makerOf))
    .filter(({ from }) => from === undefined);
  return [...new Map(sources.map((source) => [`${source.path}\0${source.digest}`, source])).values()];
}

/** What a port carries, without what is said about it. */
export function innerKind(kind: KindSpec | undefined): KindSpec | undefined {
  return kind?.kind === "approved" || kind?.kind === "optional" ? innerKind(kind.of) : kind;
}

/** The type of content that the ending of a file name stands for; nothing if that is not known. */
export function mediaTypeOf(fileName: string): string | undefined {
  return mediaTypes[posix.extname(fileName).slice(1).toLowerCase()];
}

const mediaTypes: Readonly<Record<string, string>> = {
  csv: "text/csv",
  html: "text/html",
  json: "application/json",
  jsonl: "application/jsonl",
  md: "text/markdown",
  parquet: "application/vnd.apache.parquet",
  pdf: "application/pdf",
  png: "image/png",
  jpg: "image/jpeg",
  svg: "image/svg+xml",
  tsv: "text/tab-separated-values",
  txt: "text/plain",
  ts: "text/typescript",
  zip: "application/zip",
};

type InputRef = StepRun["inputs"][string];

function consumed(
  port: string,
  kind: KindSpec | undefined,
  ref: Pick<InputRef, "name" | "type" | "digest" | "size" | "entries" | "mediaType" | "detail">,
  from: { readonly step: string; readonly port: string } | undefined,
  step: ExportedStep,
): readonly Consumed[] {
  const { name, type, digest, size, entries, mediaType } = ref;
  if (type === "value") return [];
  return [
    {
      port,
      type,
      digest,
      size,
      entries,
      kind,
      mediaType: mediaType ?? mediaTypeOf(from === undefined ? name : fileNameOf(port, kind)),
      from: from && { step: from.step, port: from.port },
      path: name,
      detail: step.detail(ref.detail),
    },
  ];
}

function fileNameOf(port: string, kind: KindSpec | undefined): string {
  switch (kind?.kind) {
    case "file":
    case "plot":
      return `${port}.${kind.extension}`;
    case "model":
      return `${port}.${kind.format}`;
    case "csv":
    case "jsonl":
      return `${port}.${kind.kind}`;
    case "json":
    case "value":
    case "seed":
    case "metrics":
      return `${port}.json`;
    default:
      return port;
  }
}
