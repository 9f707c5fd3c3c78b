import { relative } from "node:path";
import {
  type KeyFunction,
  type Manifest,
  type ManifestFanOut,
  type ManifestStep,
  MlpipeError,
  secretsOf,
} from "@mlpipe/dsl";
import { type Content, type Digest, digestOfJson, type StepRunRow, type Store } from "@mlpipe/store";
import { whatChanged } from "./changed-meanwhile.ts";
import { CommandCode } from "./command/command.ts";
import { PythonMemory } from "./command/python-memory.ts";
import { CodeMemory } from "./code-memory.ts";
import { TypeScriptCode } from "./code/typescript.ts";
import { plumbingOf } from "./environment/environment.ts";
import { ExpectedKeys } from "./expected-keys.ts";
import { FileClock } from "./file-clock.ts";
import { History } from "./history.ts";
import { Identities, type StepIdentity } from "./identity.ts";
import { detailOf } from "./input-detail.ts";
import {
  absoluteSite,
  innermost,
  inputDigest,
  type InputResolver,
  listOf,
  resolveInput,
  upstreamIn,
  upstreamOf,
} from "./inputs.ts";
import { KeptResults } from "./kept-results.ts";
import { obstaclesTo } from "./obstacles.ts";
import type { Decision, Plan, Preimage, Reason, ResolvedInput } from "./plan.ts";
import { keyFormat, keyOf } from "./preimage.ts";
import { Sources } from "./sources.ts";
import { type Expansion, isNamed, StepGraph } from "./step-graph.ts";

/** What a planner needs to know. */
export interface PlannerOptions {
  readonly manifest: Manifest;
  readonly store: Store;
  /** Absolute path of the project's root. */
  readonly root: string;
  /** The environment that steps may declare variables of. */
  readonly env: NodeJS.ProcessEnv;
  /** Steps to run whatever the cache holds. @default none */
  readonly force?: ReadonlySet<string> | "all";
  /** The time against which a result's age is measured, in ms. @default now */
  readonly now?: number;
  /** By fan-out, the functions of the pipeline that make the keys of items. @default none */
  readonly keyFunctions?: ReadonlyMap<string, KeyFunction>;
}

/** What came of a fan-out. */
export type Expanded =
  | { readonly type: "expanded"; readonly expansion: Expansion }
  /** Its list is not known. */
  | { readonly type: "waiting"; readonly step: string }
  /** Its items cannot have their steps. */
  | { readonly type: "refused"; readonly error: MlpipeError };

/** Why a step would run or not. */
export interface Why {
  readonly decision: Decision["decision"];
  /** The step run compared with. */
  readonly against: string | null;
  readonly reasons: readonly Reason[];
}

/** Gives the content of an upstream output, or nothing while it is not known. */
export type OutputOf = (step: string, port: string) => Content | undefined;

