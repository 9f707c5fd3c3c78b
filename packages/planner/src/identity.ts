/**
 * Identity of a step apart from its inputs: code, packages and environment. Asked once for each
 * definition, however often the step is called.
 */
import { isAbsolute, join } from "node:path";
import type { ManifestStep } from "@mlpipe/dsl";
import type { Digest } from "@mlpipe/store";
import type { CommandCode } from "./command/command.ts";
import type { Finding, TypeScriptCode } from "./code/typescript.ts";
import { environmentOf } from "./environment/environment.ts";
import { type CodeDocument, type ContractDocument, contractOf, type PartDocument, part } from "./preimage.ts";

/** What runs a step, which decides what its environment is. */
export type StepLanguage = "typescript" | "python" | "command";

/** A step's identity apart from its inputs. */
export interface StepIdentity {
  readonly language: StepLanguage;
  readonly contract: PartDocument<ContractDocument>;
  readonly code: PartDocument<CodeDocument>;
  readonly packages: PartDocument<Readonly<Record<string, string>>>;
  readonly environment: PartDocument;
  /** The environment of the step's process, secrets included. */
  readonly childEnv: Readonly<Record<string, string>>;
  /** Why the step's result cannot be kept, if so. */
  readonly uncacheable: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Finds out identities, remembering those of definitions it has seen. */
export class Identities {
  readonly #root: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #typescript: () => TypeScriptCode;
  readonly #command: () => CommandCode;
  readonly #known = new Map<string, StepIdentity>();

  constructor(options: {
    readonly root: string;
    readonly env: NodeJS.ProcessEnv;
    readonly typescript: () => TypeScriptCode;
    readonly command: () => CommandCode;
  }) {
    this.#root = options.root;
    this.#env = options.env;
    this.#typescript = options.typescript;
    this.#command = options.command;
  }

  /** The identity of a step. Calls of one definition share it, since none of it depends on a call. */
  of(step: ManifestStep): StepIdentity {
    const definition = `${step.module}#${step.export}`;
    let identity = this.#known.get(definition);
    if (identity === undefined) {
      identity = this.#find(step);
      this.#known.set(definition, identity);
    }
    return identity;
  }

  #find(step: ManifestStep): StepIdentity {
    const options = step.files === undefined ? {} : { files: step.files };
    const modulePath = isAbsolute(step.module) ? step.module : join(this.#root, step.module);
    // A command step too is defined in TypeScript, and the schemas of its ports are its code.
    const definition = this.#typescript().identify(modulePath, step.export, options);
    const parts: Record<string, Digest> = { ...definition.parts };
    const packages: Record<string, string> = { ...definition.packages };
    const uncacheable = [...definition.uncacheable];
    const warnings = [...definition.warnings];
    let language: StepLanguage = "typescript";
    let tool: unknown = null;

    if (step.body.type === "command" || step.files !== undefined) {
      const argv = step.body.type === "command" ? step.body.argv : [];
      const literals = argv.map((argument) => {
        const texts = argument.filter((piece) => typeof piece === "string");
        return texts.length === argument.length ? texts.join("") : null;
      });
      const command = this.#command().identify(literals, options);
      Object.assign(parts, command.parts);
      Object.assign(packages, command.packages);
      uncacheable.push(...command.uncacheable);
      warnings.push(...command.warnings);
      if (step.body.type === "command") {
        language = command.python === null ? "command" : "python";
        tool = { tool: command.tool, python: command.python };
        for (const script of command.typescript ?? []) {
          const followed = this.#typescript().identifyModule(script);
          Object.assign(parts, followed.parts);
          Object.assign(packages, followed.packages);
          uncacheable.push(...followed.uncacheable);
        }
      }
    }

    const { document, childEnv } = environmentOf({ language, env: step.env, tool }, this.#env);
    const code: CodeDocument = step.body.type === "command" ? { parts, argv: step.body.argv } : { parts };
    return {
      language,
      contract: part(contractOf(step)),
      code: part(code),
      packages: part(packages),
      environment: part(document),
      childEnv,
      uncacheable,
      warnings,
    };
  }
}
