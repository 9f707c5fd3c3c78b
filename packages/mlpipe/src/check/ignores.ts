/** Comments that silence findings: `// mlpipe-check-ignore MLP6102: only a log line`. */
import { readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { ManifestSite } from "@mlpipe/dsl";
import { checkFindings } from "./errors.ts";

interface Ignore {
  readonly codes: readonly string[];
  readonly column: number;
}

const comment = /(?:^|\s)(?:\/\/|\/\*|#)\s*mlpipe-check-ignore\b(?<rest>.*)/;

/** `MLP6102, MLP6103: a reason` */
const complete = /^\s*(?<codes>MLP\d{4}(?:[\s,]+MLP\d{4})*)\s*:\s*\w/;

/** Reads the comments of the files that findings are in. */
export class Ignores {
  readonly #root: string;
  readonly #files = new Map<string, ReadonlyMap<number, Ignore>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Whether the line of a place, or the one above, silences a finding there. */
  silences(code: string, { file, line }: ManifestSite): boolean {
    const ignores = this.#of(file);
    return [line, line - 1].some((each) => ignores.get(each)?.codes.includes(code) === true);
  }

  /** The places of comments in a file that silence nothing, for want of a code or a reason. */
  incomplete(file: string): readonly ManifestSite[] {
    return [...this.#of(file)]
      .filter(([, { codes }]) => codes.length === 0)
      .map(([line, { column }]) => ({ file, line, column }));
  }

  #of(file: string): ReadonlyMap<number, Ignore> {
    let found = this.#files.get(file);
    if (found === undefined) {
      found = this.#read(file);
      this.#files.set(file, found);
    }
    return found;
  }

  #read(file: string): ReadonlyMap<number, Ignore> {
    const found = new Map<number, Ignore>();
    let text: string;
    try {
      text = readFileSync(isAbsolute(file) ? file : join(this.#root, file), "utf8");
    } catch {
      return found;
    }
    for (const [index, line] of text.split("\n").entries()) {
      const match = comment.exec(line);
      if (match === null) continue;
      const codes = complete.exec(match.groups?.["rest"] ?? "")?.groups?.["codes"]?.split(/[\s,]+/) ?? [];
      const known = codes.every((code) => code in checkFindings);
      const column = match.index + match[0].search(/\S/) + 1;
      found.set(index + 1, { codes: known ? codes : [], column });
    }
    return found;
  }
}
