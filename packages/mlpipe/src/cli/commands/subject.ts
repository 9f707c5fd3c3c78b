/** What a question of lineage is about: a path, a digest or an output of a run. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import type { RecordedRun } from "@mlpipe/provenance";
import { digestOfJson, hashPath, type Store } from "@mlpipe/store";
import type { ArtifactPlace, LineageIndex } from "@mlpipe/store/lineage";
import { nearest } from "../../project/nearest.ts";
import { shortId } from "../format.ts";
import { recordedRun } from "./recorded.ts";

/** Bytes that are asked about. */
export interface Subject {
  readonly digest: string;
  /** As it is shown. */
  readonly name: string;
  /** Of `RUN/STEP.PORT`: which execution made it, and where. */
  readonly made?: { readonly stepRun: string; readonly place: ArtifactPlace };
}

/** How many digests an ambiguous beginning is answered with. */
const shownDigests = 5;

/**
 * Finds out what a word means. A file or folder is recognised by its bytes, wherever it lies.
 *
 * @throws MlpipeError MLP5003 for what no record knows, MLP5001 for a run that is not there
 */
export function subjectOf(word: string, store: Store, index: LineageIndex): Subject {
  if (existsSync(word)) {
    const path = resolve(word);
    const name = relative(process.cwd(), path) || ".";
    const { digest } = hashPath(path);
    if (index.linksToBytes([digest]).length > 0) return { digest, name };
    // Values and metrics are kept in one form, and copied out in one that people can read.
    const value = valueIn(path);
    return { digest: value !== undefined && index.linksToBytes([value]).length > 0 ? value : digest, name };
  }
  const output = /^(last|[0-9a-f-]{4,36})\/(.+)\.([^.\]]+)$/i.exec(word);
  if (output !== null) {
    const [, run = "", step = "", port = ""] = output;
    return outputSubject(recordedRun(store, run), { step, port }, store);
  }
  const prefix = /^(?:sha256:)?([0-9a-f]{6,64})$/i.exec(word)?.[1]?.toLowerCase();
  if (prefix === undefined) {
    throw new MlpipeError("MLP5003", `${word} is no file, no digest and no output of a run.`, {
      hint: "Give a path, a digest (six digits or more), or RUN/STEP.PORT: mlpipe trace last/fit.model",
    });
  }
  const digests = index.digestsFrom(prefix, shownDigests + 1);
  const [digest] = digests;
  if (digest === undefined) throw unknown(word);
  if (digests.length > 1) {
    const shown = digests.slice(0, shownDigests).map((each) => each.slice(0, prefix.length + 4));
    throw new MlpipeError(
      "MLP5003",
      `${word} is the beginning of several digests: ${shown.join(", ")}${digests.length > shownDigests ? ", …" : ""}.`,
      { hint: "Give more of the digest." },
    );
  }
  return { digest, name: digest.slice(0, 12) };
}

/** The digest of the value that a file holds as JSON, however it is written down. */
function valueIn(path: string): string | undefined {
  const stats = statSync(path);
  if (!stats.isFile() || stats.size > largestValue) return undefined;
  try {
    return digestOfJson(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** Bytes: a larger file is hardly a value. */
const largestValue = 8 << 20;

/** The error for bytes that are in no record. */
export function unknown(name: string): MlpipeError {
  return new MlpipeError("MLP5003", `No step run that is recorded here made, took or deployed ${name}.`, {
    hint: "A file is known by its bytes: one that was edited since is another one. mlpipe show RUN lists digests.",
  });
}

function outputSubject(
  { run }: RecordedRun,
  { step, port }: { readonly step: string; readonly port: string },
  store: Store,
): Subject {
  const name = `${shortId(run.id)}/${step}.${port}`;
  const found = run.steps.find(({ id }) => id === step);
  const output = found?.outputs[port];
  const row = found?.stepRun == null ? undefined : store.runs.stepRun(found.stepRun);
  if (output === undefined || row === undefined) {
    const known = run.steps.flatMap(({ id, outputs }) => Object.keys(outputs).map((each) => `${id}.${each}`));
    const similar = nearest(`${step}.${port}`, known);
    throw new MlpipeError("MLP5003", `Run ${shortId(run.id)} has no output ${step}.${port}.`, {
      hint: similar === undefined ? "mlpipe show RUN lists its steps." : `Did you mean ${similar}?`,
    });
  }
  const { digest } = output;
  const place = { digest, pipeline: row.pipeline, maker: row.step, output: port };
  return { digest, name, made: { stepRun: row.id, place } };
}
