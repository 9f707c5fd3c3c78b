import type { StandardSchemaV1 } from "@standard-schema/spec";
import type {
  Approved,
  Csv,
  Folder,
  JsonFile,
  Jsonl,
  Many,
  Metrics,
  Model,
  OpaqueFile,
  Plot,
} from "./artifact.ts";
import type {
  FileReader,
  FileWriter,
  FolderReader,
  FolderWriter,
  JsonReader,
  JsonWriter,
  RowReader,
  RowWriter,
} from "./handles.ts";
import type { KindSpec } from "./manifest.ts";
import type { Ref } from "./ref.ts";

/** How the function of a step fills an output: with a writer, by returning it, or not at all. */
export type Fill = "writer" | "return" | "never";

/** Whether a deploy may take it: models must be approved first. */
export type Gating = "approved" | "ungated" | "free";

const kindMark = Symbol.for("mlpipe.kind");

/**
 * What a port carries. Kinds are values: `csv(Day)`, `onnx()`, `many(onnx())`. A bare Standard
 * Schema is a value port and needs no kind.
 *
 * The type parameters are how the kind looks from each side of a step. They are parameters of one
 * flat interface, and not an object of types, because each level costs the compiler.
 *
 * @typeParam Artifact what a ref to it promises
 * @typeParam Accepts what a call of the step accepts for the port
 * @typeParam Reads what the step's function reads from an input port
 * @typeParam Filled how the step's function fills an output port
 * @typeParam Writes the writer, or the type of what is returned
 */
export interface Kind<
  Artifact = unknown,
  Accepts = unknown,
  Reads = unknown,
  Filled extends Fill = Fill,
  Writes = unknown,
  Gated extends Gating = Gating,
> {
  readonly [kindMark]: true;
  /** The kind as data. */
  readonly spec: KindSpec;
  /** The schema of its rows or its content, where it has one. */
  readonly schema?: StandardSchemaV1;
  /** The kind inside `many`, `approved` or `optional`, or the schema inside `many`. */
  readonly of?: Kind | StandardSchemaV1;
  // What begins with ~ is absent at run time.
  readonly "~artifact": Artifact;
  readonly "~accepts": Accepts;
  readonly "~reads": Reads;
  readonly "~fill": Filled;
  readonly "~writes": Writes;
  readonly "~gated": Gated;
}

/** What a port can be declared as: a kind, or a schema for a plain JSON value. */
export type Port = Kind | StandardSchemaV1;

/** Ports by name. */
export type Ports = Readonly<Record<string, Port>>;

/** A kind whose content is a file that the step writes through `out`. */
export type FileKind<Artifact, Reader, Writer, Gated extends Gating = "free"> = Kind<
  Artifact,
  Ref<Artifact>,
  Reader,
  "writer",
  Writer,
  Gated
>;

type Row<Schema extends StandardSchemaV1> = StandardSchemaV1.InferOutput<Schema>;
type RowInput<Schema extends StandardSchemaV1> = StandardSchemaV1.InferInput<Schema>;

function kind<Result extends Kind>(
  spec: KindSpec,
  inner: { readonly schema?: StandardSchemaV1; readonly of?: Kind | StandardSchemaV1 } = {},
): Result {
  // What begins with ~ exists for the compiler alone, so the object can only claim to have it.
  return Object.freeze({ [kindMark]: true, spec, ...inner }) as unknown as Result;
}

/** Whether a port is a kind and not a bare schema; copies of this module recognise each other's. */
export function isKind(port: Port): port is Kind {
  return kindMark in port;
}

/** The kind of a port as data; a bare schema is a value. */
export function specOf(port: Port): KindSpec {
  return isKind(port) ? port.spec : { kind: "value" };
}

/**
 * A file that mlpipe does not look into.
 * @param extension without a dot, for the file's name: `file("txt")`
 */
export function file<const Extension extends string>(
  extension: Extension,
): FileKind<OpaqueFile<Extension>, FileReader, FileWriter> {
  return kind({ kind: "file", extension });
}

