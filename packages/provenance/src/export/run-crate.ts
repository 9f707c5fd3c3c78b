/**
 * A run as a Provenance Run Crate 0.5, which sits on RO-Crate 1.1: what the crate says, and which files go into it.
 * https://w3id.org/ro/wfrun/provenance/0.5, https://w3id.org/ro/crate/1.1
 */
import { isAbsolute, posix } from "node:path";
import { pathToFileURL } from "node:url";
import type { StepRun } from "../records.ts";
import { type Artifact, type Consumed, inputsOf, makersOf, outputsOf, sourcesOf } from "./artifact.ts";
import { CrateGraph, type Entity, type Reference } from "./crate-graph.ts";
import type { ExportedRun, ExportedStep } from "./exported-run.ts";
import { webUrl } from "./repository.ts";

/** What has to be read beside the records. */
export interface CrateContext {
  /** Whether the store has the bytes. */
  readonly has: (content: Pick<Artifact, "type" | "digest" | "size">) => boolean;
  /** The pipeline's module as it was in the run; nothing if it cannot be had any more. */
  readonly workflow: string | undefined;
  /** The run's records, as lines. */
  readonly records: string;
  /** SPDX id; nothing if nobody said it. */
  readonly license: string | undefined;
}

/** A crate: every file of it with its path. */
export interface Crate {
  readonly files: readonly CrateFile[];
  /** How many outputs it names and does not have, since the store has them no more. */
  readonly missing: number;
}

/** A file of a crate: a text, or what the store has under a digest. */
export type CrateFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly content: Pick<Artifact, "type" | "digest" | "size"> };

const profiles = [
  ["https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"],
  ["https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"],
  ["https://w3id.org/ro/wfrun/provenance/0.5", "Provenance Run Crate", "0.5"],
  ["https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"],
] as const;

/** Builds the crate of a run. */
export function runCrate(exported: ExportedRun, context: CrateContext): Crate {
  return new CrateBuilder(exported, context).crate();
}

class CrateBuilder {
  readonly #exported: ExportedRun;
  readonly #context: CrateContext;
  readonly #graph = new CrateGraph();
  readonly #files: CrateFile[] = [];
  /** Paths of artifacts and sources that are taken. */
  readonly #places = new Set<string>();
  /** Entities of files and folders, by digest: equal bytes are one file, whoever made them. */
  readonly #data = new Map<string, Reference>();
  readonly #workflow: string;

  constructor(exported: ExportedRun, context: CrateContext) {
    this.#exported = exported;
    this.#context = context;
    this.#workflow = context.workflow === undefined ? "pipeline.json" : exported.run.pipeline.file;
  }

