/** One attempt kept to what its step declares, or, without a fence, watched. */
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { ManifestStep } from "@mlpipe/dsl";
import type { ResolvedInput, StepIdentity } from "@mlpipe/planner";
import type { StepRun } from "@mlpipe/provenance";
import type { Store } from "@mlpipe/store";
import type { AttemptFolder } from "../attempt-folder.ts";
import type { Ended } from "../engine.ts";
import type { StepError } from "../events.ts";
import type { Undeclared } from "../task.ts";
import { BoundsBuilder } from "./bounds.ts";
import { type Fence, isThere, type Sandbox } from "./fence.ts";
import { importedFile, importedTold } from "./imported.ts";
import { look } from "./look.ts";
import { permissionFlags } from "./node-permissions.ts";
import { PackagePlaces, packageAround, scopesOf } from "./package-places.ts";
import { ProgramPlaces } from "./program-places.ts";
import { pythonFile } from "./python-folder.ts";
import { accessMeant, refusalError, refusalIn, reported, shown } from "./refusals.ts";
import { remarksOnModules, remarksOnReads } from "./remarks.ts";
import { devicePlaces, systemPlaces } from "./system-places.ts";

/** Longer than this the watch of a Python step is not told what is declared, and does not watch. */
const longestVariable = 100_000;

/** What is found out once for all steps of a run. */
export class Surroundings {
  readonly root: string;
  readonly store: Store;
  /** Nothing where steps are only watched. */
  readonly fence: Fence | undefined;
  readonly programs: ProgramPlaces;
  readonly packages = new PackagePlaces();

  constructor(options: { readonly root: string; readonly store: Store; readonly fence?: Fence | undefined }) {
    this.root = options.root;
    this.store = options.store;
    this.fence = options.fence;
    this.programs = new ProgramPlaces(options.root);
  }
}

/** What an attempt's process is started with. */
export interface Start {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export class Enclosure {
  readonly sandbox: Sandbox;
  readonly #around: Surroundings;
  readonly #step: ManifestStep;
  readonly #identity: StepIdentity;
  readonly #given: readonly ResolvedInput[];
  /** Where they lie. */
  readonly #inputs: readonly string[];
  /** The attempt's folder. */
  readonly #folder: string;
  readonly #attemptFolder: AttemptFolder;
  readonly #checkpoints: readonly string[];
  #bounds: BoundsBuilder | undefined;
  /** What was made for a deploy's target before the deploy ran. */
  #made: string | undefined;

  constructor(
    around: Surroundings,
    attempt: {
      readonly step: ManifestStep;
      readonly identity: StepIdentity;
      readonly inputs: Readonly<Record<string, ResolvedInput>>;
      readonly folder: AttemptFolder;
      /** The folder that survives the attempt, if the step has one. */
      readonly checkpoint: string | undefined;
    },
  ) {
    this.#around = around;
    this.#step = attempt.step;
    this.#identity = attempt.identity;
    this.#folder = attempt.folder.path;
    this.#attemptFolder = attempt.folder;
    this.#checkpoints = attempt.checkpoint === undefined ? [] : [attempt.checkpoint];
    this.#given = allOf(attempt.inputs);
    this.#inputs = this.#given.flatMap((input) => placeOf(input, around.store) ?? []);
    this.sandbox = around.fence?.sandbox ?? "none";
  }

  /** What the attempt has for itself; in a store elsewhere the step is told of its folder by a link. */
  #own(): readonly string[] {
    return [this.#folder, resolve(this.#around.root, this.#attemptFolder.shown()), ...this.#checkpoints];
  }

