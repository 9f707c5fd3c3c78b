import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

let cache = "";
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), "mlpipe-stripped-cache-"));
  // Our own modules are TypeScript as well here, and have to be in the cache.
  run("", []);
});
afterAll(() => {
  rmSync(cache, { recursive: true, force: true });
});

let folder = "";
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe stripped #")));
  write("package.json", '{ "type": "module" }');
  write("node_modules/noisy/package.json", '{ "type": "module", "exports": "./index.js" }');
  write("node_modules/noisy/index.js", `${ran("noisy")} export const loud = 1;`);
  write("some.json", "[7]");
  write("inner.ts", `${ran("inner")} export type Sum = number; export const inner: Sum = 30;`);
  write(
    "outer.ts",
    `import { loud } from "noisy";
    import list from "./some.json" with { type: "json" };
    import { inner, type Sum } from "./inner.ts";
    ${ran("outer")}
    export const sum: Sum = loud + inner + list[0];`,
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): void {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** Code that leaves a trace when it runs. */
function ran(name: string): string {
  return `process.getBuiltinModule("node:fs").appendFileSync(${JSON.stringify(join(folder, "ran"))}, "${name} ");`;
}

interface Used {
  /** What the module exports, or why it could not be imported. */
  readonly sum: number | string;
  /** Whether Node has loaded its parser in the process that imported it. */
  readonly parser: boolean;
}

/** What becomes of a process that imports the module, having had it stripped aside. */
function use({ aside = true, isLarge = true, flags = [] as readonly string[] } = {}): Used {
  const script = `
    const file = ${JSON.stringify(join(folder, "outer.ts"))};
    ${aside ? "await strippedAside(file);" : ""}
    const { sum } = await import(pathToFileURL(file).href).catch((error) => ({ sum: error.message }));
    ${isLarge ? "noteLarge(file);" : ""}
    const parser = process.moduleLoadList.some((module) => module.includes("amaro"));
    console.log(JSON.stringify({ sum, parser }));`;
  return JSON.parse(run(script, flags)) as Used;
}

function run(script: string, flags: readonly string[]): string {
  const own = JSON.stringify(new URL("./stripped-aside.ts", import.meta.url).href);
  const beginning = `
    import { enableCompileCache } from "node:module";
    import { pathToFileURL } from "node:url";
    enableCompileCache();
    const { noteLarge, strippedAside } = await import(${own});`;
  const main = join(cache, "main.mjs");
  writeFileSync(main, beginning + script);
  return execFileSync(process.execPath, [...flags, "--conditions=@mlpipe/source", main], {
    encoding: "utf8",
    env: { ...process.env, NODE_COMPILE_CACHE: cache, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** What has run so far. */
function traces(): string {
  return readFileSync(join(folder, "ran"), "utf8");
}

/** When it was noted last what is stripped. */
function notedAt(): number {
  const notes = globSync("**/stripped-for-mlpipe-*", { cwd: cache });
  return Math.max(...notes.map((note) => statSync(join(cache, note)).mtimeMs));
}

test("modules are stripped by another process, which runs none of them", () => {
  expect(use({ aside: false })).toEqual({ sum: 38, parser: true });
  appendFileSync(join(folder, "outer.ts"), "\nexport type First = string;");
  expect(use()).toEqual({ sum: 38, parser: false });
  expect(traces()).toBe("noisy inner outer noisy inner outer ");
});

test("of modules that have not changed no other process is asked, and one that another imports counts", () => {
  use();
  const first = notedAt();
  expect(use()).toEqual({ sum: 38, parser: false });
  expect(notedAt()).toBe(first);
  write("inner.ts", "export type Sum = number; export const inner: Sum = 300;");
  expect(use()).toEqual({ sum: 308, parser: false });
  expect(notedAt()).toBeGreaterThan(first);
});

test("the module of a small pipeline is stripped elsewhere when nothing is known of it, and not after each edit", () => {
  expect(use({ isLarge: false })).toEqual({ sum: 38, parser: false });
  write("inner.ts", "export type Sum = number; export const inner: Sum = 300;");
  expect(use({ isLarge: false })).toEqual({ sum: 308, parser: true });
  expect(use({ isLarge: false })).toEqual({ sum: 308, parser: false });
});

test("what is more than types is refused in Node's own words", () => {
  appendFileSync(join(folder, "inner.ts"), "\nexport enum Colour { red }");
  const { sum } = use({ aside: false });
  expect(sum).toContain("enum");
  expect(use().sum).toBe(sum);
});

test("where no other process can be started, Node strips them as it always does", () => {
  const permissions = ["--permission", "--allow-fs-read=*", "--allow-fs-write=*"];
  run("", permissions);
  expect(use({ flags: permissions })).toEqual({ sum: 38, parser: true });
});
