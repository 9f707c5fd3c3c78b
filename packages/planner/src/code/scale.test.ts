/** Large projects: nothing overflows, and the time grows with the project and not with its square. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Project } from "./fixtures/project.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

/** A chain: each module imports from the next, in the way that `link` writes. */
function chain(length: number, link: (next: string) => string, end: string): void {
  const files: Record<string, string> = {};
  for (let index = 0; index < length; index++) files[`m${index}.ts`] = link(`./m${index + 1}.ts`);
  files[`m${length}.ts`] = end;
  project.write(files);
}

describe("a project of thousands of modules in a row", () => {
  it.each([
    [
      "that call each other",
      (next: string) => `import { f as g } from "${next}";\nexport const f = () => g();\n`,
    ],
    ["that pass a name on", (next: string) => `export { f } from "${next}";\n`],
    ["that pass everything on", (next: string) => `export * from "${next}";\n`],
    [
      "whose values are made of each other",
      (next: string) => `import { f as g } from "${next}";\nexport const f = { g, h: \`\${g.a}\` };\n`,
    ],
    [
      "that use each other as a whole",
      (next: string) => `import * as all from "${next}";\nexport const f = () => all;\n`,
    ],
    ["that load each other on the way", (next: string) => `export const f = () => import("${next}");\n`],
  ])("%s", (_what, link) => {
    chain(3_000, link, "export const f = { a: 1 };\n");
    const last = (): string | undefined => {
      const { parts, uncacheable } = project.identify("m0.ts#f");
      expect(uncacheable).toEqual([]);
      return parts["m3000.ts#f"];
    };
    const before = last();
    expect(before).toBeDefined();
    project.write({ "m3000.ts": "export const f = { a: 2 };\n" });
    expect(last()).not.toBe(before);
  });
});

describe("a thousand steps in a hundred modules that share all they use", () => {
  it("are identified in less than a second", () => {
    const files: Record<string, string> = {};
    for (let module = 0; module < 100; module++) {
      files[`helper${module}.ts`] = `import { z } from "zod";
export const Row${module} = z.object({ x: z.number() });
${Array.from({ length: 10 }, (_, n) => `export const help${n} = (x: number): number => x + ${n};`).join("\n")}
`;
      files[`steps${module}.ts`] = `import { csv, data } from "mlpipe";
import { z } from "zod";
${Array.from({ length: 5 }, (_, n) => `import { Row${(module + n * 7) % 100}, help${n} } from "./helper${(module + n * 7) % 100}.ts";`).join("\n")}
${Array.from(
  { length: 10 },
  (_, n) => `export const step${n} = data("step-${module}-${n}", {
  inputs: { rows: csv(Row${(module + (n % 5) * 7) % 100}), n: z.int() },
  outputs: { n: z.int() },
  async run({ rows, n }) {
    let sum = 0;
    for await (const row of rows) sum += help${n % 5}(row.x) * n;
    return { n: Math.round(sum) };
  },
});`,
).join("\n")}
`;
    }
    project.write(files);
    // Processor time: on a busy machine the clock says nothing.
    const begun = process.threadCpuUsage();
    const code = project.session();
    let parts = 0;
    for (let module = 0; module < 100; module++) {
      for (let n = 0; n < 10; n++) {
        const identity = code.identify(join(project.root, `steps${module}.ts`), `step${n}`);
        expect(identity.uncacheable).toEqual([]);
        parts += Object.keys(identity.parts).length;
      }
    }
    const { user, system } = process.threadCpuUsage(begun);
    const took = (user + system) / 1_000;
    expect(parts).toBe(3_000);
    // Some 150 ms.
    expect(took).toBeLessThan(1_000);
  });
});
