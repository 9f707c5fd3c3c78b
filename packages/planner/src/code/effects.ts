/**
 * What evaluating a top-level statement may do. Where that depends on what a name is bound to, it
 * is left as a need, to be answered once the bindings of all modules are known.
 */
import { hooks, plainConstructors, plainGlobals, plainNamespaces, runsItsArguments } from "./known-values.ts";
import { forEachChild, isErased, type Node, staticName, unwrap } from "./syntax.ts";

/** A name of the module, or a member of a namespace that the name may be. */
export interface Path {
  readonly name: string;
  readonly member: string | null;
}

/**
 * What kind of value a binding holds.
 * - `data`: reading its members and turning it into text runs no code of the user's
 * - `trusted`: made by mlpipe or zod, so that its methods may be called too
 * - `opaque`: anything else
 */
export type ValueKind = "data" | "trusted" | "opaque";

/**
 * Something that must hold for an evaluation to be free of effects.
 * - `members`: its own members may be read, as those of a namespace may
 * - `data`: it is data to any depth
 * - `trusted`: it was made by mlpipe or zod
 * - `call`: it is a function of mlpipe's or zod's, or a method of what these made
 */
export interface Need {
  readonly path: Path;
  readonly as: "members" | "data" | "trusted" | "call";
}

/** What evaluating a statement may do. */
export interface Effect {
  /** It does, or may do, more than make a value. */
  readonly certain: boolean;
  /** It makes nothing but a value if all of these hold. */
  readonly needs: readonly Need[];
  /** What it makes, if `needs` and `valueNeeds` hold: of this kind, or like what is at the path. */
  readonly value: ValueKind | Path;
  readonly valueNeeds: readonly Need[];
  /** Names whose values are taken, and perhaps looked into: statements before it may have changed these. Globals too. */
  readonly takes: readonly string[];
}

/**
 * What evaluating a statement, declarator or expression of a module's top level may do.
 * @param isBound whether a name is one of the module's
 */
export function effectOf(node: Node, isBound: (name: string) => boolean): Effect {
  return new Evaluation(isBound).run(node);
}

class Evaluation {
  readonly #isBound: (name: string) => boolean;
  readonly #needs: Need[] = [];
  readonly #valueNeeds: Need[] = [];
  readonly #takes = new Set<string>();
  #certain = false;

  constructor(isBound: (name: string) => boolean) {
    this.#isBound = isBound;
  }

  run(node: Node): Effect {
    const value = this.#statement(unwrap(node));
    return {
      certain: this.#certain,
      needs: this.#needs,
      value: this.#certain ? "opaque" : value,
      valueNeeds: this.#valueNeeds,
      takes: [...this.#takes],
    };
  }

  #effect(): ValueKind {
    this.#certain = true;
    return "opaque";
  }

