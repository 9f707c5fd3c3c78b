export type {
  Approved,
  ApprovedMark,
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
export { cmd, type Argument, type Command, type Place, type Places } from "./command.ts";
export { describe, describeIssues } from "./builder.ts";
export { parseDuration, type Duration } from "./duration.ts";
export { each, type EachResult, type Joined } from "./each.ts";
export { dslErrors, MlpipeError, type DslErrorCode } from "./errors.ts";
export {
  anyItem,
  fieldOf,
  keyByFields,
  keyItems,
  type ItemFields,
  type ItemRef,
  type KeyFunction,
  type KeyOf,
  type ListRef,
  type NameIn,
} from "./fan-out.ts";
export type {
  FileReader,
  FileWriter,
  FolderReader,
  FolderWriter,
  JsonReader,
  JsonWriter,
  RowReader,
  RowWriter,
} from "./handles.ts";
export {
  approved,
  checkpoint,
  csv,
  describeKind,
  dir,
  file,
  isKind,
  json,
  jsonl,
  many,
  metrics,
  model,
  onnx,
  optional,
  plot,
  seed,
  specOf,
  type ApprovedKind,
  type CheckpointKind,
  type FileKind,
  type Kind,
  type Fill,
  type Gating,
  type ManyKind,
  type MetricsKind,
  type MetricValues,
  type OptionalKind,
  type Port,
  type Ports,
  type SeedKind,
} from "./kinds.ts";
export type {
  Binding,
  CommandPart,
  KindSpec,
  Manifest,
  ManifestFanOut,
  ManifestSite,
  ManifestStep,
  OutputName,
  StepBody as ManifestBody,
} from "./manifest.ts";
export {
  isPipeline,
  pipeline,
  type BuiltPipeline,
  type ManifestPlaces,
  type NoParams,
  type Pipeline,
  type PipelineOutputs,
} from "./pipeline.ts";
export type {
  Accepts,
  DeployInputs,
  NothingApproved,
  Reads,
  Refs,
  Returned,
  ReturnedInstead,
  UngatedModel,
  UngatedNames,
  Wiring,
  Writers,
} from "./ports.ts";
export { isRefNode, type Ref } from "./ref.ts";
export {
  amountOf,
  type Amount,
  type CallOptions,
  type FailureKind,
  type ResourceRequest,
  type Retry,
} from "./scheduling.ts";
export { messageOf } from "./schema-error.ts";
export { secret, secretsOf, type Secret } from "./secret.ts";
export type { Site } from "./site.ts";
export { parseSize, type Size } from "./size.ts";
export { source, type SourceOptions } from "./source.ts";
export {
  data,
  definitionOf,
  deploy,
  evaluate,
  gate,
  train,
  type DeployContext,
  type DeploySpec,
  type Gated,
  type GateSpec,
  type Step,
  type CommandSpec,
  type DeployCommandSpec,
  type DeployFunctionSpec,
  type DeployPorts,
  type FunctionSpec,
  type StepContext,
  type StepDefinition,
  type StepKind,
  type StepOptions,
  type StepSpec,
} from "./step.ts";
export { toJson, type Json } from "./value.ts";
