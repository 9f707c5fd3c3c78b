/**
 * What the language costs the compiler, and what the compiler says. The counts do not depend on
 * the machine; the budget is that of a generated pipeline of 200 steps.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const tsc = join(root, "node_modules/.bin/tsc");

// Below the workspace's test package, so that imports resolve as they do for a user.
const base = join(import.meta.dirname, "../.cache");
let folder = "";

beforeAll(async () => {
  // A user compiles against declarations, not against the sources of the language.
  await exec(tsc, ["-b", "packages/dsl"], { cwd: root });
  mkdirSync(base, { recursive: true });
  folder = mkdtempSync(join(base, "types-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function compile(
  source: string,
): Promise<{ readonly output: string; readonly instantiations: number }> {
  writeFileSync(join(folder, "probe.ts"), source);
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        composite: false,
        declaration: false,
        noEmit: true,
        customConditions: [],
        types: [],
        noUnusedLocals: false,
      },
      files: ["probe.ts"],
    }),
  );
  const run = await exec(tsc, ["-p", folder, "--extendedDiagnostics", "--pretty", "false"]).catch(
    (error: unknown) => error as { stdout: string },
  );
  const instantiations = Number(/^Instantiations:\s+(\d+)/m.exec(run.stdout)?.[1]);
  return { output: run.stdout.split(/^Files:/m)[0]?.trim() ?? "", instantiations };
}

const prelude = `
import { cmd, csv, data, evaluate, metrics, onnx, pipeline, seed, source, train } from "@mlpipe/dsl";
import { z } from "zod";
const Day = z.object({ date: z.iso.date(), rain: z.number() });
const Params = z.object({ trees: z.int().default(10) });
`;

describe("the compiler", () => {
  it("stays under 25,000 instantiations for a pipeline of 200 steps", async () => {
    const steps = Array.from(
      { length: 50 },
      (_, n) => `
export const split${n} = data("split${n}", {
  inputs: { days: csv(Day), from: z.iso.date() },
  outputs: { train: csv(Day), test: csv(Day), rows: z.int() },
  async run({ days, from }, out) {
    await out.train.write(days);
    return { rows: from.length };
  },
});
export const fit${n} = train("fit${n}", {
  inputs: { days: csv(Day), trees: z.int(), seed: seed() },
  outputs: { model: onnx() },
  command: (i, o) => cmd\`python fit.py \${i.days} \${i.trees} \${i.seed} \${o.model}\`,
});
export const score${n} = evaluate("score${n}", {
  inputs: { model: onnx(), days: csv(Day) },
  outputs: { metrics: metrics({ mae: "min", r2: "max" }) },
  async run({ model, days }) {
    return { metrics: { mae: (await days.all()).length, r2: model.path.length } };
  },
});
export const note${n} = data("note${n}", {
  inputs: { metrics: metrics({ mae: "min" }) },
  outputs: { text: z.string() },
  run: ({ metrics: { mae } }) => ({ text: String(mae) }),
});`,
    );
    const calls = Array.from(
      { length: 50 },
      (_, n) => `
  const s${n} = split${n}({ days: source("days.csv", csv(Day)), from: "2020-01-01" });
  const f${n} = fit${n}({ days: s${n}.train, trees: p.trees, seed: 1 });
  const e${n} = score${n}({ model: f${n}.model, days: s${n}.test });
  const t${n} = note${n}({ metrics: e${n}.metrics });`,
    );
    const { output, instantiations } = await compile(
      `${prelude}${steps.join("")}
export default pipeline("large", Params, (p) => {${calls.join("")}
  return { last: t49.text };
});`,
    );
    expect(output).toBe("");
    expect(instantiations).toBeGreaterThan(100);
    expect(instantiations).toBeLessThan(25_000);
  });

  const messages: readonly [mistake: string, source: string, message: string][] = [
    [
      "swapped kinds",
      `const score = evaluate("score", { inputs: { model: onnx() }, outputs: { n: z.int() }, run: () => ({ n: 1 }) });
export default pipeline("p", Params, () => score({ model: source("days.csv", csv(Day)) }));`,
      `Type 'Ref<Csv<{ date: string; rain: number; }>>' is not assignable to type 'Ref<Model<"onnx">>'.`,
    ],
    [
      "rows of another shape",
      `const Hour = z.object({ date: z.iso.date() });
const load = data("load", { inputs: { days: csv(Day) }, outputs: { n: z.int() }, run: () => ({ n: 1 }) });
export default pipeline("p", Params, () => load({ days: source("hours.csv", csv(Hour)) }));`,
      "Property 'rain' is missing in type '{ date: string; }' but required in type '{ date: string; rain: number; }'.",
    ],
    [
      "a forgotten return",
      `export const score = evaluate("score", { outputs: { metrics: metrics({ mae: "min" }) }, async run() {} });`,
      `Type 'void' is not assignable to type '{ readonly metrics: MetricValues<"mae">; }'.`,
    ],
  ];
  it.each(messages)("says what is wrong with %s", async (_mistake, source, message) => {
    const { output } = await compile(prelude + source);
    expect(output).toContain(message);
  });
});
