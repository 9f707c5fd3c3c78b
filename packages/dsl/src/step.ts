import type { StandardSchemaV1 } from "@standard-schema/spec";
import { currentBuilder, refuseDuringBuild } from "./builder.ts";
import { isCommand, type Command, type Place, type Places, placesOf, targetPlace } from "./command.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { MlpipeError } from "./errors.ts";
import { isKind, type Kind, type Port, type Ports, specOf } from "./kinds.ts";
import type { CommandPart, KindSpec } from "./manifest.ts";
import { checkName } from "./names.ts";
import type { DeployInputs, Reads, Refs, Returned, UngatedNames, Wiring, Writers } from "./ports.ts";
import type { Approved } from "./artifact.ts";
import type { Ref } from "./ref.ts";
import type { CallOptions } from "./scheduling.ts";
import type { Secret } from "./secret.ts";
import { Call, type Site, userFrames } from "./site.ts";

/** The kinds of step. */
export type StepKind = "data" | "train" | "evaluate" | "deploy" | "gate";

/** What a step's function is told besides its inputs. */
export interface StepContext {
  /** The id of the step in this pipeline. */
  readonly step: string;
  /** The key of the step: the digest of everything its result depends on. */
  readonly key: string;
}

/** What a deploy's function is told besides its inputs. */
export interface DeployContext extends StepContext {
  /** Absolute path of the target: the one place outside that the deploy writes. */
  readonly target: string;
}

/** What every definition of a step may say about itself. */
export interface StepOptions {
  /** One line for people. */
  readonly description?: string;
  /**
   * Globs of further files the step's code is made of, relative to the project's root: scripts
   * that mlpipe cannot follow, templates, configuration.
   */
  readonly files?: readonly string[];
  /**
   * Environment variables the step may see: by name, keyed by value; or `secret("TOKEN")`, keyed
   * by name only. All others are hidden from it.
   */
  readonly env?: readonly (string | Secret)[];
  /**
   * How long a result holds: as long as its key (the default), never (`false`), or for a time
   * (`{ maxAge: "1d" }`) for a step that reads a database or an API.
   */
  readonly cache?: boolean | { readonly maxAge: Duration };
}

// Flat interfaces, and not an intersection of what they share: the compiler pays for each level
// with every step.

/** A data, train or evaluate step that is a TypeScript function. */
export interface FunctionSpec<I extends Ports, O extends Ports> extends StepOptions {
  readonly inputs?: I;
  readonly outputs: O;
  /** Runs in a process of its own. Writes files through `out`, returns values and metrics. */
  run(inputs: Reads<I>, out: Writers<O>, context: StepContext): Returned<O> | Promise<Returned<O>>;
  readonly command?: never;
}

/** A data, train or evaluate step that is a command. */
export interface CommandSpec<I extends Ports, O extends Ports> extends StepOptions {
  readonly inputs?: I;
  readonly outputs: O;
  /** Builds the command once, from the places of its ports. */
  command(inputs: Places<I>, outputs: Places<O>): Command;
  readonly run?: never;
}

/** The definition of a data, train or evaluate step: a function or a command, never both. */
export type StepSpec<I extends Ports, O extends Ports> = FunctionSpec<I, O> | CommandSpec<I, O>;

/** The ports and the target of a deploy. */
export interface DeployPorts<I extends Ports, O extends Ports> extends Omit<StepOptions, "cache"> {
  readonly inputs: I & DeployInputs<I>;
  readonly outputs?: O;
  /** The one place outside that the deploy writes: a file or folder, relative to the project's root. */
  readonly target: string;
}

/** A deploy that is a TypeScript function. */
export interface DeployFunctionSpec<I extends Ports, O extends Ports> extends DeployPorts<I, O> {
  run(inputs: Reads<I>, out: Writers<O>, context: DeployContext): Returned<O> | Promise<Returned<O>>;
  readonly command?: never;
}

/** A deploy that is a command. */
export interface DeployCommandSpec<I extends Ports, O extends Ports> extends DeployPorts<I, O> {
  command(inputs: Places<I>, outputs: Places<O>, target: Place): Command;
  readonly run?: never;
}

/** The definition of a deploy: a function or a command, never both. */
export type DeploySpec<I extends Ports, O extends Ports> = DeployFunctionSpec<I, O> | DeployCommandSpec<I, O>;

/** The definition of a gate. */
export interface GateSpec<I extends Ports, Pass extends keyof I> extends Pick<
  StepOptions,
  "description" | "files"
> {
  readonly inputs: I;
  /** The model port that leaves the gate approved. */
  readonly pass: Pass;
  /** Whether the model may pass: `true`, or `false` or the reason why not. */
  check(inputs: Reads<I>): boolean | string | Promise<boolean | string>;
}

