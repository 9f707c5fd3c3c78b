import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MlpipeError, type Site } from "@mlpipe/dsl";

/** What an import that failed means to the user whose module it was. */
export function importFailure(file: string, code: "MLP6004" | "MLP6008", error: unknown): MlpipeError {
  const { message, hint, site } = explain(error);
  return new MlpipeError(code, `${file} could not be loaded: ${message}`, {
    at: site ?? { file, line: 1, column: 1 },
    hint,
    cause: error,
  });
}

interface Explained {
  readonly message: string;
  readonly hint: string;
  readonly site: Site | undefined;
}

function explain(error: unknown): Explained {
  if (!(error instanceof Error)) {
    return { message: `it threw ${String(error)}`, hint: "Throw Error objects.", site: undefined };
  }
  const site = siteOf(error);
  const code = "code" in error ? error.code : undefined;
  if (code === "ERR_MODULE_NOT_FOUND") {
    const missing = /Cannot find (?:package|module) '([^']+)'/.exec(error.message)?.[1] ?? "a module";
    const path = missing.startsWith("/");
    return {
      message: `it imports ${missing}, which is not there`,
      hint: path
        ? "Node resolves relative imports with their extension: ./steps.ts."
        : `Is the package installed? npm install ${missing}`,
      site: importerOf(error) ?? site,
    };
  }
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return {
      message: error.message,
      hint: "Node strips types and cannot transform: write enums as const objects, and no namespaces or parameter properties (erasableSyntaxOnly in tsconfig.json finds them).",
      site,
    };
  }
  return {
    message: `${error.name}: ${error.message}`,
    hint: "Modules of pipelines should define and export; what takes work belongs into a step.",
    site,
  };
}

function importerOf(error: Error): Site | undefined {
  const importer = /imported from (\S+)$/m.exec(error.message)?.[1];
  if (importer === undefined) return undefined;
  const file = importer.startsWith("file:") ? fileURLToPath(importer) : importer;
  return existsSync(file) ? { file, line: 1, column: 1 } : undefined;
}

/** The first place in a stack that is a file of the user's; a syntax error has it on its first line. */
function siteOf(error: Error): Site | undefined {
  const stack = error.stack ?? "";
  const first = /^(file:\/\/\S+?|\/\S+?):(\d+)$/m.exec(stack.split("\n", 1)[0] ?? "");
  const places = first === null ? [] : [{ path: first[1], line: first[2], column: "1" }];
  for (const frame of stack.matchAll(/(file:\/\/[^\s)]+?|\/[^\s():]+?):(\d+):(\d+)\)?$/gm)) {
    places.push({ path: frame[1], line: frame[2], column: frame[3] ?? "1" });
  }
  for (const { path, line, column } of places) {
    if (path === undefined || path.includes("/node_modules/")) continue;
    const file = path.startsWith("file:") ? fileURLToPath(path) : path;
    if (!existsSync(file) || file.startsWith(ownPackages)) continue;
    return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}

const ownPackages = fileURLToPath(new URL("../../..", import.meta.url));