  crate(): Crate {
    const { run, steps } = this.#exported;
    const agent = this.#add({ "@id": `#${slug(run.by.user)}`, "@type": "Person", name: run.by.user });
    const engine = this.#add({
      "@id": "https://mlpipe.dev/",
      "@type": "SoftwareApplication",
      name: "mlpipe",
      url: "https://mlpipe.dev/",
      softwareVersion: run.tool.version,
    });
    const makerOf = makersOf(this.#exported);
    // First, so that a file has the name that the step which made it gave it, and not that of a gate.
    for (const artifact of steps.flatMap(outputsOf)) this.#file(artifact);
    for (const source of sourcesOf(this.#exported)) this.#source(source);

    // The profile has no words for a step that was not reached: a tool without an action is an error to it.
    const executed = steps.filter(({ stepRun }) => stepRun !== undefined);
    const tools = executed.map((step, at) => this.#step(step, at + 1));
    const actions = steps.flatMap((step) =>
      step.stepRun === undefined ? [] : [this.#action(step, step.stepRun, inputsOf(step, makerOf), agent)],
    );
    const controls = steps.flatMap(({ id, stepRun }) =>
      stepRun === undefined
        ? []
        : [
            this.#add({
              "@id": `#control-${stepRun.id}`,
              "@type": "ControlAction",
              name: `Orchestration of ${id}`,
              instrument: { "@id": this.#stepId(id) },
              object: { "@id": `#${stepRun.id}` },
              agent,
            }),
          ],
    );
    const whole = this.#wholeAction(agent);
    const organized = this.#add({
      "@id": `#organize-${run.id}`,
      "@type": "OrganizeAction",
      name: `mlpipe ${run.tool.version} running ${run.pipeline.name}`,
      instrument: engine,
      object: controls,
      result: whole,
      agent,
      ...times(run),
    });
    const workflow = this.#workflowEntity(tools);
    const records = this.#text("records.jsonl", this.#context.records, {
      name: "records.jsonl",
      description:
        "What mlpipe recorded of the run, one line after the other, each with the digest of the one before",
      encodingFormat: "application/jsonl",
    });
    const readme = this.#text("README.md", this.#readme(), {
      name: "README.md",
      about: { "@id": "./" },
      encodingFormat: "text/markdown",
    });
    this.#root(agent, workflow, [whole, organized, ...actions, ...controls], [readme, records]);
    const metadata = `${JSON.stringify(this.#graph.document(), null, 2)}\n`;
    return {
      files: [{ path: "ro-crate-metadata.json", text: metadata }, ...this.#files],
      missing: steps.flatMap(outputsOf).filter((artifact) => !this.#context.has(artifact)).length,
    };
  }

  #root(
    agent: Reference,
    workflow: Reference,
    mentions: readonly Reference[],
    more: readonly Reference[],
  ): void {
    const { run } = this.#exported;
    const { license } = this.#context;
    const conformsTo = profiles.map(([id, name, version]) =>
      this.#add({ "@id": id, "@type": "CreativeWork", name, version }),
    );
    this.#add({
      "@id": "./",
      "@type": "Dataset",
      name: `Run ${run.id} of ${run.pipeline.name}`,
      description:
        `What the pipeline ${run.pipeline.name} read, did and made in a run by mlpipe ${run.tool.version} on ` +
        `${run.startedAt.slice(0, 10)} (${run.status}).`,
      author: agent,
      datePublished: run.endedAt ?? run.startedAt,
      license:
        license === undefined
          ? "No licence was named for what is in this crate."
          : this.#add({
              "@id": `https://spdx.org/licenses/${license}`,
              "@type": "CreativeWork",
              name: license,
              description: `The licence with the SPDX id ${license}`,
            }),
      conformsTo,
      mainEntity: workflow,
      hasPart: [workflow, ...more, ...this.#data.values()],
      mentions,
    });
  }

  #readme(): string {
    const { run, steps } = this.#exported;
    return [
      `# Run ${run.id} of ${run.pipeline.name}`,
      "",
      `It ${run.status === "running" ? "was going on when this was written" : run.status}. This folder is a Provenance Run Crate: \`ro-crate-metadata.json\` says what each file is, and`,
      "which step made it out of what. `records.jsonl` is what mlpipe itself recorded.",
      "",
      "| step | kind | status | execution |",
      "| --- | --- | --- | --- |",
      ...steps.map(
        ({ id, kind, status: each, stepRun }) => `| ${id} | ${kind} | ${each} | ${stepRun?.id ?? ""} |`,
      ),
      "",
    ].join("\n");
  }

  #workflowEntity(tools: readonly Reference[]): Reference {
    const { run, steps } = this.#exported;
    const { workflow } = this.#context;
    const repository = filesUrl(run.git);
    const language = this.#add(
      workflow === undefined
        ? {
            "@id": "#json",
            "@type": "ComputerLanguage",
            name: "JSON",
            url: { "@id": "https://www.json.org/" },
            version: "ECMA-404",
          }
        : {
            "@id": "https://www.typescriptlang.org/",
            "@type": "ComputerLanguage",
            name: "TypeScript",
            identifier: { "@id": "https://www.typescriptlang.org/" },
            url: { "@id": "https://www.typescriptlang.org/" },
            version: "5",
          },
    );
    const text =
      workflow ??
      `${JSON.stringify({ pipeline: run.pipeline, steps: steps.map(({ id, kind }) => ({ id, kind })) }, null, 2)}\n`;
    const id = encodeURI(this.#workflow);
    this.#files.push({ path: this.#workflow, text });
    return this.#add({
      "@id": id,
      "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
      name: run.pipeline.name,
      ...(workflow === undefined
        ? { description: `The steps of ${run.pipeline.file}; that module as it was in the run is not kept.` }
        : run.pipeline.digest !== null && { sha256: run.pipeline.digest }),
      contentSize: `${Buffer.byteLength(text)}`,
      encodingFormat: workflow === undefined ? "application/json" : "text/typescript",
      version: run.git?.commit ?? run.pipeline.digest ?? run.pipeline.graph,
      ...(repository !== undefined && { url: `${repository}/${run.pipeline.file}` }),
      conformsTo: this.#add({
        "@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE",
        "@type": "CreativeWork",
        name: "Bioschemas ComputationalWorkflow",
        version: "1.0-RELEASE",
      }),
      programmingLanguage: language,
      hasPart: tools,
      step: steps.flatMap(({ id: each, stepRun }) =>
        stepRun === undefined ? [] : [{ "@id": this.#stepId(each) }],
      ),
      input: this.#workflowInputs().map(({ parameter }) => parameter),
      output: this.#returned().map(({ parameter }) => parameter),
    });
  }

  #step(step: ExportedStep, position: number): Reference {
    const { id, kind, stepRun } = step;
    const repository = filesUrl(this.#exported.run.git);
    const tool = this.#add({
      "@id": this.#toolId(id),
      "@type": "SoftwareApplication",
      name: id,
      description:
        stepRun === undefined
          ? `A ${kind} step`
          : `A ${kind} step: ${stepRun.step.export} of ${stepRun.step.module}`,
      ...(stepRun !== undefined && {
        ...(repository !== undefined && { url: `${repository}/${stepRun.step.module}` }),
        // Of code there is no version: what identifies it is its digest.
        softwareVersion: stepRun.keyParts["code"],
        input: Object.keys(stepRun.inputs).map((port) => this.#parameter(step, "input", port)),
        output: Object.keys(stepRun.outputs).map((port) => this.#parameter(step, "output", port)),
      }),
    });
    this.#add({
      "@id": this.#stepId(id),
      "@type": "HowToStep",
      name: id,
      position: `${position}`,
      workExample: tool,
    });
    return tool;
  }

  #action(step: ExportedStep, stepRun: StepRun, inputs: readonly Consumed[], agent: Reference): Reference {
    const values = Object.entries(stepRun.params).map(([port, value]) =>
      this.#add({
        "@id": `#value-${stepRun.id}-${slug(port)}`,
        "@type": "PropertyValue",
        name: port,
        value: text(value),
        exampleOfWork: this.#parameter(step, "input", port),
      }),
    );
    const files = inputs.flatMap((input) => {
      const data = this.#data.get(input.digest) ?? this.#source(input);
      // Items of a `many` are examples of the one port they came through.
      const port = input.port.replace(/\[.*$/s, "");
      this.#graph.link(data, "exampleOfWork", this.#parameter(step, "input", port));
      return [data];
    });
    const results = outputsOf(step).flatMap((artifact) => {
      const data = this.#data.get(artifact.digest);
      if (data === undefined) return [];
      this.#graph.link(data, "exampleOfWork", this.#parameter(step, "output", artifact.port));
      return [data];
    });
    const { target } = stepRun;
    const usage = stepRun.attempts.at(-1)?.usage;
    return this.#add({
      "@id": `#${stepRun.id}`,
      "@type": "CreateAction",
      name: `Run of step ${step.id}`,
      description: step.isReused
        ? `Executed in the earlier run ${stepRun.run}; its results still held`
        : stepRun.argv.length > 0
          ? stepRun.argv.join(" ")
          : `${stepRun.step.export} of ${stepRun.step.module}`,
      instrument: { "@id": this.#toolId(step.id) },
      startTime: stepRun.startedAt,
      endTime: stepRun.endedAt,
      ...status(stepRun.status === "ran", stepRun.error?.message),
      agent,
      object: [...files, ...values],
      result:
        target === undefined || stepRun.status !== "ran" ? results : [...results, this.#deployed(target)],
      ...(usage?.maxRssBytes != null && {
        resourceUsage: this.#add({
          "@id": `#memory-${stepRun.id}`,
          "@type": "PropertyValue",
          name: "memory",
          propertyID: "https://mlpipe.dev/terms#maxRssBytes",
          value: `${usage.maxRssBytes}`,
          unitCode: "https://qudt.org/vocab/unit/BYTE",
        }),
      }),
    });
  }

  /** Where a deploy wrote, which is no part of the crate. */
  #deployed({ path, digest }: NonNullable<StepRun["target"]>): Reference {
    const { href } = pathToFileURL(posix.resolve(this.#exported.run.by.cwd, path));
    return this.#add({
      "@id": digest === null ? href : `${href}?digest=${digest}`,
      "@type": "CreativeWork",
      name: path,
      description: "What was deployed",
      ...(digest !== null && { identifier: digest }),
    });
  }

  #wholeAction(agent: Reference): Reference {
    const { run, steps } = this.#exported;
    const failed = steps.find(({ status: each }) => each === "failed" || each === "rejected")?.stepRun;
    return this.#add({
      "@id": `#${run.id}`,
      "@type": "CreateAction",
      name: `Run of ${run.pipeline.name}`,
      description: run.argv.join(" "),
      instrument: { "@id": encodeURI(this.#workflow) },
      ...times(run),
      // Of a run that goes on the profile knows no status.
      ...(run.status !== "running" &&
        status(run.status === "succeeded", failed?.error?.message ?? `the run ${run.status}`)),
      agent,
      object: this.#workflowInputs().flatMap(({ value }) => value),
      result: this.#returned().map(({ data }) => data),
    });
  }

  /** Sources and params, each with the parameter of the workflow that it fills. */
  #workflowInputs(): readonly { readonly parameter: Reference; readonly value: Reference }[] {
    const { run } = this.#exported;
    const params = typeof run.params === "object" && run.params !== null ? Object.entries(run.params) : [];
    return [
      ...sourcesOf(this.#exported).map((source) => {
        const parameter = this.#formal(
          `#input-${slug(source.path)}`,
          source.path,
          additionalType(source.type),
        );
        const value = this.#source(source);
        this.#graph.link(value, "exampleOfWork", parameter);
        return { parameter, value };
      }),
      ...params.map(([name, given]: [string, unknown]) => {
        const parameter = this.#formal(`#param-${slug(name)}`, name, typeOf(given));
        const value = this.#add({
          "@id": `#value-${run.id}-${slug(name)}`,
          "@type": "PropertyValue",
          name,
          value: text(given),
          exampleOfWork: parameter,
        });
        return { parameter, value };
      }),
    ];
  }

  /** What the pipeline returned, each with the parameter of the workflow that it fills. */
  #returned(): readonly { readonly parameter: Reference; readonly data: Reference }[] {
    return Object.entries(this.#exported.run.outputs).flatMap(([name, { digest }]) => {
      const data = this.#data.get(digest);
      if (data === undefined) return [];
      const parameter = this.#formal(`#output-${slug(name)}`, name, "File");
      this.#graph.link(data, "exampleOfWork", parameter);
      return [{ parameter, data }];
    });
  }

  #parameter(step: ExportedStep, direction: "input" | "output", port: string): Reference {
    const { stepRun } = step;
    const ref = direction === "input" ? stepRun?.inputs[port] : stepRun?.outputs[port];
    const type =
      ref?.type === "tree"
        ? "Dataset"
        : ref?.type === "value" && stepRun !== undefined && port in stepRun.params
          ? typeOf(stepRun.params[port])
          : "File";
    return this.#formal(`${this.#toolId(step.id)}-${direction}-${slug(port)}`, port, type);
  }

  #formal(id: string, name: string, type: string): Reference {
    return this.#add({
      "@id": id,
      "@type": "FormalParameter",
      name,
      additionalType: type,
      conformsTo: this.#add({
        "@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE",
        "@type": "CreativeWork",
        name: "Bioschemas FormalParameter",
        version: "1.0-RELEASE",
      }),
    });
  }

  #file(artifact: Artifact): Reference {
    const path = `artifacts/${fileSlug(artifact.step)}/${fileSlug(artifact.fileName)}`;
    return this.#datum(artifact, path, {
      name: artifact.fileName,
      description: `Output ${artifact.port} of step ${artifact.step}`,
      encodingFormat: artifact.mediaType ?? "application/octet-stream",
    });
  }

  #source(source: Consumed): Reference {
    const { path } = source;
    const inside = posix.normalize(path);
    const name = posix.basename(path);
    // Outside of the project, its folders are nobody's business and no part of the crate's.
    const place = isAbsolute(path) || inside.startsWith("..") ? `sources/${name}` : `sources/${inside}`;
    const elsewhere = pathToFileURL(
      isAbsolute(path) ? path : posix.join(this.#exported.run.by.cwd, path),
    ).href;
    return this.#datum(
      source,
      place.split("/").map(fileSlug).join("/"),
      { name, description: `Source ${path}`, encodingFormat: source.mediaType ?? "application/octet-stream" },
      elsewhere,
    );
  }

  /** Bytes that the store has become a file of the crate; others are named by where they are, or were. */
  #datum(
    content: Pick<Artifact, "type" | "digest" | "size">,
    place: string,
    about: Readonly<Record<string, unknown>>,
    elsewhere = `urn:sha256:${content.digest}`,
  ): Reference {
    const known = this.#data.get(content.digest);
    if (known !== undefined) return known;
    const { type, digest, size } = content;
    const isHere = this.#context.has(content);
    const path = this.#places.has(place)
      ? `${posix.dirname(place)}/${digest.slice(0, 8)}-${posix.basename(place)}`
      : place;
    const slash = type === "tree" ? "/" : "";
    const { encodingFormat, ...rest } = about;
    const reference = this.#add({
      "@id": isHere ? `${encodeURI(path)}${slash}` : `${elsewhere}${slash}`,
      "@type": type === "tree" ? "Dataset" : "File",
      ...rest,
      ...(type === "file" && { encodingFormat, sha256: digest, contentSize: `${size}` }),
      // Of a folder there is no such thing as a sha256: this is the digest of the list of its files.
      ...(type === "tree" && { identifier: `mlpipe-tree:${digest}` }),
    });
    if (isHere) {
      this.#places.add(path);
      this.#files.push({ path, content });
    }
    this.#data.set(digest, reference);
    return reference;
  }

  #text(path: string, content: string, about: Readonly<Record<string, unknown>>): Reference {
    this.#files.push({ path, text: content });
    return this.#add({
      "@id": path,
      "@type": "File",
      ...about,
      contentSize: `${Buffer.byteLength(content)}`,
    });
  }

  #stepId(step: string): string {
    return `${encodeURI(this.#workflow)}#${slug(step)}`;
  }

  #toolId(step: string): string {
    return `#tool-${slug(step)}`;
  }

  #add(entity: Entity): Reference {
    return this.#graph.add(entity);
  }
}

