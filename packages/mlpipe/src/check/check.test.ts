/** What is found in a step and what is not, rule by rule. Each case is a step in a module of its own. */
import { describe, expect, it } from "vitest";
import { Project } from "../../../../test/e2e/project.ts";
import type { CheckFinding } from "./finding.ts";

/** A step's module: what stands above the step, what its function does, what else it declares. */
interface Case {
  readonly above?: string;
  readonly run: string;
  readonly declares?: string;
}

const header = `import { data, file } from "mlpipe";
import { secret } from "mlpipe";
import { z } from "zod";
`;

/** What is said of each case: the message, without the name of the step. */
async function said(
  cases: Readonly<Record<string, Case | string>>,
  files: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string | readonly string[]>>> {
  const names = Object.keys(cases);
  const modules = Object.entries(cases).map(([, given], index) => {
    const { above = "", run, declares = "" } = typeof given === "string" ? { run: given } : given;
    const step = `export const step = data("s${index}", {
  ${declares}
  outputs: { n: z.unknown() },
  async run(_inputs, _out) {
    ${run}
    return { n: 1 };
  },
});`;
    return [`s${index}.ts`, `${header}${above}\n${step}\n`] as const;
  });
  const imports = names.map((_, index) => `import { step as s${index} } from "./s${index}.ts";`);
  using project = new Project({
    ...files,
    ...Object.fromEntries(modules),
    "cases.pipeline.ts": `import { pipeline } from "mlpipe";
${imports.join("\n")}
export default pipeline("cases", () => ({ ${names.map((_, index) => `o${index}: s${index}({}).n`).join(", ")} }));
`,
  });
  const { stdout, stderr } = await project.mlpipe("check", "--json");
  expect(stderr).toBe("");
  // The shape is asserted by the tests of the command.
  const { findings } = JSON.parse(stdout) as { findings: readonly CheckFinding[] };
  return Object.fromEntries(
    names.map((name, index) => {
      const own = findings.filter(({ steps }) => steps.includes(`s${index}`));
      const texts = own.map(({ code, message }) => `${code} ${message.replaceAll(/\bs\d+(?!\.)\b/g, "it")}`);
      return [name, texts.length > 1 ? texts : (texts[0] ?? "nothing")];
    }),
  );
}

describe("environment variables", () => {
  it("are found however they are read", async () => {
    expect(
      await said(
        {
          "by name": "process.env.RATE;",
          "by a text": 'process.env["RATE"];',
          "by a constant": { above: 'const name = "RATE";', run: "process.env[name];" },
          destructured: "const { RATE, OTHER: other = 1 } = process.env; void other;",
          "destructured twice": "const { env: { RATE } } = process;",
          "by another name": "const vars = process.env; vars.RATE; vars.RATE;",
          "env of node:process": { above: 'import { env } from "node:process";', run: "env.RATE;" },
          "node:process": { above: 'import host from "node:process";', run: "host.env.RATE;" },
          "through globalThis": "globalThis.process.env.RATE;",
          "when the module is loaded": {
            above: "const rate = Number(process.env.RATE ?? 1);",
            run: "rate; rate;",
          },
          "asked for": '"RATE" in process.env;',
          "in another module": { above: 'import { rate } from "./lib.ts";', run: "rate();" },
          "behind a re-export": { above: 'import { rate } from "./index.ts";', run: "rate();" },
          "in a namespace": { above: 'import * as lib from "./lib.ts";', run: "lib.rate();" },
          "in the default export": { above: 'import rate from "./lib.ts";', run: "rate();" },
          "in a class": { above: 'import { Config } from "./lib.ts";', run: "new Config().rate();" },
          "re-exported env": { above: 'import { env } from "./index.ts";', run: "env.RATE;" },
          computed: "const name = _inputs as never; process.env[name];",
          "passed on": "Object.keys(process.env);",
          spread: "const all = { ...process.env }; void all;",
          "the rest": "const { TZ, ...others } = process.env; others.RATE; return { n: others };",
          "HOME is visible": "process.env.HOME;",
        },
        {
          "lib.ts": `export const rate = (): string | undefined => process.env.LIB_RATE;
export default function (): string | undefined {
  return process.env.DEFAULT_RATE;
}
export class Config {
  rate(): string | undefined {
    return process.env.CLASS_RATE;
  }
}
`,
          "index.ts": 'export { rate } from "./lib.ts";\nexport { env } from "node:process";\n',
        },
      ),
    ).toMatchInlineSnapshot(`
      {
        "HOME is visible": "MLP6101 process.env.HOME is read by it and not declared: its value is not part of the key.",
        "asked for": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "behind a re-export": "MLP6101 process.env.LIB_RATE is read by it, it and it and not declared: there it is always undefined.",
        "by a constant": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "by a text": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "by another name": [
          "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
          "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        ],
        "by name": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "computed": "MLP6101 process.env is read by it with a computed name: whether it is declared cannot be told.",
        "destructured": [
          "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
          "MLP6101 process.env.OTHER is read by it and not declared: there it is always undefined.",
        ],
        "destructured twice": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "env of node:process": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "in a class": "MLP6101 process.env.CLASS_RATE is read by it and not declared: there it is always undefined.",
        "in a namespace": "MLP6101 process.env.LIB_RATE is read by it, it and it and not declared: there it is always undefined.",
        "in another module": "MLP6101 process.env.LIB_RATE is read by it, it and it and not declared: there it is always undefined.",
        "in the default export": "MLP6101 process.env.DEFAULT_RATE is read by it and not declared: there it is always undefined.",
        "node:process": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "passed on": "MLP6101 process.env is passed on as a whole by it: which variables are needed cannot be told.",
        "re-exported env": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "spread": "MLP6101 process.env is passed on as a whole by it: which variables are needed cannot be told.",
        "the rest": [
          "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
          "MLP6101 process.env is passed on as a whole by it: which variables are needed cannot be told.",
        ],
        "through globalThis": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
        "when the module is loaded": "MLP6101 process.env.RATE is read by it and not declared: there it is always undefined.",
      }
    `);
  });

  it("are no finding where they are declared, fixed, or nothing of the sort", async () => {
    expect(
      await said({
        declared: { declares: 'env: ["RATE"],', run: "process.env.RATE;" },
        "declared as a secret": {
          declares: 'env: [secret("TOKEN")],',
          run: "const { TOKEN } = process.env;",
        },
        "TZ is fixed": "process.env.TZ;",
        written: 'process.env.RATE = "1"; delete process.env.RATE;',
        "a process of one's own": "const process = { env: { RATE: 1 } }; process.env.RATE;",
        "a type": {
          above: "type Rate = typeof process.env.RATE;",
          run: "const rate: Rate = undefined; void rate;",
        },
        "not reached": { above: "export const rate = () => process.env.RATE;", run: "" },
        "a property of that name": "const config = { process: 1, env: 2 }; config.process; config.env;",
      }),
    ).toMatchInlineSnapshot(`
      {
        "TZ is fixed": "nothing",
        "a process of one's own": "nothing",
        "a property of that name": "nothing",
        "a type": "nothing",
        "declared": "nothing",
        "declared as a secret": "nothing",
        "not reached": "nothing",
        "written": "nothing",
      }
    `);
  });
});

describe("the clock", () => {
  it("is found where a result may depend on it", async () => {
    expect(
      await said({
        "Date.now": "Date.now();",
        "new Date": "new Date();",
        "new Date without parentheses": "new Date;",
        "Date as a function": "Date();",
        Temporal: "Temporal.Now.instant();",
        "by another name": { above: "const now = Date.now;", run: "now();" },
        "handed on": "[1].map(Date.now);",
        "a date given": 'new Date(0); Date.parse("2020-01-01"); Date.UTC(2020);',
        measuring: "performance.now(); process.hrtime.bigint();",
        logged: "console.log(`at ${new Date().toISOString()}`);",
        "cache: false": { declares: "cache: false,", run: "Date.now();" },
        "a maxAge": { declares: 'cache: { maxAge: "1d" },', run: "Date.now();" },
        "a Date of one's own": { above: "class Date {}", run: "new Date();" },
      }),
    ).toMatchInlineSnapshot(`
      {
        "Date as a function": "MLP6102 Date() is reached by it: the result depends on when it was made, and the key does not.",
        "Date.now": "MLP6102 Date.now() is reached by it: the result depends on when it was made, and the key does not.",
        "Temporal": "MLP6102 Temporal.Now.instant() is reached by it: the result depends on when it was made, and the key does not.",
        "a Date of one's own": "nothing",
        "a date given": "nothing",
        "a maxAge": "nothing",
        "by another name": "MLP6102 Date.now() is reached by it: the result depends on when it was made, and the key does not.",
        "cache: false": "nothing",
        "handed on": "MLP6102 Date.now is reached by it: the result depends on when it was made, and the key does not.",
        "logged": "nothing",
        "measuring": "nothing",
        "new Date": "MLP6102 new Date() is reached by it: the result depends on when it was made, and the key does not.",
        "new Date without parentheses": "MLP6102 new Date() is reached by it: the result depends on when it was made, and the key does not.",
      }
    `);
  });
});

describe("randomness", () => {
  it("is found unless nothing is kept", async () => {
    expect(
      await said({
        "Math.random": "Math.random();",
        "handed on": "[1].map(Math.random);",
        "the global crypto": "crypto.randomUUID(); crypto.getRandomValues(new Uint8Array(1));",
        "node:crypto": {
          above: 'import { randomBytes, randomInt, webcrypto } from "node:crypto";',
          run: "randomBytes(1); randomInt(2); webcrypto.randomUUID();",
        },
        "its default": { above: 'import crypto from "crypto";', run: "crypto.randomBytes(1);" },
        imported: 'const { randomUUID } = await import("node:crypto"); randomUUID();',
        "cache: false": { declares: "cache: false,", run: "Math.random();" },
        "a maxAge": { declares: 'cache: { maxAge: "1d" },', run: "Math.random();" },
        hashes: { above: 'import { createHash } from "node:crypto";', run: 'createHash("sha256");' },
      }),
    ).toMatchInlineSnapshot(`
      {
        "Math.random": "MLP6103 Math.random() is reached by it: no seed determines it, so the result cannot be made again.",
        "a maxAge": "MLP6103 Math.random() is reached by it: no seed determines it, so the result cannot be made again.",
        "cache: false": "nothing",
        "handed on": "MLP6103 Math.random is reached by it: no seed determines it, so the result cannot be made again.",
        "hashes": "nothing",
        "imported": "MLP6103 crypto.randomUUID() is reached by it: no seed determines it, so the result cannot be made again.",
        "its default": "MLP6103 crypto.randomBytes() is reached by it: no seed determines it, so the result cannot be made again.",
        "node:crypto": [
          "MLP6103 crypto.randomBytes() is reached by it: no seed determines it, so the result cannot be made again.",
          "MLP6103 crypto.randomInt() is reached by it: no seed determines it, so the result cannot be made again.",
          "MLP6103 crypto.randomUUID() is reached by it: no seed determines it, so the result cannot be made again.",
        ],
        "the global crypto": [
          "MLP6103 crypto.randomUUID() is reached by it: no seed determines it, so the result cannot be made again.",
          "MLP6103 crypto.getRandomValues() is reached by it: no seed determines it, so the result cannot be made again.",
        ],
      }
    `);
  });
});

describe("the network", () => {
  it("is found where an answer would be kept for ever", async () => {
    expect(
      await said({
        fetch: 'await fetch("https://example.com");',
        http: { above: 'import http from "node:http";', run: 'http.request("http://example.com");' },
        https: { above: 'import { get } from "node:https";', run: 'get("https://example.com");' },
        dns: { above: 'import { promises } from "node:dns";', run: 'await promises.lookup("example.com");' },
        "handed on": "const call = (f: typeof fetch) => f; call(fetch);",
        "a server": { above: 'import http from "node:http";', run: "http.createServer();" },
        "a fetch of one's own": { above: "const fetch = (n: number) => n;", run: "fetch(1);" },
        "cache: false": { declares: "cache: false,", run: 'await fetch("https://example.com");' },
        "a maxAge": { declares: 'cache: { maxAge: "1d" },', run: 'await fetch("https://example.com");' },
      }),
    ).toMatchInlineSnapshot(`
      {
        "a fetch of one's own": "nothing",
        "a maxAge": "nothing",
        "a server": "nothing",
        "cache: false": "nothing",
        "dns": "MLP6104 dns.promises.lookup() is reached by it: what the network answers is not part of the key.",
        "fetch": "MLP6104 fetch() is reached by it: what the network answers is not part of the key.",
        "handed on": "MLP6104 fetch is reached by it: what the network answers is not part of the key.",
        "http": "MLP6104 http.request() is reached by it: what the network answers is not part of the key.",
        "https": "MLP6104 https.get() is reached by it: what the network answers is not part of the key.",
      }
    `);
  });
});

describe("files", () => {
  it("are found where a path in the source names them", async () => {
    const fs =
      'import { promises, readFileSync, writeFileSync, openAsBlob, createReadStream, openSync, copyFileSync } from "node:fs";';
    const path =
      'import { dirname, join, resolve } from "node:path";\nimport { fileURLToPath } from "node:url";';
    expect(
      await said(
        {
          read: { above: fs, run: 'readFileSync("data/x.csv");' },
          "read by a promise": { above: fs, run: 'await promises.readFile("data/x.csv");' },
          "node:fs/promises": {
            above: 'import { readFile } from "node:fs/promises";',
            run: 'await readFile("data/x.csv");',
          },
          "a stream": { above: fs, run: 'createReadStream("data/x.csv");' },
          "a blob": { above: fs, run: 'await openAsBlob("data/x.csv");' },
          "a database": {
            above: 'import { DatabaseSync } from "node:sqlite";',
            run: 'new DatabaseSync("data/x.db");',
          },
          joined: { above: `${fs}\n${path}`, run: 'readFileSync(join("data", "x.csv"));' },
          resolved: { above: `${fs}\n${path}`, run: 'readFileSync(resolve(process.cwd(), "data/x.csv"));' },
          "by a constant": {
            above: `${fs}\nconst folder = "data";`,
            run: "readFileSync(`${folder}/x.csv`);",
          },
          "in a folder": {
            above: fs,
            run: "for (const name of Object.keys(_inputs)) readFileSync(`data/${name}.csv`);",
          },
          "joined in a folder": {
            above: `${fs}\n${path}`,
            run: 'for (const name of Object.keys(_inputs)) readFileSync(join("data", name));',
          },
          "import.meta.dirname": {
            above: `${fs}\n${path}`,
            run: 'readFileSync(join(import.meta.dirname, "data/x.csv"));',
          },
          "import.meta.url": {
            above: `${fs}\n${path}`,
            run: 'readFileSync(join(dirname(fileURLToPath(import.meta.url)), "data/x.csv"));',
          },
          written: { above: fs, run: 'writeFileSync("out.txt", "");' },
          copied: { above: fs, run: 'copyFileSync("data/x.csv", "out.csv");' },
          "opened to write": { above: fs, run: 'openSync("out.txt", "w");' },
          "a URL beside the module, written": {
            above: fs,
            run: 'writeFileSync(new URL("./data/x.csv", import.meta.url), "");',
          },
        },
        { "data/x.csv": "x\n" },
      ),
    ).toMatchInlineSnapshot(`
      {
        "a URL beside the module, written": "MLP6108 data/x.csv is written by it, and not through a port: it is not kept, and a cached step does not write it again.",
        "a blob": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "a database": "MLP6107 data/x.db is read by it, and not through a port: what is in it is not part of the key.",
        "a stream": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "by a constant": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "copied": [
          "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
          "MLP6108 out.csv is written by it, and not through a port: it is not kept, and a cached step does not write it again.",
        ],
        "import.meta.dirname": "MLP6107 data/x.csv is read by it, and not through a port: its path is made of import.meta and cannot be followed, so the step runs every time.",
        "import.meta.url": "MLP6107 data/x.csv is read by it, and not through a port: its path is made of import.meta and cannot be followed, so the step runs every time.",
        "in a folder": "MLP6107 A file in data is read by it, and not through a port: what is in it is not part of the key.",
        "joined": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "joined in a folder": "MLP6107 A file in data is read by it, and not through a port: what is in it is not part of the key.",
        "node:fs/promises": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "opened to write": "MLP6108 out.txt is written by it, and not through a port: it is not kept, and a cached step does not write it again.",
        "read": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "read by a promise": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "resolved": "MLP6107 data/x.csv is read by it, and not through a port: what is in it is not part of the key.",
        "written": "MLP6108 out.txt is written by it, and not through a port: it is not kept, and a cached step does not write it again.",
      }
    `);
  });

  it("are no finding where they are named, or where the source does not say which they are", async () => {
    const fs =
      'import { readFileSync } from "node:fs";\nimport { tmpdir } from "node:os";\nimport { join } from "node:path";';
    expect(
      await said(
        {
          "named by files": {
            above: fs,
            declares: 'files: ["data/*.csv"],',
            run: 'readFileSync("data/x.csv");',
          },
          "in a folder named by files": {
            above: fs,
            declares: 'files: ["data"],',
            run: 'readFileSync("data/x.csv");',
          },
          "named, beside the module": {
            above: fs,
            declares: 'files: ["data/*.csv"],',
            run: 'readFileSync(join(import.meta.dirname, "data/x.csv"));',
          },
          "a URL beside the module, which is code": {
            above: fs,
            run: 'readFileSync(new URL("./data/x.csv", import.meta.url));',
          },
          "a temporary folder": { above: fs, run: 'readFileSync(join(tmpdir(), "x"));' },
          "a path that is given": { above: fs, run: "readFileSync(String(_inputs));" },
          "a folder of which files are named": {
            above: 'import { readdirSync } from "node:fs";',
            declares: 'files: ["data/*.csv"],',
            run: 'readdirSync("data");',
          },
          "a device": { above: fs, run: 'readFileSync("/dev/null");' },
          "not that file": {
            above: fs,
            declares: 'files: ["data/*.json", "data/x.csv"],',
            run: 'readFileSync("data/y.csv");',
          },
        },
        { "data/x.csv": "x\n", "data/x.json": "{}" },
      ),
    ).toMatchInlineSnapshot(`
      {
        "a URL beside the module, which is code": "nothing",
        "a device": "nothing",
        "a folder of which files are named": "nothing",
        "a path that is given": "nothing",
        "a temporary folder": "nothing",
        "in a folder named by files": "nothing",
        "named by files": "nothing",
        "named, beside the module": "nothing",
        "not that file": "MLP6107 data/y.csv is read by it, and not through a port: what is in it is not part of the key.",
      }
    `);
  });
});

describe("programs", () => {
  it("are found where a function starts them", async () => {
    expect(
      await said({
        exec: { above: 'import { execSync } from "node:child_process";', run: 'execSync("ls -l");' },
        spawn: {
          above: 'import * as child from "node:child_process";',
          run: "child.spawn(process.execPath);",
        },
        promisified: {
          above:
            'import { execFile } from "node:child_process";\nimport { promisify } from "node:util";\nconst start = promisify(execFile);',
          run: 'await start("ls");',
        },
        "cache: false": {
          above: 'import { execSync } from "node:child_process";',
          declares: "cache: false,",
          run: 'execSync("ls -l");',
        },
      }),
    ).toMatchInlineSnapshot(`
      {
        "cache: false": "nothing",
        "exec": "MLP6109 ls, started with child_process.execSync(), is reached by it: what the program is and reads is not part of the key.",
        "promisified": "MLP6109 child_process.execFile is reached by it: the program that it starts is not part of the key.",
        "spawn": "MLP6109 child_process.spawn() is reached by it: the program that it starts is not part of the key.",
      }
    `);
  });
});
