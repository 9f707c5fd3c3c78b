/** The examples of the language's page compile as they stand there. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const tsc = join(root, "node_modules/.bin/tsc");

it("the examples of docs/language.md compile", async () => {
  await exec(tsc, ["-b", "packages/dsl"], { cwd: root });
  const blocks = Array.from(
    readFileSync(join(root, "docs/language.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms),
    ([, code = ""]) => code,
  );
  expect(blocks.length).toBeGreaterThan(4);
  const base = join(import.meta.dirname, "../.cache");
  mkdirSync(base, { recursive: true });
  const folder = mkdtempSync(join(base, "docs-"));
  try {
    // What users import as mlpipe is the language.
    writeFileSync(
      join(folder, "language.ts"),
      blocks.join("\n").replace('from "mlpipe"', 'from "@mlpipe/dsl"'),
    );
    const compilerOptions = {
      composite: false,
      declaration: false,
      noEmit: true,
      customConditions: [],
      types: [],
    };
    const config = { extends: join(root, "tsconfig.base.json"), compilerOptions, files: ["language.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout } = await exec(tsc, ["-p", folder, "--pretty", "false"]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout.trim()).toBe("");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