/** A step: call it inside `pipeline()` with a ref or value for each port, and it gives a ref for each output. */
export interface Step<I extends Ports = Ports, Result = unknown> {
  (inputs: Wiring<I>): Result;
  /** The same step under another id, for a second call in one pipeline. */
  as(id: string): Step<I, Result>;
  /** The same step, scheduled otherwise. */
  with(options: CallOptions): Step<I, Result>;
}

/** What the runner needs of a step it found in a module. */
export interface StepDefinition {
  readonly name: string;
  readonly kind: StepKind;
  readonly inputs: Ports;
  readonly outputs: Ports;
  /** The same as lists: a definition may be called thousands of times. */
  readonly inputPorts: readonly DefinedPort[];
  readonly outputPorts: readonly DefinedPort[];
  readonly run: ((inputs: never, out: never, context: never) => unknown) | undefined;
  readonly argv: readonly (readonly CommandPart[])[] | undefined;
  readonly check: ((inputs: never) => unknown) | undefined;
  readonly pass: string | undefined;
  readonly target: string | undefined;
  readonly options: StepOptions;
  /** User frames of the definition, nearest first; the module that exports the step is among them. */
  readonly sites: readonly Site[];
}

/** A port by its name. */
interface DefinedPort {
  readonly port: string;
  readonly declared: Port;
  readonly spec: KindSpec;
}

const stepMark = Symbol.for("mlpipe.step");

/** The definition behind a step, or nothing if the value is no step. */
export function definitionOf(value: unknown): StepDefinition | undefined {
  if (typeof value !== "function" || !(stepMark in value)) return undefined;
  // Set by `callable` alone, always to a definition.
  return value[stepMark] as StepDefinition;
}

/** A step that makes data: loads, cleans, joins, splits, derives. */
export function data<const I extends Ports = {}, const O extends Ports = {}>(
  name: string,
  spec: StepSpec<I, O>,
): Step<I, Refs<O>> {
  return define("data", name, spec);
}

/** A step that trains a model. Mark the port of its seed with `seed()`. */
export function train<const I extends Ports = {}, const O extends Ports = {}>(
  name: string,
  spec: StepSpec<I, O>,
): Step<I, Refs<O>> {
  return define("train", name, spec);
}

/** A step that judges: it returns metrics, and may write reports and plots. */
export function evaluate<const I extends Ports = {}, const O extends Ports = {}>(
  name: string,
  spec: StepSpec<I, O>,
): Step<I, Refs<O>> {
  return define("evaluate", name, spec);
}

/**
 * A step that puts an approved model to use. It is an effect and has no cache entry: it is
 * skipped only while its target still is as the last deploy left it.
 */
export function deploy<const I extends Ports, const O extends Ports = {}>(
  name: string,
  spec: DeploySpec<I, O>,
): Step<I, Refs<O>> {
  return define("deploy", name, spec);
}

/** What a gate gives: its model, approved. */
export type Gated<I extends Ports, Pass extends keyof I> = {
  readonly [Name in Pass]: I[Name] extends Kind ? Ref<Approved<I[Name]["~artifact"]>> : never;
};

/** A condition that a model must meet before anything that demands an approved one can have it. */
export function gate<const I extends Ports, const Pass extends UngatedNames<I> & string>(
  name: string,
  spec: GateSpec<I, Pass>,
): Step<I, Gated<I, Pass>> {
  return define("gate", name, spec);
}

/** A definition with its types erased: each kind of step has typed its own. */
interface ErasedSpec extends StepOptions {
  readonly inputs?: Ports;
  readonly outputs?: Ports;
  readonly target?: string;
  readonly pass?: PropertyKey;
  readonly run?: unknown;
  readonly command?: unknown;
  readonly check?: unknown;
}

