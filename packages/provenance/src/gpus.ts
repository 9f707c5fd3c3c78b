/** The graphics processors of a machine, as NVIDIA's own program tells them. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Nothing of it on a machine without. */
export interface GpuFacts {
  readonly gpus: readonly { readonly name: string; readonly driver: string; readonly memory: string }[];
  /** The version of CUDA that the driver has, and that of the toolkit that is installed. */
  readonly cuda?: { readonly driver?: string; readonly toolkit?: string };
}

/** @param root where the system's files lie; tests have a folder of their own */
export async function gpuFacts(env: NodeJS.ProcessEnv, root = "/"): Promise<GpuFacts> {
  const program = (env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "nvidia-smi"))
    .find((path) => existsSync(path));
  const toolkit = toolkitOf(env["CUDA_HOME"] ?? env["CUDA_PATH"] ?? join(root, "usr/local/cuda"));
  if (program === undefined) return { gpus: [], ...(toolkit !== undefined && { cuda: { toolkit } }) };
  const [listed, summary] = await Promise.all([
    said(program, ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]),
    // Of this version there is no field to be asked for.
    said(program, []),
  ]);
  const driver = /CUDA Version: *([0-9.]+)/.exec(summary)?.[1];
  const cuda = { ...(driver !== undefined && { driver }), ...(toolkit !== undefined && { toolkit }) };
  return {
    gpus: listed
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => {
        const [name = "", version = "", memory = ""] = line.split(",").map((field) => field.trim());
        return { name, driver: version, memory };
      }),
    ...(Object.keys(cuda).length > 0 && { cuda }),
  };
}

/** What a program says; nothing if it fails or takes too long, as with a driver that hangs. */
async function said(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 2_000 }, (error, stdout) => {
      resolve(error === null ? stdout : "");
    });
  });
}

function toolkitOf(folder: string): string | undefined {
  try {
    // Written by the installer: `{ "cuda": { "version": "12.4.1" } }`.
    const document = JSON.parse(readFileSync(join(folder, "version.json"), "utf8")) as {
      readonly cuda?: { readonly version?: unknown };
    };
    const version = document.cuda?.version;
    return typeof version === "string" ? version : undefined;
  } catch {
    return undefined;
  }
}
