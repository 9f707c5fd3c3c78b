/** The named pools that steps take from while they run: how much there is of each. */
import { type ManifestStep, MlpipeError } from "@mlpipe/dsl";
import { absoluteSite } from "@mlpipe/planner";
import { visibleDevices } from "./devices.ts";
import { cpuLimit, memoryLimit } from "./machine-limits.ts";

/** Amounts by the name of a pool; memory in bytes. */
export type Amounts = Readonly<Record<string, number>>;

/** How much there is of each pool. */
export class Pools {
  readonly sizes: ReadonlyMap<string, number>;
  /** The devices of `gpu`, as `CUDA_VISIBLE_DEVICES` names them. */
  readonly devices: readonly string[];

  constructor(sizes: ReadonlyMap<string, number>, devices: readonly string[] = []) {
    this.sizes = sizes;
    this.devices = devices;
  }

  /**
   * The pools of this machine, as far as somebody asks for them: devices are looked for only if a
   * step wants one.
   *
   * @param given sizes that somebody said, over those that are found
   */
  static of(steps: readonly ManifestStep[], given: Amounts, env: NodeJS.ProcessEnv): Pools {
    const asked = new Map<string, number>();
    for (const { scheduling } of steps) {
      for (const amounts of [scheduling.resources ?? {}, ...(scheduling.escalation ?? [])]) {
        for (const [pool, amount] of Object.entries(amounts))
          asked.set(pool, Math.max(amount, asked.get(pool) ?? 0));
      }
    }
    const sizes = new Map([["cpu", given["cpu"] ?? cpuLimit()]]);
    let devices: readonly string[] = [];
    for (const [pool, greediest] of asked) {
      if (pool === "gpu") {
        devices = visibleDevices(env, given["gpu"]);
        sizes.set("gpu", devices.length);
      } else if (pool === "memory") {
        sizes.set("memory", given["memory"] ?? memoryLimit());
      } else if (pool !== "cpu") {
        // Nobody said how much of it there is: as much as the greediest step needs.
        sizes.set(pool, given[pool] ?? greediest);
      }
    }
    return new Pools(sizes, devices);
  }

  /** What an attempt at a step takes. A later attempt that wants more than there is gets all of it. */
  request({ scheduling }: ManifestStep, attempt: number): Amounts {
    const { resources = {}, escalation = [] } = scheduling;
    const later = attempt === 1 ? undefined : escalation[Math.min(attempt - 2, escalation.length - 1)];
    const wanted = { cpu: 1, ...(later ?? resources) };
    if (later === undefined) return wanted;
    return Object.fromEntries(
      Object.entries(wanted).map(([pool, amount]) => [pool, Math.min(amount, this.sizes.get(pool) ?? 0)]),
    );
  }

  /**
   * Makes sure that every step finds room once it is alone.
   * @throws MlpipeError MLP3037 for the first that never would
   */
  checkRoom(steps: readonly ManifestStep[], root: string): void {
    for (const step of steps) {
      for (const [pool, amount] of Object.entries(this.request(step, 1))) {
        const size = this.sizes.get(pool) ?? 0;
        if (amount <= size) continue;
        const more = pool === "cpu" ? `--jobs ${Math.ceil(amount)}` : `--pool ${pool}=${shown(pool, amount)}`;
        throw new MlpipeError(
          "MLP3037",
          `"${step.id}" asks for ${shown(pool, amount)} of the pool ${pool}, and there is ${shown(pool, size)}.`,
          {
            at: absoluteSite(root, step.called),
            hint: `It could never start, so nothing was started. Ask for less, or say that there is more: ${more}.`,
          },
        );
      }
    }
  }
}

/** An amount as a person would write it. */
function shown(pool: string, amount: number): string {
  if (pool !== "memory") return String(amount);
  if (amount < 1e6) return `${amount}B`;
  const hundredths = (unit: number): number => Math.round((amount / unit) * 100) / 100;
  return amount < 1e9 ? `${hundredths(1e6)}MB` : `${hundredths(1e9)}GB`;
}
