/** What a run puts into `artifacts/`, one run after the other. */
import type { MlpipeError } from "@mlpipe/dsl";
import { CopyingLock } from "@mlpipe/store";
import {
  type ArtifactsOptions,
  artifactsInPlace,
  copyArtifacts,
  type ReturnedOutput,
} from "./artifacts-folder.ts";
import { notCopied } from "./run-errors.ts";

/** What became of the copies. */
export type Copied = {
  /** Held until the record says what lies there: the next run removes what it no longer returns. */
  readonly lock?: CopyingLock | undefined;
} & ({ readonly outputs: Readonly<Record<string, ReturnedOutput>> } | { readonly error: MlpipeError });

/**
 * Copies what a pipeline returns. Of two runs that end together the one comes after the other; who has nothing to change
 * waits for nobody.
 *
 * @param signal ends the waiting for others
 */
export async function copyReturned(artifacts: ArtifactsOptions, signal?: AbortSignal): Promise<Copied> {
  const { store, root } = artifacts;
  let lock: CopyingLock | undefined;
  try {
    const outputs = artifactsInPlace(artifacts);
    if (outputs !== undefined) return { outputs };
    lock = await CopyingLock.take(store.root, root, signal);
    return { outputs: copyArtifacts(artifacts), lock };
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    return { error: notCopied(error), lock };
  }
}
