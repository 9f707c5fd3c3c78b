import { MlpipeError } from "@mlpipe/dsl";
import { importUserModule } from "@mlpipe/executor";

/** Imports a module of the user's. @throws MlpipeError with the given code, pointing at the user's line */
export async function importModule(
  file: string,
  code: "MLP6004" | "MLP6008",
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await importUserModule(file);
  } catch (error) {
    if (error instanceof MlpipeError) throw error;
    const { importFailure } = await import("./import-failure.ts");
    throw importFailure(file, code, error);
  }
}
