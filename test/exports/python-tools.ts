/** Validators written in Python, in an environment with exactly the packages of `test/python/requirements.lock`. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import versions from "../bench/versions.json" with { type: "json" };

const scripts = join(import.meta.dirname, "../python");
const cache = join(import.meta.dirname, "../.cache/python");
const lock = join(scripts, "requirements.lock");

/** What a script said. */
export interface Checked {
  readonly ok: boolean;
  readonly said: string;
}

let made: string | undefined;

/** Makes the environment, unless it is there from an earlier run. Takes half a minute the first time. */
export function pythonTools(): string {
  if (made !== undefined) return made;
  const digest = createHash("sha256").update(readFileSync(lock)).digest("hex").slice(0, 16);
  const folder = join(cache, digest);
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true });
    const temporary = mkdtempSync(join(cache, "new-"));
    try {
      const run = (program: string, ...args: readonly string[]): void => {
        execFileSync(program, args, { cwd: cache, stdio: ["ignore", "ignore", "pipe"], timeout: 300_000 });
      };
      const uv = join(temporary, "uv/bin/uv");
      run("python3", "-m", "venv", join(temporary, "uv"));
      run(join(temporary, "uv/bin/pip"), "install", "-q", `uv==${versions.python.uv}`);
      run(uv, "venv", "-q", "--python", "python3", join(temporary, "tools"));
      const python = join(temporary, "tools/bin/python");
      run(uv, "pip", "sync", "-q", "--require-hashes", "--python", python, lock);
      // Two test files may have begun at once: the second to be ready finds that it is there.
      if (!existsSync(folder)) renameSync(join(temporary, "tools"), folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  return (made = join(folder, "bin/python"));
}

/** Runs a script of `test/python`. */
export async function check(script: string, ...args: readonly string[]): Promise<Checked> {
  return new Promise((resolve) => {
    execFile(
      pythonTools(),
      [join(scripts, `${script}.py`), ...args],
      { env: { ...process.env, HF_HUB_OFFLINE: "1", PYTHONDONTWRITEBYTECODE: "1" }, timeout: 120_000 },
      (error, stdout, stderr) => {
        resolve({ ok: error === null, said: `${stdout}${error === null ? "" : stderr}` });
      },
    );
  });
}
