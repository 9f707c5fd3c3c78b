/** The top level of a module in pieces: what it imports, exports, declares and does. */
import type { Program } from "oxc-parser";
import type { ImportedName } from "./followed.ts";
import type { Export, Request } from "./module-facts.ts";
import { isErased, type Node, unwrap } from "./syntax.ts";

/** A declaration, or a statement that is none. */
export interface Statement {
  readonly node: Node;
  /** `const`, `let`, `var`, … of a declarator, which does not say so itself. */
  readonly keyword: string;
  /** The names it declares, where walking it would not find them. */
  readonly names: readonly string[] | null;
  readonly label: string | null;
}

export interface TopLevel {
  readonly statements: readonly Statement[];
  readonly imports: ReadonlyMap<string, ImportedName>;
  readonly exports: ReadonlyMap<string, Export>;
  readonly requests: readonly Request[];
  readonly stars: readonly string[];
}

/** The binding behind `export default` of an expression; no name that code can have. */
export const defaultBinding = "*default*";

/**
 * Splits a module.
 * @param isOnePiece whether its statements stay together, as those of CommonJS do
 */
export function splitModule(program: Program, isOnePiece: boolean): TopLevel {
  const split = new Split();
  if (isOnePiece) split.statements.push({ node: program, keyword: "", names: null, label: null });
  else for (const statement of program.body) split.add(statement);
  return split;
}

class Split implements TopLevel {
  readonly statements: Statement[] = [];
  readonly imports = new Map<string, ImportedName>();
  readonly exports = new Map<string, Export>();
  readonly requests: Request[] = [];
  readonly stars: string[] = [];

  add(node: Node): void {
    if (isErased(node)) return;
    switch (node.type) {
      case "ImportDeclaration":
        this.#import(node);
        return;
      case "ExportAllDeclaration":
        this.#request(node);
        if (node.exported === null) this.stars.push(node.source.value);
        else this.exports.set(exportedName(node.exported), { specifier: node.source.value, name: "*" });
        return;
      case "ExportNamedDeclaration":
        this.#exportNamed(node);
        return;
      case "ExportDefaultDeclaration":
        this.#exportDefault(unwrap(node.declaration));
        return;
      default:
        this.#declare(node);
    }
  }

  #request(
    node: Node & { readonly type: "ImportDeclaration" | "ExportAllDeclaration" | "ExportNamedDeclaration" },
  ): string | null {
    if (node.source === null) return null;
    const type = node.attributes.find(
      ({ key }) => (key.type === "Identifier" ? key.name : key.value) === "type",
    );
    const attribute = type?.value.value ?? null;
    this.requests.push({ specifier: node.source.value, attribute, start: node.source.start });
    return attribute;
  }

  /** Node's type stripping leaves `import {} from` of an import of types only: it loads all the same. */
  #import(node: Node & { readonly type: "ImportDeclaration" }): void {
    const attribute = this.#request(node);
    const specifier = node.source.value;
    for (const each of node.specifiers) {
      if (each.type === "ImportSpecifier") {
        if (each.importKind === "type") continue;
        this.imports.set(each.local.name, { specifier, imported: exportedName(each.imported), attribute });
      } else {
        const imported = each.type === "ImportDefaultSpecifier" ? "default" : "*";
        this.imports.set(each.local.name, { specifier, imported, attribute });
      }
    }
  }

  #exportNamed(node: Node & { readonly type: "ExportNamedDeclaration" }): void {
    this.#request(node);
    for (const each of node.specifiers) {
      if (each.exportKind === "type") continue;
      const specifier = node.source?.value ?? null;
      this.exports.set(exportedName(each.exported), { specifier, name: exportedName(each.local) });
    }
    if (node.declaration === null) return;
    for (const name of this.#declare(node.declaration)) this.exports.set(name, { specifier: null, name });
  }

  #exportDefault(node: Node): void {
    if (isErased(node)) return;
    const isDeclaration = node.type === "FunctionDeclaration" || node.type === "ClassDeclaration";
    const name = isDeclaration && node.id !== null ? node.id.name : defaultBinding;
    this.exports.set("default", { specifier: null, name });
    if (name === defaultBinding) this.statements.push({ node, keyword: "", names: [name], label: "default" });
    else this.#declare(node);
  }

  /** Adds the pieces of a declaration; gives the names that it declares. */
  #declare(wrapped: Node): readonly string[] {
    const node = unwrap(wrapped);
    if (isErased(node)) return [];
    if (node.type === "VariableDeclaration") {
      return node.declarations.flatMap((each) => {
        const names = patternNames(each.id);
        this.statements.push({ node: each, keyword: node.kind, names, label: null });
        return names;
      });
    }
    const names = "id" in node && node.id?.type === "Identifier" ? [node.id.name] : null;
    this.statements.push({ node, keyword: "", names, label: null });
    return names ?? [];
  }
}

function exportedName(node: Node): string {
  if (node.type === "Identifier") return node.name;
  return node.type === "Literal" ? String(node.value) : "";
}

function patternNames(wrapped: Node): readonly string[] {
  const node = unwrap(wrapped);
  switch (node.type) {
    case "Identifier":
      return [node.name];
    case "ObjectPattern":
      return node.properties.flatMap((each) =>
        patternNames(each.type === "Property" ? each.value : each.argument),
      );
    case "ArrayPattern":
      return node.elements.flatMap((each) => (each === null ? [] : patternNames(each)));
    case "AssignmentPattern":
      return patternNames(node.left);
    case "RestElement":
      return patternNames(node.argument);
    default:
      return [];
  }
}
