/** Chunks whose compiled code mlpipe keeps by itself: see `src/code-cache.ts`. */
import { createHash } from "node:crypto";
import type { Plugin } from "rolldown";

/** What replaces a part of the text. */
interface Change {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

interface ImportDeclaration extends Node {
  readonly source: { readonly value: string };
  readonly specifiers: readonly {
    readonly type: string;
    readonly imported?: { readonly name: string };
    readonly local: { readonly name: string };
  }[];
}

interface ExportNamedDeclaration extends Node {
  readonly declaration: unknown;
  readonly specifiers: readonly {
    readonly local: { readonly name: string };
    readonly exported: { readonly name: string };
  }[];
}

interface VariableDeclaration extends Node {
  readonly kind: string;
  readonly declarations: readonly {
    readonly id: { readonly name?: string };
    readonly init: Node | null;
  }[];
}

interface MetaProperty extends Node {
  readonly meta: { readonly name: string };
}

/**
 * Makes a function of each chunk that is named, in a file of its own (`engine.code.js` beside `engine.js`), and a module that
 * calls it with what the chunk imports and exports what it returns. So what is exported must be constant, which is looked
 * at here, and chunks must not import each other in a circle, which fails whenever they are loaded.
 */
export function cachedCode(names: readonly string[]): Plugin {
  return {
    name: "cached-code",
    renderChunk(code, chunk) {
      if (!names.includes(chunk.name)) return null;
      const { body } = this.parse(code) as unknown as { readonly body: readonly Node[] };
      const imports: string[] = [];
      const exports: string[] = [];
      const changing = changingNames(body);
      const changes = importChanges(body);
      for (const node of body) {
        const { start, end } = node;
        if (isImport(node)) {
          const taken = node.specifiers.map(({ type, imported, local }) => {
            if (type !== "ImportSpecifier" || imported === undefined)
              throw new Error(`${chunk.name} imports all of ${node.source.value}`);
            return `${imported.name}: ${local.name}`;
          });
          changes.push({ start, end, text: `const { ${taken.join(", ")} } = $imports[${imports.length}];` });
          imports.push(node.source.value);
        } else if (isExport(node)) {
          if (node.declaration !== null && node.declaration !== undefined)
            throw new Error(`${chunk.name} exports a declaration`);
          const mutable = node.specifiers.find(({ local }) => changing.has(local.name));
          if (mutable !== undefined)
            throw new Error(`${chunk.name} exports ${mutable.local.name}, which may change`);
          exports.push(...node.specifiers.map(({ exported }) => exported.name));
          const given = node.specifiers.map(({ local, exported }) => `${exported.name}: ${local.name}`);
          changes.push({ start, end, text: `return { ${given.join(", ")} };` });
        }
      }
      const text = `(function ($meta, $import, $imports) { "use strict";\n${changed(code, changes)}\n})`;
      const fileName = chunk.fileName.replace(/\.js$/, ".code.js");
      this.emitFile({ type: "asset", fileName, source: text });
      const digest = createHash("sha256").update(text).digest("hex").slice(0, 16);
      return [
        ...imports.map((from, index) => `import * as i${index} from ${JSON.stringify(from)};`),
        `import { codeOf } from "./code-cache.js";`,
        `const code = codeOf(new URL("./${fileName}", import.meta.url), "${digest}");`,
        `const its = code(import.meta, (from) => import(from), [${imports.map((_, index) => `i${index}`).join(", ")}]);`,
        `const { ${exports.map((name, index) => `${name}: e${index}`).join(", ")} } = its;`,
        `export { ${exports.map((name, index) => `e${index} as ${name}`).join(", ")} };`,
        "",
      ].join("\n");
    },
  };
}

function isImport(node: Node): node is ImportDeclaration {
  return node.type === "ImportDeclaration";
}

function isExport(node: Node): node is ExportNamedDeclaration {
  return node.type === "ExportNamedDeclaration";
}

/** Variables at the top that may get another value: of `var`, which Rolldown alone writes, only what has none yet. */
function changingNames(body: readonly Node[]): ReadonlySet<string | undefined> {
  const names = new Set<string | undefined>();
  for (const node of body) {
    if (node.type !== "VariableDeclaration") continue;
    const { kind, declarations } = node as VariableDeclaration;
    for (const { id, init } of declarations) if (kind === "let" || init === null) names.add(id.name);
  }
  return names;
}

/** A function has neither `import.meta` nor `import()` of its module: it is given them. */
function importChanges(tree: unknown): Change[] {
  if (typeof tree !== "object" || tree === null) return [];
  const changes = Object.values(tree).flatMap((part) => importChanges(part));
  if (!("type" in tree)) return changes;
  const { type, start, end } = tree as Node;
  if (type === "ImportExpression") changes.push({ start, end: start + "import".length, text: "$import" });
  if (type === "MetaProperty" && (tree as MetaProperty).meta.name === "import")
    changes.push({ start, end, text: "$meta" });
  return changes;
}

function changed(code: string, changes: readonly Change[]): string {
  let text = "";
  let at = 0;
  for (const change of changes.toSorted((a, b) => a.start - b.start)) {
    text += code.slice(at, change.start) + change.text;
    at = change.end;
  }
  return text + code.slice(at);
}
