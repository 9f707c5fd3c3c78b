import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, MlpipeError, type Site } from "@mlpipe/dsl";
import { ownFolder } from "../package-files.ts";
import { missingImportHint } from "./missing-import.ts";
import { findProject, projectPath } from "./project.ts";

/** What an import that failed means to the user whose module it was. */
export function importFailure(file: string, code: "MLP6004" | "MLP6008", error: unknown): MlpipeError {
  const { message, hint, site } = explain(error);
  const shown = projectPath(rootAround(file), file);
  return new MlpipeError(code, `${shown} could not be loaded: ${message.replace(/\.?$/, ".")}`, {
    at: site ?? { file, line: 1, column: 1 },
    hint,
    cause: error,
  });
}

/** What an error that a user's pipeline function threw means; one of mlpipe's own is passed on as the bug it is. */
export function pipelineFailure(name: string, error: unknown): unknown {
  if (error instanceof Error) {
    const first = /^\s+at .*?((?:file:\/\/)?\/[^\s():]+)/m.exec(error.stack ?? "")?.[1] ?? "";
    const path = first.startsWith("file:") ? fileURLToPath(first) : first;
    if (path.startsWith(ownFolder)) return error;
  }
  const { message, site } = explain(error);
  return new MlpipeError(
    "MLP6009",
    `The function of the pipeline "${name}" threw ${message.replace(/\.?$/, ".")}`,
    {
      at: site,
      hint: "It is called with the params alone, before any step runs. What needs data belongs into a step.",
      cause: error,
    },
  );
}

function rootAround(file: string): string {
  return findProject(dirname(file)).root;
}

/** Codes of Node's for imports that lead to nothing, to a folder, and to no entry of `imports` in package.json. */
const leadingNowhere: ReadonlySet<string> = new Set([
  "ERR_MODULE_NOT_FOUND",
  "ERR_UNSUPPORTED_DIR_IMPORT",
  "ERR_PACKAGE_IMPORT_NOT_DEFINED",
]);

const whatIsMissing =
  /(?:Cannot find (?:package|module)|Directory import|Package import specifier) (?<quote>['"])(?<missing>.+?)\k<quote>/;

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
  if (typeof code === "string" && leadingNowhere.has(code)) {
    const missing = whatIsMissing.exec(error.message)?.groups?.["missing"] ?? "a module";
    const importer = importerOf(error, missing);
    const specifier = importer?.specifier ?? missing;
    const found = specifier.startsWith(".") ? undefined : packageAt(missing);
    return {
      message:
        found === undefined
          ? `it imports ${specifier}, which is not there`
          : `it imports ${specifier}, and ${found.file} of ${found.name} is not there`,
      hint:
        found !== undefined
          ? "Its package.json names that file: build the package first."
          : importer?.specifier === undefined
            ? `Is the package installed? npm install ${missing}`
            : missingImportHint(importer.specifier, importer.site.file, rootAround(importer.site.file)),
      site: importer?.site ?? site,
    };
  }
  if (/Cannot use import statement outside a module|Unexpected token 'export'/.test(error.message)) {
    return {
      message: "Node takes it for CommonJS",
      hint: 'Pipelines are ES modules: npm pkg set type=module writes "type": "module" into package.json.',
      site,
    };
  }
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return {
      message: error.message,
      hint: "Enums, namespaces and parameter properties are compiled in ES modules alone (.ts or .mts, without require); write the rest as JavaScript has it.",
      site,
    };
  }
  if (code === "EACCES" || code === "EPERM" || /permission denied/.test(error.message)) {
    return { message: error.message, hint: "Check who owns the file and its folder.", site };
  }
  const [, module, name] =
    /requested module '([^']+)' does not provide an export named '([^']+)'/.exec(error.message) ?? [];
  if (module !== undefined && name !== undefined) {
    return {
      message: `it imports ${name} from ${module}, which does not export it`,
      // Types are stripped from modules, and an import that does not say that it wants one is left.
      hint: `Look how it is spelt there. If it is a type: import type { ${name} } from "${module}".`,
      site,
    };
  }
  if (error instanceof SyntaxError) {
    return {
      message: `${error.name}: ${error.message}`,
      hint: "tsc --noEmit shows all that is wrong with it.",
      site,
    };
  }
  return {
    message: `${error.name}: ${messageOf(error)}`,
    hint: "Modules of pipelines should define and export; what takes work belongs into a step.",
    site,
  };
}

/** The package through which a path was found by its name, as one of a workspace is before it was built. */
function packageAt(path: string): { readonly name: string; readonly file: string } | undefined {
  const [, name, file] = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.+)$/.exec(path) ?? [];
  return name === undefined || file === undefined ? undefined : { name, file };
}

function importerOf(
  error: Error,
  missing: string,
): { readonly site: Site; readonly specifier?: string } | undefined {
  const importer = /imported from (\S+)$/m.exec(error.message)?.[1];
  if (importer === undefined) return undefined;
  const file = importer.startsWith("file:") ? fileURLToPath(importer) : importer;
  if (!existsSync(file)) return undefined;
  const asked = packageAt(missing)?.name ?? missing;
  // Node names the module that was looked for, and not the line that asks for it.
  for (const [index, text] of readFileSync(file, "utf8").split("\n").entries()) {
    const found = /(?:\bfrom|\bimport)[\s(]*(["'])(?<specifier>[^"']+)\1/.exec(text);
    const specifier = found?.groups?.["specifier"];
    if (found === null || specifier === undefined) continue;
    const wanted = specifier.startsWith(".") ? resolve(dirname(file), specifier) : specifier;
    if (wanted === missing || wanted === asked || specifier.startsWith(`${asked}/`)) {
      const column = found.index + found[0].lastIndexOf(specifier) + 1;
      return { site: { file, line: index + 1, column }, specifier };
    }
  }
  return { site: { file, line: 1, column: 1 } };
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
    if (!existsSync(file) || file.startsWith(ownFolder)) continue;
    return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}
