import { findSourceMap, type SourceOrigin } from "node:module";
import { fileURLToPath } from "node:url";

/** A place in a user's source: where a step was defined or called. */
export interface Site {
  /** Absolute path. */
  readonly file: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
}

// Frames of the language itself say nothing to a user: everything beside this file is skipped.
const ownFolder = new URL(".", import.meta.url).href;
const ownPath = fileURLToPath(ownFolder);

/** By script the user's file, or nothing for a script that is none: few files make thousands of calls. */
const userFiles = new Map<string, string | undefined>();

/**
 * The user frames above the caller, nearest first. Under type stripping the positions are exact,
 * since stripping keeps every line and column; what was compiled has a map.
 *
 * @param depth how many frames to look at, at most
 */
export function userFrames(depth = 12): readonly Site[] {
  return framesOf(traceAbove(userFrames, depth)).flatMap((site) => siteOf(site) ?? []);
}

/** A call of the language by a user. Where that is, is found out when somebody asks: of thousands, few are asked. */
export class Call implements Trace {
  declare readonly stack: readonly Frame[];
  #site: Site | undefined | null = null;

  /** @param called the function of the language that the user called; frames below it are the language's own */
  constructor(called: AnyFunction) {
    // The user, or what calls for the user: names.map(step).
    traceAbove(called, 3, this);
  }

  /** The nearest user frame; nothing where no user is near. */
  get site(): Site | undefined {
    if (this.#site === null) this.#site = nearest(framesOf(this));
    return this.#site;
  }
}

type AnyFunction = (...args: never[]) => unknown;

/** What is asked of a frame of V8. Not Node's own type: whoever compiles against mlpipe may have none of Node's types. */
interface Frame {
  getFileName(): string | null | undefined;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
}

/** A stack that V8 has walked and not put into words yet. */
interface Trace {
  readonly stack?: readonly Frame[];
}

function traceAbove(called: AnyFunction, depth: number, trace: Trace = {}): Trace {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = depth;
  Error.captureStackTrace(trace, called);
  Error.stackTraceLimit = stackTraceLimit;
  return trace;
}

/**
 * The structured frames of a trace. V8 gives them to whoever prepares a stack when it is first asked for, and finds out
 * lines and columns only of those that are looked at; `util.getCallSites` asks for all of all frames.
 */
function framesOf(trace: Trace): readonly Frame[] {
  // oxlint-disable-next-line typescript/unbound-method -- kept only to be put back
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = (_error, sites) => sites;
  try {
    return trace.stack ?? [];
  } finally {
    // Nothing where nobody has set one.
    Error.prepareStackTrace = prepareStackTrace;
  }
}

function siteOf(site: Frame): Site | undefined {
  const script = site.getFileName() ?? "";
  const file = userFile(script);
  if (file === undefined) return undefined;
  const [line, column] = [site.getLineNumber() ?? 0, site.getColumnNumber() ?? 0];
  if (!process.sourceMapsEnabled) return { file, line, column };
  // Something was compiled that is more than types.
  const origin: Partial<SourceOrigin> = findSourceMap(script)?.findOrigin(line, column) ?? {};
  return { file, line: origin.lineNumber ?? line, column: origin.columnNumber ?? column };
}

function userFile(script: string): string | undefined {
  if (userFiles.has(script)) return userFiles.get(script);
  const isUrl = script.startsWith("file:");
  const isForeign = script.startsWith("node:") || script === "";
  const file =
    isForeign || isOwn(script, isUrl ? ownFolder : ownPath)
      ? undefined
      : // A loader may append a query to reload a module; the place is still the file.
        isUrl
        ? fileURLToPath(script.replace(/[?#].*$/, ""))
        : script;
  userFiles.set(script, file);
  return file;
}

/** The language's own tests lie beside it and are users of it. */
function isOwn(script: string, folder: string): boolean {
  return script.startsWith(folder) && !script.endsWith(".test.ts");
}

/** The nearest user frame: the line a message should point at. */
export function callSite(): Site | undefined {
  return nearest(framesOf(traceAbove(callSite, 12)));
}

function nearest(sites: readonly Frame[]): Site | undefined {
  for (const each of sites) {
    const site = siteOf(each);
    if (site !== undefined) return site;
  }
  return undefined;
}
