/// <reference lib="esnext.temporal" />
/** The machine a step ran on, as far as it can be told without asking anybody else. */
import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, platform, release, totalmem, version } from "node:os";
import { join } from "node:path";
import { digestOf } from "@mlpipe/store";
import { type ContainerFacts, containerFacts } from "./container.ts";
import { type GpuFacts, gpuFacts } from "./gpus.ts";
import { libcOf } from "./libc.ts";

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
  "BLIS_NUM_THREADS",
  "CONDA_DEFAULT_ENV",
  "CUBLAS_WORKSPACE_CONFIG",
  "CUDA_DEVICE_ORDER",
  "CUDA_LAUNCH_BLOCKING",
  "CUDA_VISIBLE_DEVICES",
  "JAX_PLATFORMS",
  "KMP_AFFINITY",
  "LANG",
  "LC_ALL",
  "MKL_CBWR",
  "MKL_NUM_THREADS",
  "NUMEXPR_NUM_THREADS",
  "NVIDIA_TF32_OVERRIDE",
  "NVIDIA_VISIBLE_DEVICES",
  "OMP_NUM_THREADS",
  "OMP_PROC_BIND",
  "OPENBLAS_NUM_THREADS",
  "PYTHONHASHSEED",
  "SLURM_JOB_ID",
  "TF_CUDNN_DETERMINISTIC",
  "TF_DETERMINISTIC_OPS",
  "TF_ENABLE_ONEDNN_OPTS",
  "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
  "TZ",
  "UV_THREADPOOL_SIZE",
  "VECLIB_MAXIMUM_THREADS",
  "XLA_FLAGS",
];

/** What is recorded of a host. What came later than the first version is not in all records. */
export interface HostDocument extends ContainerFacts, GpuFacts {
  readonly os: {
    readonly platform: string;
    readonly release: string;
    readonly version: string;
    readonly arch: string;
    /** `glibc 2.36`, `musl`. */
    readonly libc?: string;
  };
  readonly cpu: { readonly model: string; readonly count: number };
  readonly memoryBytes: number;
  readonly node: string;
  readonly locale: string;
  readonly timezone: string;
  readonly umask: string;
  /** Those of a fixed list that are set, whether or not steps see them. Records of earlier versions have none. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly lockfiles: Readonly<Record<string, string>>;
}

/** The host's document. */
export async function hostFacts(root: string, env: NodeJS.ProcessEnv): Promise<HostDocument> {
  const processors = cpus();
  const libc = platform() === "linux" ? libcOf() : undefined;
  return {
    os: {
      platform: platform(),
      release: release(),
      version: version(),
      arch: arch(),
      ...(libc !== undefined && { libc }),
    },
    cpu: { model: processors[0]?.model ?? "unknown", count: processors.length },
    memoryBytes: totalmem(),
    node: process.version,
    ...containerFacts(env),
    ...(await gpuFacts(env)),
    // Of all that tells it, what is ready soonest: others load their data first.
    locale: new Intl.PluralRules().resolvedOptions().locale,
    timezone: timeZone(),
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

/** From Node 26 on it can be had without what `Intl` loads on dates, which takes longer than all else here. */
function timeZone(): string {
  return "Temporal" in globalThis
    ? Temporal.Now.timeZoneId()
    : Intl.DateTimeFormat().resolvedOptions().timeZone;
}
