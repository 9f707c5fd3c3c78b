/** A YAML file whose every value knows its place. */
import { readFileSync } from "node:fs";
import { MlpipeError, type Site } from "@mlpipe/dsl";
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";

/** The way from the root of a document to a value: names and indices. */
export type YamlPath = readonly (string | number)[];

export class YamlFile {
  /** Absolute path. */
  readonly path: string;
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /**
   * Reads and parses a file.
   * @throws MlpipeError MLP6201 if it cannot be read, MLP6202 if it is no YAML
   */
  constructor(path: string, named?: Site) {
    this.path = path;
    this.#lines = new LineCounter();
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      throw new MlpipeError("MLP6201", `${path} cannot be read: ${said(error)}.`, {
        at: named,
        hint: "Name the dvc.yaml, or the folder it lies in: mlpipe init --from-dvc path/to/dvc.yaml",
        cause: error,
      });
    }
    this.#document = parseDocument(text, { lineCounter: this.#lines, merge: true, prettyErrors: false });
    const [problem] = this.#document.errors;
    if (problem !== undefined) throw this.#broken(problem.message, problem.pos[0], problem);
    try {
      this.value = this.#document.toJS();
    } catch (error) {
      // An alias without its anchor shows only when it is followed.
      throw this.#broken(said(error), 0, error);
    }
  }

  /** Where a value stands; of one that is not written there itself, what is nearest to it. */
  place(path: YamlPath): Site {
    let node: unknown = this.#document.contents;
    let last: unknown = node;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) {
        const pair = node.items.find(
          ({ key }) => (isScalar(key) ? String(key.value) : undefined) === String(part),
        );
        if (pair === undefined) break;
        last = pair.key;
        node = pair.value;
      } else if (isSeq(node)) {
        node = node.items[Number(part)];
        last = node ?? last;
      } else break;
    }
    return this.#site(isNode(last) ? (last.range?.[0] ?? 0) : 0);
  }

  /** The scalar at a path as it is written. */
  source(path: YamlPath): string | undefined {
    const node: Node | undefined = this.#node(path);
    return isScalar(node) && node.type === "PLAIN" ? node.source : undefined;
  }

  #node(path: YamlPath): Node | undefined {
    let node: unknown = this.#document.contents;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node))
        node = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))?.value;
      else if (isSeq(node)) node = node.items[Number(part)];
      else return undefined;
    }
    return isNode(node) ? node : undefined;
  }

  #site(offset: number): Site {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.path, line: Math.max(1, line), column: Math.max(1, col) };
  }

  #broken(message: string, offset: number, cause: unknown): MlpipeError {
    return new MlpipeError("MLP6202", `${this.path} is no YAML: ${message.replace(/\.$/, "")}.`, {
      at: this.#site(offset),
      cause,
    });
  }
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a value is a YAML mapping. */
export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
