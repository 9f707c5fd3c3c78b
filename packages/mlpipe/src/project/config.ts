/** `mlpipe.config.ts`: what a project settles for all its commands. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { amountOf, MlpipeError } from "@mlpipe/dsl";
import { importModule } from "./import-module.ts";
import type { Project } from "./project.ts";
import { strippedAside } from "./stripped-aside.ts";

/** The default export of `mlpipe.config.ts`, checked. */
export interface Config {
  /** The pipeline that commands mean which name none: a name or a path. */
  readonly pipeline?: string;
  /** How much there is of each pool; memory in bytes. */
  readonly pools?: Readonly<Record<string, number>>;
}

/**
 * Reads the configuration of a project; empty if it has none.
 * @throws MlpipeError MLP6008 for what does not hold, or cannot be imported
 */
export async function readConfig(project: Project): Promise<Config> {
  const file = join(project.root, "mlpipe.config.ts");
  if (!existsSync(file)) return {};
  await strippedAside(file);
  const { default: config } = await importModule(file, "MLP6008");
  const fail = (message: string): never => {
    throw new MlpipeError("MLP6008", message, {
      at: { file, line: 1, column: 1 },
      hint: 'Write: export default { pipeline: "weather", pools: { license: 2, memory: "16GB" } };',
    });
  };
  if (typeof config !== "object" || config === null) return fail("mlpipe.config.ts has no default export.");
  for (const setting of Object.keys(config)) {
    if (setting !== "pipeline" && setting !== "pools")
      fail(`mlpipe.config.ts has the unknown setting ${setting}.`);
  }
  const pipeline: unknown = Reflect.get(config, "pipeline");
  if (pipeline !== undefined && typeof pipeline !== "string")
    return fail("In mlpipe.config.ts, pipeline is not a name or path.");
  const given: unknown = Reflect.get(config, "pools");
  if (given !== undefined && (typeof given !== "object" || given === null))
    return fail("In mlpipe.config.ts, pools is no object of names and amounts.");
  const pools: Record<string, number> = {};
  for (const [pool, size] of Object.entries(given ?? {})) {
    const amount = amountOf(pool, size);
    if (typeof amount !== "number") return fail(`In pools of mlpipe.config.ts, ${amount.problem}.`);
    pools[pool] = amount;
  }
  return { ...(pipeline !== undefined && { pipeline }), ...(given !== undefined && { pools }) };
}
