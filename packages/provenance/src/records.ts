/**
 * The records: what happened, as data. Written once, never changed, readable by later versions:
 * a field is only ever added. Times are ISO 8601 in UTC with milliseconds and `+00:00`; digests
 * are sha256 in hex; ids are UUIDv7.
 */
import { ReasonSchema } from "./reason.ts";
import { z } from "zod";

const Digest = z.string().regex(/^[0-9a-f]{64}$/);
const Id = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const Time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/);
const StepKind = z.enum(["data", "train", "evaluate", "deploy", "gate"]);
const Site = z.object({ file: z.string(), line: z.int(), column: z.int() });

/** Something by its content. */
export const RefSchema = z
  .object({
    /** A path of the project for sources, else the port's name or that of an item. */
    name: z.string(),
    type: z.enum(["file", "tree", "value"]),
    digest: Digest,
    /** Bytes; the sum for a tree. */
    size: z.int().nonnegative(),
    /** Files of a tree. */
    entries: z.int().nonnegative().optional(),
    mediaType: z.string().optional(),
  })
  .meta({ id: "Ref" });

/** Where an input came from: an output of a step run, or outside (absent). */
const InputRef = RefSchema.extend({
  from: z.object({ step: z.string(), port: z.string(), stepRun: Id.nullable() }).optional(),
  /** The plain value, for value ports. */
  value: z.unknown().optional(),
  /** Of a source: rows and columns, or files, by digest among the store's parts. */
  detail: Digest.optional(),
  /** The items of a `many`, by key. */
  items: z.record(z.string(), RefSchema.extend({ stepRun: Id.nullable().optional() })).optional(),
});

/** Processor time, memory and transferred bytes of an attempt's whole process tree, and how they were measured. */
export const UsageSchema = z
  .object({
    cpuUserMs: z.number().nonnegative().nullable(),
    cpuSystemMs: z.number().nonnegative().nullable(),
    maxRssBytes: z.int().nonnegative().nullable(),
    /** Bytes read and written through the system, caches and pipes included. */
    readBytes: z.int().nonnegative().optional(),
    writtenBytes: z.int().nonnegative().optional(),
    source: z.string(),
  })
  .meta({ id: "Usage" });

const Failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  stack: z.string().optional(),
  at: z.array(Site).optional(),
});

const LogSchema = z.object({
  /** Relative to the store. */
  path: z.string(),
  size: z.int(),
  /** Records of earlier versions have none. */
  digest: Digest.optional(),
});

export const AttemptSchema = z
  .object({
    n: z.int().positive(),
    startedAt: Time,
    endedAt: Time,
    exit: z.object({
      code: z.int().nullable(),
      signal: z.string().nullable(),
      timedOut: z.boolean().optional(),
    }),
    usage: UsageSchema.nullable(),
    /** The log of the attempt, relative to the store; null when the step said nothing. */
    stdout: LogSchema.nullable(),
    stderr: LogSchema.nullable(),
    error: Failure.optional(),
  })
  .meta({ id: "Attempt" });

export const StepStatus = z.enum([
  "ran",
  "cached",
  "failed",
  "rejected",
  "blocked",
  "waiting",
  "cancelled",
  "skipped",
]);

/** One execution of a step. A hit writes none. */
export const StepRunSchema = z
  .object({
    schema: z.literal("mlpipe/step-run/v1"),
    id: Id,
    run: Id,
    pipeline: z.string(),
    step: z.object({
      id: z.string(),
      name: z.string(),
      kind: StepKind,
      module: z.string(),
      export: z.string(),
      defined: Site.optional(),
      called: Site.optional(),
    }),
    status: z.enum(["ran", "failed", "rejected", "cancelled"]),
    key: Digest,
    preimage: Digest,
    keyParts: z.record(z.string(), Digest),
    cache: z.object({
      decision: z.enum(["miss", "off", "forced", "check"]),
      reasons: z.array(ReasonSchema),
      /** Whether the result became the cache entry of its key. Records without it say nothing of that. */
      kept: z.boolean().optional(),
    }),
    inputs: z.record(z.string(), InputRef),
    outputs: z.record(z.string(), RefSchema.extend({ value: z.unknown().optional() })),
    /** The value inputs, by port. */
    params: z.record(z.string(), z.unknown()),
    seeds: z.record(z.string(), z.int()),
    /** The environment document, by digest among the store's parts. */
    env: Digest.nullable(),
    argv: z.array(z.string()),
    /** What kept the step to what it declares; records of earlier versions do not say. */
    sandbox: z.enum(["landlock", "bubblewrap", "permission", "none"]).optional(),
    /**
     * What Python had imported when the last attempt ended: distributions with their versions, and modules whose
     * distribution could not be told. Null if Python did not tell; absent of steps in other languages.
     */
    imported: z
      .object({
        python: z.string(),
        packages: z.record(z.string(), z.string()),
        unknown: z.array(z.string()).optional(),
      })
      .nullable()
      .optional(),
    cwd: z.string(),
    attempts: z.array(AttemptSchema),
    metrics: z.array(
      z.object({ name: z.string(), value: z.number(), port: z.string(), direction: z.enum(["min", "max"]) }),
    ),
    /** A gate's verdict, and later those of data checks. */
    checks: z.array(
      z.object({
        name: z.string(),
        status: z.enum(["pass", "warn", "fail", "error"]),
        message: z.string().optional(),
      }),
    ),
    /** How often the key was executed and compared, how many results there were, and by which step runs. */
    determinism: z.object({ samples: z.int(), distinct: z.int(), evidence: z.array(Id) }),
    /** Where a deploy wrote, and what was there afterwards. */
    target: z
      .object({
        path: z.string(),
        digest: Digest.nullable(),
        type: z.enum(["file", "tree"]).optional(),
        size: z.int().nonnegative().optional(),
        entries: z.int().nonnegative().optional(),
      })
      .optional(),
    startedAt: Time,
    endedAt: Time,
    error: Failure.optional(),
  })
  .meta({ id: "StepRun", title: "mlpipe step run" });

