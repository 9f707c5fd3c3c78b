/** What is known of the language's own values, of mlpipe's and of zod's. */

/** Constructors of the language that only make a value of plain arguments. */
export const plainConstructors: ReadonlySet<string> = new Set([
  ..."Set Map WeakSet WeakMap Date RegExp URL Error TypeError RangeError ArrayBuffer TextEncoder TextDecoder".split(
    " ",
  ),
  ..."Int8Array Uint8Array Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array".split(
    " ",
  ),
]);

/** Globals that are values and no more. */
export const plainGlobals: ReadonlySet<string> = new Set(["undefined", "NaN", "Infinity"]);
/** Globals whose members may be read. */
export const plainNamespaces: ReadonlySet<string> = new Set([
  "Math",
  "Number",
  "Symbol",
  "process",
  "BigInt",
  "Date",
]);

/** Functions and methods of mlpipe's and zod's that run what they were given, or change something shared. */
const running =
  /^(?:each|(?:safe)?(?:parse|encode|decode)(?:async)?|spa|validate|~standard|_zod|implement(?:async)?|isoptional|isnullable|apply|call|config|seterrormap|register|add|remove|clear|tojsonschema)$/i;

/** Whether calling a function or method of mlpipe's or zod's may run code of the user's. */
export function runsItsArguments(name: string): boolean {
  return running.test(name);
}

/** Keys that make reading or converting an object run code. */
export const hooks: ReadonlySet<string> = new Set(["toString", "valueOf", "toJSON", "then", "__proto__"]);
