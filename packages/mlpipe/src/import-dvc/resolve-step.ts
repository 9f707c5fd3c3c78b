/** Finds what the paths and params of a stage are: outputs of others, data, code, values. */
import { posix } from "node:path";
import { codeFile, environmentOf, scriptsIn } from "./command-facts.ts";
import type { DataPlaces } from "./data-places.ts";
import type { ImportedStep, InputFile, ItemInput, OutputFile, ParamInput } from "./imported-step.ts";
import { type KindCode, outputKind, sourceKind, stepKindOf } from "./kinds.ts";
import { camelCase, Names, portName } from "./names.ts";
import type { ParamsFiles } from "./params-file.ts";
import type { Remarks } from "./remark.ts";
import { schemaCode } from "./schema-code.ts";
import type { Stage, StageOut, StagePath } from "./stage.ts";
import { joined, resolved, settled, type Text, valueAt, written } from "./template.ts";

/** An output that some stage makes. */
export interface MadeOutput {
  readonly stage: string;
  readonly out: StageOut;
  readonly port: string;
  readonly kind: KindCode;
}

/** What a step can be resolved against. */
export interface ImportedProject {
  readonly places: DataPlaces;
  readonly params: ParamsFiles;
  readonly remarks: Remarks;
  /** Every output by its path. */
  readonly made: ReadonlyMap<string, MadeOutput>;
}

/** The outputs of a stage with their ports. */
export function outputsOf(
  stage: Stage,
  models: ReadonlySet<string>,
  around: { readonly places: DataPlaces; readonly remarks: Remarks },
): readonly MadeOutput[] {
  const names = new Names();
  const step = stepKindOf(stage);
  return stage.outs.map((out) => ({
    stage: stage.name,
    out,
    port: names.take(portName(out.text)),
    kind: outputKind(out, step, { ...around, isModel: models.has(out.path) }),
  }));
}

/** Resolves a stage. */
export function resolveStep(
  stage: Stage,
  outputs: readonly MadeOutput[],
  project: ImportedProject,
): ImportedStep {
  return new StepResolver(stage, project).resolve(outputs);
}

class StepResolver {
  readonly #stage: Stage;
  readonly #project: ImportedProject;
  readonly #names = new Names();
  readonly #inputs: InputFile[] = [];
  readonly #params: ParamInput[] = [];
  readonly #items: ItemInput[] = [];
  readonly #scripts = new Set<string>();
  readonly #files = new Set<string>();
  /** Scripts that are run by `-m`, which find what lies where the command runs. */
  readonly #modules = new Set<string>();
  #isCached: boolean;

  constructor(stage: Stage, project: ImportedProject) {
    this.#stage = stage;
    this.#project = project;
    this.#isCached = !stage.alwaysChanged;
  }

  resolve(made: readonly MadeOutput[]): ImportedStep {
    const kind = stepKindOf(this.#stage);
    for (const dep of this.#stage.deps) this.#dep(dep);
    for (const param of this.#stage.params) this.#param(param, kind);
    const commands = this.#stage.commands.map((command) => this.#command(command));
    this.#undeclared();
    const env = [...environmentOf(commands), ...this.#searchPath()];
    const outputs = made.map(({ out, port, kind }): OutputFile => ({
      port,
      kind,
      path: out.path,
      role: out.role,
      place: this.#place(out),
    }));
    return {
      stage: this.#stage,
      kind,
      inputs: this.#inputs,
      outputs,
      params: this.#params,
      items: this.#items,
      commands,
      scripts: [...this.#scripts],
      files: [...this.#files],
      env: [...new Set(env)],
      isCached: this.#isCached,
    };
  }

  #dep(dep: StagePath): void {
    const { places, remarks, made } = this.#project;
    const what = `stages.${this.#stage.group}.deps`;
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(dep.path)) {
      remarks.lost(
        what,
        `${dep.path} is not part of the key: the step is not cached (cache: false).`,
        dep.at,
      );
      this.#isCached = false;
      return;
    }
    if (posix.isAbsolute(dep.path) || dep.path.startsWith("../")) {
      remarks.changed(what, `${dep.path} lies outside of the project, and is read where it lies.`, dep.at);
      this.#input(dep, sourceKind(dep.path, places), { type: "source", path: dep.path }, undefined);
      return;
    }
    const exact = made.get(dep.path);
    if (exact !== undefined) return this.#output(exact, dep);
    const around = [...made.values()].find(({ out }) => dep.path.startsWith(`${out.path}/`));
    if (around !== undefined) {
      const message = `${dep.path} lies in ${around.out.path}, and all of that is the input: what else changes in it counts too.`;
      remarks.changed(what, message, dep.at);
      return this.#output(around, whole(around.out));
    }
    const within = [...made.values()].filter(
      ({ out }) => dep.path === "." || out.path.startsWith(`${dep.path}/`),
    );
    if (within.length > 0) {
      const message = `${dep.path} is given as the outputs in it (${within.map(({ out }) => out.path).join(", ")}); other files there are not part of the key.`;
      remarks.changed(what, message, dep.at);
      for (const output of within) this.#output(output, whole(output.out));
      return;
    }
    if (this.#isCode(dep.path)) return this.#code(dep);
    this.#input(dep, sourceKind(dep.path, places), { type: "source", path: dep.path }, this.#place(dep));
  }

  /** Whether a path is code: a script, or a folder with scripts in it that no `.dvc` file tracks. */
  #isCode(path: string): boolean {
    const { places } = this.#project;
    if (places.tracked.some((data) => path === data.path || path.startsWith(`${data.path}/`))) return false;
    return codeFile.test(path) || places.hasFile(path, codeFile);
  }

  #code(dep: StagePath): void {
    if (!this.#project.places.isThere(dep.path)) {
      const message = `${dep.path} is not there, and is left out.`;
      this.#project.remarks.lost(`stages.${this.#stage.group}.deps`, message, dep.at);
    } else if (dep.path.endsWith(".py")) this.#scripts.add(dep.path);
    else this.#files.add(dep.path);
  }

  #output(made: MadeOutput, named: StagePath): void {
    if (
      this.#inputs.some(
        ({ from }) => from.type === "output" && from.stage === made.stage && from.port === made.port,
      )
    )
      return;
    this.#input(named, made.kind, { type: "output", stage: made.stage, port: made.port }, this.#place(named));
  }

  #input(dep: StagePath, kind: KindCode, from: InputFile["from"], place: Text | undefined): void {
    const port = this.#names.take(portName(dep.text));
    this.#inputs.push({ port, kind, from, place, at: dep.at });
  }

