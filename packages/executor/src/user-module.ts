/**
 * Modules of the user's, as TypeScript projects write them. Node strips types and goes where an import says; the rest of
 * the language is added here, in the process that makes the plan and in that of each step:
 *
 * - A relative import that leads nowhere goes to the source that it means: see {@link sourceFile}.
 * - What is more than types (`enum`, namespaces, parameter properties) is compiled, module by module.
 *
 * Where Node needs no help, nothing is done: positions stay exact, and no compiler is loaded.
 */
import { type LoadHookSync, registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Compiler from "oxc-transform";
import { nativePackage } from "@mlpipe/planner/native-package";
import { sourceFile } from "@mlpipe/planner/source-file";
import { sourceText, withLeanZod } from "./lean-zod.ts";

/** Imports a module of the user's, and whatever it imports. @param file absolute path */
export function importUserModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  understandTypeScript();
  // A module namespace is an object of whatever the module exports.
  return withLeanZod(() => import(pathToFileURL(file).href)) as Promise<Readonly<Record<string, unknown>>>;
}

/** One of these is in every module that is more than types; where none is, there is nothing to compile. */
const moreThanTypes =
  /\benum\s|\b(?:namespace|module)\s+[\w$.]+\s*\{|\bconstructor\b[^{]*\b(?:public|private|protected|readonly|override)\b/;

/** What says that a module is one, where its package does not. */
const isModuleSyntax = /^\s*(?:import|export)\b/m;

let isUnderstood = false;

/** From now on, also for what a function imports when it is called. */
function understandTypeScript(): void {
  if (isUnderstood) return;
  isUnderstood = true;
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        // CommonJS looks for endings by itself.
        const isImport = context.conditions.includes("import");
        const meant = isImport ? meantSource(specifier, context.parentURL) : undefined;
        if (meant === undefined) throw error;
        return next(meant, context);
      }
    },
    load(url, context, next) {
      const loaded = typed(url, context, next);
      if (loaded.format !== "module-typescript" || loaded.source == null) return loaded;
      const text = sourceText(loaded.source);
      const compiled = moreThanTypes.test(text) ? compile(fileURLToPath(url), text) : undefined;
      return compiled === undefined ? loaded : { ...loaded, format: "module", source: compiled };
    },
  });
}

const typed: LoadHookSync = (url, context, next) => {
  try {
    return next(url, context);
  } catch (error) {
    // Where the package does not say what it is, Node strips the types to look, and stops at what is more.
    if (!(error instanceof Error && "code" in error && error.code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX"))
      throw error;
    const loaded = next(url, { ...context, format: "module-typescript" });
    if (loaded.source == null || !isModuleSyntax.test(sourceText(loaded.source))) throw error;
    return loaded;
  }
};

function meantSource(specifier: string, importer: string | undefined): string | undefined {
  if (importer?.startsWith("file:") !== true) return undefined;
  const meant = sourceFile(specifier, fileURLToPath(importer));
  return meant === undefined ? undefined : pathToFileURL(meant).href;
}

/**
 * @returns nothing if it cannot be compiled: Node then says what is wrong with it
 * @throws MlpipeError MLP6013 where there is no compiler for this machine
 */
function compile(file: string, text: string): string | undefined {
  // It is native code, which the permission model alone does not let in.
  if (process.execArgv.includes("--permission") && !process.permission.has("addon")) return undefined;
  const { transformSync } = nativePackage("oxc-transform", import.meta.url) as typeof Compiler;
  const compiled = transformSync(file, text, {
    lang: "ts",
    sourcemap: true,
    // As Node strips types: an import stays unless it says that it wants one.
    typescript: { onlyRemoveTypeImports: true },
  });
  if (compiled.errors.length > 0) return undefined;
  // Stacks and places of calls are those of the source.
  process.setSourceMapsEnabled(true);
  const map = Buffer.from(JSON.stringify(compiled.map)).toString("base64");
  return `${compiled.code}\n//# sourceMappingURL=data:application/json;base64,${map}`;
}
