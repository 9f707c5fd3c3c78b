/**
 * Conditions beyond Node's own, by which `exports` and `imports` of a package choose a file: `node --conditions=source`.
 * A monorepo uses one to run its packages from source, without building them.
 */

/** Node's own conditions, apart from the one that says how a module is loaded. */
export const nodeConditions: readonly string[] = ["node", "module-sync", "node-addons", "default"];

/** The conditions that arguments of Node name, sorted, each once. */
export function conditionsIn(args: readonly string[]): readonly string[] {
  const named = args.flatMap((arg, index) => {
    const match = /^(?:--conditions|-C)(?:=(.+))?$/.exec(arg);
    return match === null ? [] : (match[1] ?? args[index + 1] ?? []);
  });
  // A test runner adds `import`, which no step's process would take for a `require`.
  const own = new Set(["import", "require", ...nodeConditions]);
  return [...new Set(named)].filter((each) => !own.has(each)).toSorted();
}

/** The conditions that the variable `NODE_OPTIONS` names. */
export function conditionsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const words = env["NODE_OPTIONS"]?.match(/(?:[^\s"]|"(?:\\.|[^"\\])*")+/g) ?? [];
  return conditionsIn(words.map((word) => word.replace(/"((?:\\.|[^"\\])*)"/g, "$1")));
}

/** What mlpipe was started with holds for the processes of its TypeScript steps too. */
export function givenConditions(): readonly string[] {
  const given = new Set([...conditionsIn(process.execArgv), ...conditionsOf(process.env)]);
  // That of mlpipe's own source says nothing of what a step loads.
  given.delete(sourceCondition);
  return [...given].toSorted();
}

/** Run from source, mlpipe starts its steps under this condition: nothing of it may have been built. */
export const sourceCondition = "@mlpipe/source";
