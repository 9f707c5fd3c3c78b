/** Pipelines of Python steps, each a script of its own that does to itself what the test is about. */

/** A step: its script gets the paths of its output and of what it needs, as `out` and `before`. */
export interface Script {
  readonly py: string;
  /** Another step, whose output it takes. */
  readonly needs?: string;
  /** What `.with()` is given. */
  readonly with?: string;
  /** What `env` is given. */
  readonly env?: string;
  /** @default file("txt") */
  readonly output?: string;
}

/** What makes an output of a file. */
export const write = `open(out, "w").write("done")\n`;

/** A script that goes on when the test says so. */
export const untilGo = `while not os.path.exists("go.mark"): time.sleep(0.02)\n`;

/** The files of a project with these steps; all that they make is returned. */
export function scripts(steps: Readonly<Record<string, Script>>): Readonly<Record<string, string>> {
  const definitions = Object.entries(steps).map(([name, { needs, env, output = 'file("txt")' }]) => {
    const before = needs === undefined ? undefined : (steps[needs]?.output ?? 'file("txt")');
    return `export const ${name} = data("${name}", {
  inputs: { ${before === undefined ? "" : `before: ${before}`} },
  outputs: { out: ${output} },
  ${env === undefined ? "" : `env: ${env},`}
  command: (i, o) => cmd\`python3 ${name}.py \${o.out}${before === undefined ? "" : ` \${i.before}`}\`,
});`;
  });
  const calls = Object.entries(steps).map(
    ([name, { needs, with: options }]) =>
      `  const ${name} = steps.${name}${options === undefined ? "" : `.with(${options})`}({ ${needs === undefined ? "" : `before: ${needs}.out`} });`,
  );
  const names = Object.keys(steps);
  return {
    "steps.ts": `import { cmd, data, dir, file, secret } from "mlpipe";\n${definitions.join("\n")}\n`,
    "work.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import * as steps from "./steps.ts";
export default pipeline("work", z.object({}), () => {
${calls.join("\n")}
  return { ${names.map((name) => `${name}: ${name}.out`).join(", ")} };
});
`,
    ...Object.fromEntries(
      Object.entries(steps).map(([name, { py }]) => [
        `${name}.py`,
        `import os, signal, subprocess, sys, time\nout, before = (sys.argv[1:] + [None])[:2]\n${py}`,
      ]),
    ),
  };
}
