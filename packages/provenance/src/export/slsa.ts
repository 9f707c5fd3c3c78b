/**
 * SLSA provenance v1 of a run in an in-toto statement v1: which artifacts, made by which steps, out of which sources
 * and which commit. https://slsa.dev/spec/v1.0/provenance, https://in-toto.io/Statement/v1
 */
import { MlpipeError } from "@mlpipe/dsl";
import type { TreeEntry } from "@mlpipe/store";
import type { Run } from "../records.ts";
import { type Artifact, outputsOf, sourcesOf } from "./artifact.ts";
import type { ExportedRun, ExportedStep } from "./exported-run.ts";
import { gitUrl } from "./repository.ts";

/** A name of a thing with its digests, as in-toto has it. */
export interface ResourceDescriptor {
  readonly name?: string;
  readonly uri?: string;
  readonly digest: Readonly<Record<string, string>>;
  readonly mediaType?: string;
}

/** The statement, ready to be signed. */
export interface ProvenanceStatement {
  readonly _type: "https://in-toto.io/Statement/v1";
  readonly subject: readonly ResourceDescriptor[];
  readonly predicateType: "https://slsa.dev/provenance/v1";
  readonly predicate: {
    readonly buildDefinition: {
      readonly buildType: string;
      readonly externalParameters: Readonly<Record<string, unknown>>;
      readonly internalParameters: Readonly<Record<string, unknown>>;
      readonly resolvedDependencies: readonly ResourceDescriptor[];
    };
    readonly runDetails: {
      readonly builder: { readonly id: string; readonly version: Readonly<Record<string, string>> };
      readonly metadata: {
        readonly invocationId: string;
        readonly startedOn: string;
        readonly finishedOn?: string;
      };
      readonly byproducts: readonly ResourceDescriptor[];
    };
  };
}

/** What has to be read beside the records. */
export interface SlsaContext {
  /** The files in a folder that is kept; nothing if it is not in the store any more. */
  readonly filesOf: (folder: Pick<Artifact, "digest" | "size">) => readonly TreeEntry[] | undefined;
  /** The sha256 of the run's record as it lies in the store. */
  readonly record: ResourceDescriptor | undefined;
}

/**
 * The provenance of a run. Its subjects are what the pipeline returned, or, of a run that got not so far or whose
 * pipeline returns nothing, all that steps made.
 *
 * @throws MlpipeError MLP5010 for a run that made nothing: a statement without a subject says nothing
 */
export function slsaProvenance(exported: ExportedRun, context: SlsaContext): ProvenanceStatement {
  const { run, steps } = exported;
  const made = steps.flatMap(outputsOf);
  const returned = returnedSubjects(run, made, context);
  const subject = returned.length > 0 ? returned : made.flatMap((artifact) => descriptors(artifact, context));
  if (subject.length === 0) {
    throw new MlpipeError("MLP5010", `Run ${run.id} made nothing that could be attested.`, {
      hint: "A failed run has provenance as soon as one of its steps succeeded.",
    });
  }
  const named = new Set(subject.map(({ digest }) => digest["sha256"]));
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: distinct(subject),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "https://mlpipe.dev/buildtypes/run/v1",
        externalParameters: { pipeline: run.pipeline.file, params: run.params ?? {} },
        internalParameters: {
          status: run.status,
          command: run.argv,
          steps: steps.map(stepParameters),
        },
        resolvedDependencies: distinct([
          ...repository(run),
          ...(run.pipeline.digest === null
            ? []
            : [{ name: run.pipeline.file, digest: { sha256: run.pipeline.digest } }]),
          ...sourcesOf(exported).map((source) => ({
            name: source.path,
            digest: digestSet(source),
            ...(source.mediaType !== undefined && { mediaType: source.mediaType }),
          })),
          ...steps.flatMap(packages),
        ]),
      },
      runDetails: {
        builder: { id: builderOf(run), version: { mlpipe: run.tool.version } },
        metadata: {
          invocationId: run.id,
          startedOn: utc(run.startedAt),
          ...(run.endedAt !== null && { finishedOn: utc(run.endedAt) }),
        },
        byproducts: distinct([
          ...made
            .flatMap((artifact) => descriptors(artifact, context))
            .filter(({ digest }) => !named.has(digest["sha256"])),
          ...(context.record === undefined ? [] : [context.record]),
        ]),
      },
    },
  };
}

