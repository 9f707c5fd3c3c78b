/**
 * Identity of a step apart from its inputs: code, packages and environment. Asked once for each
 * definition, however often the step is called.
 */
import { isAbsolute, join, resolve } from "node:path";
import type { CommandPart, ManifestStep } from "@mlpipe/dsl";
import type { Digest } from "@mlpipe/store";
import { givenConditions } from "./code/conditions.ts";
import type { TypeScriptCode } from "./code/typescript.ts";
import type { CommandCode, CommandIdentity, CommandQuestion } from "./command/command.ts";
import type { Finding } from "./command/findings.ts";
import { environmentOf, type StepLanguage } from "./environment/environment.ts";
import { type CodeDocument, type ContractDocument, contractOf, type PartDocument, part } from "./preimage.ts";

/** A step's identity apart from its inputs. */
export interface StepIdentity {
  readonly language: StepLanguage;
  readonly contract: PartDocument<ContractDocument>;
  readonly code: PartDocument<CodeDocument>;
  readonly packages: PartDocument<Readonly<Record<string, string>>>;
  readonly environment: PartDocument;
  /** Absolute paths of the files that the code is made of. */
  readonly files: readonly string[];
  /** Real folders of the packages that the code reaches directly. */
  readonly packageFolders: readonly string[];
  /** Files and folders that are written to when a package that the code reaches directly is installed. */
  readonly installs: readonly string[];
  /** Absolute paths of the programs that a command starts, links unresolved, and those of them that are Pythons. */
  readonly programs: readonly string[];
  readonly pythons: readonly string[];
  /** The environment of the step's process, secrets included. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** Why the step's result cannot be kept, if so. */
  readonly uncacheable: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Finds out identities, remembering those of definitions it has seen. */
export class Identities {
  readonly #root: string;
  readonly #steps: readonly ManifestStep[];
  readonly #env: NodeJS.ProcessEnv;
  readonly #typescript: (conditions: readonly string[]) => TypeScriptCode;
  readonly #conditions = givenConditions();
  readonly #command: () => CommandCode;
  readonly #known = new Map<string, StepIdentity>();
  #prepared = false;

  constructor(options: {
    readonly root: string;
    /** All that may be asked for, so that what is costly to start is started once. */
    readonly steps: readonly ManifestStep[];
    readonly env: NodeJS.ProcessEnv;
    /** @param conditions those beyond Node's own that a module is loaded under */
    readonly typescript: (conditions: readonly string[]) => TypeScriptCode;
    readonly command: () => CommandCode;
  }) {
    this.#root = options.root;
    this.#steps = options.steps;
    this.#env = options.env;
    this.#typescript = options.typescript;
    this.#command = options.command;
  }

  /** The identity of a step. Calls of one definition share it, since none of it depends on a call. */
  of(step: ManifestStep): StepIdentity {
    const definition = definitionName(step);
    let identity = this.#known.get(definition);
    if (identity === undefined) {
      identity = this.#find(step);
      this.#known.set(definition, identity);
    }
    return identity;
  }

  /** One process reads the Python scripts of all steps: to start one for each would take longest of all. */
  #commandOf(step: ManifestStep): CommandIdentity {
    const code = this.#command();
    if (!this.#prepared) {
      this.#prepared = true;
      const definitions = new Map(this.#steps.map((each) => [definitionName(each), each]));
      const commands = [...definitions.values()].filter(({ body }) => body.type === "command");
      code.prepare(commands.map((each) => this.#question(each)));
    }
    const { argv, ...options } = this.#question(step);
    return code.identify(argv, options);
  }

  #question(step: ManifestStep): CommandQuestion {
    return {
      // A part that is a port's place has no text before the step runs.
      argv: step.body.type === "command" ? step.body.argv.map(literalPieces) : [],
      ...(step.files !== undefined && { files: step.files }),
      env: environmentOf({ language: "command", env: step.env }, this.#env).childEnv,
    };
  }

  #find(step: ManifestStep): StepIdentity {
    const options = step.files === undefined ? {} : { files: step.files };
    const modulePath = isAbsolute(step.module) ? step.module : join(this.#root, step.module);
    // A command step too is defined in TypeScript, and the schemas of its ports are its code.
    const typescript = this.#typescript(this.#conditions);
    const definition = typescript.identify(modulePath, step.export, options);
    const parts: Record<string, Digest> = { ...definition.parts };
    const loaded = new Set(definition.files);
    const packageFolders = new Set(definition.packageFolders);
    const packages: Record<string, string> = { ...definition.packages };
    const uncacheable = [...definition.uncacheable];
    const warnings = [...definition.warnings];
    let language: StepLanguage = "typescript";
    let tool: CommandIdentity | null = null;

    if (step.body.type === "command" || step.files !== undefined) {
      const command = this.#commandOf(step);
      Object.assign(parts, command.parts);
      Object.assign(packages, command.packages);
      uncacheable.push(...command.uncacheable);
      warnings.push(...command.warnings);
      if (step.body.type === "command") {
        language = command.python === null ? "command" : "python";
        tool = command;
        const installed = typescript.packagesIn(new Set(command.packageFolders));
        Object.assign(packages, installed.packages);
        uncacheable.push(...installed.findings);
        for (const folder of command.packageFolders) packageFolders.add(folder);
        for (const script of command.typescript) {
          const followed = this.#typescript(command.conditions).identifyModule(script, options);
          Object.assign(parts, followed.parts);
          Object.assign(packages, followed.packages);
          for (const file of followed.files ?? []) loaded.add(file);
          for (const folder of followed.packageFolders ?? []) packageFolders.add(folder);
          uncacheable.push(...followed.uncacheable);
          warnings.push(...followed.warnings);
        }
      }
    }

    const conditions = language === "typescript" ? this.#conditions : [];
    const { document, childEnv } = environmentOf({ language, env: step.env, tool, conditions }, this.#env);
    for (const name of Object.keys(parts)) loaded.add(resolve(this.#root, name.replace(/#.*$/, "")));
    const code: CodeDocument = {
      parts,
      // A factory makes many steps of one piece of code: which of them this one is, only its name says.
      step: definitionName(step),
      ...(step.body.type === "command" && { argv: step.body.argv }),
    };
    return {
      language,
      contract: part(contractOf(step)),
      code: part(code),
      packages: part(packages),
      environment: part(document),
      files: [...loaded],
      packageFolders: [...packageFolders],
      installs: [
        ...[...packageFolders].map((folder) => join(folder, "package.json")),
        ...(tool?.sites ?? []),
      ],
      programs: tool?.programs ?? [],
      pythons: tool?.pythons ?? [],
      childEnv,
      uncacheable,
      warnings,
    };
  }
}

function definitionName({ module, export: name }: ManifestStep): string {
  return `${module}#${name}`;
}

function literalPieces(argument: readonly CommandPart[]): readonly (string | null)[] {
  return argument.map((piece) => (typeof piece === "string" ? piece : null));
}
