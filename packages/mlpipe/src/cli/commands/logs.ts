import { readFileSync } from "node:fs";
import { join } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import type { StepRun } from "@mlpipe/provenance";
import { nearest } from "../../project/nearest.ts";
import { printJson } from "../output.ts";
import { shortId } from "../format.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

interface LogFile {
  readonly step: string;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  /** Absolute. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** `mlpipe logs RUN [STEP]`: what the steps of a run said, byte by byte. */
export function logs(id: string, step: string | undefined, options: { readonly json?: true }): number {
  const { store } = openRecords();
  try {
    const { run, stepRuns } = recordedRun(store, id);
    const chosen =
      step === undefined
        ? stepRuns
        : stepRuns.filter(({ step: { id: ran } }) => ran === step || ran.startsWith(`${step}[`));
    if (step !== undefined && chosen.length === 0) throw noLog(run.id, step, run.steps);
    const files = chosen.flatMap((stepRun) => filesOf(stepRun, store.root));
    if (options.json === true) {
      printJson({ schemaVersion: 1, run: run.id, logs: files });
      return 0;
    }
    const several = new Set(files.map((file) => `${file.step}#${file.attempt}`)).size > 1;
    for (const [index, file] of files.entries()) {
      const before = files[index - 1];
      if (several && (before?.step !== file.step || before.attempt !== file.attempt)) {
        const attempt = file.attempt > 1 ? ` (attempt ${file.attempt})` : "";
        process.stderr.write(`${index > 0 ? "\n" : ""}── ${file.step}${attempt}\n`);
      }
      const output = file.stream === "stdout" ? process.stdout : process.stderr;
      output.write(readFileSync(file.path));
    }
    return 0;
  } finally {
    store.close();
  }
}

function filesOf({ step, attempts }: StepRun, storeRoot: string): readonly LogFile[] {
  return attempts.flatMap(({ n, stdout, stderr }) =>
    [
      { stream: "stdout" as const, log: stdout },
      { stream: "stderr" as const, log: stderr },
    ].flatMap(({ stream, log }) =>
      log === null
        ? []
        : [{ step: step.id, attempt: n, stream, path: join(storeRoot, log.path), size: log.size }],
    ),
  );
}

function noLog(
  run: string,
  step: string,
  steps: readonly { readonly id: string; readonly status: string; readonly stepRun: string | null }[],
): MlpipeError {
  const found = steps.find(({ id }) => id === step);
  if (found === undefined) {
    const similar = nearest(
      step,
      steps.map(({ id }) => id),
    );
    return new MlpipeError("MLP2003", `The run ${shortId(run)} has no step "${step}".`, {
      hint:
        similar === undefined ? `mlpipe show ${shortId(run)} lists its steps.` : `Did you mean ${similar}?`,
    });
  }
  return new MlpipeError(
    "MLP6016",
    `"${step}" was not executed in run ${shortId(run)}: it was ${found.status}.`,
    {
      hint: "mlpipe runs lists the runs; the log is with the one that executed it.",
    },
  );
}
