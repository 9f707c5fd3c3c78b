/** The project's modules with their names resolved: what static findings are found in. */
import { dirname } from "node:path";
import { isBuiltin } from "node:module";
import { ResolverFactory } from "oxc-resolver";
import { sourceFile } from "@mlpipe/planner/source-file";
import { Node, Project, type SourceFile, type Symbol, ts } from "ts-morph";

/** Modules of the project, read when they are asked for. Nothing of `node_modules` is read. */
export class Sources {
  readonly #program: Project;
  readonly #exports = new Map<string, ReadonlyMap<string, readonly Node[]>>();

  constructor() {
    // Node runs the modules and reads no tsconfig: what counts is where Node's own resolution leads.
    const resolver = new ResolverFactory({
      conditionNames: ["import", "node", "module-sync", "node-addons", "default"],
      extensions: [],
      nodePath: false,
    });
    this.#program = new Project({
      skipAddingFilesFromTsConfig: true,
      skipFileDependencyResolution: true,
      compilerOptions: {
        target: ts.ScriptTarget.ESNext,
        module: ts.ModuleKind.NodeNext,
        moduleResolution: ts.ModuleResolutionKind.NodeNext,
        lib: ["lib.esnext.d.ts"],
        types: [],
        allowJs: true,
        allowImportingTsExtensions: true,
        noEmit: true,
      },
      resolutionHost: () => ({
        resolveModuleNames: (specifiers: string[], from: string) =>
          specifiers.map((specifier) => resolved(resolver, from, specifier)),
      }),
    });
  }

  /** What a module exports under a name. */
  exported(path: string, name: string): Node | undefined {
    let exports = this.#exports.get(path);
    if (exports === undefined) {
      exports = this.module(path)?.getExportedDeclarations() ?? new Map<string, Node[]>();
      this.#exports.set(path, exports);
    }
    return exports.get(name)?.[0];
  }

  /** A module by its absolute path, if it is there. */
  module(path: string): SourceFile | undefined {
    return this.#program.getSourceFile(path) ?? this.#program.addSourceFileAtPathIfExists(path);
  }
}

function resolved(
  resolver: ResolverFactory,
  from: string,
  specifier: string,
): ts.ResolvedModuleFull | undefined {
  if (isBuiltin(specifier) || /^@?mlpipe(?:\/|$)/.test(specifier)) return undefined;
  const path = resolver.sync(dirname(from), specifier).path ?? sourceFile(specifier, from);
  // A linked package has a real path outside of node_modules, and is the project's own.
  if (path === undefined || path.includes("/node_modules/")) return undefined;
  const extension = /\.[cm]?[jt]sx?$/.exec(path)?.[0];
  return extension === undefined ? undefined : { resolvedFileName: path, extension };
}

/** Whether a node is code of the project: neither the language's own declarations nor a package's. */
export function isOwn(node: Node): boolean {
  const file = node.getSourceFile();
  return !file.isDeclarationFile() && !file.getFilePath().includes("/node_modules/");
}

/**
 * The declarations that a name stands for, behind all imports and re-exports. Where these lead out
 * of the project, the last import or re-export inside it.
 */
export function declarationsOf(name: Node): readonly Node[] {
  let declarations = known.get(name);
  if (declarations === undefined) {
    declarations = resolve(name);
    known.set(name, declarations);
  }
  return declarations;
}

const known = new WeakMap<Node, readonly Node[]>();

function resolve(name: Node): readonly Node[] {
  const parent = name.getParent();
  let symbol: Symbol | undefined =
    Node.isShorthandPropertyAssignment(parent) && parent.getNameNode() === name
      ? parent.getValueSymbol()
      : name.getSymbol();
  while (symbol?.isAlias() === true) {
    const next: Symbol | undefined = symbol.getImmediatelyAliasedSymbol();
    if (next === undefined || next.getDeclarations().length === 0) break;
    symbol = next;
  }
  return symbol?.getDeclarations() ?? [];
}

/** An expression without what only types and groups it. */
export function bare(node: Node): Node {
  let inner = node;
  while (
    Node.isParenthesizedExpression(inner) ||
    Node.isAsExpression(inner) ||
    Node.isSatisfiesExpression(inner) ||
    Node.isNonNullExpression(inner)
  ) {
    inner = inner.getExpression();
  }
  return inner;
}

/** The text of an expression that is a literal. */
export function literalText(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined;
  const inner = bare(node);
  return Node.isStringLiteral(inner) || Node.isNoSubstitutionTemplateLiteral(inner)
    ? inner.getLiteralText()
    : undefined;
}
