/** The devices that steps with `gpu` are given: each belongs to one step at a time. */
import { execFileSync } from "node:child_process";

/** Looking for devices must not hang a run: a driver in trouble may not answer at all. */
const patienceMs = 20_000;

/**
 * The devices there are, as `CUDA_VISIBLE_DEVICES` names them.
 *
 * @param env where a `CUDA_VISIBLE_DEVICES` of the user's own leaves only those it names
 * @param amount how many there are, if somebody said so @default as many as `nvidia-smi` lists
 */
export function visibleDevices(env: NodeJS.ProcessEnv, amount?: number): readonly string[] {
  const preset = env["CUDA_VISIBLE_DEVICES"];
  if (preset !== undefined) {
    const names = preset.split(",").map((name) => name.trim());
    // As CUDA itself reads it: what stands behind the first that names no device does not count.
    const end = names.findIndex((name) => name === "" || name.startsWith("-"));
    return (end === -1 ? names : names.slice(0, end)).slice(0, amount);
  }
  return Array.from({ length: Math.floor(amount ?? listedDevices(env)) }, (_, index) => String(index));
}

function listedDevices(env: NodeJS.ProcessEnv): number {
  try {
    const list = execFileSync("nvidia-smi", ["-L"], {
      env,
      encoding: "utf8",
      timeout: patienceMs,
      stdio: ["ignore", "pipe", "ignore"],
    });
    return list.split("\n").filter((line) => /^GPU \d+:/.test(line)).length;
  } catch {
    // No driver, so no device.
    return 0;
  }
}
