/** `mlpipe export RUN --to mlflow=URL`: a recorded run in MLflow; what is there already is left as it is. */
import { MlpipeError } from "@mlpipe/dsl";
import { withoutCredentials } from "@mlpipe/provenance";
import type { Store } from "@mlpipe/store";
import { type ExportedRun, mlflowAddress, MlflowServer, MlflowSink } from "@mlpipe/provenance/export";
import { shortId } from "../format.ts";
import { printJson, say } from "../output.ts";

export async function exportToMlflow(
  exported: ExportedRun,
  { to, store, json }: { readonly to: string; readonly store: Store; readonly json: boolean },
): Promise<number> {
  const url = to === "mlflow" ? (process.env["MLFLOW_TRACKING_URI"] ?? "") : to.slice("mlflow=".length);
  const address = mlflowAddress(url, process.env);
  if (address === undefined) {
    const shown = withoutCredentials(url);
    const given =
      to === "mlflow"
        ? `MLFLOW_TRACKING_URI says ${url === "" ? "nothing" : shown}`
        : `it was given ${shown}`;
    throw new MlpipeError("MLP6010", `--to mlflow takes the URL of a server, and ${given}.`, {
      hint: "mlpipe export RUN --to mlflow=http://localhost:5000",
    });
  }
  const sink = new MlflowSink(new MlflowServer(address), store);
  try {
    await sink.put(exported);
  } catch (error) {
    throw new MlpipeError("MLP5014", error instanceof Error ? error.message : String(error), {
      exit: 4,
      hint: "The same command goes on where this one stopped: nothing is there twice.",
      cause: error,
    });
  }
  const { id } = exported.run;
  if (json) printJson({ schemaVersion: 1, run: id, to: address.url, page: sink.page, remarks: sink.remarks });
  else say(`run ${shortId(id)} is in MLflow: ${sink.page}`);
  for (const remark of sink.remarks) say(`MLflow: ${remark}`);
  return 0;
}
