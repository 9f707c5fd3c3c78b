/** A node of the graph of what code reaches: a declaration, a loaded module, a file. */
import type { Digest } from "@mlpipe/store";
import type { Finding } from "../command/findings.ts";
import type { SourceModule } from "./source-module.ts";

/** What something adds to an identity, under its name. */
export interface Part {
  readonly name: string;
  readonly digest: Digest;
}

/** In which order a module loads others. */
export const loadOrderOf = (module: string): string => `${module}#(load order)`;

/** Which names a module exports, and what is behind them. */
export const exportsOf = (module: string): string => `${module}#(exports)`;

/** Whether a part says how pieces are put together, and not what one of them is. */
export function isArrangement(part: string): boolean {
  return /#\((?:load order|exports)\)$/.test(part);
}

/** Something that code reaches. */
export interface CodeNode {
  /** What it adds to the identity. */
  part: Part | null;
  readonly edges: CodeNode[];
  /** Folders of packages. */
  readonly packages: string[];
  /** Data that is opened when a module is loaded, whoever uses it: it may be opened, and says nothing by itself. */
  readonly opened: string[];
  readonly findings: Finding[];
  /** Findings that no list of files can make up for. */
  readonly fatal: Finding[];
  /** The module that it stands for as a whole, so that its declarations need not be named. */
  readonly whole: SourceModule | null;
  readonly module: SourceModule | null;
  /** The module that is loaded by itself here, not by an import of another: the order of what it loads is its own. */
  readonly entry: SourceModule | null;
  /** The module of a piece whose value depends on what was run before it. */
  reader: SourceModule | null;
  /** The walk that saw it last: cheaper than a set for every step. */
  seen: number;
  open: (() => void) | null;
}

/** A node, and how it finds out what it leads to when it is first reached. */
export function newNode({
  open,
  ...more
}: {
  readonly module?: SourceModule;
  readonly whole?: SourceModule;
  readonly entry?: SourceModule;
  readonly open?: (node: CodeNode) => void;
}): CodeNode {
  const node: CodeNode = {
    part: null,
    edges: [],
    packages: [],
    opened: [],
    findings: [],
    fatal: [],
    whole: null,
    module: null,
    entry: null,
    reader: null,
    ...more,
    seen: 0,
    open: null,
  };
  if (open !== undefined) node.open = () => open(node);
  return node;
}

/** Opens a node that was not yet. */
export function open(node: CodeNode): void {
  const { open } = node;
  node.open = null;
  open?.();
}
