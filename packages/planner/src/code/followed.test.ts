/** What a step's code loads on its way: a literal is followed, anything computed is said. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Project } from "./fixtures/project.ts";

let project: Project;
beforeEach(() => {
  project = new Project({
    "kit.ts": 'export { Worker } from "node:worker_threads";\nexport { default as vm } from "node:vm";\n',
    "folder/file.txt": "1",
    "target.ts": "export const n = 1;\n",
    "target.cjs": "exports.n = 1;\n",
    "target.txt": "1",
  });
});
afterEach(() => project[Symbol.dispose]());

/** A module whose step runs this, after these imports. */
function step(code: string, imports = ""): string {
  return `import { data } from "mlpipe";
${imports}
export const step = data("step", { inputs: {}, outputs: {}, async run(name) { ${code} } });
`;
}

/** What is said of code that cannot be followed, `line: message`. */
function said(content: string, options: { readonly files?: readonly string[] } = {}): readonly string[] {
  project.write({ "step.ts": content });
  return project
    .identify("step.ts#step", options)
    .uncacheable.map(({ message, site }) => `${site?.line ?? "?"}: ${message}`);
}

const createRequire = 'import { createRequire } from "node:module";';
const worker = 'import { Worker } from "node:worker_threads";';
const childProcess = 'import * as cp from "node:child_process";';

describe("what cannot be followed", () => {
  it.each([
    ["import(name)", "", "a computed import() cannot be followed"],
    ["import(`./${name}.ts`)", "", "a computed import() cannot be followed"],
    ['import("./" + name)', "", "a computed import() cannot be followed"],
    ['eval("1")', "", "eval cannot be followed"],
    ["(0, eval)(name)", "", "eval cannot be followed"],
    ["globalThis.eval(name)", "", "eval cannot be followed"],
    ["new Function(name)", "", "new Function() cannot be followed"],
    ["[name].map(Function)", "", "new Function() cannot be followed"],
    ["new Worker(name)", worker, "a worker whose module is computed cannot be followed"],
    [
      "new Worker(new URL(name, import.meta.url))",
      worker,
      "a path made of import.meta.url cannot be followed",
    ],
    ["new Worker(name, { eval: true })", worker, "a worker whose module is computed cannot be followed"],
    ["[Worker].length", worker, "a worker whose module is computed cannot be followed"],
    ["class Mine extends Worker {}", worker, "a worker whose module is computed cannot be followed"],
    [
      "new threads.Worker(name)",
      'import threads from "worker_threads";',
      "a worker whose module is computed cannot be followed",
    ],
    ["cp.fork(name)", childProcess, "a fork whose module is computed cannot be followed"],
    ["name(cp)", childProcess, "node:child_process is passed on, and its forks cannot be followed"],
    [
      "const require = createRequire(import.meta.url); require(name)",
      createRequire,
      "a computed require() cannot be followed",
    ],
    [
      "const r = createRequire(import.meta.url); name(r)",
      createRequire,
      "require is passed on, and what it loads cannot be followed",
    ],
    ["createRequire(name)('./a.cjs')", createRequire, "a computed createRequire() cannot be followed"],
    [
      "name(createRequire(import.meta.url))",
      createRequire,
      "the require made by createRequire() cannot be followed",
    ],
    ["name(createRequire)", createRequire, "a computed createRequire() cannot be followed"],
    [
      "register('./hooks.ts')",
      'import { register } from "node:module";',
      "what node:module loads cannot be followed",
    ],
    ["vm.runInThisContext(name)", 'import vm from "node:vm";', "code run by node:vm cannot be followed"],
    ["cluster.fork()", 'import cluster from "node:cluster";', "code run by node:cluster cannot be followed"],
    ["process.dlopen(name, './a.node')", "", "process.dlopen cannot be followed"],
    [
      "read(join(import.meta.dirname, 'a'))",
      'import { join } from "node:path";',
      "a path made of import.meta.dirname cannot be followed",
    ],
    [
      "fileURLToPath(import.meta.url)",
      'import { fileURLToPath } from "node:url";',
      "a path made of import.meta.url cannot be followed",
    ],
    ["new URL(name, import.meta.url)", "", "a path made of import.meta.url cannot be followed"],
    [
      "const { url } = import.meta",
      "",
      "import.meta is passed on, and what becomes of it cannot be followed",
    ],
    ["import.meta[name]", "", "import.meta is passed on, and what becomes of it cannot be followed"],
    ["import.meta.resolve(name)", "", "a computed import.meta.resolve() cannot be followed"],
    ["__dirname", "", "a path made of __dirname cannot be followed"],
    ["import('./none.ts')", "", "./none.ts leads nowhere"],
    ["import('not-installed')", "", "not-installed leads nowhere"],
    ["new URL('./none.txt', import.meta.url)", "", "./none.txt leads nowhere"],
    [
      "new URL('./folder', import.meta.url)",
      "",
      "./folder is a folder, and what is read of it cannot be followed",
    ],
    [
      "new Worker(name)",
      'import { Worker } from "./kit.ts";',
      "node:worker_threads of another module cannot be followed",
    ],
    ["kit.vm.Script", 'import * as kit from "./kit.ts";', "node:vm of another module cannot be followed"],
    ["dlopen(name)", 'import { dlopen } from "node:process";', "process.dlopen cannot be followed"],
    ["await import('node:vm')", "", "node:vm must be imported by its name to be followed"],
  ])("%s", (code, imports, message) => {
    expect(said(step(code, imports))).toContain(`3: ${message}`);
    // Whoever names the files that such code loads takes its place.
    expect(said(step(code, imports), { files: ["*.ts"] })).toEqual([]);
  });

  it("counts only where the step gets to", () => {
    expect(said(`export const never = (name: string) => import(name);\n${step("")}`)).toEqual([]);
    expect(said(`const never = (name: string) => import(name);\n${step("never(name)")}`)).toEqual([
      "1: a computed import() cannot be followed",
    ]);
  });

  it("counts when the module's loading gets to it", () => {
    expect(said(`console.log(import.meta.dirname);\n${step("")}`)).toEqual([
      "1: a path made of import.meta.dirname cannot be followed",
    ]);
  });

  it("is pointed at, with what to do", () => {
    project.write({ "step.ts": step("\n    import(name)") });
    expect(project.identify("step.ts#step").uncacheable).toEqual([
      {
        message: "a computed import() cannot be followed",
        site: { file: join(project.root, "step.ts"), line: 4, column: 5 },
        hint: "Name what it loads in the step's `files`.",
      },
    ]);
  });

  it("an import that leads nowhere is named", () => {
    expect(said(step("lost()", 'import { lost } from "./lost.ts";'))).toEqual(["2: ./lost.ts leads nowhere"]);
    expect(said(step("lost()", 'import { lost } from "./lost.ts";'), { files: [] })).toEqual([]);
  });

  it("a module that cannot be parsed is never kept, whatever files are named", () => {
    expect(said(`const x = ;\n${step("")}`)).toEqual(["1: it cannot be parsed: Unexpected token"]);
    expect(said(`const x = ;\n${step("")}`, { files: ["*"] })).toEqual([
      "1: it cannot be parsed: Unexpected token",
    ]);
  });

  it("an export that is not there is said", () => {
    expect(said("export const other = 1;\n")).toEqual(["1: step.ts has no export step"]);
  });

  it("a require of another module is not followed", () => {
    project.write({ "req.ts": `${createRequire}\nexport const require = createRequire(import.meta.url);\n` });
    expect(said(step("require('./target.cjs')", 'import { require } from "./req.ts";'))).toEqual([
      "3: a require of another module cannot be followed",
    ]);
  });

  it("code nested ten thousand deep is not kept, and nothing breaks", () => {
    const deep = Array.from({ length: 20_000 }, (_, index) => `"${index}"`).join(" + ");
    const [message] = said(`const deep = ${deep};\n${step("deep")}`);
    expect(message === undefined || message.endsWith("its code is nested too deeply to be followed")).toBe(
      true,
    );
  });
});

