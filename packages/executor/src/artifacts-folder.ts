/** What a pipeline returns, copied to where users look: `artifacts/<pipeline>/<name>`. */
import { randomUUID } from "node:crypto";
import {
  type Dirent,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import type { Binding, Manifest } from "@mlpipe/dsl";
import type { Run } from "@mlpipe/provenance";
import { canonicalJson, type Content, digestOf, digestOfJson, type Store, StoreError } from "@mlpipe/store";
import { fileName, portFileName } from "./attempt-folder.ts";

/** A returned output, and where it lies. */
export interface ReturnedOutput {
  readonly digest: string;
  readonly size: number;
  /** Relative to the project's root; null for a source, which lies where it always did. */
  readonly path: string | null;
}

export interface ArtifactsOptions {
  readonly manifest: Manifest;
  readonly store: Store;
  readonly root: string;
  readonly outputOf: (step: string, port: string) => Content | undefined;
}

/** The outputs that are there, if all of them lie where they are to be and nothing else has to go. */
export function artifactsInPlace(
  options: ArtifactsOptions,
): Readonly<Record<string, ReturnedOutput>> | undefined {
  let isInPlace = true;
  const outputs = goThrough(options, () => {
    isInPlace = false;
  });
  return isInPlace ? outputs : undefined;
}

/** Copies the outputs that are there; a file that is right already is left alone. */
export function copyArtifacts(options: ArtifactsOptions): Readonly<Record<string, ReturnedOutput>> {
  return goThrough(options, (change) => {
    change();
  });
}

/** What is to be done with something that has to change. */
type OnChange = (change: () => void) => void;

function goThrough(options: ArtifactsOptions, onChange: OnChange): Readonly<Record<string, ReturnedOutput>> {
  const { manifest, store, root, outputOf } = options;
  const folder = join(root, "artifacts", manifest.pipeline);
  const steps = new Map(manifest.steps.map((step) => [step.id, step]));
  const copied: Record<string, ReturnedOutput> = {};

  const nameOf = (binding: Binding, name: string): string => {
    const kind = binding.type === "step" ? steps.get(binding.step)?.outputs[binding.port] : undefined;
    return kind === undefined ? name : portFileName(name, kind);
  };
  const copy = (binding: Binding, place: string): Pick<Content, "digest" | "size"> | undefined => {
    if (binding.type === "many") {
      const names = binding.items.map(({ key, from }) => nameOf(from, fileName(key)));
      removeFormerItems(store, place, new Set(names), onChange);
      const items = binding.items.flatMap(({ key, from }) => {
        const content = copy(from, join(place, fileName(key)));
        return content === undefined ? [] : [{ key, content }];
      });
      if (items.length === 0) return undefined;
      return {
        digest: digestOfJson({ many: items.map(({ key, content }) => [key, content.digest]) }),
        size: items.reduce((sum, { content }) => sum + content.size, 0),
      };
    }
    if (binding.type !== "step") return undefined;
    const content = outputOf(binding.step, binding.port);
    if (content === undefined) return undefined;
    const kind = steps.get(binding.step)?.outputs[binding.port];
    const target = kind === undefined ? place : portFileName(place, kind);
    if (isThere(store, target, content)) return content;
    onChange(() => {
      refuseDamaged(store, content);
      mkdirSync(join(target, ".."), { recursive: true });
      const isJson = kind?.kind === "metrics" || kind?.kind === "value";
      if (isJson) replaceFile(target, readable(readFileSync(store.objects.pathOf(content), "utf8")));
      else store.objects.copyOut(content, target);
    });
    return content;
  };

  const places = new Set<string>();
  for (const [name, { kind, from }] of Object.entries(manifest.outputs)) {
    const place = join(folder, name);
    // Several are in a folder of their own.
    const target = from.type === "many" ? place : portFileName(place, kind);
    places.add(target);
    const content = copy(from, place);
    if (content !== undefined) {
      const path = relative(root, target).split(sep).join("/");
      copied[name] = { digest: content.digest, size: content.size, path };
    }
  }
  removeFormerOutputs({ store, root, pipeline: manifest.pipeline, folder, places, onChange });
  return copied;
}

/** Never copies what is not what a step made. */
function refuseDamaged(store: Store, content: Content): void {
  const path = store.objects.pathOf(content);
  if (store.index.contentOf(path).digest === content.digest) return;
  store.objects.remove(content);
  throw new StoreError("MLP4009", `${relative(store.root, path)} was damaged, and was dropped`, {
    path,
    hint: "Run again: it is made anew.",
  });
}

/** Whole or not at all; a link in its place is replaced, and never written through. */
function replaceFile(target: string, text: string): void {
  const written = join(dirname(target), `.mlpipe-${randomUUID()}`);
  try {
    writeFileSync(written, text, { flag: "wx" });
    renameSync(written, target);
  } catch (error) {
    rmSync(written, { force: true });
    throw error;
  }
}

function isThere(store: Store, target: string, content: Content): boolean {
  return steadyContent(store, target)?.digest === content.digest;
}

/** What lies at a place; nothing if that is nothing, or if another run is putting its own there at this moment. */
function steadyContent(store: Store, path: string): Content | undefined {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    return store.index.contentOf(path);
  } catch (error) {
    // Gone, or changed while it was read.
    if (error instanceof StoreError && (error.code === "MLP4006" || error.code === "MLP4008"))
      return undefined;
    throw error;
  }
}

