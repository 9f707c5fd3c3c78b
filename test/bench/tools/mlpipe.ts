import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { allShapes, type Tool } from "../tool.ts";
import { largeFiles, type Workload } from "../workload.ts";

const steps = `import { cmd, data, dir, file } from "mlpipe";
import { z } from "zod";

export const copy = data("copy", {
  inputs: { from: file("txt") },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`cp \${i.from} \${o.to}\`,
});

// A copy of a copy has the key of the first one, and would not run: the number tells them apart.
export const copyNumbered = data("copy-numbered", {
  inputs: { from: file("txt"), number: z.int() },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`cp \${i.from} \${o.to}\`,
});

export const copyBesideFolder = data("copy-beside-folder", {
  inputs: { from: file("txt"), folder: dir() },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`cp \${i.from} \${o.to}\`,
});

export const copyBesideFiles = data("copy-beside-files", {
  inputs: { from: file("txt"), a: file("bin"), b: file("bin"), c: file("bin"), d: file("bin") },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`cp \${i.from} \${o.to}\`,
});
`;

/** Nothing is returned: outputs stay in the store, and are not copied out a second time. */
function bodyOf({ shape, size }: Workload): string {
  const first = `source("data/0.txt", file("txt"))`;
  if (shape === "fan") {
    return `for (let i = 0; i < ${size}; i++) copy.as(\`copy-\${i}\`)({ from: source(\`data/\${i}.txt\`, file("txt")) });`;
  }
  if (shape === "chain") {
    return `let last = ${first};
  for (let i = 0; i < ${size}; i++) last = copyNumbered.as(\`copy-\${i}\`)({ from: last, number: i }).to;`;
  }
  if (shape === "files") return `copyBesideFolder({ from: ${first}, folder: source("data/tree", dir()) });`;
  const [a, b, c, d] = largeFiles.map((path) => `source("${path}", file("bin"))`);
  return `copyBesideFiles({ from: ${first}, a: ${a}, b: ${b}, c: ${c}, d: ${d} });`;
}

/**
 * mlpipe as it is published.
 * @param ballast MiB that the pipeline's module holds on to, as a project that loads a lot does
 */
export function mlpipe(node: string, ballast = 0): Tool {
  const command = [node, "node_modules/mlpipe/bin/mlpipe.js"];
  const all = allShapes(10_000);
  return {
    name: ballast === 0 ? "mlpipe" : `mlpipe holding ${ballast} MiB`,
    role: ballast === 0 ? "subject" : "variant",
    does(workload) {
      if (ballast === 0) return all(workload);
      return workload.shape === "fan" && workload.size === 1000 ? ["cold", "no-op"] : [];
    },
    checkable: false,
    leaves: [".mlpipe", "artifacts"],
    write(project, workload) {
      writeFileSync(join(project, "steps.ts"), steps);
      writeFileSync(
        join(project, "bench.pipeline.ts"),
        `import { dir, file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy, copyBesideFiles, copyBesideFolder, copyNumbered } from "./steps.ts";
${ballast === 0 ? "" : `\nexport const ballast = Buffer.alloc(${ballast} * 1024 * 1024, 1);\n`}
export default pipeline("bench", z.object({}), () => {
  ${bodyOf(workload)}
  return {};
});
`,
      );
    },
    run: () => [...command, "run", "--jobs", "2"],
    plan: () => [...command, "plan"],
  };
}
