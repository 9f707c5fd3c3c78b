/** Tools written in Python, in environments with exactly the packages of the locks in `test/python`. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import versions from "../bench/versions.json" with { type: "json" };

const scripts = join(import.meta.dirname, "../python");
const cache = join(import.meta.dirname, "../.cache/python");

/** What a lock is for: validators of exports, or a server of MLflow with its client. */
type PythonLock = "requirements" | "mlflow-requirements";

/** What a script said. */
export interface Checked {
  readonly ok: boolean;
  readonly said: string;
}

const made = new Map<PythonLock, string>();

/** Makes the environment, unless it is there from an earlier run. Takes half a minute the first time. */
export function pythonTools(name: PythonLock = "requirements"): string {
  const known = made.get(name);
  if (known !== undefined) return known;
  const lock = join(scripts, `${name}.lock`);
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
  const python = join(folder, "bin/python");
  made.set(name, python);
  return python;
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