function define<I extends Ports, Result>(kind: StepKind, name: string, spec: ErasedSpec): Step<I, Result> {
  const sites = userFrames();
  const at = sites[0];
  const fail = (message: string, hint?: string): never => {
    throw new MlpipeError("MLP1010", `The ${kind} step "${name}" ${message}`, { at, hint });
  };
  checkName(`a ${kind} step`, name, at);
  refuseDuringBuild(name, at);

  const inputs = spec.inputs ?? {};
  const outputs = kind === "gate" ? gateOutputs(inputs, spec.pass, fail) : (spec.outputs ?? {});
  for (const [side, ports] of [["input", inputs] as const, ["output", outputs] as const]) {
    for (const [port, declared] of Object.entries(ports)) {
      checkName(`an ${side} of "${name}"`, port, at);
      if (!isPort(declared)) fail(`has an ${side} ${port} that is neither a kind nor a schema.`);
    }
  }
  for (const [port, declared] of Object.entries(inputs)) {
    const spec = specOf(declared);
    if ((kind === "gate" || kind === "deploy") && spec.kind === "checkpoint")
      fail(`has the checkpoint ${port}, and goes on from nothing: its work is done at once.`);
    if ("of" in spec && spec.of.kind === "checkpoint")
      fail(`has the input ${port} with a checkpoint in it, which can only be a port of its own.`);
  }
  for (const [port, declared] of kind === "gate" ? [] : Object.entries(outputs)) {
    const { kind: tag } = specOf(declared);
    if (
      tag === "checkpoint" ||
      tag === "seed" ||
      tag === "many" ||
      tag === "approved" ||
      tag === "optional"
    ) {
      fail(`has the output ${port} of kind ${tag}, which only inputs can have.`);
    }
  }

  const bodies = kind === "gate" ? ["check"] : ["run", "command"];
  const given = bodies.filter((body) => typeof spec[body as "run"] === "function");
  if (given.length !== 1) {
    fail(
      given.length === 0
        ? `has no ${bodies.join(" and no ")}.`
        : "has both run and command, and can be only one of a function and a command.",
    );
  }
  if (kind === "deploy" && typeof spec.target !== "string") {
    fail("names no target.", 'Say which file or folder it writes: target: "deployed/model".');
  }
  if (kind === "deploy") checkDeployInputs(inputs, fail);
  const aging = spec.cache;
  if (typeof aging === "object" && !parseDuration(aging.maxAge)) {
    fail(
      `has a maxAge that is no duration: ${JSON.stringify(aging.maxAge)}.`,
      'Write it like "12h" or "1d".',
    );
  }

  const definition: StepDefinition = Object.freeze({
    name,
    kind,
    inputs,
    outputs,
    inputPorts: portsOf(inputs),
    outputPorts: portsOf(outputs),
    // The functions were checked above; their types are those of the public signatures.
    run: spec.run as StepDefinition["run"],
    check: spec.check as StepDefinition["check"],
    argv: commandOf(spec, inputs, outputs, kind, fail),
    pass: typeof spec.pass === "string" ? spec.pass : undefined,
    target: spec.target,
    options: spec,
    sites,
  });
  return callable(definition, undefined, {});
}

function portsOf(ports: Ports): readonly DefinedPort[] {
  return Object.entries(ports).map(([port, declared]) => ({ port, declared, spec: specOf(declared) }));
}

function isPort(port: unknown): boolean {
  if ((typeof port !== "object" && typeof port !== "function") || port === null) return false;
  return "~standard" in port || isKind(port as StandardSchemaV1);
}

function gateOutputs(inputs: Ports, pass: PropertyKey | undefined, fail: (message: string) => never): Ports {
  const port = typeof pass === "string" ? inputs[pass] : undefined;
  if (typeof pass !== "string" || port === undefined || !isKind(port)) {
    return fail(`passes ${JSON.stringify(pass)}, which is none of its model ports.`);
  }
  if (port.spec.kind !== "model") fail(`passes ${pass}, which is no model.`);
  return { [pass]: { ...port, spec: { kind: "approved", of: port.spec }, of: port } };
}

function checkDeployInputs(inputs: Ports, fail: (message: string, hint?: string) => never): void {
  let approvals = 0;
  for (const [port, declared] of Object.entries(inputs)) {
    let spec = specOf(declared);
    while (spec.kind === "optional" || spec.kind === "many") spec = spec.of;
    if (spec.kind === "approved") approvals++;
    if (spec.kind === "model")
      fail(`takes the model ${port} without a gate.`, `Declare the port as approved(…).`);
  }
  if (approvals === 0) fail("takes no approved model.", "Declare the port of its model as approved(…).");
}

function commandOf(
  spec: ErasedSpec,
  inputs: Ports,
  outputs: Ports,
  kind: StepKind,
  fail: (message: string) => never,
): StepDefinition["argv"] {
  if (typeof spec.command !== "function") return undefined;
  // The signature that every kind of step declares for `command`.
  const build = spec.command as (i: Places<Ports>, o: Places<Ports>, target?: Place) => unknown;
  const command = build(
    placesOf(inputs, "input"),
    placesOf(outputs, "output"),
    kind === "deploy" ? targetPlace() : undefined,
  );
  return isCommand(command) ? command.argv : fail("has a command that was not made with cmd`…`.");
}

function callable<I extends Ports, Result>(
  definition: StepDefinition,
  id: string | undefined,
  options: CallOptions,
): Step<I, Result> {
  const call = (inputs: Wiring<I>): Result => {
    const builder = currentBuilder(definition.name);
    // The builder makes a ref for each output; the public signatures type them.
    return builder.call(definition, id ?? definition.name, inputs, options, new Call(call)) as Result;
  };
  return Object.freeze(
    Object.assign(call, {
      [stepMark]: definition,
      as: (newId: string): Step<I, Result> => callable(definition, newId, options),
      with: (more: CallOptions): Step<I, Result> => callable(definition, id, { ...options, ...more }),
    }),
  );
}
