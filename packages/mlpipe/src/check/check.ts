/** Static findings about a pipeline: what its steps reach, held against what they declare. */
import { isAbsolute, join } from "node:path";
import type { Manifest, ManifestSite, ManifestStep } from "@mlpipe/dsl";
import type { Finding, Planner } from "@mlpipe/planner";
import type { Node } from "ts-morph";
import { projectPath } from "../project/project.ts";
import { type Captured, Captures } from "./captures.ts";
import { definitionIn, type Definition } from "./definition.ts";
import { type CheckFinding, Findings, type Remark } from "./finding.ts";
import { Ignores } from "./ignores.ts";
import { LiteralPaths } from "./literal-path.ts";
import { describeFunction, isOnlyWritten, Writes } from "./module-state.ts";
import { Origins } from "./origin.ts";
import { Reach, type Reached } from "./reach.ts";
import { clock } from "./rules/clock.ts";
import { environment } from "./rules/environment.ts";
import { filesOf } from "./rules/files.ts";
import { network } from "./rules/network.ts";
import { programs } from "./rules/programs.ts";
import { randomness } from "./rules/randomness.ts";
import type { Rule, Verdict } from "./rules/rule.ts";
import { Scanner, type Use } from "./scan.ts";
import { Sources } from "./sources.ts";
import type { StepFacts } from "./step-facts.ts";

const lookAgain = "Look whether this is meant.";

/** What is looked at. */
export interface CheckOptions {
  readonly manifest: Manifest;
  /** Absolute path of the project's root. */
  readonly root: string;
  /** Knows what of a step's code cannot be keyed. */
  readonly planner: Pick<Planner, "identityOf">;
}

/** Finds what the steps of a pipeline depend on and do not declare. Nothing of them is executed. */
export function check(options: CheckOptions): readonly CheckFinding[] {
  return new Check(options).findings();
}

class Check {
  readonly #options: CheckOptions;
  readonly #sources = new Sources();
  readonly #reach: Reach;
  readonly #captures: Captures;
  readonly #writes = new Writes();
  readonly #rules: readonly Rule[];
  readonly #found = new Findings();
  readonly #ignores: Ignores;
  /** Files that were looked at, by the steps that reach them. */
  readonly #files = new Map<string, Set<string>>();

  constructor(options: CheckOptions) {
    this.#options = options;
    const { root } = options;
    const origins = new Origins();
    const scanner = new Scanner(origins);
    this.#reach = new Reach(scanner, origins);
    this.#captures = new Captures(this.#reach, scanner);
    const { reading, writing } = filesOf(root, new LiteralPaths(root, origins));
    this.#rules = [environment, clock, randomness, network, reading, writing, programs];
    this.#ignores = new Ignores(root);
  }

