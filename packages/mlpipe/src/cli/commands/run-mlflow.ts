/** `mlpipe run --mlflow URL`: the run is shown in MLflow as it goes on. */
import { MlpipeError } from "@mlpipe/dsl";
import { withoutCredentials } from "@mlpipe/provenance";
import { mlflowAddress } from "@mlpipe/provenance/export";
import { MlflowReporter, type MlflowOptions } from "../../report/mlflow.ts";

/** @param variable the URL is from `MLPIPE_MLFLOW`, and not from the command line */
export function mlflowReporter(
  url: string,
  variable: boolean,
  options: Omit<MlflowOptions, "address">,
): MlflowReporter | undefined {
  const address = mlflowAddress(url, options.env);
  if (address !== undefined) return new MlflowReporter({ ...options, address });
  if (variable) {
    // It may be set for everything that runs on a machine, and never keeps a run from running.
    options.say("MLPIPE_MLFLOW is no address of a server, so nothing is sent to MLflow.");
    return undefined;
  }
  throw new MlpipeError(
    "MLP6010",
    `--mlflow takes the URL of a server, and was given ${withoutCredentials(url)}.`,
    {
      hint: "mlpipe run --mlflow http://localhost:5000",
    },
  );
}