/** A folder with everything in it. */
export function dir(): FileKind<Folder, FolderReader, FolderWriter> {
  return kind({ kind: "dir" });
}

/**
 * Rows as comma-separated text with a header line. Each row is validated; columns whose schema
 * asks for a number or a boolean are read as one, and an empty field is absent for a column that
 * may be absent or null.
 */
export function csv<Schema extends StandardSchemaV1>(
  row: Schema,
): FileKind<Csv<Row<Schema>>, RowReader<Row<Schema>>, RowWriter<RowInput<Schema>>> {
  return kind({ kind: "csv" }, { schema: row });
}

/** Rows as one JSON document a line, each validated. */
export function jsonl<Schema extends StandardSchemaV1>(
  row: Schema,
): FileKind<Jsonl<Row<Schema>>, RowReader<Row<Schema>>, RowWriter<RowInput<Schema>>> {
  return kind({ kind: "jsonl" }, { schema: row });
}

/** One JSON document, validated. For small values a bare schema as the port is simpler. */
export function json<Schema extends StandardSchemaV1>(
  content: Schema,
): FileKind<JsonFile<Row<Schema>>, JsonReader<Row<Schema>>, JsonWriter<RowInput<Schema>>> {
  return kind({ kind: "json" }, { schema: content });
}

/**
 * A trained model. A deploy takes it only after a gate approved it.
 * @param format names the format and is the file's extension: `model("json")`
 */
export function model<const Format extends string>(
  format: Format,
): FileKind<Model<Format>, FileReader, FileWriter, "ungated"> {
  return kind({ kind: "model", format });
}

/** A trained model in ONNX format. */
export function onnx(): FileKind<Model<"onnx">, FileReader, FileWriter, "ungated"> {
  return kind({ kind: "model", format: "onnx" });
}

/**
 * A picture for people.
 * @param extension of the file, without a dot
 */
export function plot(extension: "svg" | "png" | "html" = "svg"): FileKind<Plot, FileReader, FileWriter> {
  return kind({ kind: "plot", extension });
}

/** Metric values by name. */
export type MetricValues<Name extends string> = { readonly [Each in Name]: number };

/**
 * Named numbers; the step returns them, and a command writes them as a JSON object.
 *
 * @typeParam Name the names alone, not their directions: a union of names is one type however often
 *   it is written, so that steps with the same metrics share what the compiler works out for them
 */
export type MetricsKind<Name extends string> = Kind<
  Metrics<Name>,
  Ref<Metrics<Name>>,
  MetricValues<Name>,
  "return",
  MetricValues<Name>,
  "free"
>;

/**
 * Named numbers by which a model is judged, each with the direction that is better.
 * Every value must be a finite number.
 */
export function metrics<const Name extends string>(directions: {
  readonly [Each in Name]: "min" | "max";
}): MetricsKind<Name> {
  return kind({ kind: "metrics", directions });
}

/** A seed of randomness: a whole number from 0 up. */
export type SeedKind = Kind<number, number | Ref<number>, number, "never", never, "free">;

/** The seed of a training: marked as such, so that records and re-runs know it. Inputs only. */
export function seed(): SeedKind {
  return kind({ kind: "seed" });
}

type ArtifactOf<Item extends Port> = Item extends Kind
  ? Item["~artifact"]
  : Item extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<Item>
    : never;
type ReadsOf<Item extends Port> = Item extends Kind
  ? Item["~reads"]
  : Item extends StandardSchemaV1
    ? StandardSchemaV1.InferOutput<Item>
    : never;

/** Several of one kind, by key. */
export type ManyKind<Item extends Port> = Kind<
  Many<ArtifactOf<Item>>,
  Ref<Many<ArtifactOf<Item>>> | Readonly<Record<string, Ref<ArtifactOf<Item>>>>,
  ReadonlyMap<string, ReadsOf<Item>>,
  "never",
  never,
  Item extends Kind ? Item["~gated"] : "free"
>;

/**
 * Several of one kind, keyed and ordered by key: what `each` makes of its children, or an object
 * of refs. Inputs only.
 */
