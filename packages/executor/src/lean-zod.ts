/**
 * Zod is most of what a pipeline's modules load, in a run in which nothing has to run and in a short step's process. So
 * it is loaded leanly while modules of the user's are imported:
 *
 * - It lists its messages in every language, sixty modules of ninety. That list is replaced by one of the same names which
 *   loads a language when it is asked for.
 * - Its modules name each other a hundred times by relative paths. Each is a URL beside the one that names it, which Node
 *   takes as long to find as to load the modules.
 */
import { type LoadFnOutput, registerHooks } from "node:module";

/** In which package of zod a module is, whoever installed it. */
const zodFolder = "/zod/v4/";

const listOfLanguages = "/zod/v4/locales/index.js";

/** Its lines. If zod ever writes others, the list stays as it is. */
const language = /^export \{ default as (\w+) \} from "(\.\/[\w-]+\.js)";$/gm;

/** An import of a module file, which is taken as it is written. What CommonJS requires is searched for. */
const isBeside = /^\.\.?\/.*\.js$/;

/** Imports something of the user's. */
export async function withLeanZod<T>(load: () => Promise<T>): Promise<T> {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const { parentURL } = context;
      const inZod = parentURL?.startsWith("file:") === true && parentURL.includes(zodFolder);
      if (!inZod || !isBeside.test(specifier)) return next(specifier, context);
      return { url: new URL(specifier, parentURL).href, shortCircuit: true };
    },
    load(url, context, next) {
      const loaded = next(url, context);
      return url.endsWith(listOfLanguages) ? asked(loaded) : loaded;
    },
  });
  try {
    return await load();
  } finally {
    // What runs later is loaded as it always is.
    hooks.deregister();
  }
}

function asked(loaded: LoadFnOutput): LoadFnOutput {
  if (loaded.source === undefined || loaded.source === null) return loaded;
  const list = sourceText(loaded.source).replaceAll(language, 'export const $1 = () => messages("$2");');
  if (/\b(?:import|from)\b/.test(list)) return loaded;
  const messages = `(from) => process.getBuiltinModule("node:module").createRequire(import.meta.url)(from).default()`;
  return { ...loaded, source: `const messages = ${messages};\n${list}` };
}

/** The source of a module as text, whichever way it came. */
export function sourceText(source: NonNullable<LoadFnOutput["source"]>): string {
  return typeof source === "string" ? source : new TextDecoder().decode(source);
}