/** A laptop is not a build service: what ran where nobody else watched must not look as if somebody had. */
function builderOf({ trigger }: Run): string {
  if (trigger.kind === "cli") return "https://mlpipe.dev/builders/local/v1";
  return `https://mlpipe.dev/builders/ci/${trigger.provider ?? "unknown"}/v1`;
}

function repository({ git }: Run): readonly ResourceDescriptor[] {
  if (git?.commit == null) return [];
  const at = git.ref === null ? "" : `@${git.ref}`;
  const uri = git.remote === null ? undefined : `git+${gitUrl(git.remote)}${at}`;
  const diff = git.dirty?.diff;
  return [
    { ...(uri === undefined ? { name: "commit" } : { uri }), digest: { gitCommit: git.commit } },
    // What was not committed is part of what was built from.
    ...(diff == null
      ? []
      : [{ name: "HEAD.diff", digest: { sha256: diff.digest }, mediaType: "text/x-diff" }]),
    ...(git.dirty?.untracked ?? []).map(({ name, digest }) => ({ name, digest: { sha256: digest } })),
  ];
}

function returnedSubjects(
  run: Run,
  made: readonly Artifact[],
  context: SlsaContext,
): readonly ResourceDescriptor[] {
  return Object.entries(run.outputs).flatMap(([name, output]) => {
    const artifact = made.find(({ digest }) => digest === output.digest);
    // Without an artifact it is a list of several, each of which some step made.
    if (artifact === undefined) return [];
    // The copy of a value is indented for people, so its bytes are others than those that were made.
    const isRewritten = artifact.kind?.kind === "metrics" || artifact.kind?.kind === "value";
    return descriptors(isRewritten ? artifact : { ...artifact, name: output.path ?? name }, context);
  });
}

function descriptors(
  artifact: Artifact & { readonly name?: string },
  context: SlsaContext,
): readonly ResourceDescriptor[] {
  const name = artifact.name ?? `${artifact.step}/${artifact.fileName}`;
  const files = artifact.type === "tree" ? context.filesOf(artifact) : undefined;
  const inside = (files ?? []).flatMap((entry) =>
    entry.type === "file" ? [{ name: `${name}/${entry.path}`, digest: { sha256: entry.digest } }] : [],
  );
  return [
    {
      name,
      digest: digestSet(artifact),
      ...(artifact.mediaType !== undefined && { mediaType: artifact.mediaType }),
    },
    ...inside,
  ];
}

/** The digest of a folder is that of its list of files: nobody who hashes bytes must take it for theirs. */
function digestSet({ type, digest }: Pick<Artifact, "type" | "digest">): Readonly<Record<string, string>> {
  return type === "tree" ? { mlpipeTree: digest } : { sha256: digest };
}

function stepParameters({ id, kind, status, stepRun, isReused, environment }: ExportedStep): unknown {
  if (stepRun === undefined) return { name: id, kind, status };
  return {
    name: id,
    kind,
    status,
    stepRun: stepRun.id,
    ...(isReused && { run: stepRun.run }),
    key: `sha256:${stepRun.key}`,
    module: `${stepRun.step.module}#${stepRun.step.export}`,
    ...(stepRun.argv.length > 0 && { argv: stepRun.argv }),
    params: stepRun.params,
    startedOn: utc(stepRun.startedAt),
    finishedOn: utc(stepRun.endedAt),
    environment,
    ...(stepRun.checks.length > 0 && { checks: stepRun.checks }),
    ...(stepRun.target !== undefined && { target: stepRun.target }),
    ...(stepRun.error !== undefined && { error: stepRun.error.message }),
  };
}

/** A package has a name and a version here, and a digest only as far as the record has one: half of it, of its tree. */
function packages({ packages: versions }: ExportedStep): readonly ResourceDescriptor[] {
  return Object.entries(versions).flatMap(([name, identity]) =>
    identity.split(", ").flatMap((each) => {
      const [version, content] = each.split("+");
      return content === undefined
        ? []
        : [{ name: `${name}@${version}`, digest: { mlpipePackage: content } }];
    }),
  );
}

function distinct(descriptors: readonly ResourceDescriptor[]): readonly ResourceDescriptor[] {
  return [...new Map(descriptors.map((each) => [JSON.stringify(each), each])).values()];
}

/** SLSA wants RFC 3339 in UTC with a Z. */
function utc(time: string): string {
  return time.replace("+00:00", "Z");
}