export function many<Item extends Port>(item: Item): ManyKind<Item> {
  return kind({ kind: "many", of: specOf(item) }, { of: item });
}

/** A model that a gate let pass. */
export type ApprovedKind<Item extends Kind> = Kind<
  Approved<Item["~artifact"]>,
  Ref<Approved<Item["~artifact"]>>,
  Item["~reads"],
  "never",
  never,
  "approved"
>;

/** A model that a gate let pass: the only models a deploy takes. Inputs only. */
export function approved<Item extends Kind>(item: Item): ApprovedKind<Item> {
  return kind({ kind: "approved", of: item.spec }, { of: item });
}

/** An input that may be missing. */
export interface OptionalKind<Item extends Kind> extends Kind<
  Item["~artifact"] | undefined,
  Item["~accepts"] | undefined,
  Item["~reads"] | undefined,
  "never",
  never,
  Item["~gated"]
> {
  readonly "~optional": true;
}

/**
 * An input that may be left out, or name a source that does not exist yet: the champion before
 * the first deploy. The step reads `undefined` then. Inputs only.
 */
export function optional<Item extends Kind>(item: Item): OptionalKind<Item> {
  return kind({ kind: "optional", of: item.spec }, { of: item });
}

/** A folder for what an interrupted step wants to go on from. A call never gives it: mlpipe does. */
export interface CheckpointKind extends Kind<never, undefined, FolderWriter, "never", never, "free"> {
  // Left out by every call, as an optional port may be.
  readonly "~optional": true;
}

/**
 * A folder that survives the attempts of one key: a training that was killed finds there what it saved and
 * goes on. It is empty the first time and removed once the step has succeeded; another key has another.
 * It is no part of the key, and what is in it must not change what the step makes, only how soon.
 *
 * Inputs of data, train and evaluate steps only; a command is given its path: `${i.checkpoint}`.
 */
export function checkpoint(): CheckpointKind {
  return kind({ kind: "checkpoint" });
}

/**
 * Why a ref of one kind does not fit a port of another, or nothing if it fits. The compiler
 * says so first; this holds where an `any` got in between.
 */
export function mismatch(given: KindSpec, wanted: KindSpec): string | undefined {
  if (wanted.kind === "optional") return mismatch(given, wanted.of);
  if (wanted.kind === "approved") {
    return given.kind === "approved"
      ? mismatch(given.of, wanted.of)
      : `${describeKind(given)} that no gate approved`;
  }
  if (given.kind === "approved") return mismatch(given.of, wanted);
  if (wanted.kind === "many" && given.kind === "many") {
    return mismatch(given.of, wanted.of) === undefined ? undefined : describeKind(given);
  }
  if (wanted.kind === "metrics" && given.kind === "metrics") {
    for (const [name, direction] of Object.entries(wanted.directions)) {
      const has = given.directions[name];
      if (has === undefined) return `metrics without ${name}`;
      if (has !== direction) return `metrics whose ${name} is better at its ${has}imum`;
    }
    return undefined;
  }
  if (wanted.kind === "seed" && given.kind === "value") return undefined;
  if (given.kind !== wanted.kind) return describeKind(given);
  // Of one kind, what makes the difference is what is said of it.
  return given === wanted || describeKind(given) === describeKind(wanted) ? undefined : describeKind(given);
}

/** A kind as people write it: `csv`, `model("onnx")`, `many(plot("svg"))`. */
export function describeKind(spec: KindSpec): string {
  switch (spec.kind) {
    case "file":
    case "plot":
      return `${spec.kind}("${spec.extension}")`;
    case "model":
      return spec.format === "onnx" ? "onnx()" : `model("${spec.format}")`;
    case "metrics":
      return `metrics(${Object.keys(spec.directions).join(", ")})`;
    case "many":
    case "approved":
    case "optional":
      return `${spec.kind}(${describeKind(spec.of)})`;
    case "value":
      return "a value";
    default:
      return spec.kind;
  }
}
