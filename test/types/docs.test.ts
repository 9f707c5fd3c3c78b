/** The examples of the language's page and of the README compile as they stand there. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const tsc = join(root, "node_modules/.bin/tsc");

it("the examples of docs/language.md compile", async () => {
  const blocks = blocksOf("docs/language.md");
  expect(blocks.length).toBeGreaterThan(4);
  expect(await compiled({ "language.ts": blocks.join("\n") })).toBe("");
});

it("the pipeline of the README compiles, and not with what it says the compiler refuses", async () => {
  const files = Object.fromEntries(
    blocksOf("README.md").map((code) => [/^\/\/ (\S+)/.exec(code)?.[1] ?? "", code]),
  );
  expect(Object.keys(files)).toEqual(["steps.ts", "weather.pipeline.ts"]);
  expect(await compiled(files)).toBe("");
  const { "weather.pipeline.ts": wiring = "" } = files;
  for (const [from, to] of [
    ["score({ model, days: test })", "score({ model: test, days: model })"],
    ["trees: p.trees, ", ""],
    ["publish({ model: ok.model })", "publish({ model })"],
  ] as const) {
    expect(wiring).toContain(from);
    const wrong = { ...files, "weather.pipeline.ts": wiring.replace(from, to) };
    expect(await compiled(wrong)).toContain("weather.pipeline.ts");
  }
}, 60_000);

function blocksOf(page: string): readonly string[] {
  return Array.from(
    readFileSync(join(root, page), "utf8").matchAll(/^```ts\n(.*?)^```$/gms),
    ([, code = ""]) => code,
  );
}

/** What the compiler says of these files. */
async function compiled(files: Readonly<Record<string, string>>): Promise<string> {
  await exec(tsc, ["-b", "packages/dsl"], { cwd: root });
  const base = join(import.meta.dirname, "../.cache");
  mkdirSync(base, { recursive: true });
  const folder = mkdtempSync(join(base, "docs-"));
  try {
    // What users import as mlpipe is the language.
    for (const [name, code] of Object.entries(files))
      writeFileSync(join(folder, name), code.replace('from "mlpipe"', 'from "@mlpipe/dsl"'));
    const compilerOptions = {
      composite: false,
      declaration: false,
      noEmit: true,
      customConditions: [],
      types: [],
    };
    const config = { extends: join(root, "tsconfig.base.json"), compilerOptions, files: Object.keys(files) };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout } = await exec(tsc, ["-p", folder, "--pretty", "false"]).catch(
      (error: unknown) => error as { stdout: string },
    );
    return stdout.trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
