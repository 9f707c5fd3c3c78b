/** Paths that are written in the source: literals, and what `node:path` and `import.meta` make of them. */
import { dirname, isAbsolute, join, normalize, resolve } from "node:path";
import { Node, SyntaxKind } from "ts-morph";
import { isConst, type Origins } from "./origin.ts";
import { bare, declarationsOf, isOwn, literalText } from "./sources.ts";

/** A path as far as the source says it. */
export interface LiteralPath {
  /** Of the file; of the folder, with `/` at its end, where only that is known. */
  readonly text: string;
  readonly isWhole: boolean;
  /** The `import.meta` that it starts from. */
  readonly meta?: Node;
  /** Written as `new URL("x", import.meta.url)`, which the planner follows: the file is part of the key. */
  readonly isKeyed?: boolean;
}

/** Reads paths out of the source. */
export class LiteralPaths {
  readonly #root: string;
  readonly #origins: Origins;

  /** @param root the folder that steps run in */
  constructor(root: string, origins: Origins) {
    this.#root = root;
    this.#origins = origins;
  }

  /** The absolute path that an expression stands for, if the source says one. */
  of(expression: Node): LiteralPath | undefined {
    const found = this.#read(expression, 0);
    if (found === undefined || found.text === "") return undefined;
    if (found.isWhole) return { ...found, text: resolve(this.#root, found.text) };
    const folder = found.text.slice(0, found.text.lastIndexOf("/") + 1);
    // `${name}.csv` and `./${name}` say nothing of where.
    if (/^(?:\.{0,2}\/)*$/.test(folder)) return undefined;
    return { ...found, text: `${resolve(this.#root, folder)}/` };
  }

  #read(expression: Node, depth: number): LiteralPath | undefined {
    const node = bare(expression);
    const literal = literalText(node);
    if (literal !== undefined) return { text: literal, isWhole: true };
    if (depth > 20) return undefined;
    const read = (part: Node | undefined): LiteralPath | undefined =>
      part === undefined ? undefined : this.#read(part, depth + 1);
    if (Node.isIdentifier(node)) return this.#ofName(node, read);
    if (Node.isTemplateExpression(node)) {
      const parts: (LiteralPath | undefined)[] = [whole(node.getHead().getLiteralText())];
      for (const span of node.getTemplateSpans()) {
        parts.push(read(span.getExpression()), whole(span.getLiteral().getLiteralText()));
      }
      return joined(parts, (before, next) => before + next);
    }
    if (Node.isBinaryExpression(node) && node.getOperatorToken().getKind() === SyntaxKind.PlusToken) {
      return joined([read(node.getLeft()), read(node.getRight())], (before, next) => before + next);
    }
    if (Node.isPropertyAccessExpression(node)) return this.#ofProperty(node, read);
    if (Node.isNewExpression(node)) return this.#ofUrl(node, read);
    return Node.isCallExpression(node) ? this.#ofCall(node, read) : undefined;
  }

  #ofName(name: Node, read: (part: Node | undefined) => LiteralPath | undefined): LiteralPath | undefined {
    const declaration = declarationsOf(name).find(isOwn);
    const file = name.getSourceFile().getFilePath();
    if (declaration === undefined) {
      if (name.getText() === "__dirname") return { text: dirname(file), isWhole: true, meta: name };
      return name.getText() === "__filename" ? { text: file, isWhole: true, meta: name } : undefined;
    }
    return Node.isVariableDeclaration(declaration) && isConst(declaration)
      ? read(declaration.getInitializer())
      : undefined;
  }

  #ofProperty(
    node: Node,
    read: (part: Node | undefined) => LiteralPath | undefined,
  ): LiteralPath | undefined {
    if (!Node.isPropertyAccessExpression(node)) return undefined;
    const object = bare(node.getExpression());
    const name = node.getName();
    if (Node.isMetaProperty(object)) {
      const file = object.getSourceFile().getFilePath();
      if (name === "dirname") return { text: dirname(file), isWhole: true, meta: object };
      return name === "url" || name === "filename" ? { text: file, isWhole: true, meta: object } : undefined;
    }
    // `new URL("x", import.meta.url).pathname`
    return name === "pathname" || name === "href" ? read(object) : undefined;
  }

  #ofUrl(node: Node, read: (part: Node | undefined) => LiteralPath | undefined): LiteralPath | undefined {
    if (!Node.isNewExpression(node) || this.#origins.of(node.getExpression())?.join(".") !== "URL")
      return undefined;
    const [target, base] = node.getArguments();
    const from = read(base);
    const to = read(target);
    if (from?.meta === undefined || to === undefined) return undefined;
    const { meta } = from;
    const isKeyed = literalText(target) !== undefined && base !== undefined && isMetaUrl(base);
    return { text: join(dirname(from.text), to.text), isWhole: to.isWhole, meta, isKeyed };
  }

  #ofCall(node: Node, read: (part: Node | undefined) => LiteralPath | undefined): LiteralPath | undefined {
    if (!Node.isCallExpression(node)) return undefined;
    const given = node.getArguments();
    const [first] = given;
    switch (this.#origins.of(node.getExpression())?.join(".")) {
      case "process.cwd":
        return { text: this.#root, isWhole: true };
      case "node:url.fileURLToPath":
      case "node:url.pathToFileURL":
        return read(first);
      case "node:path.normalize":
        return joined([read(first)], (_before, next) => normalize(next));
      case "node:path.dirname": {
        const inner = read(first);
        return inner?.isWhole === true ? { ...inner, isKeyed: false, text: dirname(inner.text) } : undefined;
      }
      case "node:path.join":
        return joined(given.map(read), (before, next) => (before === "" ? next : `${before}/${next}`));
      case "node:path.resolve":
        return joined(given.map(read), (before, next) =>
          isAbsolute(next) || before === "" ? next : `${before}/${next}`,
        );
      default:
        return undefined;
    }
  }
}

function isMetaUrl(node: Node): boolean {
  const inner = bare(node);
  return Node.isPropertyAccessExpression(inner) && Node.isMetaProperty(bare(inner.getExpression()));
}

function whole(text: string): LiteralPath {
  return { text, isWhole: true };
}

/** Parts one after the other, up to the first that is not known. */
function joined(
  parts: readonly (LiteralPath | undefined)[],
  add: (before: string, next: string) => string,
): LiteralPath | undefined {
  let text = "";
  let meta: Node | undefined;
  let isKeyed = false;
  for (const [index, part] of parts.entries()) {
    if (part === undefined) {
      // What was there so far is a folder only if a separator follows, which `join` would add.
      const next = add(text, "x").slice(0, -1);
      return index === 0 ? undefined : { text: next, isWhole: false, ...(meta !== undefined && { meta }) };
    }
    text = add(text, part.text);
    meta ??= part.meta;
    isKeyed = index === 0 && part.isKeyed === true;
    if (!part.isWhole) return { text, isWhole: false, ...(meta !== undefined && { meta }) };
  }
  return { text, isWhole: true, isKeyed, ...(meta !== undefined && { meta }) };
}
