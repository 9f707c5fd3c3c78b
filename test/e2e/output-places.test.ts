/** What a command does to the place that its user names for a file: a slip must not cost what lies there. */
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { asOrdinary, canBeOrdinary, giveToOrdinary } from "./ordinary-user.ts";
import { Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

const withFolder: Readonly<Record<string, string>> = {
  ...smallPipeline,
  "steps/folder.ts": `import { data, dir } from "mlpipe";
import { mkdirSync, writeFileSync } from "node:fs";
export const folder = data("folder", {
  outputs: { all: dir() },
  run(_inputs, out) {
    mkdirSync(out.all.path, { recursive: true });
    writeFileSync(out.all.path + "/a.txt", "a");
  },
});
`,
  "folder.pipeline.ts": `import { pipeline } from "mlpipe";
import { folder } from "./steps/folder.ts";
export default pipeline("folder", () => folder({}));
`,
  "mine/precious.txt": "precious",
};

describe("with --overwrite", () => {
  it.each([["get", "fit.model"], ["export", "last", "--format", "model-card"], ["report"]])(
    "a folder does not give way to a file: %s",
    async (...command) => {
      using project = new Project(withFolder);
      expect((await project.run("line")).exit).toBe(0);
      const { exit, stderr } = await project.mlpipe(...command, "-o", "mine", "-f");
      expect([exit, stderr]).toEqual([
        2,
        expect.stringContaining("mine is a folder, and not replaced by a file."),
      ]);
      expect(project.read("mine/precious.txt")).toBe("precious");
    },
  );

  it("a folder gives way to a crate only if it is one", async () => {
    using project = new Project(withFolder);
    await project.run("line");
    mkdirSync(join(project.root, "empty"));
    const crate = async (place: string) =>
      project.mlpipe("export", "last", "--format", "rocrate", "-o", place, "-f");
    const { exit, stderr } = await crate("mine");
    expect([exit, stderr]).toEqual([2, expect.stringContaining("mine is a folder with other things in it")]);
    expect(project.read("mine/precious.txt")).toBe("precious");
    for (const place of ["crate", "crate", "empty"]) expect((await crate(place)).exit).toBe(0);
  });

  it.each(["get", "export"])("the folder of the project gives way to nothing: %s", async (command) => {
    using project = new Project(withFolder);
    await project.run("folder");
    const named = command === "get" ? ["folder.all"] : ["last", "--format", "rocrate"];
    for (const place of [".", "..", ".mlpipe"]) {
      const { exit, stderr } = await project.mlpipe(command, ...named, "-o", place, "-f");
      expect([exit, stderr]).toEqual([2, expect.stringContaining(`${place} holds the project or its store`)]);
    }
    expect(project.read("mine/precious.txt")).toBe("precious");
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });
});

describe("a place that cannot be written to is no bug of mlpipe", () => {
  it.each([
    ["get", "fit.model", "-o", "package.json/x"],
    ["report", "-o", "package.json/x"],
    ["export", "last", "--format", "rocrate", "-o", "package.json/x"],
    ["export", "last", "--format", "model-card", "-o", "package.json/x"],
    ["key", "create", "package.json/x"],
    ["init", "package.json"],
    ["init", "package.json/x"],
  ])("%s %s: below a file", async (...command) => {
    using project = new Project(smallPipeline);
    await project.run();
    const { exit, stderr } = await project.mlpipe(...command);
    expect([exit, stderr]).toEqual([
      2,
      expect.stringContaining("package.json is a file, and nothing can be put below it."),
    ]);
  });

  it.skipIf(!canBeOrdinary).each([
    ["report", "-o", "closed/x"],
    ["export", "last", "--format", "rocrate", "-o", "closed/x"],
    ["export", "last", "--format", "model-card", "-o", "closed/x"],
    ["key", "create", "closed/x"],
    ["init", "closed/x"],
  ])("%s %s: in a folder that is closed", async (...command) => {
    using project = new Project(smallPipeline);
    await project.run();
    mkdirSync(join(project.root, "closed"));
    giveToOrdinary(project);
    chmodSync(join(project.root, "closed"), 0o555);
    const { exit, stderr } = await asOrdinary(project, ...command);
    expect([exit, stderr]).toEqual([4, expect.stringMatching(/MLP4005 .*EACCES.*closed/)]);
    expect(existsSync(join(project.root, "closed/x"))).toBe(false);
  });

  it.each([
    ["report", "-o"],
    ["get", "fit.model", "-o"],
    ["export", "last", "--format", "model-card", "-o"],
    ["init"],
    ["run"],
  ])("%s: a name that is too long", async (...command) => {
    using project = new Project(smallPipeline);
    await project.run();
    const { exit, stderr } = await project.mlpipe(...command, "x".repeat(300));
    expect(stderr).not.toContain("MLP7000");
    expect([2, 4]).toContain(exit);
  });
});