  #param({ file, name, at }: Stage["params"][number], step: string): void {
    const { params, remarks } = this.#project;
    const what = `stages.${this.#stage.group}.params`;
    const content = params.read(file);
    const { values, isThere } = content;
    const label = name === undefined ? file : resolved(name);
    if (!isThere) {
      remarks.lost(what, `${label}: there is no ${file}.`, at);
      return;
    }
    if (values === undefined) {
      if (this.#inputs.some(({ from }) => from.type === "source" && from.path === file)) return;
      remarks.changed(what, `${label}: all of ${file} is an input, so any edit of it counts.`, at);
      const kind = `file("${posix.extname(file).slice(1) || "txt"}")`;
      this.#input({ text: [file], path: file, at }, kind, { type: "source", path: file }, [file]);
      return;
    }
    const text = name === undefined ? [] : this.#itemsOf(settled(name, ["params", "vars"]));
    let path = resolved(text)
      .split(/[.[\]]+/)
      .filter((part) => part !== "");
    if (valueAt(values, path) === undefined) {
      remarks.lost(what, `${file} has no ${label}.`, at);
      return;
    }
    let place = text;
    // Only all of a list can be a port.
    const list = path.findIndex((_, index) => Array.isArray(valueAt(values, path.slice(0, index))));
    if (list > 0) {
      path = path.slice(0, list);
      place = [path.join(".")];
      remarks.changed(what, `${label}: all of the list ${path.join(".")} is the input.`, at);
    }
    if (this.#params.some((known) => known.file === file && known.path.join(".") === path.join("."))) return;
    const value = valueAt(values, path);
    const isSeed =
      step === "train" &&
      Number.isInteger(value) &&
      Number(value) >= 0 &&
      /seed|random_state/i.test(path.at(-1) ?? "") &&
      !this.#params.some(({ schema }) => schema === "seed()");
    this.#params.push({
      port: this.#names.take(
        path.length === 0 ? camelCase(posix.basename(file, posix.extname(file))) : named(place),
      ),
      schema: isSeed ? "seed()" : schemaCode(value),
      isText: typeof value === "string",
      file,
      path,
      name: place,
      marks: content.marks(path),
    });
  }

  /** A command's text: params stay variables, each a port; scripts that it names are code. */
  #command(text: Text): Text {
    const { places, remarks } = this.#project;
    const plain = resolved(text);
    for (const { script, module } of scriptsIn(plain, this.#stage.folder, places)) {
      if (script.endsWith(".py")) this.#scripts.add(script);
      else this.#files.add(script);
      if (module !== undefined) this.#modules.add(script);
      // A module of a package imports its siblings by names that start where the command runs.
      if (module?.includes("/") === true)
        this.#files.add(posix.join(this.#stage.folder, module.split("/")[0] ?? ""));
    }
    const tool = /(?:^|[;&|]\s*)(git|dvc)\s/.exec(plain)?.[1];
    if (tool !== undefined) {
      const message = `${tool} finds no repository: a step's folder has neither .git nor .dvc.`;
      remarks.changed(`stages.${this.#stage.group}.cmd`, message, this.#stage.at);
    }
    const pieces = this.#itemsOf(settled(text, ["vars"]));
    for (const piece of pieces) {
      if (typeof piece === "string" || piece.origin.type !== "params") continue;
      const { file } = piece.origin;
      if (this.#params.some((known) => known.file === file && known.path.join(".") === piece.path.join(".")))
        continue;
      this.#params.push({
        port: this.#names.take(camelCase(piece.path.join(" "))),
        schema: schemaCode(piece.value),
        isText: typeof piece.value === "string",
        file,
        path: piece.path,
        name: undefined,
        marks: [],
      });
    }
    return pieces;
  }

  /**
   * Sections of the params that a script names and its stage does not declare. DVC lets it read them and does not
   * notice an edit; here it finds what it is given alone.
   */
  #undeclared(): void {
    const { params, places, remarks } = this.#project;
    const { commands, folder, group, at } = this.#stage;
    const file = posix.join(folder, "params.yaml");
    const known = this.#inputs.some(({ from }) => from.type === "source" && from.path === file);
    const { values } = params.read(file);
    if (values === undefined || known) return;
    const isNamed = commands.some((command) => resolved(command).includes("params.yaml"));
    for (const script of this.#scripts) {
      const text = places.text(script);
      if (!isNamed && !text.includes("params.yaml")) continue;
      for (const name of Object.keys(values)) {
        const isDeclared = this.#params.some(
          (param) => param.name !== undefined && param.file === file && (param.path[0] ?? name) === name,
        );
        if (isDeclared || !new RegExp(`[[(]\\s*(["'])${escaped(name)}\\1`).test(text)) continue;
        const message = `${script} names ${name} of ${file}, which its stage does not declare: it is an input too.`;
        remarks.changed(`stages.${group}.params`, message, at);
        const marks = params.read(file).marks([name]);
        this.#params.push({
          port: this.#names.take(camelCase(name)),
          schema: schemaCode(values[name]),
          isText: typeof values[name] === "string",
          file,
          path: [name],
          name: [name],
          marks,
        });
      }
    }
  }

  /** Scripts that import by names from where the command runs find them by `PYTHONPATH`. */
  #searchPath(): readonly string[] {
    const { places, remarks } = this.#project;
    const { folder, group, at } = this.#stage;
    let isNeeded = false;
    for (const script of this.#scripts) {
      const own = posix.dirname(script);
      if (own === folder || this.#modules.has(script)) continue;
      for (const [, name = ""] of places.text(script).matchAll(/^\s*(?:from|import)\s+(\w+)/gm)) {
        const isThere = (from: string): string | undefined =>
          [posix.join(from, name), posix.join(from, `${name}.py`)].find((path) => places.isThere(path));
        const found = isThere(folder);
        if (found === undefined || isThere(own) !== undefined) continue;
        isNeeded = true;
        this.#files.add(found);
        const message = `${script} imports ${name} from ${folder === "." ? "the project" : folder}: the step is given your PYTHONPATH, which has to lead there.`;
        remarks.changed(`stages.${group}.cmd`, message, at);
      }
    }
    return isNeeded ? ["PYTHONPATH"] : [];
  }

  /** The place of a path: what params say in it is settled now, items stay. */
  #place(named: StagePath): Text {
    if (named.text.some((piece) => typeof piece !== "string" && piece.origin.type === "params")) {
      const message = `The path ${written(named.text)} is as the params have it today: an edit of them there needs another import.`;
      this.#project.remarks.changed(`stages.${this.#stage.group}`, message, named.at);
    }
    return this.#itemsOf(settled(named.text, ["params", "vars"]));
  }

  /** Notes the items that a text names; those that are no plain values are written out. */
  #itemsOf(text: Text): Text {
    return joined(
      text.map((piece) => {
        if (typeof piece === "string" || piece.origin.type !== "item") return piece;
        if (typeof piece.value === "object") return JSON.stringify(piece.value);
        if (!this.#items.some(({ variable }) => variable.name === piece.name)) {
          this.#items.push({
            port: this.#names.take(camelCase(piece.name.replace(/^item\./, ""))),
            variable: piece,
          });
        }
        return piece;
      }),
    );
  }
}

/** A text for a regular expression that finds it. */
function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** A path without its variables, which are another stage's. */
function whole(path: StagePath): StagePath {
  return { ...path, text: [path.path] };
}

function named(place: Text): string {
  return camelCase(place.map((piece) => (typeof piece === "string" ? piece : ` ${piece.name} `)).join(""));
}
