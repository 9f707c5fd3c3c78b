/**
 * A process of its own that has Node strip the types of a module, and of what it imports, and keep what comes of it: see
 * `project/stripped-aside.ts`. It is given the path of the module, loads all of them, runs none, and tells which files it has
 * seen.
 */
import { writeSync } from "node:fs";
import { enableCompileCache, flushCompileCache, registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { sourceFile } from "@mlpipe/planner/source-file";

/** The pipe to whoever started it. */
const answer = 3;

const [file = ""] = process.argv.slice(2);
const seen = new Set([file]);

const empty = "data:text/javascript,";
// The name is exported by nothing: everything is loaded, and then nothing can be linked and nothing runs.
const beginning =
  empty +
  encodeURIComponent(`import ${JSON.stringify(pathToFileURL(file).href)}; import { none } from "${empty}";`);

enableCompileCache();
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === beginning) return next(specifier, context);
    const found =
      attempt(() => next(specifier, context)) ??
      attempt(() => next(meant(specifier, context.parentURL), context));
    if (found?.url.startsWith("file:") === true && /\.[cm]?ts$/.test(found.url)) {
      seen.add(fileURLToPath(found.url));
      return found;
    }
    // Nothing else has types, and to load a package takes longer than to strip them.
    return context.importAttributes["type"] === "json"
      ? { url: "data:application/json,0", format: "json", shortCircuit: true }
      : { url: empty, format: "module", shortCircuit: true };
  },
});

// It fails, as it has to. What is wrong with a module is said by those who run it.
await import(beginning).catch(() => {});
flushCompileCache();
writeSync(answer, JSON.stringify([...seen]));

/** What a relative import that leads nowhere means. */
function meant(specifier: string, importer = ""): string {
  const file = importer.startsWith("file:") ? sourceFile(specifier, fileURLToPath(importer)) : undefined;
  return file === undefined ? specifier : pathToFileURL(file).href;
}

function attempt<T>(resolve: () => T): T | undefined {
  try {
    return resolve();
  } catch {
    return undefined;
  }
}
