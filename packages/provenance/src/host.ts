/** The machine a step ran on, as far as it can be told without asking anybody else. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, hostname, platform, release, totalmem, userInfo, version } from "node:os";
import { delimiter, join } from "node:path";
import { digestOf } from "@mlpipe/store";

const lockfiles = [
  "package-lock.json",
  "pnpm-lock.yaml",
  "yarn.lock",
  "bun.lock",
  "uv.lock",
  "poetry.lock",
  "requirements.txt",
  "environment.yml",
];

/** Variables that change what a numeric step computes, or on what; none of them ever holds a secret. */
const telling = [
  "CUBLAS_WORKSPACE_CONFIG",
  "CUDA_VISIBLE_DEVICES",
  "CONDA_DEFAULT_ENV",
  "MKL_NUM_THREADS",
  "NUMEXPR_NUM_THREADS",
  "NVIDIA_VISIBLE_DEVICES",
  "OMP_NUM_THREADS",
  "OPENBLAS_NUM_THREADS",
  "PYTHONHASHSEED",
  "SLURM_JOB_ID",
  "TF_DETERMINISTIC_OPS",
  "UV_THREADPOOL_SIZE",
];

/** What is recorded of a host. */
export interface HostDocument {
  readonly os: {
    readonly platform: string;
    readonly release: string;
    readonly version: string;
    readonly arch: string;
  };
  readonly cpu: { readonly model: string; readonly count: number };
  readonly memoryBytes: number;
  readonly node: string;
  readonly container: string | null;
  readonly gpus: readonly { readonly name: string; readonly driver: string; readonly memory: string }[];
  readonly locale: string;
  readonly timezone: string;
  readonly umask: string;
  /** Those of a fixed list that are set, whether or not steps see them. Records of earlier versions have none. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly lockfiles: Readonly<Record<string, string>>;
}

/** The host's document. */
export async function hostFacts(root: string, env: NodeJS.ProcessEnv): Promise<HostDocument> {
  const { locale, timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const processors = cpus();
  return {
    os: { platform: platform(), release: release(), version: version(), arch: arch() },
    cpu: { model: processors[0]?.model ?? "unknown", count: processors.length },
    memoryBytes: totalmem(),
    node: process.version,
    container: containerHint(),
    gpus: await gpus(env),
    locale,
    timezone: timeZone,
    umask: process.umask().toString(8).padStart(3, "0"),
    variables: Object.fromEntries(
      telling.flatMap((name) => {
        const value = env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    lockfiles: Object.fromEntries(
      lockfiles.flatMap((name) => {
        const path = join(root, name);
        return existsSync(path) ? [[name, digestOf(readFileSync(path))]] : [];
      }),
    ),
  };
}

/** Who runs, and where. */
export function whoAndWhere(cwd: string): { user: string; host: string; cwd: string } {
  let user = "unknown";
  try {
    user = userInfo().username;
  } catch {
    // A user id without an entry in the system's table, as in many containers.
  }
  return { user, host: hostname(), cwd };
}

function containerHint(): string | null {
  if (existsSync("/.dockerenv")) return "docker";
  if (existsSync("/run/.containerenv")) return "podman";
  return null;
}

async function gpus(env: NodeJS.ProcessEnv): Promise<HostDocument["gpus"]> {
  const program = (env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "nvidia-smi"))
    .find((path) => existsSync(path));
  if (program === undefined) return [];
  const query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"];
  return new Promise((resolve) => {
    execFile(program, query, { timeout: 2_000 }, (error, stdout) => {
      if (error !== null) {
        resolve([]);
        return;
      }
      const lines = stdout.split("\n").filter((line) => line.trim() !== "");
      resolve(
        lines.map((line) => {
          const [name = "", driver = "", memory = ""] = line.split(",").map((field) => field.trim());
          return { name, driver, memory };
        }),
      );
    });
  });
}
