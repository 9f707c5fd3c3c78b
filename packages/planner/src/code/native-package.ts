/** Packages of native code, which have to be there for the machine that they run on. */
import { createRequire } from "node:module";
import { MlpipeError } from "@mlpipe/dsl";

/**
 * Loads one.
 *
 * @param from URL of the module that depends on it
 *
 * @throws MlpipeError `MLP6013` where it has no build for this machine: `node_modules` may have been copied from another
 *   one, or installed without optional dependencies
 */
export function nativePackage(name: string, from: string): unknown {
  try {
    return createRequire(from)(name);
  } catch (error) {
    const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    const machine = `${process.platform}-${process.arch}`;
    // One of a machine alone is missing, which package managers take for what it is: optional.
    const isElsewhere = reason.includes("native binding") || reason.includes("Cannot find module");
    throw new MlpipeError(
      "MLP6013",
      `The package ${name} cannot be loaded here (${machine})${isElsewhere ? "" : `: ${reason}`}.`,
      {
        exit: 4,
        hint: isAddonsRefused()
          ? "Node was told to load no native code: add --allow-addons to NODE_OPTIONS, or leave --permission out."
          : "Was node_modules made on another machine, or without optional dependencies? Remove it, and install again here.",
        cause: error,
      },
    );
  }
}

/** Whether Node's permission model is on, and allows no native code. */
function isAddonsRefused(): boolean {
  const { permission } = process as { readonly permission?: { has(scope: string): boolean } };
  return permission !== undefined && !permission.has("addon");
}
