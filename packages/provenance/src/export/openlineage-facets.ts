/** The facets of OpenLineage that mlpipe fills, each under the name the standard gives it. */
import type { KindSpec } from "@mlpipe/dsl";
import type { Run, StepRun } from "../records.ts";
import type { InputDetail } from "./exported-run.ts";
import { webUrl } from "./repository.ts";

type FacetMap = Readonly<Record<string, unknown>>;

/** Sizes of a dataset. */
interface Extent {
  readonly type: "file" | "tree";
  readonly size: number;
  readonly entries: number | undefined;
  readonly detail?: InputDetail | undefined;
}

/** Makes facets in the name of the mlpipe that made a run. What is not known is left out. */
export class Facets {
  /** Who says all this. */
  readonly producer: string;
  readonly #version: string;

  constructor({ tool }: Pick<Run, "tool">) {
    this.producer = `https://mlpipe.dev/v${tool.version}`;
    this.#version = tool.version;
  }

  parent(runId: string, job: { readonly namespace: string; readonly name: string }): FacetMap {
    const of = { run: { runId }, job };
    // A run of a pipeline is nobody's child: its root is itself.
    return { parent: this.#facet("1-2-0/ParentRunFacet", { ...of, root: of }) };
  }

  engine(): FacetMap {
    return {
      processing_engine: this.#facet("1-1-1/ProcessingEngineRunFacet", {
        name: "mlpipe",
        version: this.#version,
      }),
    };
  }

  parameters(params: unknown): FacetMap {
    const entries = typeof params === "object" && params !== null ? Object.entries(params) : [];
    if (entries.length === 0) return {};
    return {
      executionParameters: this.#facet("1-0-0/ExecutionParametersRunFacet", {
        parameters: entries.map(([key, value]: [string, unknown]) => ({
          key,
          value: typeof value === "string" ? value : JSON.stringify(value),
        })),
      }),
    };
  }

  /** The variables that a step declared; those of secrets have no value in a record. */
  environment({ variables }: FacetMap): FacetMap {
    const entries = typeof variables === "object" && variables !== null ? Object.entries(variables) : [];
    const known = entries.flatMap(([name, value]: [string, unknown]) =>
      typeof value === "string" ? [{ name, value }] : [],
    );
    if (known.length === 0) return {};
    return {
      environmentVariables: this.#facet("1-0-0/EnvironmentVariablesRunFacet", {
        environmentVariables: known,
      }),
    };
  }

  /** Verdicts of gates. */
  tests(checks: StepRun["checks"]): FacetMap {
    if (checks.length === 0) return {};
    return {
      test: this.#facet("1-0-1/TestRunFacet", {
        tests: checks.map(({ name, status, message }) => ({
          name,
          status: status === "warn" ? "pass" : status === "error" ? "fail" : status,
          severity: status === "warn" ? "warn" : "error",
          type: "gate",
          ...(message !== undefined && { content: message, contentType: "text/plain" }),
        })),
      }),
    };
  }

  tags(tags: Readonly<Record<string, string>>): FacetMap {
    return {
      tags: this.#facet("1-0-0/TagsRunFacet", {
        tags: Object.entries(tags).map(([key, value]) => ({ key, value, source: "mlpipe" })),
      }),
    };
  }

  /** The standard has no facet for metrics of a model: this one is ours, and its schema lies in `docs/schemas`. */
  metrics(metrics: StepRun["metrics"]): FacetMap {
    if (metrics.length === 0) return {};
    return {
      mlpipe_metrics: {
        _producer: this.producer,
        _schemaURL:
          "https://mlpipe.dev/schemas/openlineage/1-0-0/MetricsRunFacet.json#/$defs/MetricsRunFacet",
        metrics: metrics.map(({ name, value, port, direction }) => ({ name, value, port, direction })),
      },
    };
  }

  error({ message, stack }: NonNullable<StepRun["error"]>): FacetMap {
    return {
      errorMessage: this.#facet("1-0-1/ErrorMessageRunFacet", {
        message,
        programmingLanguage: "TypeScript",
        ...(stack !== undefined && { stackTrace: stack }),
      }),
    };
  }

  jobType(jobType: "PIPELINE" | "STEP"): FacetMap {
    return {
      jobType: this.#facet("2-0-4/JobTypeJobFacet", {
        processingType: "BATCH",
        integration: "MLPIPE",
        jobType,
      }),
    };
  }

  /** Where the code is, of a repository that others can reach. */
  source(git: Run["git"], path: string): FacetMap {
    if (git?.remote == null || git.commit === null) return {};
    const url = webUrl(git.remote);
    if (url === undefined) return {};
    return {
      sourceCodeLocation: this.#facet("1-1-0/SourceCodeLocationJobFacet", {
        type: "git",
        url,
        repoUrl: git.remote,
        path,
        version: git.commit,
        ...(git.ref?.startsWith("refs/heads/") === true && { branch: git.ref.slice("refs/heads/".length) }),
      }),
    };
  }

  version(digest: string): FacetMap {
    return { version: this.#facet("1-0-1/DatasetVersionDatasetFacet", { datasetVersion: digest }) };
  }

  kind(kind: KindSpec | undefined): FacetMap {
    if (kind === undefined) return {};
    return {
      datasetType: this.#facet("1-0-1/DatasetTypeDatasetFacet", {
        datasetType: kind.kind === "model" ? "MODEL" : "FILE",
        subType: kind.kind === "model" ? kind.format : kind.kind,
      }),
    };
  }

  schema(detail: InputDetail | undefined): FacetMap {
    if (detail?.type !== "rows" || detail.columns.length === 0) return {};
    return {
      schema: this.#facet("1-2-0/SchemaDatasetFacet", {
        fields: detail.columns.map((name, at) => ({ name, ordinal_position: at + 1 })),
      }),
    };
  }

  symlink({ namespace, name }: { readonly namespace: string; readonly name: string }): FacetMap {
    return {
      symlinks: this.#facet("1-0-1/SymlinksDatasetFacet", {
        identifiers: [{ namespace, name, type: "FILE" }],
      }),
    };
  }

  inputStatistics(extent: Extent): FacetMap {
    return { inputStatistics: this.#facet("1-0-0/InputStatisticsInputDatasetFacet", statistics(extent)) };
  }

  outputStatistics(extent: Extent): FacetMap {
    return { outputStatistics: this.#facet("1-0-2/OutputStatisticsOutputDatasetFacet", statistics(extent)) };
  }

  /** @param schema version and name of the schema: `1-0-0/TagsRunFacet` */
  #facet(schema: string, fields: Readonly<Record<string, unknown>>): FacetMap {
    const name = schema.slice(schema.indexOf("/") + 1);
    return {
      _producer: this.producer,
      _schemaURL: `https://openlineage.io/spec/facets/${schema}.json#/$defs/${name}`,
      ...fields,
    };
  }
}

function statistics({ type, size, entries, detail }: Extent): Readonly<Record<string, number>> {
  return {
    size,
    fileCount: type === "file" ? 1 : (entries ?? 0),
    ...(detail?.type === "rows" && { rowCount: detail.rows }),
  };
}
