import { spawnSync } from "node:child_process";
import { answerMark, pythonProgram } from "./python-program.ts";

/** What Python a command runs with, wherever it is installed. */
export interface PythonIdentity {
  /** `CPython`, `PyPy`, … */
  readonly implementation: string;
  /** `3.11.7`. */
  readonly version: string;
}

/** Something whose import closure is asked for. */
export interface PythonRequest {
  readonly kind: "script" | "module" | "code";
  /** Absolute path of a script; name of a module; text of a program. */
  readonly value: string;
  /**
   * Whether Python itself is given it, so that the search path is known: the script's folder, or
   * for modules and text the working folder. Else everything that launchers usually add counts.
   */
  readonly direct: boolean;
  /** Whether neither folder is searched, as under `-I` and `-P`. */
  readonly isolated?: boolean;
}

/** A remark about the Python sources. */
export interface PythonRemark {
  readonly message: string;
  readonly file: string | null;
  readonly line: number;
  readonly column: number;
}

/** What one request reaches. */
export interface PythonClosure {
  /** Digest of the syntax of each module, by project-relative path. */
  readonly parts: Readonly<Record<string, string>>;
  /** Modules that are not source (extension modules): name and absolute path, for the caller to hash. */
  readonly binaries: readonly (readonly [name: string, path: string])[];
  readonly packages: Readonly<Record<string, string>>;
  readonly uncacheable: readonly PythonRemark[];
  readonly warnings: readonly PythonRemark[];
  /** Absolute paths of the sources that were read. */
  readonly files: readonly string[];
  /** The folders that the packages are installed in. */
  readonly sites: readonly string[];
}

/** What an interpreter answered. */
export interface PythonAnswer extends PythonIdentity {
  readonly results: readonly PythonClosure[];
  /** Folders whose listing decided where a name leads. */
  readonly folders: readonly string[];
  /** Other files that decided something, or that were looked for in vain: with `files` and `folders` all there is. */
  readonly looked: readonly string[];
  /** The interpreter itself, behind whatever started it. */
  readonly executable: string;
}

/** An interpreter with everything that decides what its imports find. */
export interface Interpreter {
  /** Absolute path, links unresolved. */
  readonly path: string;
  /** Options that change the search path: `-I`, `-E`, `-s`, `-S`. */
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Asks one interpreter about all requests, in one process. No project code runs: sources are
 * parsed, never imported.
 *
 * @returns why not, as text, where the interpreter cannot answer
 */
export function askPython(
  interpreter: Interpreter,
  projectRoot: string,
  requests: readonly PythonRequest[],
): PythonAnswer | string {
  const { status, stdout, stderr, error, signal } = spawnSync(
    interpreter.path,
    [...interpreter.flags, "-c", pythonProgram],
    {
      cwd: projectRoot,
      env: interpreter.env,
      input: JSON.stringify({ root: projectRoot, requests }),
      encoding: "utf8",
      maxBuffer: 1 << 30,
      timeout: 120_000,
    },
  );
  if (error !== undefined) return `${interpreter.path} could not be started: ${error.message}`;
  if (status !== 0) {
    const last = stderr.trimEnd().split("\n").slice(-3).join("\n");
    return `${interpreter.path} could not read the scripts (${signal ?? `exit ${status}`}): ${last}`;
  }
  // Our own program wrote it a moment ago, in this shape.
  const answer = JSON.parse(stdout.slice(stdout.lastIndexOf(answerMark) + 1)) as
    | PythonAnswer
    | { unsupported: string };
  if ("unsupported" in answer)
    return `${interpreter.path} is Python ${answer.unsupported}; 3.8 is the oldest that can be read`;
  return answer;
}
