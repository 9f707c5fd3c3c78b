import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The folder of mlpipe's Python files: beside the code where it was built, a package of its own in
 * the repository.
 */
export function pythonFile(name: string): string | undefined {
  return ["./python/", "../python/", "../../../python/"]
    .map((folder) => fileURLToPath(new URL(`${folder}${name}`, import.meta.url)))
    .find((path) => existsSync(path));
}
