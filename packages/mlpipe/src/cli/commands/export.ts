import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { canonicalJson, digestOf, isDigest, type Store } from "@mlpipe/store";
import { fileAt, withoutCredentials } from "@mlpipe/provenance";
import type * as Exports from "@mlpipe/provenance/export";
import { count, shortId } from "../format.ts";
import { printJson, say } from "../output.ts";
import { outputPlace } from "../output-place.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

export interface ExportOptions {
  /** What `--to mlflow` alone can do without. */
  readonly format?: "slsa" | "openlineage" | "rocrate" | "cyclonedx" | "model-card";
  readonly output?: string;
  readonly overwrite?: true;
  /** A URL that takes events, or `mlflow=URL`. */
  readonly to?: string;
  /** A private key: its file, or its text. */
  readonly key?: string;
  readonly unsigned?: true;
  /** `STEP.PORT`. */
  readonly model?: string;
  readonly task?: string;
  readonly license?: string;
  readonly json?: true;
}

type Format = NonNullable<ExportOptions["format"]>;

/** What a format is made of. */
interface Job {
  readonly format: Format;
  readonly exports: typeof Exports;
  readonly store: Store;
  readonly root: string;
  readonly exported: Exports.ExportedRun;
  readonly options: ExportOptions;
}

/** `mlpipe export RUN --format FORMAT`: the record of a run as other tools read it. */
export async function exportRun(id: string, options: ExportOptions): Promise<number> {
  const { project, store } = openRecords();
  try {
    // Says so if there is none.
    const { run } = recordedRun(store, id);
    const exports = await import("@mlpipe/provenance/export");
    const exported = exports.exportedRun(store, run.id);
    if (exported === undefined) throw new Error(`run ${run.id} is there and is not`);
    if (options.to !== undefined && isMlflow(options.to)) {
      if (options.format !== undefined) throw isNoFormat(options.format);
      const { exportToMlflow } = await import("./export-mlflow.ts");
      return await exportToMlflow(exported, { to: options.to, store, json: options.json === true });
    }
    const format = formatOf(options);
    const job: Job = { format, exports, store, root: project.root, exported, options };
    refuseMisfits(format, options);
    if (format === "rocrate") return await crate(job);
    if (options.to !== undefined) return await send(job, options.to);
    write(job, textOf(job));
    return 0;
  } finally {
    store.close();
  }
}

/** Whether `--to` means MLflow: `mlflow=URL`, or `mlflow` alone for the server that its own clients would take. */
function isMlflow(to: string): boolean {
  return to === "mlflow" || to.startsWith("mlflow=");
}

function isNoFormat(format: Format): MlpipeError {
  return new MlpipeError("MLP6010", `--to mlflow sends a run, and ${format} is a text.`, {
    hint: "Leave --format out: mlpipe export RUN --to mlflow=http://localhost:5000",
  });
}

function formatOf({ format, to }: ExportOptions): Format {
  if (format !== undefined) return format;
  throw new MlpipeError("MLP6010", "Nothing says what the export is to be.", {
    hint:
      to === undefined
        ? "Name a format, as --format model-card, or a server: --to mlflow=http://localhost:5000"
        : `For a server of MLflow: --to mlflow=${withoutCredentials(to)}; for events: --format openlineage --to ${withoutCredentials(to)}`,
  });
}

function refuseMisfits(format: Format, { to, output }: ExportOptions): void {
  if (to !== undefined && format !== "openlineage") {
    throw new MlpipeError("MLP6010", `--to takes events, and ${format} has none.`, {
      hint: "mlpipe export RUN --format openlineage --to http://localhost:5000",
    });
  }
  if (to !== undefined && !URL.canParse(to)) {
    throw new MlpipeError("MLP6010", `--to takes a URL, and was given ${to}.`, {
      hint: "mlpipe export RUN --format openlineage --to http://localhost:5000",
    });
  }
  if (format === "rocrate" && (output === undefined || output === "-")) {
    throw new MlpipeError("MLP6010", "A crate is a folder or a zip file, and cannot be printed.", {
      hint: "Name a place: -o crate, or -o crate.zip",
    });
  }
}

