/**
 * The work folder of one attempt: inputs as read-only links under their proper names, a private
 * place for outputs. Its path is made of the step and its key alone, so that a path which a step
 * writes into its output is the same every time.
 */
import {
  copyFileSync,
  constants,
  cpSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { KindSpec, ManifestStep } from "@mlpipe/dsl";
import type { ResolvedInput } from "@mlpipe/planner";
import { type AttemptsAsShown, attemptsAsShown } from "./attempts-as-shown.ts";
import { canonicalJson, type Digest, digestOf, type Store } from "@mlpipe/store";
import type { WorkFolders } from "./work-folders.ts";

/** What a step is given for an input port, paths relative to the project's root. */
export type PreparedInput =
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "path"; readonly path: string; readonly kind: KindSpec }
  | {
      readonly type: "many";
      readonly items: readonly { readonly key: string; readonly input: PreparedInput }[];
    }
  | { readonly type: "absent" };

/** The folder of one attempt, with the places of its ports. */
export class AttemptFolder {
  /** Absolute path. */
  readonly path: string;
  /** The same folder by the path that steps are told, once it is made. */
  #shown: string;
  /** That path as steps are told it, once it was asked for. */
  #told: string | undefined;
  readonly #root: string;
  readonly #store: Store;
  readonly #folders: WorkFolders;
  readonly #stepName: string;
  readonly #key: Digest;
  #isDiscarded = false;

  constructor(options: {
    readonly root: string;
    readonly store: Store;
    readonly step: ManifestStep;
    readonly key: Digest;
    readonly folders: WorkFolders;
  }) {
    this.#root = options.root;
    this.#folders = options.folders;
    this.#store = options.store;
    this.#stepName = fileName(options.step.id);
    this.#key = options.key;
    const name = this.#attempts.nameFor(`${this.#stepName}-${options.key.slice(0, 16)}`);
    this.path = join(options.store.root, "attempts", name);
    this.#shown = this.path;
  }

  make(): void {
    this.#folders.make(this.path);
    this.#shown = this.#attempts.show(this.path, basename(this.path));
    this.#told = undefined;
  }

  /** A file that was made here, moved to where it outlasts the folder. @returns its new path, absolute */
  moveOut(path: string): string {
    const aside = this.#folders.aside(this.path);
    renameSync(path, aside);
    return aside;
  }

  /** Whether its place is empty, or holds what the next attempt of this run may have. */
  get isDiscarded(): boolean {
    return this.#isDiscarded;
  }

  /** Doing so twice is fine. */
  discard(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    this.#attempts.hide(this.path, this.#shown);
    this.#folders.discard(this.path);
  }

  /** Its place is nobody's any more: before the claim of the key is given back. Doing so twice is fine. */
  leave(): void {
    this.#folders.leave(this.path);
  }

  /** A place in the folder, relative to the project's root with `/`, as steps are told it. */
  shown(...names: readonly string[]): string {
    this.#told ??= relative(this.#root, this.#shown).split(sep).join("/");
    return [this.#told, ...names].join("/");
  }

  /** Absolute path of a place in the folder. */
  inner(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** The place of an output port, relative to the project's root; the folder of a `dir` is made. */
  output(port: string, kind: KindSpec): string {
    const name = portFileName(port, kind);
    if (kind.kind === "dir") mkdirSync(this.inner("out", name), { recursive: true });
    return this.shown("out", name);
  }

  /** A folder of the store outside of this one, which survives the attempt. */
  checkpoint(port: string, several: boolean): PreparedInput {
    const folder = this.#store.checkpoints.open(this.#stepName, this.#key);
    // A step with one finds its things at the root of it; each of several has its own place.
    const path = several ? join(folder, fileName(port)) : folder;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const shown = relative(this.#root, path).split(sep).join("/");
    return { type: "path", path: shown, kind: { kind: "checkpoint" } };
  }

  /** Nothing is to be gone on from any more: the step has succeeded, or is to begin from nothing. */
  removeCheckpoint(): void {
    this.#store.checkpoints.remove(this.#stepName, this.#key);
  }

  /** Links an input into the folder. */
  input(port: string, kind: KindSpec, input: ResolvedInput): PreparedInput {
    const inner = innerKind(kind);
    switch (input.type) {
      case "absent":
        return { type: "absent" };
      case "value":
        return { type: "value", value: input.value };
      case "object":
        return this.#link(port, inner, this.#store.objects.pathOf(input.content));
      case "source":
        return this.#link(port, inner, input.absolute);
      case "many": {
        const of = inner.kind === "many" ? innerKind(inner.of) : inner;
        const items = input.items.map(({ key, input: item }) => ({
          key,
          input: this.input(join(port, fileName(key)), of, item),
        }));
        return { type: "many", items };
      }
    }
  }

  /** A private copy of a source that is to be kept, for the store to take. */
  copyOf(port: string, source: string): string {
    const copy = this.inner("keep", fileName(port));
    mkdirSync(dirname(copy), { recursive: true });
    if (statSync(source).isDirectory()) cpSync(source, copy, { recursive: true, verbatimSymlinks: true });
    else copyFileSync(source, copy, constants.COPYFILE_FICLONE);
    return copy;
  }

  /** A private file with the canonical JSON of a value, for the store to take. */
  valueFile(port: string, value: unknown): string {
    const path = this.inner("keep", `${fileName(port)}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, canonicalJson(value), { mode: 0o600 });
    return path;
  }

  get #attempts(): AttemptsAsShown {
    return attemptsAsShown(this.#root, this.#store.root);
  }

  #link(port: string, kind: KindSpec, target: string): PreparedInput {
    const name = portFileName(port, kind);
    const path = this.inner("in", name);
    // Items of a `many` have a folder of their own.
    if (name.includes(sep)) mkdirSync(dirname(path), { recursive: true });
    symlinkSync(resolve(target), path);
    return { type: "path", path: this.shown("in", name), kind };
  }
}

/** `fit[lr=0.1]` as a file name that every system and every shell bears; no two ids share one. */
export function fileName(id: string): string {
  const isChild = /^[^@[\]]+\[[^@[\]]*\]$/.test(id);
  const name = isChild ? id.slice(0, -1).replace("[", "@") : id;
  if (/^\w[\w.=+,@-]{0,99}$/.test(name) && (isChild || !id.includes("@"))) return name;
  // Something was taken away, so the name alone no longer tells it from others: `a:b` and `a_b`, `.` and `..`.
  return `${name.replaceAll(/[^\w=+,-]+/g, "_").slice(0, 80)}-${digestOf(id).slice(0, 8)}`;
}

/** The file name of a port: tools tell formats by endings. */
export function portFileName(port: string, kind: KindSpec): string {
  switch (kind.kind) {
    case "dir":
    case "checkpoint":
      return port;
    case "file":
    case "plot":
      return `${port}.${kind.extension}`;
    case "model":
      return `${port}.${kind.format}`;
    case "csv":
    case "jsonl":
      return `${port}.${kind.kind}`;
    case "json":
    case "value":
    case "seed":
    case "metrics":
      return `${port}.json`;
    case "many":
    case "approved":
    case "optional":
      return portFileName(port, kind.of);
  }
}

/** The kind of the content itself. */
export function innerKind(kind: KindSpec): KindSpec {
  return kind.kind === "approved" || kind.kind === "optional" ? innerKind(kind.of) : kind;
}
