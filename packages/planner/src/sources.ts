import { existsSync, statSync } from "node:fs";
import type { Manifest } from "@mlpipe/dsl";
import type { Content, Store } from "@mlpipe/store";
import { checkSources, sourcePaths } from "./inputs.ts";

/** What the sources of a pipeline hold, as one planning session sees them: each is looked at once. */
export class Sources {
  readonly #manifest: Manifest;
  readonly #root: string;
  readonly #store: Store;
  readonly #contents = new Map<string, Content>();
  #hashed = false;
  #changed = false;

  /** @param root absolute path of the project's root */
  constructor(manifest: Manifest, root: string, store: Store) {
    this.#manifest = manifest;
    this.#root = root;
    this.#store = store;
  }

  /** Whether one that is a file is not as it was when it was last read. */
  get changed(): boolean {
    return this.#changed;
  }

  /**
   * Looks whether every source is there.
   * @throws MlpipeError MLP2001, MLP2002 for sources that are missing or of the wrong sort
   */
  check(): void {
    const { steps, fanOuts = [] } = this.#manifest;
    const paths = sourcePaths(this.#root, steps);
    // What is as it was when it was last read is there: one look tells that and its content.
    for (const [path, content] of this.#store.index.unchanged(paths)) this.#contents.set(path, content);
    this.#changed = paths.some((path) => !this.#contents.has(path) && isFile(path));
    const typeOf = (path: string): Content["type"] | undefined => this.#contents.get(path)?.type;
    checkSources(steps, this.#root, typeOf);
    const lists = fanOuts.map(({ id, called, list, kind }) => ({
      id,
      called,
      inputs: { list: { kind: { kind }, from: list } },
    }));
    checkSources(lists, this.#root, typeOf);
  }

  /** What is known of a source without looking at it. @param path absolute */
  known(path: string): Content | undefined {
    return this.#contents.get(path);
  }

  /** The content of a source; nothing where there is none. @param path absolute */
  find(path: string): Content | undefined {
    if (!this.#contents.has(path) && !existsSync(path)) return undefined;
    return this.contentOf(path);
  }

  /** The content of a source. @param path absolute */
  contentOf(path: string): Content {
    // The first one asked for brings all others along: hashed together, both cores work.
    if (!this.#hashed) {
      this.#hashed = true;
      const paths = sourcePaths(this.#root, this.#manifest.steps).filter(
        (source) => !this.#contents.has(source),
      );
      try {
        this.#readTogether(paths);
      } catch (error) {
        const there = paths.filter((source) => statSync(source, { throwIfNoEntry: false }) !== undefined);
        if (there.length === paths.length) throw error;
        // Optional ones may be absent.
        this.#readTogether(there);
      }
    }
    let content = this.#contents.get(path);
    if (content === undefined) {
      content = this.#store.index.contentOf(path);
      this.#contents.set(path, content);
    }
    return content;
  }

  #readTogether(paths: readonly string[]): void {
    const contents = this.#store.index.contentsOf(paths);
    paths.forEach((source, index) => {
      const content = contents[index];
      if (content !== undefined) this.#contents.set(source, content);
    });
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
