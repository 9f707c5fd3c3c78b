/** Every error code there is, with what it means. */
import { dslErrors } from "@mlpipe/dsl";
import { executorErrors, runnerErrors } from "@mlpipe/executor";
import { plannerErrors } from "@mlpipe/planner";
import { provenanceErrors } from "@mlpipe/provenance";
import { storeErrors } from "@mlpipe/store";
import { checkFindings } from "../check/errors.ts";
import { importErrors } from "../import-dvc/errors.ts";
import { projectErrors } from "../project/errors.ts";
import { commandLineErrors } from "./errors.ts";

/** What an error means. */
export interface ErrorPage {
  readonly title: string;
  readonly explain: string;
}

/** By code. */
export const errorPages: Readonly<Record<string, ErrorPage>> = {
  ...dslErrors,
  ...plannerErrors,
  ...executorErrors,
  ...runnerErrors,
  ...storeErrors,
  ...provenanceErrors,
  ...projectErrors,
  ...checkFindings,
  ...importErrors,
  ...commandLineErrors,
};
