/**
 * Code identity of TypeScript steps: the modules that a step's module loads, each by its syntax.
 * Sound first: every module of the import closure counts as a whole, so that no edit is missed;
 * comments, types and formatting do not count.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, isAbsolute, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Site } from "@mlpipe/dsl";
import { type Digest, digestOf } from "@mlpipe/store";
import { parseSync, type ParseResult } from "oxc-parser";
import { ResolverFactory } from "oxc-resolver";
import type { CodeIdentity, Finding } from "../command/findings.ts";

interface LoadedModule {
  readonly name: string;
  readonly digest: Digest;
  readonly imports: readonly string[];
  readonly packages: readonly string[];
  readonly uncacheable: readonly Finding[];
}

const scripts = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"]);

/** One planning session's knowledge of the modules of a project. */
export class TypeScriptCode {
  readonly #root: string;
  readonly #hash: (path: string) => Digest;
  readonly #modules = new Map<string, LoadedModule>();
  readonly #resolver = new ResolverFactory({ conditionNames: ["node", "import", "module-sync", "default", ...ownConditions()], extensions: [] });

  constructor(options: { readonly projectRoot: string; readonly hash: (path: string) => Digest }) {
    this.#root = options.projectRoot;
    this.#hash = options.hash;
  }

  identify(modulePath: string, _exportName: string, options: { readonly files?: readonly string[] } = {}): CodeIdentity {
    return this.identifyModule(modulePath, options);
  }

  identifyModule(modulePath: string, options: { readonly files?: readonly string[] } = {}): CodeIdentity {
    const parts: Record<string, Digest> = {};
    const packages: Record<string, string> = {};
    const uncacheable: Finding[] = [];
    const seen = new Set([modulePath]);
    for (const path of seen) {
      const module = this.#load(path);
      parts[module.name] = module.digest;
      for (const folder of module.packages) this.#addPackage(folder, packages);
      if (options.files === undefined) uncacheable.push(...module.uncacheable);
      for (const next of module.imports) seen.add(next);
    }
    return { parts, packages, uncacheable, warnings: [] };
  }
  #addPackage(folder: string, into: Record<string, string>): void {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string; version?: string };
    into[name ?? folder] = version ?? "0.0.0";
  }
  #load(path: string): LoadedModule {
    let module = this.#modules.get(path);
    if (module === undefined) { module = this.#read(path); this.#modules.set(path, module); }
    return module;
  }
  #read(path: string): LoadedModule {
    const inside = relative(this.#root, path);
    const name = inside.startsWith("..") ? path : inside.split(sep).join("/");
    if (!scripts.has(extname(path))) return { name, digest: this.#hash(path), imports: [], packages: [], uncacheable: [] };
    const text = readFileSync(path, "utf8");
    const parsed = parseSync(path, text);
    const imports: string[] = []; const packages: string[] = []; const uncacheable: Finding[] = [];
    for (const request of requestsOf(parsed, text)) {
      if (request.specifier === null) { uncacheable.push({ message: "a computed import() cannot be followed", site: siteAt(path, text, request.start) }); continue; }
      const { specifier } = request;
      if (specifier.startsWith("node:") || createRequire(path).resolve.paths(specifier) === null) continue;
      const found = this.#resolver.sync(dirname(path), specifier);
      if (found.path === undefined) { uncacheable.push({ message: `the import ${specifier} leads nowhere`, site: siteAt(path, text, request.start) }); continue; }
      const pkg = found.packageJsonPath === undefined ? undefined : dirname(found.packageJsonPath);
      const own = /^(?:mlpipe|@mlpipe\/.*)$/.test(specifier);
      if (pkg !== undefined && (own || found.path.split(sep).includes("node_modules"))) packages.push(pkg); else imports.push(found.path);
    }
    return { name, digest: digestOf(JSON.stringify(parsed.program, (key, value: unknown) => (skip.has(key) ? undefined : value))), imports, packages, uncacheable };
  }
}
const skip = new Set(["start", "end", "range", "loc", "typeAnnotation", "returnType", "typeParameters", "typeArguments", "raw"]);
function ownConditions(): string[] { return process.execArgv.flatMap((arg) => (arg.startsWith("--conditions=") ? [arg.slice(13)] : [])); }
function requestsOf({ module }: ParseResult, text: string): { specifier: string | null; start: number }[] {
  const out: { specifier: string | null; start: number }[] = [];
  for (const { moduleRequest, entries } of module.staticImports) if (entries.length === 0 || entries.some(({ isType }) => !isType)) out.push({ specifier: moduleRequest.value, start: moduleRequest.start });
  for (const { entries } of module.staticExports) for (const { moduleRequest, isType } of entries) if (moduleRequest && !isType) out.push({ specifier: moduleRequest.value, start: moduleRequest.start });
  for (const { moduleRequest } of module.dynamicImports) { const t = text.slice(moduleRequest.start, moduleRequest.end); out.push({ specifier: /^(["'])[^"'`]*\1$/.test(t) ? t.slice(1, -1) : null, start: moduleRequest.start }); }
  return out;
}
function siteAt(file: string, text: string, offset: number): Site { const before = text.slice(0, offset).split("\n"); return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }; }
void isAbsolute; void fileURLToPath;
