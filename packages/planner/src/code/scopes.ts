/** The names that a piece of syntax uses and does not declare itself. */
import type { ArrowFunctionExpression, CallExpression, Function, NewExpression } from "oxc-parser";
import { forEachChild, isErased, type Node, staticName, unwrap } from "./syntax.ts";

/** One use of a name. */
export interface Reference {
  readonly name: string;
  readonly node: Node;
  /** In `name.member`, the member. */
  readonly member: string | null;
  readonly write: boolean;
  /** The call or `new` of it: of `name`, or of `name.member` where there is a member. */
  readonly call: CallExpression | NewExpression | null;
  /** What it stands in, nearest first. */
  readonly above: readonly Node[];
}

/** A use of syntax that has no name: `import.meta`, `import()`, JSX. */
export interface Oddity {
  readonly node: Node;
  readonly above: readonly Node[];
}

/** What the names of a piece of syntax are. */
export interface Names {
  /** Declared at its top, and with `var` anywhere outside of functions. */
  readonly declared: ReadonlySet<string>;
  /** Declared names that hold a `require` made by `createRequire`. */
  readonly requirers: ReadonlySet<string>;
  /** Uses of names that are declared outside of it. */
  readonly free: readonly Reference[];
  /** Uses of a `require` of its own, made inside of a function. */
  readonly required: readonly Reference[];
  /** Uses of watched names that turned out to be declared in it. */
  readonly hidden: readonly Reference[];
  readonly oddities: readonly Oddity[];
}

interface Scope {
  readonly names: Set<string>;
  readonly requirers: Set<string>;
  readonly pending: Reference[];
  /** Where `var` declares. */
  readonly holdsVars: boolean;
}

/** What the walk is told of the module around. */
export interface Surroundings {
  /** Whether an expression is a `require` made by `createRequire`. */
  makesRequire(node: Node): boolean;
  /** Names that mean something special unless a declaration hides them. */
  readonly watched: ReadonlySet<string>;
}

/** Finds the names of a statement or declaration of a module's top level. */
export function namesOf(root: Node, surroundings: Surroundings): Names {
  return new Walk(surroundings).run(root);
}

class Walk {
  readonly #surroundings: Surroundings;
  readonly #top: Scope = { names: new Set(), requirers: new Set(), pending: [], holdsVars: true };
  readonly #scopes: Scope[] = [this.#top];
  readonly #path: Node[] = [];
  readonly #required: Reference[] = [];
  readonly #hidden: Reference[] = [];
  readonly #oddities: Oddity[] = [];

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  run(root: Node): Names {
    this.#visit(root);
    const { names, requirers, pending } = this.#top;
    return {
      declared: names,
      requirers,
      free: pending,
      required: this.#required,
      hidden: this.#hidden,
      oddities: this.#oddities,
    };
  }

