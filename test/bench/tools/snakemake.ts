import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fansAndChains, type Tool } from "../tool.ts";

/** Snakemake: modification times, and the code and params of rules. */
export function snakemake(program: string): Tool {
  return {
    name: "snakemake",
    role: "rival",
    does: fansAndChains(1000),
    checkable: true,
    leaves: ["out/*", ".snakemake"],
    write(project, { shape, size }) {
      const input =
        shape === "chain"
          ? `lambda w: f"out/{int(w.i) - 1}.txt" if int(w.i) > 0 else "data/0.txt"`
          : `"data/{i}.txt"`;
      const last = shape === "chain" ? `"out/${size - 1}.txt"` : `expand("out/{i}.txt", i=range(${size}))`;
      writeFileSync(
        join(project, "Snakefile"),
        `rule all:
    input: ${last}

rule copy:
    input: ${input}
    output: "out/{i}.txt"
    shell: "cp {input} {output}"
`,
      );
    },
    run: () => [program, "--cores", "2", "--quiet", "all"],
    plan: () => [program, "--cores", "2", "--quiet", "all", "-n"],
  };
}
