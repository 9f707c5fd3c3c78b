import { expect, it } from "vitest";
import { mlflowAddress } from "./mlflow-server.ts";

const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;

it.each([
  ["http://localhost:5000", {}, "http://localhost:5000", undefined],
  ["http://localhost:5000/", {}, "http://localhost:5000", undefined],
  ["https://host/team/mlflow//?a#b", {}, "https://host/team/mlflow", undefined],
  ["http://host", { MLFLOW_TRACKING_TOKEN: "t" }, "http://host", "Bearer t"],
  [
    "http://host",
    { MLFLOW_TRACKING_TOKEN: "t", MLFLOW_TRACKING_USERNAME: "ada", MLFLOW_TRACKING_PASSWORD: "p:ö" },
    "http://host",
    basic("ada:p:ö"),
  ],
  ["http://host", { MLFLOW_TRACKING_USERNAME: "ada" }, "http://host", undefined],
  ["http://a%40b:p%2F@host/x", { MLFLOW_TRACKING_TOKEN: "t" }, "http://host/x", basic("a@b:p/")],
])("%s with %j", (given, env, url, authorization) => {
  expect(mlflowAddress(given, env)).toMatchObject({ url, authorization });
});

it.each(["localhost:5000", "nowhere", "", "sqlite:///mlflow.db", "databricks", "file:///mlruns"])(
  "%j is no server",
  (url) => {
    expect(mlflowAddress(url, {})).toBeUndefined();
  },
);
