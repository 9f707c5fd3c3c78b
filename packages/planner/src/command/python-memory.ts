/**
 * What interpreters answered about scripts, kept from one session to the next: to start a Python takes longer than all
 * else of a run in which nothing has to run, and behind a version manager several times as long.
 *
 * An answer holds while everything that it depends on looks as it did: the sources read, the folders whose listing
 * decided where a name leads, the files of installed distributions, the interpreter and its configuration. The program
 * that reads Python lists them all, those included that were looked for in vain. Whatever was written to while it was at
 * work is in no state that anybody knows, and is not kept.
 */
import { statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { digestOf, type Store } from "@mlpipe/store";
import { FileClock } from "../file-clock.ts";
import type { Interpreter, PythonAnswer, PythonRequest } from "./python.ts";
import { pythonProgram } from "./python-program.ts";
import { isText } from "./tool.ts";

/** Beyond this many the looking takes as long as the asking. */
const mostPaths = 60_000;

interface Kept {
  readonly answer: PythonAnswer;
  readonly paths: readonly string[];
  /** Digest of how all of them looked. */
  readonly look: string;
}

export class PythonMemory {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** What `ask` answers, or what it has answered before if nothing of that can have changed. */
  answer(
    interpreter: Interpreter,
    projectRoot: string,
    requests: readonly PythonRequest[],
    ask: () => PythonAnswer | string,
  ): PythonAnswer | string {
    const question = JSON.stringify([pythonProgram, interpreter, projectRoot, requests]);
    const key = `python ${digestOf(question)}`;
    // Written below, under a key that names the program which gave the answer, and sealed.
    const kept = this.#store.facts.get(key) as Kept | undefined;
    if (kept !== undefined && lookOf(kept.paths) === kept.look) return kept.answer;

    const clock = new FileClock(this.#store.root);
    const answer = ask();
    if (typeof answer === "string") return answer;
    const chosen = whatChooses(interpreter.path, projectRoot, answer.executable);
    if (chosen === undefined) return answer;
    const files = answer.results.flatMap((result) => result.files);
    const paths = [...new Set([...chosen, ...answer.folders, ...answer.looked, ...files])].toSorted();
    if (paths.length > mostPaths || paths.some((path) => clock.hasPassed(path))) return answer;
    // What the planner needs of it; the paths are kept once.
    const small = { ...answer, folders: [], looked: [] };
    this.#store.facts.put(key, { answer: small, paths, look: lookOf(paths) } satisfies Kept);
    return answer;
  }
}

/** What decides which interpreter a path starts; nothing where nobody can tell. */
function whatChooses(path: string, projectRoot: string, executable: string): readonly string[] | undefined {
  if (!isText(path)) return [path];
  // A script that looks for the interpreter. Of pyenv's it is known where it looks.
  const root = dirname(dirname(dirname(dirname(executable))));
  if (!path.startsWith(join(root, "shims") + sep)) return undefined;
  const places = [
    path,
    join(root, "version"),
    join(root, "versions"),
    join(root, "plugins"),
    join(root, "pyenv.d"),
  ];
  for (let folder = projectRoot; ; folder = dirname(folder)) {
    places.push(join(folder, ".python-version"));
    if (folder === dirname(folder)) return places;
  }
}

/** How files and folders look: each by inode, length and times, that it is not there, or why it cannot be looked at. */
function lookOf(paths: readonly string[]): string {
  const lines = paths.map((path) => {
    try {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? "-" : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
    } catch (error) {
      // Closed to us, and so to the Python that looked there: another user's home, say.
      return error instanceof Error && "code" in error ? String(error.code) : String(error);
    }
  });
  return digestOf(lines.join("\n"));
}