/** Where the files of a commit can be looked at, of a repository on the web. */
function filesUrl(git: ExportedRun["run"]["git"]): string | undefined {
  if (git?.remote == null || git.commit === null) return undefined;
  const url = webUrl(git.remote);
  return url === undefined ? undefined : `${url}/blob/${git.commit}`;
}

function times({ startedAt, endedAt }: ExportedRun["run"]): Readonly<Record<string, string>> {
  return { startTime: startedAt, ...(endedAt !== null && { endTime: endedAt }) };
}

function status(isDone: boolean, error: string | undefined): Readonly<Record<string, unknown>> {
  return {
    // A text and no reference: that is how the profile has it.
    actionStatus: `http://schema.org/${isDone ? "CompletedActionStatus" : "FailedActionStatus"}`,
    ...(!isDone && error !== undefined && { error }),
  };
}

function additionalType(type: "file" | "tree"): string {
  return type === "tree" ? "Dataset" : "File";
}

function typeOf(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? "Integer" : "Float";
  return typeof value === "boolean" ? "Boolean" : "Text";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Part of an id: whatever would mean something in a URL is written out, so that no two become one. */
function slug(name: string): string {
  return encodeURIComponent(name).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
}

/** A name that every file system bears: `fit[lr=0.1]` becomes `fit@lr=0.1`. */
function fileSlug(name: string): string {
  const plain = name.replace(/\[(.*)\]$/s, "@$1");
  return plain.replaceAll(/[^\w.=+,@-]/g, "_").replace(/^\.+$/, "_");
}