export const RunStatus = z.enum(["succeeded", "failed", "rejected", "waiting", "cancelled", "crashed"]);

/** One run of a pipeline, with what became of each of its steps. */
export const RunSchema = z
  .object({
    schema: z.literal("mlpipe/run/v1"),
    id: Id,
    pipeline: z.object({
      name: z.string(),
      file: z.string(),
      /** Digest of the pipeline's module, and of its manifest. */
      digest: Digest.nullable(),
      graph: Digest,
      /** Which steps feed which, by digest among the store's parts; of runs that executed something. */
      wiring: Digest.optional(),
    }),
    tool: z.object({ name: z.literal("mlpipe"), version: z.string() }),
    /** Null outside a git work tree, or when no step was executed. */
    git: z
      .object({
        remote: z.string().nullable(),
        commit: z.string().nullable(),
        ref: z.string().nullable(),
        dirty: z
          .object({ diff: RefSchema.nullable(), untracked: z.array(RefSchema), note: z.string().optional() })
          .nullable(),
      })
      .nullable(),
    trigger: z.object({
      kind: z.enum(["cli", "ci", "schedule"]),
      provider: z.string().optional(),
      event: z.string().optional(),
      runUrl: z.string().optional(),
      actor: z.string().optional(),
      /** The branch, tag or ref that the provider names. */
      ref: z.string().optional(),
      workflow: z.string().optional(),
      job: z.string().optional(),
      /** 1 for the first, more where somebody started it again. */
      attempt: z.int().positive().optional(),
      /** The commits that it proposes and that it is proposed to: what is checked out may be a merge of both. */
      pullRequest: z
        .object({
          number: z.int().positive(),
          head: z.string().optional(),
          base: z.string().optional(),
        })
        .optional(),
      trust: z.string(),
    }),
    by: z.object({ user: z.string(), host: z.string(), cwd: z.string() }),
    argv: z.array(z.string()).describe("the command line"),
    params: z.unknown(),
    startedAt: Time,
    endedAt: Time.nullable(),
    durationMs: z.number().nullable(),
    status: RunStatus.or(z.literal("running")),
    /** The host document, by digest among the store's parts; null when no step was executed. */
    env: Digest.nullable(),
    steps: z.array(
      z.object({
        id: z.string(),
        kind: StepKind,
        status: StepStatus,
        key: Digest.nullable(),
        /** The step run that made the outputs: of this run if it ran, of an earlier one if cached. */
        stepRun: Id.nullable(),
        reasons: z.array(ReasonSchema),
        durationMs: z.number(),
        outputs: z.record(
          z.string(),
          z.object({ digest: Digest, size: z.int(), type: z.enum(["file", "tree"]) }),
        ),
        metrics: z.record(z.string(), z.number()).optional(),
        error: Failure.optional(),
        /** With `--check`: whether the step, run again, gave the outputs that are kept. */
        check: z
          .object({
            stepRun: Id,
            same: z.boolean(),
            differences: z.array(z.string()),
            error: Failure.optional(),
          })
          .optional(),
      }),
    ),
    outputs: z.record(z.string(), z.object({ digest: Digest, size: z.int(), path: z.string().nullable() })),
    warnings: z.array(z.string()),
    /** The newest run that had ended when this one began, and the digest of its last record; null for the first. */
    prev: z.object({ run: Id, head: Digest }).nullable().optional(),
  })
  .meta({ id: "Run", title: "mlpipe run" });

export type Ref = z.infer<typeof RefSchema>;
export type Usage = z.infer<typeof UsageSchema>;
export type Attempt = z.infer<typeof AttemptSchema>;
export type StepRun = z.infer<typeof StepRunSchema>;
export type Run = z.infer<typeof RunSchema>;