function textOf(job: Job): string {
  const { format, exports, exported, store, options } = job;
  switch (format) {
    case "slsa": {
      const record = store.runs.get(exported.run.id)?.head;
      const statement = exports.slsaProvenance(exported, {
        filesOf: ({ digest, size }) => {
          const content = isDigest(digest) ? { type: "tree" as const, digest, size } : undefined;
          return content !== undefined && store.objects.has(content)
            ? store.objects.tree(content).entries
            : undefined;
        },
        // The last line names the one before by its digest, and so on: it stands for all of them.
        record:
          record == null
            ? undefined
            : { name: `runs/${exported.run.id}/records.jsonl, last line`, digest: { sha256: record } },
      });
      return json(options.unsigned === true ? statement : exports.sealed(statement, signingKey(job)));
    }
    case "openlineage":
      return new exports.Lineage(process.env["OPENLINEAGE_NAMESPACE"])
        .events(exported)
        .map((event) => `${JSON.stringify(event)}\n`)
        .join("");
    case "cyclonedx":
      return json(exports.modelBom(exported, options));
    case "model-card":
      return exports.modelCard(exported, options);
    case "rocrate":
      throw new Error("a crate is no text");
  }
}

function signingKey({ exports, options }: Job): Exports.SigningKey["key"] {
  const own = exports.userKeyPath(process.env);
  const named = options.key ?? process.env["MLPIPE_KEY"];
  if (!named && !existsSync(own)) {
    throw new MlpipeError("MLP5011", "There is no key to sign with.", {
      exit: 4,
      hint: "mlpipe key create makes one; --unsigned leaves the statement unsigned.",
    });
  }
  const { key, isExposed } = exports.signingKey(named || own);
  if (isExposed) say(`Others can read the key ${named || own}: chmod 600 keeps it yours.`);
  return key;
}

/** Posts the events one after the other: an end that comes before its beginning confuses some receivers. */
async function send({ exports, exported, options }: Job, to: string): Promise<number> {
  const endpoint = exports.lineageEndpoint(to, process.env);
  const events = new exports.Lineage(process.env["OPENLINEAGE_NAMESPACE"]).events(exported);
  for (const event of events) {
    try {
      await exports.sendLineage(event, endpoint);
    } catch (error) {
      throw new MlpipeError("MLP5014", error instanceof Error ? error.message : String(error), {
        exit: 4,
        hint: "What was sent before may be sent again: events have the ids of the records.",
        cause: error,
      });
    }
  }
  if (options.json === true) printJson({ schemaVersion: 1, run: exported.run.id, sent: events.length });
  else say(`${count(events.length, "event")} of run ${shortId(exported.run.id)} sent`);
  return 0;
}

async function crate({ format, exports, store, root, exported, options }: Job): Promise<number> {
  const output = options.output ?? "";
  const path = outputPlace(output, {
    overwrite: options.overwrite,
    made: output.endsWith(".zip") ? "file" : "folder",
    mark: "ro-crate-metadata.json",
    kept: [root, store.root, process.cwd()],
  });
  const { run } = exported;
  const made = exports.runCrate(exported, {
    has: ({ type, digest, size }) => isDigest(digest) && store.objects.has({ type, digest, size }),
    workflow: await pipelineSource(run, root),
    records: store.runs
      .records(run.id)
      .map((record) => `${canonicalJson(record)}\n`)
      .join(""),
    license: options.license,
  });
  const { writeCrate } = await import("./write-crate.ts");
  await writeCrate(made, { store, path, time: new Date(run.endedAt ?? run.startedAt) });
  done(path, exported, format, options);
  if (made.missing > 0) {
    say(
      `${count(made.missing, "output")} of the run left the store: the crate has the digests, not the files.`,
    );
  }
  return 0;
}

/** The pipeline's module as the run had it: from the project if it is still the same, else from the commit. */
async function pipelineSource(
  { pipeline: { file, digest }, git }: Exports.ExportedRun["run"],
  root: string,
): Promise<string | undefined> {
  const path = join(root, file);
  const now = existsSync(path) ? readFileSync(path) : undefined;
  if (now !== undefined && digestOf(now) === digest) return now.toString("utf8");
  const then = git?.commit == null ? undefined : await fileAt(root, git.commit, file);
  return then !== undefined && digestOf(then) === digest ? then.toString("utf8") : undefined;
}

function write({ format, options, exported }: Job, text: string): void {
  if (options.output === undefined || options.output === "-") {
    process.stdout.write(text);
    return;
  }
  const path = outputPlace(options.output, { overwrite: options.overwrite, made: "file", kept: [] });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  done(path, exported, format, options);
}

function done(
  path: string,
  { run }: Exports.ExportedRun,
  format: Format,
  { json: asJson }: ExportOptions,
): void {
  if (asJson === true) printJson({ schemaVersion: 1, run: run.id, format, path });
  else say(`${relative(process.cwd(), path) || path}  ${format} of run ${shortId(run.id)}`);
}

function json(document: unknown): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