/**
 * Decides for each step of a manifest whether its kept result holds, and why. A planner is good
 * for one planning session: it remembers the identity of the code it has looked at.
 */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #graph: StepGraph;
  readonly #identities: Identities;
  readonly #sources: Sources;
  /** Documents of this session, which the store does not hold before a step that has them is kept. */
  readonly #documents = new Map<Digest, unknown>();
  /** Whose documents are among them. */
  readonly #remembered = new Set<StepIdentity>();
  /** What tells of sources, the same for all steps. */
  readonly #tellsSources: Omit<InputResolver, "outputOf">;
  #lastResolver: InputResolver | undefined;
  #secrets: readonly string[] | undefined;
  readonly #history: History;
  readonly #expected: ExpectedKeys;
  readonly #kept: KeptResults;
  /** Before any code was looked at. */
  readonly #began: FileClock;
  readonly #hashedBefore: number;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#hashedBefore = options.store.index.counts.hashedFiles;
    this.#began = new FileClock(options.store.root);
    this.#graph = new StepGraph(options.manifest, options.keyFunctions ?? new Map());
    this.#history = new History(options.store, options.manifest, this.#graph, this.#documents);
    this.#expected = new ExpectedKeys(options.store, options.manifest.file);
    const now = options.now ?? Date.now();
    this.#kept = new KeptResults(options.store, options.root, now, this.#history, this.#expected);
    this.#identities = this.#newIdentities(options.manifest.steps);
    const sources = new Sources(options.manifest, options.root, options.store);
    this.#sources = sources;
    this.#tellsSources = {
      root: options.root,
      contentOf: (path) => sources.contentOf(path),
      knownContent: (path) => sources.known(path),
    };
  }

  /** What looks at code, with nothing remembered yet. */
  #newIdentities(steps: readonly ManifestStep[]): Identities {
    const { root, store, env } = this.#options;
    const hash = (path: string): Digest => store.index.contentOf(path).digest;
    const typescript = new Map<string, TypeScriptCode>();
    let command: CommandCode | undefined;
    return new Identities({
      root,
      steps,
      env,
      typescript: (conditions) => {
        const under = conditions.join(" ");
        const known = typescript.get(under);
        if (known !== undefined) return known;
        const memory = new CodeMemory(store);
        const code = new TypeScriptCode({ projectRoot: root, hash, memory, conditions });
        typescript.set(under, code);
        return code;
      },
      command: () =>
        (command ??= new CommandCode({
          projectRoot: root,
          hash,
          env: plumbingOf(env),
          memory: new PythonMemory(store),
        })),
    });
  }

  /** The steps as far as they are known. */
  get graph(): StepGraph {
    return this.#graph;
  }

  /** Puts the children of a fan-out in its place, if its list is known. */
  expand({ id }: Pick<ManifestFanOut, "id">, outputOf: OutputOf): Expanded {
    const fanOut = this.#graph.fanOut(id);
    if (fanOut === undefined) throw new Error(`there is no fan-out ${id}`);
    const { root, store } = this.#options;
    const [user] = this.#graph.templatesOf(id);
    try {
      const items = listOf(fanOut, user, store, this.#resolver(outputOf));
      if (items === undefined) return { type: "waiting", step: upstreamIn(fanOut.list)[0] ?? id };
      return { type: "expanded", expansion: this.#graph.expand(id, items) };
    } catch (error) {
      if (!(error instanceof MlpipeError) || !error.code.startsWith("MLP1")) throw error;
      const { code, message, hint } = error;
      const at = absoluteSite(root, fanOut.called);
      const text = `${id} cannot fan out: ${message}`;
      return { type: "refused", error: new MlpipeError(code, text, { exit: 1, hint, at, cause: error }) };
    }
  }

  /** The steps that have to be there before the list of a fan-out is known. */
  listNeeds(id: string): readonly string[] {
    const fanOut = this.#graph.fanOut(id);
    return fanOut === undefined ? [] : upstreamIn(fanOut.list);
  }

  /** Expands every fan-out whose list is kept. */
  expandKept(): void {
    if (this.#options.manifest.fanOuts !== undefined) this.#walk(() => true);
  }

  /** The steps a step takes refs from. */
  needs(step: string): readonly string[] {
    return upstreamOf(this.#step(step));
  }

  /** Everything of a step's identity that does not depend on its inputs. */
  identityOf(step: string): StepIdentity {
    return this.#identities.of(this.#step(step));
  }

  /** Whether anything was seen that is not as it was when it was last read: then something has probably to run. */
  get sawChange(): boolean {
    return this.#sources.changed || this.#options.store.index.counts.hashedFiles > this.#hashedBefore;
  }

  /** The content of a source as this session has seen it; nothing where there is none. @param path absolute */
  sourceContent(path: string): Content | undefined {
    return this.#sources.find(path);
  }

  /**
   * Why a step's code or packages are no longer what this session found them to be, as words. What the step does then
   * belongs to no key: nobody can say which content its process has loaded.
   */
  codeChanged(id: string): string | undefined {
    const known = this.identityOf(id);
    const edited = known.files.find((path) => this.#began.hasPassed(path));
    if (edited === undefined && !known.installs.some((path) => this.#began.hasPassed(path))) return undefined;
    // An edit beside what the step reaches is none of its business.
    const now = this.#newIdentities([this.#step(id)]).of(this.#step(id));
    return whatChanged(known, now, edited && relative(this.#options.root, edited));
  }

  /**
   * Looks whether every source is there.
   * @throws MlpipeError MLP2001, MLP2002 for sources that are missing or of the wrong sort
   */
  checkSources(): void {
    this.#sources.check();
  }

  /**
   * Decides one step.
   * @throws MlpipeError MLP2001, MLP2002 for sources that are missing or of the wrong sort
   */
  decide(id: string, outputOf: OutputOf): Decision {
    const step = this.#step(id);
    const { inputs, parts, waiting, identity } = this.#see(step, outputOf);
    if (waiting !== undefined) return { decision: "unknown", reasons: [...waiting].map(waitsFor) };
    const key = keyOf(parts);
    this.#documents.set(key, parts);

    const obstacles = obstaclesTo(step, identity, inputs);
    const run = (reasons: readonly Reason[]): Decision => ({
      decision: "run",
      key,
      preimage: key,
      parts,
      cacheable: obstacles.length === 0 && step.kind !== "deploy",
      inputs,
      environment: identity.childEnv,
      reasons,
    });
    const { force } = this.#options;
    if (force === "all" || (force !== undefined && isNamed(force, step))) {
      return run([{ part: "forced", name: id, message: "forced (--force)" }]);
    }
    if (obstacles.length > 0) return run(obstacles);
    const verdict = this.#kept.judge({ step, key, parts, inputs });
    if (!verdict.holds) return run(verdict.reasons);
    const { entry, reason, expiresAt } = verdict;
    return {
      decision: "cached",
      key,
      preimage: key,
      entry,
      reasons: [reason],
      ...(expiresAt !== undefined && { expiresAt }),
    };
  }

  /**
   * A decision to run a step whose kept result holds, to see whether it comes out the same again.
   * @param outputOf knows all outputs that the step needs
   */
  again(id: string, outputOf: OutputOf): Decision & { decision: "run" } {
    const step = this.#step(id);
    const { inputs, parts, waiting, identity } = this.#see(step, outputOf);
    if (waiting !== undefined) throw new Error(`${id} was kept, so what it needs must be known`);
    const key = keyOf(parts);
    this.#documents.set(key, parts);
    return {
      decision: "run",
      key,
      preimage: key,
      parts,
      cacheable: false,
      inputs,
      environment: identity.childEnv,
      reasons: [{ part: "forced", name: id, message: "run again to compare (--check)" }],
    };
  }

  /** The whole plan. Nothing is executed, so what lies behind a step that must run stays unknown. */
  plan(): Plan {
    const warnings = new Set(this.#options.manifest.warnings.map(({ message }) => message));
    const steps: Plan["steps"] = [];
    this.#walk((step, decision, each) => {
      for (const { message } of this.#identities.of(step).warnings) warnings.add(message);
      steps.push({
        id: step.id,
        ...(each !== undefined && { each }),
        kind: step.kind,
        decision: decision.decision,
        ...(decision.decision !== "unknown" && { key: decision.key }),
        ...(decision.decision === "cached" &&
          decision.expiresAt !== undefined && { expiresAt: decision.expiresAt }),
        reasons: [...decision.reasons],
      });
      return true;
    });
    return {
      schemaVersion: 1,
      pipeline: this.#options.manifest.pipeline,
      steps,
      ...(warnings.size > 0 && { warnings: [...warnings] }),
    };
  }

  /**
   * Why a step would run or not, against its last success or against the step run given.
   * @throws MlpipeError MLP2004 when the step run to compare with kept nothing to compare
   */
  why(id: string, against?: StepRunRow): Why {
    const found: { decision?: Decision } = {};
    const outputOf = this.#walk((upstream, decided) => {
      if (upstream.id === id) found.decision = decided;
      return found.decision === undefined;
    });
    const step = this.#step(id);
    const { decision, reasons } = found.decision ?? this.decide(id, outputOf);
    const compared = against ?? this.#history.lastUsed(id);
    if (compared === undefined || (against === undefined && decision !== "unknown")) {
      return { decision, against: compared?.id ?? null, reasons };
    }
    const { inputs, parts } = this.#see(step, outputOf);
    const known = this.#history.against(compared, { step, parts, inputs });
    if (known === undefined && against !== undefined) {
      throw new MlpipeError("MLP2004", `The step run ${against.id} kept nothing to compare with.`, {
        exit: 4,
        hint: "It may have been removed from the store.",
      });
    }
    return {
      decision,
      against: compared.id,
      reasons: against === undefined ? [...reasons, ...(known ?? [])] : (known ?? []),
    };
  }

  /**
   * What is inside of the sources of a decision, by port: rows, columns, files. Their bytes may be
   * gone when somebody asks what changed. `keep` keeps them too.
   */
  details(decision: Decision & { decision: "run" }, step: string): Readonly<Record<string, Digest>> {
    const details: Record<string, Digest> = {};
    for (const [port, input] of Object.entries(decision.inputs)) {
      const declared = this.#step(step).inputs[port];
      if (input.type !== "source" || declared === undefined) continue;
      const detail = detailOf({ content: input.content, path: input.absolute }, innermost(declared.kind));
      if (detail === undefined) continue;
      const digest = digestOfJson(detail);
      this.#documents.set(digest, detail);
      details[port] = digest;
    }
    return details;
  }

  /**
   * Keeps the preimage of a decision and its documents, so that a later `why` can compare with
   * them. Belongs into the transaction that publishes the step's result.
   */
  keep(decision: Decision & { decision: "run" }, details: Readonly<Record<string, Digest>>): void {
    const { parts } = this.#options.store;
    const digests = [
      ...Object.values(details),
      decision.preimage,
      decision.parts.contract,
      decision.parts.code,
      decision.parts.packages,
      decision.parts.environment,
      ...Object.values(decision.parts.inputs),
    ];
    // Once for all steps: to gather them is to look at each.
    const { manifest, env } = this.#options;
    const secrets = (this.#secrets ??= secretsOf(manifest.steps, env).map((secret) =>
      JSON.stringify(secret).slice(1, -1),
    ));
    for (const digest of digests) {
      const document = this.#documents.get(digest);
      if (document === undefined || parts.isShared(digest)) continue;
      // A param with a password in it: a later why says that it changed, and not what it was.
      if (secrets.length > 0 && holdsOneOf(secrets, document)) continue;
      parts.put(document);
    }
  }

  /** Keeps what makes the next session faster. Belongs before the last transaction of this one. */
  end(): void {
    this.#expected.keep();
  }

  /**
   * Decides step after step, expanding what can be expanded, as long as the visitor wants to go on.
   * @returns the outputs that are kept of the steps that were decided
   */
  #walk(visit: (step: ManifestStep, decision: Decision, each?: string) => boolean): OutputOf {
    const outputs = new Map<string, Readonly<Record<string, Content>>>();
    const outputOf: OutputOf = (from, port) => outputs.get(from)?.[port];
    for (const node of this.#graph.nodes()) {
      if ("step" in node) {
        const decision = this.decide(node.step.id, outputOf);
        if (decision.decision === "cached") outputs.set(node.step.id, decision.entry.outputs);
        if (!visit(node.step, decision)) break;
        continue;
      }
      const { fanOut, templates } = node;
      const expanded = this.expand(fanOut, outputOf);
      if (expanded.type === "expanded") continue;
      const reason: Reason =
        expanded.type === "waiting"
          ? { part: "upstream", name: expanded.step, message: `waits for the list from ${expanded.step}` }
          : { part: "inputs", name: fanOut.id, message: expanded.error.message };
      if (!templates.every((step) => visit(step, { decision: "unknown", reasons: [reason] }, fanOut.id)))
        break;
    }
    return outputOf;
  }

  #step(id: string): ManifestStep {
    const step = this.#graph.step(id);
    if (step !== undefined) return step;
    throw new MlpipeError(
      "MLP2003",
      `The pipeline "${this.#options.manifest.pipeline}" has no step "${id}".`,
      {
        hint: "mlpipe graph lists its steps.",
      },
    );
  }

  /** Everything of a step that can be known now: the inputs that are there, and the parts of its key. */
  #see(step: ManifestStep, outputOf: OutputOf): Seen {
    const inputs: Record<string, ResolvedInput> = {};
    const digests: Record<string, Digest> = {};
    let waiting: Set<string> | undefined;
    const resolver = this.#resolver(outputOf);
    for (const [port, { kind, from }] of Object.entries(step.inputs)) {
      const input = resolveInput(step, port, kind, from, resolver);
      if (input.type === "waiting") {
        (waiting ??= new Set()).add(input.step);
        continue;
      }
      inputs[port] = input;
      digests[port] = inputDigest(input);
    }
    const identity = this.#identities.of(step);
    // In the order of canonical JSON, which then need not sort them.
    const parts: Preimage = {
      code: identity.code.digest,
      contract: identity.contract.digest,
      environment: identity.environment.digest,
      format: keyFormat,
      inputs: digests,
      packages: identity.packages.digest,
    };
    this.#remember(identity, inputs);
    return { inputs, parts, waiting, identity };
  }

  /** What tells of inputs. All steps of a run ask for the same. */
  #resolver(outputOf: OutputOf): InputResolver {
    if (this.#lastResolver?.outputOf !== outputOf) this.#lastResolver = { ...this.#tellsSources, outputOf };
    return this.#lastResolver;
  }

  #remember(identity: StepIdentity, inputs: Readonly<Record<string, ResolvedInput>>): void {
    const documents = this.#documents;
    // Calls of one definition share it.
    if (!this.#remembered.has(identity)) {
      this.#remembered.add(identity);
      const { contract, code, packages, environment } = identity;
      for (const { digest, document } of [contract, code, packages, environment])
        documents.set(digest, document);
    }
    for (const input of Object.values(inputs)) {
      if (input.type === "value") documents.set(input.digest, input.value);
    }
  }
}

/** What can be known of a step before it is decided. */
interface Seen {
  readonly inputs: Readonly<Record<string, ResolvedInput>>;
  readonly parts: Preimage;
  /** Upstream steps whose outputs are not known, if there are any. */
  readonly waiting: ReadonlySet<string> | undefined;
  readonly identity: StepIdentity;
}

function waitsFor(step: string): Reason {
  return { part: "upstream", name: step, message: `waits for ${step}` };
}

/** Whether a document has one of these texts, written as in JSON, anywhere in it. */
function holdsOneOf(texts: readonly string[], document: unknown): boolean {
  const written = JSON.stringify(document);
  return texts.some((text) => written.includes(text));
}
