import { closeSync, mkdirSync, openSync, readSync, renameSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { reportedRun } from "../../page/report-run.ts";
import { reportMark, reportPage } from "../../page/page.ts";
import { bytes, shortId } from "../format.ts";
import { printJson, say } from "../output.ts";
import { outputPlace } from "../output-place.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

export interface ReportOptions {
  /** `-` prints it. */
  readonly output: string;
  readonly overwrite?: true;
  readonly json?: true;
}

/** `mlpipe report [RUN]`: a run as one HTML page. */
export function report(id: string | undefined, options: ReportOptions): number {
  if (options.output === "-" && options.json === true) {
    throw new MlpipeError("MLP6010", "A report cannot be printed together with a JSON document.", {
      hint: "Name a file: -o report.html",
    });
  }
  const { store } = openRecords();
  try {
    // Says so if there is none.
    const { run } = recordedRun(store, id ?? "last");
    const reported = reportedRun(store, run.id);
    const page = reportPage(reported);
    if (options.output === "-") {
      process.stdout.write(page);
      return 0;
    }
    const path = outputPlace(options.output, { overwrite: true, made: "file", kept: [] });
    if (options.overwrite !== true && !isFree(path)) {
      throw new MlpipeError("MLP6015", `${options.output} exists already, and is no report.`, {
        hint: "Name another place, or replace it with --overwrite.",
      });
    }
    const size = write(path, page);
    const left = reported.plots.filter(({ missing }) => missing !== undefined).length;
    if (options.json === true) {
      printJson({
        schemaVersion: 1,
        run: run.id,
        path,
        size,
        plots: reported.plots.length - left,
        plotsLeftOut: left,
      });
      return 0;
    }
    say(`${relative(process.cwd(), path) || path}  report of run ${shortId(run.id)}, ${bytes(size)}`);
    if (left > 0) say(`${left} of ${reported.plots.length} plots are not in it; the page says why.`);
    return 0;
  } finally {
    store.close();
  }
}

/** Whether nothing is there, or an earlier report. */
function isFree(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    // What cannot be read for another reason cannot be told from what is somebody's.
    return error instanceof Error && "code" in error && error.code === "ENOENT";
  }
  try {
    const beginning = Buffer.alloc(2_048);
    return beginning.toString("latin1", 0, readSync(file, beginning)).includes(reportMark);
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

/** Whoever opens it meanwhile sees the whole of one report. */
function write(path: string, page: string): number {
  const content = Buffer.from(page);
  mkdirSync(dirname(path), { recursive: true });
  const beside = `${path}.${process.pid}.new`;
  writeFileSync(beside, content);
  renameSync(beside, path);
  return content.length;
}
