import { pathToFileURL } from "node:url";
import { MlpipeError } from "@mlpipe/dsl";
import { withLeanZod } from "@mlpipe/executor";

/** Imports a module of the user's. @throws MlpipeError with the given code, pointing at the user's line */
export async function importModule(
  file: string,
  code: "MLP6004" | "MLP6008",
): Promise<Record<string, unknown>> {
  try {
    // A module namespace is an object of whatever the module exports.
    return (await withLeanZod(() => import(pathToFileURL(file).href))) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof MlpipeError) throw error;
    const { importFailure } = await import("./import-failure.ts");
    throw importFailure(file, code, error);
  }
}
