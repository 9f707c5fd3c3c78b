import { dirname, join, resolve } from "node:path";

/** Where the lock of a pipeline lies: beside its module, one for all pipelines of a folder. */
export function lockPath(root: string, pipelineFile: string): string {
  return join(dirname(resolve(root, pipelineFile)), "mlpipe.lock");
}