/** The store keeps JSON in its canonical form, people read it indented. */
function readable(canonical: string): string {
  const value: unknown = JSON.parse(canonical);
  const text =
    typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : canonicalJson(value);
  return `${text}\n`;
}

/**
 * Removes the items of an earlier run, which a list that grew shorter must not leave beside the others, if they are what
 * mlpipe put there: their content is in the store. A file of somebody else, or one that was edited, stays.
 * @param names of the items' files in the folder
 */
function removeFormerItems(
  store: Store,
  folder: string,
  names: ReadonlySet<string>,
  onChange: OnChange,
): void {
  for (const { name } of foldersAndFiles(folder)) {
    if (names.has(name)) continue;
    const path = join(folder, name);
    if (isKept(store, path)) onChange(() => rmSync(path, { recursive: true, force: true }));
  }
}

/**
 * Removes what the last run that succeeded put there and this one does not return, unless it was edited since. Other
 * files in the folder are somebody's own, copies of outputs too.
 */
function removeFormerOutputs(options: {
  readonly store: Store;
  readonly root: string;
  readonly pipeline: string;
  readonly folder: string;
  /** Where the outputs of this run lie. */
  readonly places: ReadonlySet<string>;
  readonly onChange: OnChange;
}): void {
  const { store, root, pipeline, folder, places, onChange } = options;
  const others = foldersAndFiles(folder).filter(({ name }) => !places.has(join(folder, name)));
  // Nearly always: then no record is read.
  if (others.length === 0) return;
  const former = formerPlaces(store, root, pipeline);
  for (const entry of others) {
    const path = join(folder, entry.name);
    if (!former.has(path)) continue;
    if (isKept(store, path)) onChange(() => rmSync(path, { recursive: true, force: true }));
    else if (entry.isDirectory()) {
      removeFormerItems(store, path, new Set(), onChange);
      onChange(() => removeIfEmpty(path));
    }
  }
}

/** Where the outputs of the last run of a pipeline that succeeded were put, if it is one of its last few. */
function formerPlaces(store: Store, root: string, pipeline: string): ReadonlySet<string> {
  let before: string | undefined;
  for (let looked = 0; looked < 5; looked++) {
    const [run] = store.runs.list({ pipeline, limit: 1, ...(before !== undefined && { before }) });
    if (run === undefined) break;
    before = run.id;
    if (run.status !== "succeeded") continue;
    const { outputs } = run.document as Run;
    return new Set(Object.values(outputs).flatMap(({ path }) => (path === null ? [] : [join(root, path)])));
  }
  return new Set();
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It is not empty, or another run was quicker.
  }
}

/** What lies in a folder, but for links and the like. */
function foldersAndFiles(folder: string): readonly Dirent[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isFile() || entry.isDirectory(),
  );
}

function isKept(store: Store, path: string): boolean {
  const content = steadyContent(store, path);
  if (content === undefined) return false;
  if (store.objects.has(content)) return true;
  if (content.type !== "file" || !path.endsWith(".json")) return false;
  try {
    // Values and metrics are copied in a form for people, and kept in the canonical one.
    const canonical = canonicalJson(JSON.parse(readFileSync(path, "utf8")));
    return store.objects.has({
      type: "file",
      digest: digestOf(canonical),
      size: Buffer.byteLength(canonical),
    });
  } catch {
    return false;
  }
}
