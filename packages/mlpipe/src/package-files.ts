/**
 * Where the files of this package lie. This module stands one folder below the package's root, in
 * `src` as well as in what is built of it.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Absolute path of a file that the package ships. */
export function packageFile(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

/** The folder of mlpipe's own code: from source that of all packages, else this one. */
export const ownFolder = import.meta.url.endsWith(".ts")
  ? fileURLToPath(new URL("../../", import.meta.url))
  : packageFile("");

/** The version of the package. */
export function version(): string {
  // Its shape is that of our own package.json.
  return (JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string }).version;
}