  findings(): readonly CheckFinding[] {
    for (const step of this.#definitions()) {
      const seen = step.definition.body.type === "command" ? new Set<string>() : this.#checkFunction(step);
      this.#checkIdentity(step, seen);
    }
    this.#addWarnings();
    for (const { at, steps } of this.#found.sorted()) this.#visit(at.file, steps);
    for (const [file, steps] of this.#files) {
      for (const at of this.#ignores.incomplete(file)) this.#add(withoutReason(at), [...steps]);
    }
    return this.#found.sorted().filter(({ code, at }) => !this.#ignores.silences(code, at));
  }

  /** The steps by definition: calls of one share everything that is looked at. */
  #definitions(): readonly StepFacts[] {
    const { manifest, planner, root } = this.#options;
    const groups = Map.groupBy(manifest.steps, ({ module, export: name }) => JSON.stringify([module, name]));
    return [...groups.values()].flatMap((calls) => {
      const [definition] = calls;
      if (definition === undefined) return [];
      const ids = calls.map(({ id }) => id);
      const identity = planner.identityOf(definition.id);
      return [
        { definition, ids, identity, sources: new Set(calls.flatMap((call) => sourcesOf(call, root))) },
      ];
    });
  }

  /** Checks what a step's function reaches. Gives the causes that the planner need not name again. */
  #checkFunction(step: StepFacts): ReadonlySet<string> {
    const seen = new Set<string>();
    const found = definitionIn(this.#sources, this.#options.root, step.definition, (parameter, exported) =>
      this.#captures.valuesOf(parameter, exported),
    );
    if (found === undefined) {
      this.#add(notFound(this.#placeOf(step.definition)), step.ids);
      return seen;
    }
    const { reached, captured } = this.#reached(found);
    for (const piece of reached.pieces) this.#visit(this.#site(piece).file, step.ids);
    for (const use of reached.uses) {
      for (const { verdict } of this.#judge([use], step)) {
        if (verdict.cause !== undefined) seen.add(placeKey(this.#site(verdict.cause)));
        this.#add(remarkOf(verdict, this.#site(use.node)), step.ids);
      }
    }
    this.#checkCaptured(captured, step);
    this.#checkState(reached, step);
    return seen;
  }

  /** Everything reached, also through functions that a factory was given. */
  #reached({ body, exported }: Definition): {
    readonly reached: Reached;
    readonly captured: readonly Captured[];
  } {
    const roots = new Set<Node>([body]);
    for (;;) {
      const reached = this.#reach.from([...roots]);
      const captured = reached.captured.map((reference) => this.#captures.follow(reference, exported));
      const more = captured.flatMap(({ functions }) => functions).filter((each) => !roots.has(each));
      if (more.length === 0) return { reached, captured };
      for (const each of more) roots.add(each);
    }
  }

  #judge(uses: readonly Use[], step: StepFacts): { readonly use: Use; readonly verdict: Verdict }[] {
    return uses.flatMap((use) =>
      this.#rules.flatMap((rule) => {
        const verdict = rule(use, step);
        return verdict === undefined ? [] : [{ use, verdict }];
      }),
    );
  }

  #checkCaptured(captured: readonly Captured[], step: StepFacts): void {
    const told = new Set<Node>();
    for (const { reference, uses } of captured) {
      if (told.has(reference.declaration)) continue;
      const [cause] = this.#judge(uses, step);
      if (cause === undefined) continue;
      told.add(reference.declaration);
      const name = reference.name.getText();
      const { file, line } = this.#site(cause.use.node);
      this.#add(
        {
          code: "MLP6105",
          severity: "error",
          message: (steps) =>
            `${steps} captures ${name} from the function around it: its value comes from ${cause.verdict.what} (${file}:${line}) and is not part of the key.`,
          hint: `Make it an input port, ${name}: z.…, and give it in the pipeline.`,
          at: this.#site(reference.name),
        },
        step.ids,
      );
    }
  }

  #checkState({ variables, pieces }: Reached, step: StepFacts): void {
    const told = new Set<Node>();
    for (const { name, declaration } of variables) {
      if (told.has(declaration) || isOnlyWritten(name)) continue;
      const [writer] = this.#writes.elsewhere(declaration, pieces);
      if (writer === undefined) continue;
      told.add(declaration);
      const by = describeFunction(writer);
      this.#add(
        {
          code: "MLP6106",
          severity: "error",
          message: (steps) =>
            `The variable ${name.getText()} is read by ${steps} and written by ${by}: each step has a process of its own and never sees that.`,
          hint: "Pass the value on through ports: an output of the one step, an input of the other.",
          at: this.#site(name),
        },
        step.ids,
      );
    }
  }

  /** What the planner knows against keeping results of a step. */
  #checkIdentity(step: StepFacts, seen: ReadonlySet<string>): void {
    const { definition, identity, ids } = step;
    const site = ({ site: at }: Finding): ManifestSite =>
      at === undefined
        ? this.#placeOf(definition)
        : { ...at, file: projectPath(this.#options.root, at.file) };
    const fate = definition.kind === "deploy" ? "deploys on every run" : "is never cached";
    for (const finding of definition.cache.mode === "off" ? [] : identity.uncacheable) {
      const at = site(finding);
      if (seen.has(placeKey(at))) continue;
      const hint =
        finding.hint ?? "Name what it is made of with files: [...], or say that this is meant: cache: false.";
      const message = (steps: string): string => `${steps} ${fate}: ${finding.message}.`;
      this.#add({ code: "MLP6110", severity: "error", message, hint, at }, ids);
    }
    for (const finding of identity.warnings) {
      const hint = finding.hint ?? lookAgain;
      const message = (steps: string): string => `${steps}: ${finding.message}.`;
      this.#add({ code: "MLP6111", severity: "warning", message, hint, at: site(finding) }, ids);
    }
  }

  #addWarnings(): void {
    const { manifest } = this.#options;
    for (const { message, site } of manifest.warnings) {
      const at = site ?? { file: manifest.file, line: 1, column: 1 };
      const ids = manifest.steps
        .filter(
          ({ id, defined }) => message.includes(`"${id}"`) && (site === undefined || same(site, defined)),
        )
        .map(({ id }) => id);
      const hint = message.includes("seed()") ? "Take a seed through a port: seed: seed()." : lookAgain;
      this.#add({ code: "MLP6111", severity: "warning", message: () => message, hint, at }, ids);
    }
  }

  #add(remark: Remark, steps: readonly string[]): void {
    this.#found.add(remark, steps);
  }

  #visit(file: string, steps: readonly string[]): void {
    const known = this.#files.get(file);
    if (known === undefined) this.#files.set(file, new Set(steps));
    else for (const step of steps) known.add(step);
  }

  #placeOf({ defined }: ManifestStep): ManifestSite {
    return defined ?? { file: this.#options.manifest.file, line: 1, column: 1 };
  }

  #site(node: Node): ManifestSite {
    const module = node.getSourceFile();
    const { line, column } = module.getLineAndColumnAtPos(node.getStart());
    return { file: projectPath(this.#options.root, module.getFilePath()), line, column };
  }
}

function remarkOf({ code, message, hint }: Verdict, at: ManifestSite): Remark {
  return { code, severity: "error", message, hint, at };
}

function notFound(at: ManifestSite): Remark {
  return {
    code: "MLP6112",
    severity: "warning",
    message: (steps) => `The function of ${steps} was not found in the source, so it was not checked.`,
    hint: "Write the step's run or check where the step is defined: run(inputs, out) { … }.",
    at,
  };
}

function withoutReason(at: ManifestSite): Remark {
  return {
    code: "MLP6113",
    severity: "error",
    message: () => "A comment that silences a finding names its code and a reason, and this one does not.",
    hint: "// mlpipe-check-ignore MLP6102: why it is harmless here",
    at,
  };
}

function placeKey({ file, line, column }: ManifestSite): string {
  return `${file}:${line}:${column}`;
}

function same(one: ManifestSite, other: ManifestSite | undefined): boolean {
  return other !== undefined && placeKey(one) === placeKey(other);
}

/** The absolute paths of what a step is given as sources. */
function sourcesOf(step: ManifestStep, root: string): readonly string[] {
  type From = ManifestStep["inputs"][string]["from"];
  const of = (from: From): readonly string[] => {
    if (from.type === "many") return from.items.flatMap((item) => of(item.from));
    if (from.type !== "source") return [];
    return [isAbsolute(from.path) ? from.path : join(root, from.path)];
  };
  return Object.values(step.inputs).flatMap(({ from }) => of(from));
}
