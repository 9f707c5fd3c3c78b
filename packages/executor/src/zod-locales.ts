/**
 * Zod lists its messages in every language, and whoever imports zod loads them all: sixty modules of ninety, a tenth of
 * the time of a run in which nothing has to run and of a short step's process. While modules of the user's are
 * imported, that list is replaced by one of the same names which loads a language when it is asked for.
 */
import { type LoadFnOutput, registerHooks } from "node:module";

const listOfLanguages = "/zod/v4/locales/index.js";

/** Its lines. If zod ever writes others, the list stays as it is. */
const language = /^export \{ default as (\w+) \} from "(\.\/[\w-]+\.js)";$/gm;

/** Imports something of the user's. */
export async function withoutLocales<T>(load: () => Promise<T>): Promise<T> {
  const hooks = registerHooks({
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

function sourceText(source: NonNullable<LoadFnOutput["source"]>): string {
  return typeof source === "string" ? source : new TextDecoder().decode(source);
}
