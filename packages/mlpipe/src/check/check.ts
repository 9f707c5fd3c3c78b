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
import { functionAround, Reach, type Reached } from "./reach.ts";
import {
  capturedFrom,
  neverCached,
  notFound,
  ofManifest,
  remarkOf,
  warning,
  withoutReason,
  writtenBy,
} from "./remarks.ts";
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

/** A remark that says why results are not kept, so that the planner's own finding there need not. */
interface Cause {
  readonly remark: Remark;
  readonly ids: readonly string[];
  readonly isOnLoad: boolean;
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
  readonly #sites = new Map<Node, ManifestSite>();
  /** What the planner finds as well, by its place. */
  readonly #causes = new Map<string, Cause>();
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
    const steps = this.#definitions();
    for (const step of steps) {
      if (step.definition.body.type !== "command") this.#checkFunction(step);
    }
    for (const step of steps) this.#checkIdentity(step);
    this.#addWarnings();
    for (const { at, steps: ids } of this.#found.sorted()) this.#visit(at.file, ids);
    for (const [file, ids] of this.#files) {
      for (const at of this.#ignores.incomplete(file)) this.#found.add(withoutReason(at), [...ids]);
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

  /** Checks what a step's function reaches. */
  #checkFunction(step: StepFacts): void {
    const found = definitionIn(this.#sources, this.#options.root, step.definition, (parameter, exported) =>
      this.#captures.valuesOf(parameter, exported),
    );
    if (found === undefined) {
      this.#found.add(notFound(this.#placeOf(step.definition)), step.ids);
      return;
    }
    const { reached, captured } = this.#reached(found);
    for (const piece of reached.pieces) this.#visit(this.#fileOf(piece), step.ids);
    for (const { use, verdict } of this.#judge(reached.uses, step)) {
      const remark = remarkOf(verdict, this.#site(use.node));
      this.#found.add(remark, step.ids);
      if (verdict.cause === undefined) continue;
      // What is done while a module is loaded is done in the process of every step that loads it.
      const isOnLoad = functionAround(use.node) === undefined;
      this.#causes.set(placeKey(this.#site(verdict.cause)), { remark, ids: step.ids, isOnLoad });
    }
    this.#checkCaptured(captured, step);
    this.#checkState(reached, step);
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
      const from = { what: cause.verdict.what, at: this.#site(cause.use.node) };
      this.#found.add(capturedFrom(reference.name.getText(), from, this.#site(reference.name)), step.ids);
    }
  }

  #checkState({ variables, pieces }: Reached, step: StepFacts): void {
    const told = new Set<Node>();
    for (const { name, declaration } of variables) {
      if (told.has(declaration) || isOnlyWritten(name)) continue;
      const [writer] = this.#writes.elsewhere(declaration, pieces);
      if (writer === undefined) continue;
      told.add(declaration);
      this.#found.add(writtenBy(name.getText(), describeFunction(writer), this.#site(name)), step.ids);
    }
  }

  /** What the planner knows against keeping results of a step. */
  #checkIdentity(step: StepFacts): void {
    const { definition, identity, ids } = step;
    const placeOf = ({ site }: Finding): ManifestSite =>
      site === undefined
        ? this.#placeOf(definition)
        : { ...site, file: projectPath(this.#options.root, site.file) };
    for (const finding of definition.cache.mode === "off" ? [] : identity.uncacheable) {
      const at = placeOf(finding);
      const cause = this.#causes.get(placeKey(at));
      if (cause?.isOnLoad === true) this.#found.add(cause.remark, ids);
      else if (cause === undefined || cause.ids !== ids)
        this.#found.add(neverCached(finding, definition.kind, at), ids);
    }
    for (const finding of identity.warnings) this.#found.add(warning(finding, placeOf(finding)), ids);
  }

  #addWarnings(): void {
    const { manifest } = this.#options;
    for (const { message, site } of manifest.warnings) {
      const at = site ?? { file: manifest.file, line: 1, column: 1 };
      const ids = manifest.steps.filter(({ id }) => message.includes(`"${id}"`)).map(({ id }) => id);
      this.#found.add(ofManifest(message, at), ids);
    }
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
    let site = this.#sites.get(node);
    if (site === undefined) {
      const module = node.getSourceFile();
      // The compiler knows where lines start; to count them for each place takes longest of all.
      const { line, character } = module.compilerNode.getLineAndCharacterOfPosition(node.getStart());
      site = { file: this.#fileOf(node), line: line + 1, column: character + 1 };
      this.#sites.set(node, site);
    }
    return site;
  }

  #fileOf(node: Node): string {
    return projectPath(this.#options.root, node.getSourceFile().getFilePath());
  }
}

function placeKey({ file, line, column }: ManifestSite): string {
  return `${file}:${line}:${column}`;
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
