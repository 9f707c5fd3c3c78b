/** TypeScript as projects write it: what Node does not run by itself. */
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";

/** Modules that import as compilers have it, and have an enum, a namespace and a parameter property. */
const files: Readonly<Record<string, string>> = {
  "words.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { make } from "./steps";
import { Split } from "./kinds.js";

enum Amount {
  few = 2,
}
export default pipeline("words", z.object({}), () => make({ split: Split.Test, amount: Amount.few }));
`,
  "kinds.ts": `export enum Split {
  Train = "train",
  Test = "test",
}
export namespace Words {
  export const upper = (text: string): string => text.toUpperCase();
}
`,
  "steps/index.ts": `import { data } from "mlpipe";
import { z } from "zod";
import { Split, Words } from "../kinds.js";
import { Box } from "./box";

export const make = data("make", {
  inputs: { split: z.enum(Split), amount: z.int() },
  outputs: { text: z.string() },
  run: async ({ split, amount }) => {
    const { end } = await import("./late/end");
    return { text: Words.upper(split) + new Box(amount).get() + end() };
  },
});
`,
  "steps/box.ts": `export class Box {
  constructor(private readonly value: number) {}
  get(): number {
    return this.value;
  }
}
`,
  "steps/late/end.ts": `export const end = (): string => "!";\n`,
};

const text = (project: Project): unknown => JSON.parse(project.read("artifacts/words/text.json"));

describe("TypeScript that Node does not run by itself", () => {
  it("runs, and only what counts runs it again", async () => {
    using project = new Project(files);
    expect(await project.statuses()).toEqual({ ran: ["make"] });
    expect(text(project)).toBe("TEST2!");
    expect(await project.statuses()).toEqual({ cached: ["make"] });

    project.edit("kinds.ts", "export namespace", "// Of words.\nexport namespace");
    project.edit("steps/box.ts", "private readonly value: number", "private readonly value: 1 | 2");
    project.edit("steps/late/end.ts", "(): string", "()");
    expect(await project.statuses()).toEqual({ cached: ["make"] });

    const edits = [
      ["kinds.ts", `"test"`, `"tested"`, "code: Split in kinds.ts changed", "TESTED2!"],
      ["steps/box.ts", "this.value;", "this.value + 1;", "code: Box in steps/box.ts changed", "TESTED3!"],
      ["steps/late/end.ts", `"!"`, `"?"`, "code: end in steps/late/end.ts changed", "TESTED3?"],
    ] as const;
    for (const [file, from, to, reason, result] of edits) {
      project.edit(file, from, to);
      const { steps } = await project.run();
      expect(steps[0]?.reasons.map(({ message }) => message).join("; ")).toContain(reason);
      expect(text(project)).toBe(result);
    }
    expect((await project.mlpipe("check")).exit).toBe(0);
  });

  it("runs in a package that does not say that it is of modules", async () => {
    using project = new Project({ ...files, "package.json": `{ "name": "plain" }` });
    expect(await project.statuses()).toEqual({ ran: ["make"] });
  });

  it.skipIf(process.platform !== "linux")("runs behind a fence", async () => {
    using project = new Project(files);
    expect(await project.statuses("--hermetic")).toEqual({ ran: ["make"] });
  });

  it("does not run where the permission model is all there is", async () => {
    using project = new Project(files);
    const alone = { MLPIPE_FENCE: "none" };
    const run = await finished(project.start(["run", "--json", "--hermetic"], alone));
    expect(JSON.parse(run.stdout)).toMatchObject({
      status: "failed",
      steps: [{ error: { code: "MLP3013", hint: expect.stringContaining("lets no compiler in") } }],
    });
  });

  it("goes first where Node goes by itself", async () => {
    using project = new Project({ ...files, "steps/late/end.js": `export const end = () => "js";\n` });
    project.edit("steps/index.ts", "./late/end", "./late/end.js");
    expect(await project.statuses()).toEqual({ ran: ["make"] });
    expect(text(project)).toBe("TEST2js");
    project.edit("steps/late/end.ts", `"!"`, `"?"`);
    expect(await project.statuses()).toEqual({ cached: ["make"] });
    project.edit("steps/late/end.js", `"js"`, `"JS"`);
    expect(await project.statuses()).toEqual({ ran: ["make"] });
  });

  it("is none of CommonJS, which looks where it always does", async () => {
    using project = new Project({
      ...files,
      "steps/old.cts": `let box;
try { box = require("./box"); } catch {}
module.exports = { isThere: box !== undefined };
`,
    });
    project.edit("steps/index.ts", "export const make", `import old from "./old.cts";\n\nexport const make`);
    project.edit("steps/index.ts", "+ end()", "+ String(old.isThere)");
    expect(await project.statuses()).toEqual({ ran: ["make"] });
    expect(text(project)).toBe("TEST2false");
  });

  it("is pointed at where it was written", async () => {
    using project = new Project(files);
    project.edit("words.pipeline.ts", "amount: Amount.few", "amount: Amount.few, more: 1");
    const { stderr } = await project.mlpipe("plan");
    expect(stderr).toContain("words.pipeline.ts:9:54");

    project.edit("words.pipeline.ts", ", more: 1", "");
    project.edit("steps/box.ts", "return this.value;", 'throw new Error("empty");');
    const failed = await project.mlpipe("run");
    expect(failed.stdout).toContain("steps/box.ts:4:11\n");
    expect(failed.stdout).toContain('> 4 |     throw new Error("empty");');
  });
});
