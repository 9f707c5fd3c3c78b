/** Declarations made of pipelines, as packages with project references make them, name only what mlpipe exports. */
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const tsc = join(root, "node_modules/.bin/tsc");

it("pipelines with and without params, where each package sees only its own dependencies", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-declarations-")));
  try {
    await install(folder);
    writeFileSync(
      join(folder, "all.ts"),
      `import { cmd, data, pipeline } from "@mlpipe/dsl";
import { z } from "zod";
export const load = data("load", { outputs: { n: z.int() }, command: (_i, o) => cmd\`python3 load.py \${o.n}\` });
export const plain = pipeline("plain", () => load({}));
export default pipeline("given", z.object({ limit: z.number() }), () => load({}));
`,
    );
    const compilerOptions = {
      target: "es2024",
      module: "nodenext",
      strict: true,
      declaration: true,
      emitDeclarationOnly: true,
      types: [],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["all.ts"] }));
    const { stdout } = await exec(tsc, ["-p", folder, "--pretty", "false"]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout).toBe("");
    expect(readFileSync(join(folder, "all.d.ts"), "utf8")).toContain(".NoParams>");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** The language as pnpm installs it: what it depends on lies beside it, and not in the project. */
async function install(folder: string): Promise<void> {
  await exec(tsc, ["-b", "packages/dsl"], { cwd: root });
  const language = join(root, "packages/dsl");
  const apart = join(folder, "node_modules/.pnpm/@mlpipe+dsl/node_modules");
  for (const name of ["dist", "package.json"]) {
    cpSync(join(language, name), join(apart, "@mlpipe/dsl", name), { recursive: true });
  }
  for (const name of ["zod", "@standard-schema/spec"]) {
    const kept = join(folder, "node_modules/.pnpm", name.replace("/", "+"), "node_modules", name);
    cpSync(realpathSync(join(language, "node_modules", name)), kept, { recursive: true });
    mkdirSync(join(apart, name, ".."), { recursive: true });
    symlinkSync(kept, join(apart, name));
  }
  mkdirSync(join(folder, "node_modules/@mlpipe"));
  symlinkSync(join(apart, "@mlpipe/dsl"), join(folder, "node_modules/@mlpipe/dsl"));
  symlinkSync(join(folder, "node_modules/.pnpm/zod/node_modules/zod"), join(folder, "node_modules/zod"));
}