  /** The value is looked into, or turned into text or a number. */
  #read(value: ValueKind | Path, as: "members" | "data" = "data"): void {
    if (typeof value === "object") this.#needs.push({ path: value, as });
    else if (value === "opaque") this.#effect();
  }

  /** The whole is data only if this part is. */
  #part(value: ValueKind | Path): boolean {
    if (typeof value === "object") this.#valueNeeds.push({ path: value, as: "data" });
    return value !== "opaque";
  }

  #statement(node: Node): ValueKind | Path {
    switch (node.type) {
      case "FunctionDeclaration":
        return "data";
      case "ClassDeclaration":
        return this.#class(node);
      case "VariableDeclarator":
        if (node.init === null) return "opaque";
        return this.#bind(node.id, this.#value(node.init));
      case "ExpressionStatement":
        return this.#value(node.expression);
      case "TSEnumDeclaration":
        for (const { initializer } of node.body.members)
          if (initializer) this.#read(this.#value(initializer));
        return "data";
      default:
        return node.type.endsWith("Statement") ||
          node.type.endsWith("Declaration") ||
          node.type.startsWith("TS")
          ? this.#effect()
          : this.#value(node);
    }
  }

  #bind(wrapped: Node, value: ValueKind | Path): ValueKind | Path {
    const pattern = unwrap(wrapped);
    if (pattern.type === "Identifier") return value;
    this.#read(value, "members");
    return this.#plainPattern(pattern) ? value : this.#effect();
  }

  /** Whether taking a value apart like this runs nothing: no computed key, defaults that only make a value. */
  #plainPattern(wrapped: Node): boolean {
    let plain = true;
    const visit = (node: Node): void => {
      if (node.type === "AssignmentPattern") {
        // The value may be either, so nothing is known of it.
        if (!this.#part(this.#value(node.right))) plain = false;
        visit(unwrap(node.left));
        return;
      }
      if (node.type === "Property") {
        if (node.computed) plain = false;
        visit(unwrap(node.value));
        return;
      }
      forEachChild(node, visit);
    };
    visit(wrapped);
    return plain;
  }

  #value(wrapped: Node): ValueKind | Path {
    const node = unwrap(wrapped);
    switch (node.type) {
      case "Literal":
      case "MetaProperty":
      case "FunctionExpression":
      case "ArrowFunctionExpression":
        return "data";
      case "ThisExpression":
        return "opaque";
      case "TemplateLiteral":
        for (const each of node.expressions) this.#read(this.#value(each));
        return "data";
      case "Identifier":
        if (this.#isBound(node.name)) {
          this.#takes.add(node.name);
          return { name: node.name, member: null };
        }
        return plainGlobals.has(node.name) ? "data" : this.#effect();
      case "ArrayExpression":
        return this.#array(node.elements);
      case "ObjectExpression":
        return this.#object(node);
      case "ClassExpression":
        return this.#class(node);
      case "ChainExpression":
        return this.#value(node.expression);
      case "MemberExpression":
        return this.#member(node);
      case "UnaryExpression":
        return this.#unary(node);
      case "BinaryExpression":
        return this.#binary(node);
      case "LogicalExpression":
        return this.#either(this.#value(node.left), this.#value(node.right));
      case "ConditionalExpression":
        this.#value(node.test);
        return this.#either(this.#value(node.consequent), this.#value(node.alternate));
      case "SequenceExpression":
        return node.expressions.map((each) => this.#value(each)).at(-1) ?? "opaque";
      case "CallExpression":
        return this.#call(node.callee, node.arguments);
      case "TaggedTemplateExpression":
        return this.#call(node.tag, node.quasi.expressions);
      case "NewExpression":
        return this.#new(node);
      default:
        return this.#effect();
    }
  }

  #either(left: ValueKind | Path, right: ValueKind | Path): ValueKind {
    return this.#part(left) && this.#part(right) ? "data" : "opaque";
  }

  #array(elements: readonly (Node | null)[]): ValueKind {
    let plain = true;
    for (const each of elements) {
      if (each === null) continue;
      if (each.type === "SpreadElement") this.#spread(each.argument);
      else if (!this.#part(this.#value(each))) plain = false;
    }
    return plain ? "data" : "opaque";
  }

  #spread(argument: Node): void {
    const value = this.#value(argument);
    this.#read(value, "members");
    this.#part(value);
  }

  #object(node: Node & { readonly type: "ObjectExpression" }): ValueKind {
    let plain = true;
    for (const each of node.properties) {
      if (each.type === "SpreadElement") {
        this.#spread(each.argument);
        continue;
      }
      if (each.computed) this.#read(this.#value(each.key));
      const name = staticName(each.key, each.computed);
      if (name === null || hooks.has(name) || each.kind !== "init") plain = false;
      if (each.kind === "init" && !this.#part(this.#value(each.value))) plain = false;
    }
    return plain ? "data" : "opaque";
  }

  #member(node: Node & { readonly type: "MemberExpression" }): ValueKind | Path {
    if (node.computed) this.#read(this.#value(node.property));
    const object = unwrap(node.object);
    const name = staticName(node.property, node.computed);
    if (object.type === "Identifier" && !this.#isBound(object.name)) {
      this.#takes.add(object.name);
      return plainNamespaces.has(object.name) ? "data" : this.#effect();
    }
    const value = this.#value(object);
    this.#read(value, "members");
    // A member of a namespace is a binding of its own; any other shares the kind of what it is part of.
    if (object.type === "Identifier") return { name: object.name, member: name };
    return value;
  }

  #unary(node: Node & { readonly type: "UnaryExpression" }): ValueKind {
    const argument = unwrap(node.argument);
    if (node.operator === "delete") return this.#effect();
    if (node.operator === "typeof" && argument.type === "Identifier") return "data";
    const value = this.#value(argument);
    if (node.operator === "-" || node.operator === "+" || node.operator === "~") this.#read(value);
    return "data";
  }

  #binary(node: Node & { readonly type: "BinaryExpression" }): ValueKind {
    if (node.operator === "in" || node.operator === "instanceof") return this.#effect();
    const values = [this.#value(node.left), this.#value(node.right)];
    if (node.operator !== "===" && node.operator !== "!==") for (const value of values) this.#read(value);
    return "data";
  }

  /** A call makes only a value if it is one of mlpipe's or zod's functions, or a method of what these made. */
  #call(wrapped: Node, args: readonly Node[]): ValueKind {
    for (const each of args) {
      if (each.type === "SpreadElement") this.#spread(each.argument);
      else this.#value(each);
    }
    const callee = unwrap(wrapped);
    if (callee.type === "Identifier" && this.#isBound(callee.name)) {
      this.#needs.push({ path: { name: callee.name, member: null }, as: "call" });
      return "trusted";
    }
    if (callee.type !== "MemberExpression") return this.#effect();
    const method = staticName(callee.property, callee.computed);
    if (method === null || runsItsArguments(method)) return this.#effect();
    const object = unwrap(callee.object);
    if (object.type === "Identifier" && this.#isBound(object.name)) {
      this.#needs.push({ path: { name: object.name, member: method }, as: "call" });
      return "trusted";
    }
    const value = this.#value(object);
    if (typeof value === "object") this.#needs.push({ path: value, as: "trusted" });
    return typeof value === "object" || value === "trusted" ? "trusted" : this.#effect();
  }

  #new(node: Node & { readonly type: "NewExpression" }): ValueKind {
    const callee = unwrap(node.callee);
    if (callee.type !== "Identifier" || this.#isBound(callee.name) || !plainConstructors.has(callee.name)) {
      return this.#effect();
    }
    for (const each of node.arguments) {
      if (each.type === "SpreadElement") this.#spread(each.argument);
      else this.#read(this.#value(each));
    }
    return "data";
  }

  #class(node: Node & { readonly type: "ClassDeclaration" | "ClassExpression" }): ValueKind {
    if (node.decorators.length > 0) return this.#effect();
    if (node.superClass) this.#value(node.superClass);
    let plain = node.superClass === null;
    for (const member of node.body.body) {
      if (isErased(member)) continue;
      if (member.type === "StaticBlock") return this.#effect();
      if (!("key" in member)) continue;
      if ("decorators" in member && member.decorators.length > 0) return this.#effect();
      if (member.computed) this.#read(this.#value(member.key));
      if (member.type !== "MethodDefinition" && member.static && member.value) this.#value(member.value);
      // What is read of it may be a getter's.
      if (
        member.static ||
        member.type === "AccessorProperty" ||
        ("kind" in member && (member.kind === "get" || member.kind === "set"))
      ) {
        plain = false;
      }
    }
    return plain ? "data" : "opaque";
  }
}
