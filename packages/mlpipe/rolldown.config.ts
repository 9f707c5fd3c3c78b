/**
 * What is published of mlpipe: its packages in a few files. To find and read a hundred small
 * modules takes longer than a run in which nothing has to run.
 */
import { readdirSync, readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "rolldown";
import { cachedCode } from "./bundle/cached-code.ts";

/** Small packages on the way of every command: taken in, their licences beside them. */
const takenIn = ["commander", "fastest-levenshtein"];

/** What Node loads slowly and few commands need: loaded by the first call. */
const lazy: Readonly<Record<string, readonly string[] | "all">> = {
  "node:child_process": "all",
  "node:v8": "all",
  "node:vm": ["runInNewContext"],
  "node:worker_threads": ["Worker"],
};

/**
 * Node's own modules without their ESM faces. To import a name of `node:fs` reads every getter of it, and loads what
 * is behind them; that and its like take 15 ms of a run in which nothing has to run.
 */
const leanBuiltins: Plugin = {
  name: "lean-builtins",
  renderChunk(code) {
    return code.replaceAll(
      /^import (?:([\w$]+)(?:, )?)?(?:\{([^}]+)\})? from "(node:[\w/]+)";$/gm,
      (_, whole: string | undefined, names: string | undefined, from: string) => {
        const it = `process.getBuiltinModule("${from}")`;
        const late = lazy[from];
        const lines =
          names?.split(",").map((name) => {
            const [imported = "", local = imported] = name.trim().split(" as ");
            return late === "all" || late?.includes(imported)
              ? lateFunction(it, imported, local)
              : `const ${local} = ${it}.${imported};`;
          }) ?? [];
        if (whole !== undefined)
          lines.unshift(`const ${whole} = ${late === undefined ? it : lateObject(it)};`);
        return lines.join("\n");
      },
    );
  },
};

function lateFunction(it: string, name: string, local: string): string {
  return (
    `function ${local}(...args) { const { ${name}: it } = ${it}; ` +
    "return new.target ? Reflect.construct(it, args) : it(...args); }"
  );
}

function lateObject(it: string): string {
  return `new Proxy({}, { get: (_, name) => ${it}[name] })`;
}

/** What every run loads, also one in which nothing has to run. All else is loaded by the first that needs it. */
const onTheWay = new RegExp(
  [
    "planner/src/.*",
    "provenance/src/(?:errors|git|graph-digest|index|questions|recorder|redact|time|trigger|who)",
    "store/src/(?:cache-entries|canonical|change-mark|checkpoints|claims|copy-out|database|digest|durability|errors|facts|hash-pool)",
    "store/src/(?:index|last-change|layout|lineage-tables|objects|parts|publish|reading|receipts|record-log|runs|seal)",
    "store/src/(?:stat-index|store|tree|unsteady|uuid7|walk)",
    "executor/src/(?:ahead|artifacts-folder|attempt-folder|attempts-as-shown|engine|errors|execute|heap-growth|index|inherited)",
    "executor/src/(?:local-engine|log-slot|outcome-record|places?|readiness|runner/errors|safe-lines)",
    "mlpipe/src/(?:project/.*|cli/format|cli/commands/(?:session|step-words|run|plan)|lock/lock-(?:memory|path))",
    "mlpipe/src/report/(?:line-batch|others-work|plain|summary|ndjson|symbols)",
  ]
    .map((places) => `packages/${places}\\.ts$`)
    .join("|") + "|fastest-levenshtein",
);

/** What the first step that has to run brings along, all at once. What its process loads is not among it. */
const onceSomethingRuns = new RegExp(
  [
    "executor/src/(?:altered-input|attempt|attempt-failure|command-line|devices|failure-kind|given-inputs|machine-limits|order|outputs|pools|priority-queue)",
    "executor/src/(?:publisher|retry|schedule|step-executor|step-record|task|text-log|work-folders)",
    "executor/src/fence/(?:enclosure|fence|watched-paths)",
    "provenance/src/(?:container|gpus|host|libc)",
    "mlpipe/src/(?:cli/commands/run-lock|lock/lock.*)",
  ]
    .map((places) => `packages/${places}\\.ts$`)
    .join("|"),
);

const licences: Plugin = {
  name: "licences",
  generateBundle() {
    const texts = takenIn.map((name) => {
      const folder = new URL(`node_modules/${name}/`, import.meta.url);
      // Both its `package.json` and its licence lie at the root of the package.
      const { version, license } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"));
      return `${name} ${version} (${license})\n\n${licenceIn(folder)}`;
    });
    this.emitFile({
      type: "asset",
      fileName: "THIRD-PARTY-LICENSES.txt",
      source: texts.join(`\n${"-".repeat(80)}\n\n`),
    });
  },
};

/** What Python steps are watched and fenced with: started by path, so they stay files. */
const python: Plugin = {
  name: "python",
  generateBundle() {
    const folder = new URL("../python/", import.meta.url);
    for (const name of readdirSync(folder).filter((file) => file.endsWith(".py"))) {
      this.emitFile({
        type: "asset",
        fileName: `python/${name}`,
        source: readFileSync(new URL(name, folder)),
      });
    }
  },
};

function licenceIn(folder: URL): string {
  const name = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (name === undefined) throw new Error(`no licence in ${folder.href}`);
  return readFileSync(new URL(name, folder), "utf8");
}

export default defineConfig({
  input: {
    index: "src/index.ts",
    "cli/main": "src/cli/main.ts",
    // Started as processes and threads of their own, by the name they have beside the code that starts them.
    "runner/main": "../executor/src/runner/main.ts",
    "supervisor/main": "../executor/src/supervisor/main.ts",
    "hash-worker": "../store/src/hash-worker.ts",
    "strip-types": "src/strip-types.ts",
    "code-cache": "src/code-cache.ts",
  },
  platform: "node",
  resolve: { conditionNames: ["@mlpipe/source", "node", "import", "default"] },
  // What users install beside mlpipe; mlpipe's own packages are taken in.
  external: (id) =>
    !id.startsWith(".") && !id.startsWith("/") && !id.startsWith("@mlpipe/") && !takenIn.includes(id),
  plugins: [leanBuiltins, cachedCode(["engine", "execution"]), licences, python],
  output: {
    dir: "dist",
    format: "esm",
    chunkFileNames: "[name].js",
    minify: false,
    comments: false,
    // To find, read and link a file takes half a millisecond, so what is loaded together is one file: the language,
    // which every step's process loads as well; what every command needs; and all that plans and runs.
    codeSplitting: {
      groups: [
        // The threads that hash load no more than this.
        { name: "hashing", test: /packages\/store\/src\/hash-job\.ts$/, priority: 4 },
        // Nor does the supervisor, which has to be small.
        {
          name: "supervision",
          test: /packages\/executor\/src\/supervisor\/(?:frames|orphans|strays)\.ts$|packages\/store\/src\/alive-lock\.ts$/,
          priority: 4,
        },
        {
          name: "language",
          test: /packages\/(?:dsl\/src\/|executor\/src\/(?:lean-zod|user-module)|planner\/src\/code\/(?:native-package|source-file))/,
          priority: 3,
        },
        {
          name: "face",
          test: /packages\/mlpipe\/src\/(?:package-files|project\/project|cli\/(?:output|style|render-error|tell-error|text-width|code-frame))\.ts$/,
          priority: 2,
        },
        {
          name: "engine",
          test: onTheWay,
          priority: 1,
        },
        { name: "execution", test: onceSomethingRuns, priority: 0 },
      ],
    },
  },
});