  #visit(wrapped: Node | null | undefined): void {
    if (wrapped == null || isErased(wrapped)) return;
    const node = unwrap(wrapped);
    this.#path.push(node);
    this.#enter(node);
    this.#path.pop();
  }

  #all(nodes: readonly (Node | null)[]): void {
    for (const node of nodes) this.#visit(node);
  }

  #children(node: Node): void {
    forEachChild(node, (child) => this.#visit(child));
  }

  #enter(node: Node): void {
    switch (node.type) {
      case "Identifier":
        this.#refer(node, false);
        return;
      case "MemberExpression":
        this.#visit(node.object);
        if (node.computed) this.#visit(node.property);
        return;
      case "Property":
      case "MethodDefinition":
      case "PropertyDefinition":
      case "AccessorProperty":
        if ("decorators" in node) this.#all(node.decorators);
        if (node.computed) this.#visit(node.key);
        this.#visit(node.value);
        return;
      case "FunctionDeclaration":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        this.#function(node);
        return;
      case "ClassDeclaration":
      case "ClassExpression":
        this.#all(node.decorators);
        if (node.type === "ClassDeclaration" && node.id) this.#declare(node.id.name, false);
        this.#within(false, () => {
          if (node.id && node.type === "ClassExpression") this.#declare(node.id.name, false);
          this.#visit(node.superClass);
          this.#visit(node.body);
        });
        return;
      case "VariableDeclaration":
        for (const each of node.declarations) {
          this.#path.push(each);
          this.#declarator(each, node.kind === "var");
          this.#path.pop();
        }
        return;
      case "VariableDeclarator":
        this.#declarator(node, false);
        return;
      case "AssignmentExpression":
        this.#target(node.left);
        this.#visit(node.right);
        return;
      case "UpdateExpression":
        this.#target(node.argument);
        return;
      case "ForInStatement":
      case "ForOfStatement":
        this.#within(false, () => {
          if (node.left.type === "VariableDeclaration") this.#visit(node.left);
          else this.#target(node.left);
          this.#visit(node.right);
          this.#visit(node.body);
        });
        return;
      case "CatchClause":
        this.#within(false, () => {
          if (node.param) this.#pattern(node.param, false, false);
          this.#visit(node.body);
        });
        return;
      case "BlockStatement":
      case "ForStatement":
        this.#within(false, () => this.#children(node));
        return;
      case "SwitchStatement":
        this.#visit(node.discriminant);
        this.#within(false, () => {
          this.#all(node.cases);
        });
        return;
      case "Program":
      case "StaticBlock":
      case "TSModuleBlock":
        this.#within(true, () => this.#children(node));
        return;
      case "LabeledStatement":
        this.#visit(node.body);
        return;
      case "BreakStatement":
      case "ContinueStatement":
      case "ImportDeclaration":
      case "ExportAllDeclaration":
        return;
      case "ExportNamedDeclaration":
        // Inside of a namespace; those of a module are not walked as a whole.
        this.#visit(node.declaration);
        return;
      case "MetaProperty":
      case "ImportExpression":
        if (node.type === "ImportExpression" || node.meta.name === "import") this.#odd(node);
        if (node.type === "ImportExpression") this.#children(node);
        return;
      case "JSXElement":
      case "JSXFragment":
        this.#odd(node);
        this.#children(node);
        return;
      case "TSEnumDeclaration":
        this.#declare(node.id.name, false);
        this.#within(false, () => {
          for (const { id } of node.body.members) this.#declare(staticName(id, false) ?? "", false);
          for (const { initializer } of node.body.members) this.#visit(initializer);
        });
        return;
      case "TSModuleDeclaration":
        if (node.id.type === "Identifier") this.#declare(node.id.name, false);
        this.#visit(node.body);
        return;
      case "TSImportEqualsDeclaration":
        this.#declare(node.id.name, false);
        if (node.moduleReference.type === "TSExternalModuleReference") this.#odd(node);
        else this.#children(node);
        return;
      default:
        this.#children(node);
    }
  }

  #declarator(node: Node & { readonly type: "VariableDeclarator" }, isVar: boolean): void {
    this.#pattern(node.id, isVar, node.init !== null && this.#surroundings.makesRequire(node.init));
    this.#visit(node.init);
  }

  #function(node: Function | ArrowFunctionExpression): void {
    if (node.type === "FunctionDeclaration" && node.id) this.#declare(node.id.name, false);
    this.#within(true, () => {
      if (node.type === "FunctionExpression" && node.id) this.#declare(node.id.name, false);
      if (node.type !== "ArrowFunctionExpression") this.#declare("arguments", false);
      for (const param of node.params) if (!isErased(param)) this.#pattern(param, false, false);
      const { body } = node;
      if (body?.type !== "BlockStatement") this.#visit(body);
      else {
        // Defaults of parameters do not see what the body declares.
        this.#within(true, () => {
          this.#all(body.body);
        });
      }
    });
  }

  /** Declares the names of a pattern and visits the defaults and computed keys in it. */
  #pattern(wrapped: Node, isVar: boolean, requirer: boolean): void {
    const node = unwrap(wrapped);
    switch (node.type) {
      case "Identifier":
        this.#all(node.decorators ?? []);
        this.#declare(node.name, isVar, requirer);
        return;
      case "ObjectPattern":
        for (const each of node.properties) {
          if (each.type === "Property") {
            if (each.computed) this.#visit(each.key);
            this.#pattern(each.value, isVar, false);
          } else this.#pattern(each.argument, isVar, false);
        }
        return;
      case "ArrayPattern":
        for (const each of node.elements) if (each !== null) this.#pattern(each, isVar, false);
        return;
      case "AssignmentPattern":
        this.#pattern(node.left, isVar, false);
        this.#visit(node.right);
        return;
      case "RestElement":
        this.#pattern(node.argument, isVar, false);
        return;
      case "TSParameterProperty":
        this.#all(node.decorators);
        this.#pattern(node.parameter, isVar, false);
        return;
      default:
        this.#visit(node);
    }
  }

  /** Visits what is assigned to. */
  #target(wrapped: Node): void {
    const node = unwrap(wrapped);
    this.#path.push(node);
    switch (node.type) {
      case "Identifier":
        this.#refer(node, true);
        break;
      case "ObjectPattern":
        for (const each of node.properties) {
          if (each.type === "Property") {
            if (each.computed) this.#visit(each.key);
            this.#target(each.value);
          } else this.#target(each.argument);
        }
        break;
      case "ArrayPattern":
        for (const each of node.elements) if (each !== null) this.#target(each);
        break;
      case "AssignmentPattern":
        this.#target(node.left);
        this.#visit(node.right);
        break;
      case "RestElement":
        this.#target(node.argument);
        break;
      default:
        this.#enter(node);
    }
    this.#path.pop();
  }

  #declare(name: string, isVar: boolean, requirer = false): void {
    const scope = isVar ? this.#scopes.findLast(({ holdsVars }) => holdsVars) : this.#scopes.at(-1);
    scope?.names.add(name);
    if (requirer) scope?.requirers.add(name);
  }

  #refer(node: Node & { readonly type: "Identifier" }, write: boolean): void {
    const above = this.#path.slice(-6, -1).toReversed();
    let [callee, outer]: readonly (Node | undefined)[] = [node, above[0]];
    let member: string | null = null;
    if (outer?.type === "MemberExpression" && unwrap(outer.object) === node) {
      member = staticName(outer.property, outer.computed);
      [callee, outer] = [outer, above[1]];
    }
    const around = outer?.type === "CallExpression" || outer?.type === "NewExpression" ? outer : null;
    const call = around !== null && unwrap(around.callee) === callee ? around : null;
    this.#scopes.at(-1)?.pending.push({ name: node.name, node, member, write, call, above });
  }

  #odd(node: Node): void {
    this.#oddities.push({ node, above: this.#path.slice(-6, -1).toReversed() });
  }

  /** Uses that the scope does not answer are asked of the one outside. */
  #within(holdsVars: boolean, visit: () => void): void {
    const scope: Scope = { names: new Set(), requirers: new Set(), pending: [], holdsVars };
    this.#scopes.push(scope);
    visit();
    this.#scopes.pop();
    const outer = this.#scopes.at(-1);
    for (const reference of scope.pending) {
      if (scope.requirers.has(reference.name)) this.#required.push(reference);
      else if (scope.names.has(reference.name)) {
        if (this.#surroundings.watched.has(reference.name)) this.#hidden.push(reference);
      } else outer?.pending.push(reference);
    }
  }
}