describe("what is followed", () => {
  it.each([
    ["import('./target.ts')", "", "target.ts#n"],
    ["import(`./target.ts`)", "", "target.ts#n"],
    ["import('./target.ts?fresh')", "", "target.ts#n"],
    ["new Worker(new URL('./target.ts', import.meta.url))", worker, "target.ts#n"],
    ["new Worker('./target.ts')", worker, "target.ts#n"],
    [
      "new wt.Worker(new URL('target.ts', import.meta.url), { workerData: name })",
      'import * as wt from "worker_threads";',
      "target.ts#n",
    ],
    ["cp.fork('./target.ts', [name])", childProcess, "target.ts#n"],
    ["cp.fork(new URL('./target.ts', import.meta.url))", childProcess, "target.ts#n"],
    ["new URL('./target.txt', import.meta.url)", "", "target.txt"],
    ["import.meta.resolve('./target.ts')", "", "target.ts#n"],
    ["createRequire(import.meta.url)('./target.cjs')", createRequire, "target.cjs"],
    ["createRequire(import.meta.url).resolve('./target.cjs')", createRequire, "target.cjs"],
    [
      "const r = createRequire(import.meta.filename); return () => r('./target')",
      createRequire,
      "target.cjs",
    ],
    [
      "const r = m.createRequire(import.meta.url); r('./target.cjs')",
      'import m from "node:module";',
      "target.cjs",
    ],
    [
      "require('./target.cjs')",
      `${createRequire}\nconst require = createRequire(import.meta.url);`,
      "target.cjs",
    ],
    [
      "require.resolve('./target.txt')",
      `${createRequire}\nconst require = createRequire(import.meta.url);`,
      "target.txt",
    ],
  ])("%s", (code, imports, part) => {
    if (code.includes("'./target')"))
      project.write({ "target.js": "exports.n = 1;\n", "package.json": "{}" });
    project.write({ "step.mts": step(code, imports) });
    const { parts, uncacheable } = project.identify("step.mts#step");
    expect(uncacheable).toEqual([]);
    expect(Object.keys(parts)).toContain(code.includes("'./target')") ? "target.js" : part);
  });

  it.each([
    ["import.meta.main", ""],
    ["name instanceof Function", ""],
    ["Function.prototype.call(name)", ""],
    ["const eval2 = name; eval2()", ""],
    ["((eval) => eval(name))(String)", ""],
    ["name.eval()", ""],
    ["import('data:text/javascript,1')", ""],
    ["new URL('https://example.org/x', import.meta.url)", ""],
    ["new URL(name, 'file:///')", ""],
    ["new Worker(name)", 'import { Worker } from "./mine.ts";'],
    ["cp.spawn(name)", childProcess],
    ["isMainThread", 'import { isMainThread } from "node:worker_threads";'],
    ["require.main === module", ""],
    ["typeof require", ""],
    ["readFileSync('data.csv')", 'import { readFileSync } from "node:fs";'],
    ["typeof name as typeof import('./nothing.ts')", ""],
  ])("nothing to be said of %s", (code, imports) => {
    project.write({
      "mine.ts": "export class Worker { n: unknown; constructor(n: unknown) { this.n = n; } }\n",
    });
    expect(said(step(code, imports))).toEqual([]);
  });
});
