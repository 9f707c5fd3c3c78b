import { describe } from "./builder.ts";
import { MlpipeError } from "./errors.ts";
import type { Kind } from "./kinds.ts";
import { asRef, type Ref, RefNode } from "./ref.ts";
import { Call } from "./site.ts";

/** How a source is kept. */
export interface SourceOptions {
  /**
   * `"reference"` keeps the digest and the place; `"copy"` keeps the bytes too, so that a run can
   * be reproduced after the file is gone.
   * @default "reference"
   */
  readonly keep?: "copy" | "reference";
}

/**
 * Data that comes from outside the pipeline: a file or folder that the project has.
 *
 * @param path relative to the project's root, or absolute
 * @param kind what the file is: `csv(Day)`
 * @throws MlpipeError MLP1006 if the path is no text
 */
export function source<K extends Kind>(
  path: string,
  kind: K,
  options: SourceOptions = {},
): Ref<K["~artifact"]> {
  const site = new Call(source);
  if (typeof path !== "string" || path === "") {
    throw new MlpipeError("MLP1006", `source() takes a path, and was given ${describe(path)}.`, { at: site });
  }
  const origin = { type: "source", path, keep: options.keep ?? "reference", site } as const;
  return asRef(new RefNode(`source(${JSON.stringify(path)})`, kind.spec, origin));
}
