/** What each error about records means, for `docs/errors.md` and `mlpipe help CODE`. */
export const provenanceErrors = {
  MLP5001: {
    title: "No such run or step run",
    explain: "`mlpipe runs` lists the runs. A run is named by its id, by the beginning of it, or as `last`.",
  },
  MLP5002: {
    title: "A record that cannot be read",
    explain: "A record of a run does not have the shape of any version that this mlpipe knows.",
  },
  MLP5003: {
    title: "Nothing that records know",
    explain:
      "`mlpipe trace` and `mlpipe impact` know files and folders by their bytes. No step run that is recorded in this " +
      "store made, took or deployed these; or what was given names nothing.",
  },
  MLP5010: {
    title: "Nothing to export",
    explain:
      "The run made nothing that this format speaks of: provenance needs an artifact, a model card and an ML-BOM need a " +
      "model. `mlpipe show RUN` lists what each step made.",
  },
  MLP5011: {
    title: "A key that cannot be used",
    explain:
      "Signatures are made with an Ed25519 key in PEM: `mlpipe key create` makes one. It is named by `--key`, else by the " +
      "variable `MLPIPE_KEY` (a path, or the key itself), else it is the one in your folder of settings.",
  },
  MLP5012: {
    title: "A signature that does not hold",
    explain:
      "The envelope was not signed with this key, or was altered since, or does not speak of the file that was named. " +
      "Exit code 3: that is a verdict.",
  },
  MLP5013: {
    title: "An envelope that cannot be read",
    explain:
      "`mlpipe verify-signature` takes a DSSE envelope in JSON, as `mlpipe export RUN --format slsa` writes it.",
  },
  MLP5014: {
    title: "An endpoint that did not take what was sent",
    explain:
      "Events of OpenLineage are posted to a URL; one without a path is completed with `api/v1/lineage`, or with what the " +
      "variable `OPENLINEAGE_ENDPOINT` says. `OPENLINEAGE_API_KEY` is sent as a bearer token. A run for MLflow is sent to the " +
      "URL of its server, with `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`.",
  },
  MLP5015: {
    title: "Which model?",
    explain: "The run made several models. `--model STEP.PORT` says which one is meant.",
  },
} as const;
