/** The smallest pipeline that has it all: a source, a file, a folder, a value, and something returned. */

/** Programs alone, which start in a moment: a sweep runs it hundreds of times. */
export const threeSteps: Readonly<Record<string, string>> = {
  "in.txt": "the source\n",
  "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
import { z } from "zod";
export const copy = data("copy", {
  inputs: { text: file("txt") },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`cp \${i.text} \${o.text}\`,
});
export const spread = data("spread", {
  inputs: { text: file("txt"), times: z.int() },
  outputs: { folder: dir() },
  command: (i, o) => cmd\`split -n \${i.times} \${i.text} \${o.folder}/part-\`,
});
export const join = data("join", {
  inputs: { folder: dir() },
  outputs: { folder: dir() },
  command: (i, o) => cmd\`cp -r \${i.folder}/part-aa \${i.folder}/part-ab \${o.folder}\`,
});
`,
  "three.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy, join, spread } from "./steps.ts";
export default pipeline("three", z.object({ times: z.int().default(2) }), (p) => {
  const { text } = copy({ text: source("in.txt", file("txt")) });
  const { folder } = spread({ text, times: p.times });
  return { text, folder: join({ folder }).folder };
});
`,
};