  /** What Node is told before the runner. */
  nodeFlags(): readonly string[] {
    // What a deploy writes outside must be on the disk when it says so, and under the model nothing can be brought there.
    const isModelled = this.sandbox === "permission" || this.#step.kind !== "deploy";
    if (this.#around.fence === undefined || !isModelled) return [];
    return permissionFlags(this.#declared(), this.sandbox);
  }

  /** Files of the project that a TypeScript step may read without a word; nothing if Node itself refuses the rest. */
  watched(): readonly string[] | undefined {
    return this.#around.fence === undefined ? [...this.#identity.files, ...this.#inputs] : undefined;
  }

  /** Puts a start behind the fence, or under the watch. */
  enclose(start: Start): Start {
    const { fence, root } = this.#around;
    const env = { ...start.env, ...this.#pythonWatch(start.env) };
    const program = start.argv[0] ?? "";
    // Of a program that is not there the system itself says so best.
    if (fence === undefined || !isThere(program, env["PATH"], root)) return { argv: start.argv, env };
    return { argv: fence.start(start.argv, this.#declared(), join(this.#folder, "fence.json"), root), env };
  }

  /** Why the attempt must not even begin: the permission model alone would follow a link out of an input folder. */
  obstacle(): StepError | undefined {
    if (this.sandbox !== "permission") return undefined;
    const { root } = this.#around;
    const input = this.#given.find((each) => leavingLink(each) !== undefined);
    const link = input === undefined ? undefined : leavingLink(input);
    if (link === undefined) return undefined;
    return refusalError(this.#step, { path: link, access: "read" }, { root, attempt: this.#folder });
  }

  /** Why the fence could not start the program. */
  startFailure(): Ended["failure"] {
    if (this.sandbox !== "landlock") return undefined;
    try {
      // Written by the launcher.
      return JSON.parse(readFileSync(join(this.#folder, "fence.json.failed"), "utf8")) as NonNullable<
        Ended["failure"]
      >;
    } catch {
      return undefined;
    }
  }

  /** Takes away what was made for a deploy that left it empty: it did nothing. */
  clear(): void {
    const made = this.#made;
    const stat = made === undefined ? undefined : statSync(made, { throwIfNoEntry: false });
    if (made === undefined || stat === undefined) return;
    if (stat.isDirectory() ? readdirSync(made).length === 0 : stat.size === 0)
      rmSync(made, { recursive: true });
  }

  /** The error of a failed attempt, if it failed for something that was refused. */
  explain(error: StepError, refused: Undeclared | undefined): StepError {
    if (this.#bounds === undefined) return error;
    const { root } = this.#around;
    const hidden = this.sandbox === "bubblewrap";
    const lines = [error.message, ...(error.logTail ?? [])].flatMap((text) => text.split("\n"));
    const told = this.#reports().at(-1);
    const isTold = told !== undefined && lines.some((line) => line.includes(basename(told.path)));
    const cause = refused ?? (isTold ? told : refusalIn(lines, { bounds: this.#bounds, root, hidden }));
    if (cause === undefined) return error;
    const { logTail, stack, at = [] } = error;
    const meant = accessMeant(cause, this.#bounds);
    const explained = refusalError(this.#step, meant, { root, attempt: this.#folder });
    return {
      ...explained,
      ...(stack !== undefined && { stack }),
      ...(logTail !== undefined && { logTail }),
      ...(at.length > 0 && { at }),
    };
  }

  /** What Python had imported when it ended; null if it did not tell, nothing of a step that is no Python. */
  imported(): StepRun["imported"] {
    return this.#identity.language === "python" ? importedTold(join(this.#folder, importedFile)) : undefined;
  }

  /** What was opened, or refused and done without, that the step does not declare: a line each. */
  remarks(noticed: readonly Undeclared[]): readonly string[] {
    const { root, fence } = this.#around;
    const all = [...noticed, ...this.#reports()].filter(({ path }) => isFile(path));
    const names = [...new Set(all.map(({ path }) => shown(path, root)))];
    const verb = fence === undefined ? "read" : "was refused";
    const then = fence === undefined ? undefined : "it went on without";
    const loaded = new Set(this.unkeyedCode());
    const { id } = this.#step;
    const modules = remarksOnModules(
      names.filter((name) => loaded.has(name)),
      (what, them, files) =>
        `${id} loaded ${what}, which its key does not hold: the result is not cached. Name ${them}: files: ${JSON.stringify(files)}.`,
    );
    const reads = remarksOnReads(
      names.filter((name) => !loaded.has(name)),
      (what, one) =>
        `${id} ${verb} ${what}, which no port declares: ${then ?? `an edit of ${one} re-runs nothing`}.`,
    );
    return [...modules, ...reads];
  }

  /**
   * Modules of the project that Python loaded and that are not part of the key, since no text leads to them: a pickle
   * names the modules of its classes. Refused, they did nothing.
   */
  unkeyedCode(): readonly string[] {
    const { root, fence } = this.#around;
    if (fence !== undefined) return [];
    return this.#reports()
      .filter(({ path }) => extname(path) === ".py" && isFile(path))
      .map(({ path }) => shown(path, root));
  }

  #reports(): readonly Undeclared[] {
    return this.#isWatched() ? reported(join(this.#folder, "undeclared.jsonl")) : [];
  }

  /**
   * Whether the Pythons of a step are watched. What a shell script or make starts nobody can tell beforehand: with `files`
   * the step says what it is, and the watch whether that is all. The fence needs no such help.
   */
  #isWatched(): boolean {
    const { language } = this.#identity;
    if (language === "python") return true;
    return language === "command" && this.#step.files !== undefined && this.#around.fence === undefined;
  }

  #declared(): BoundsBuilder {
    return (this.#bounds ??= this.#findBounds());
  }

  #findBounds(): BoundsBuilder {
    const { programs, packages, root } = this.#around;
    const { files, packageFolders, childEnv } = this.#identity;
    this.#prepareTarget();
    const bounds = new BoundsBuilder();
    bounds.allow("read", systemPlaces());
    bounds.allow("read", files);
    bounds.allow("read", this.#inputs);
    bounds.allow("write", [...this.#own(), ...devicePlaces(), ...this.#targetPlaces()]);
    const home = childEnv["HOME"];
    for (const program of this.#identity.programs) bounds.allow("read", programs.ofProgram(program, home));
    for (const python of this.#identity.pythons) bounds.allow("read", programs.ofPython(python, childEnv));
    const scripts = files.filter((file) => extname(file) === ".py");
    // Python finds modules by listing the folders they lie in.
    if (this.#identity.language === "python") {
      bounds.allow("list", moduleFolders(scripts));
      // There it looks first for what `-m` names.
      if (this.#startsModule()) bounds.allow("list", [root]);
      bounds.allow(
        "list",
        (childEnv["PYTHONPATH"] ?? "")
          .split(delimiter)
          .filter(Boolean)
          .map((path) => join(root, path)),
      );
      const watch = pythonFile("sitecustomize.py");
      if (watch !== undefined) bounds.allow("read", [dirname(watch)]);
    }
    if (this.#step.body.type !== "command" || this.#startsNode()) {
      const own = packageAround(fileURLToPath(import.meta.url));
      bounds.allow("read", programs.ofProgram(process.execPath, home));
      bounds.allow("read", packages.of(own === undefined ? packageFolders : [...packageFolders, own], files));
      const code = [...files, ...scopesOf(files)];
      bounds.allow("read", code);
      for (const link of packages.linksTo(files)) {
        bounds.allow("read", throughLink(link, code));
        bounds.partly.add(link);
      }
    }
    return bounds;
  }

  #startsModule(): boolean {
    const { body } = this.#step;
    return body.type === "command" && body.argv.some((word) => word.length === 1 && word[0] === "-m");
  }

  #startsNode(): boolean {
    return this.#identity.programs.some((program) =>
      /^(?:node|nodejs|tsx|ts-node|npx|npm|pnpm|bun|deno)$/.test(basename(program)),
    );
  }

  #pythonWatch(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const { fence, root, store } = this.#around;
    if (!this.#isWatched()) return {};
    const watch = pythonFile("sitecustomize.py");
    if (watch === undefined) return {};
    const bounds = fence === undefined ? this.#watchedBounds() : this.#declared();
    const told = watchText({
      refuse: fence === undefined ? [] : ["yes"],
      step: [this.#step.id],
      root: [root],
      read: [...bounds.read],
      write: [...bounds.write],
      list: [...bounds.list],
      // What belongs to an environment or to mlpipe is nobody's data.
      aside: ["node_modules", ".venv", "venv", ".git", ".mlpipe"]
        .map((name) => join(root, name))
        .concat(store.root),
      report: [join(this.#folder, "undeclared.jsonl")],
      imported: [join(this.#folder, importedFile)],
    });
    const variables = { PYTHONPATH: [dirname(watch), env["PYTHONPATH"]].filter(Boolean).join(delimiter) };
    if (fence === undefined) return told.length > longestVariable ? {} : { ...variables, MLPIPE_WATCH: told };
    const file = join(this.#folder, "watch.json");
    writeFileSync(file, told, { mode: 0o600 });
    return { ...variables, MLPIPE_WATCH: `@${file}` };
  }

  #watchedBounds(): BoundsBuilder {
    const bounds = new BoundsBuilder();
    bounds.allow("read", this.#identity.files);
    bounds.allow("read", this.#inputs);
    bounds.allow("write", [...this.#own(), ...this.#targetPlaces()]);
    return bounds;
  }

  /**
   * A deploy may write beside its target, to put it in place by renaming; not so where that would
   * be the whole project.
   */
  #targetPlaces(): readonly string[] {
    const { root } = this.#around;
    if (this.#step.target === undefined) return [];
    const target = join(root, this.#step.target);
    const above = dirname(target);
    return `${root}${sep}`.startsWith(`${above}${sep}`) ? [target] : [target, above];
  }

  /** A place that is not there cannot be granted: of a target without an ending a folder is made. */
  #prepareTarget(): void {
    if (this.#step.target === undefined) return;
    const target = join(this.#around.root, this.#step.target);
    if (statSync(target, { throwIfNoEntry: false }) !== undefined || this.#targetPlaces().length > 1) return;
    if (extname(target) === "") mkdirSync(target, { recursive: true });
    else writeFileSync(target, "");
    this.#made = target;
  }
}

/** The folders that scripts and modules lie in; of a package also those that it and the packages around it lie in. */
function moduleFolders(scripts: readonly string[]): ReadonlySet<string> {
  const known = new Set(scripts);
  const folders = new Set<string>();
  for (const script of scripts) {
    let folder = dirname(script);
    for (; known.has(join(folder, "__init__.py")); folder = dirname(folder)) folders.add(folder);
    folders.add(folder);
  }
  return folders;
}

/** Those of the files that lie where a link leads, by the paths that begin with it. */
function throughLink(link: string, files: readonly string[]): readonly string[] {
  const real = realpathSync(link);
  return files.filter((file) => file.startsWith(real + sep)).map((file) => link + file.slice(real.length));
}

/** Lists as the watch reads them: a text with one of its separators is no path that it could look at. */
function watchText(lists: Readonly<Record<string, readonly string[]>>): string {
  return (
    Object.entries(lists)
      // oxlint-disable-next-line no-control-regex -- these are the separators
      .map(([name, texts]) => [name, ...texts.filter((text) => !/[\u001e\u001f]/.test(text))].join("\u001f"))
      .join("\u001e")
  );
}

function isFile(path: string): boolean {
  return look(path)?.isFile() === true;
}

/** Inputs, and those that are in a `many`. */
function allOf(inputs: Readonly<Record<string, ResolvedInput>>): readonly ResolvedInput[] {
  const all = Object.values(inputs);
  for (const input of all) if (input.type === "many") all.push(...input.items.map((item) => item.input));
  return all;
}

/** Where the content of an input lies. */
function placeOf(input: ResolvedInput, store: Store): string | undefined {
  if (input.type === "source") return input.absolute;
  return input.type === "object" ? store.objects.pathOf(input.content) : undefined;
}

function leavingLink(input: ResolvedInput): string | undefined {
  if (input.type !== "source" || input.content.leaves === undefined) return undefined;
  return join(input.absolute, input.content.leaves);
}
