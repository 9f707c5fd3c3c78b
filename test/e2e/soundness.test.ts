/** Ways in which a cache could lie, each once found, none allowed to come back. */
import { chmodSync, existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

/** The path of an object, by what a run says of an output. */
const objectOf = (project: Project, digest: string | undefined): string =>
  join(project.root, ".mlpipe/objects", (digest ?? "").slice(0, 2), (digest ?? "").slice(2));

const stepImports = `import { data } from "mlpipe";
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
`;

/** A step that has begun when there is a mark, and ends when there is another. */
const untilTold = `export const long = data("long", {
  outputs: { n: z.int() },
  async run() {
    writeFileSync("started.mark", "");
    while (!existsSync("go.mark")) await pause(20);
    return { n: 1 };
  },
});
`;

describe("a cache never lies", () => {
  it("about two steps that one factory made", async () => {
    using project = new Project({
      "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
const make = (column: string) => data(column, { outputs: { n: z.string() }, run: () => ({ n: column }) });
export const age = make("age");
export const size = make("size");
export const [left, right] = [make("left"), make("right")];
const all = { north: make("north"), south: make("south") };
export const { north, south } = all;
`,
      "made.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import * as steps from "./steps.ts";
export default pipeline("made", z.object({}), () =>
  Object.fromEntries(["age", "size", "left", "right", "north", "south"].map((name) => [name, steps[name]({}).n])),
);
`,
    });
    const names = ["age", "size", "left", "right", "north", "south"];
    expect(await project.statuses("--jobs", "1")).toEqual({ ran: names });
    expect(names.map((name) => JSON.parse(project.read(`artifacts/made/${name}.json`)))).toEqual(names);
  });

  it("about the order of imports, of which one sets what another reads", async () => {
    using project = new Project({
      "env.ts": `process.env.RATE = "5";\nexport {};\n`,
      "rate.ts": `export const rate = process.env.RATE ?? "none";\n`,
      "steps.ts": `import "./env.ts";
import { rate } from "./rate.ts";
import { data } from "mlpipe";
import { z } from "zod";
export const rated = data("rated", { outputs: { rate: z.string() }, run: () => ({ rate }) });
`,
      "rated.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { rated } from "./steps.ts";
export default pipeline("rated", z.object({}), () => rated({}));
`,
    });
    await project.run();
    project.edit(
      "steps.ts",
      `import "./env.ts";\nimport { rate } from "./rate.ts";`,
      `import { rate } from "./rate.ts";\nimport "./env.ts";`,
    );
    const { steps } = await project.run();
    expect(steps[0]?.reasons.map(({ message }) => message)).toEqual([
      "code: (load order) in steps.ts changed",
    ]);
    expect(JSON.parse(project.read("artifacts/rated/rate.json"))).toBe("none");
  });

  it.each(["a link, as npm makes it", "a script, as pnpm writes it"])(
    "about a program of an npm package of which another file changed, started by %s",
    async (how) => {
      const tool = (version: string): Record<string, string> => ({
        "node_modules/tool/package.json": JSON.stringify({ name: "tool", version }),
        "node_modules/tool/cli.js": `#!/usr/bin/env node\nrequire("./lib.js");\n`,
        "node_modules/tool/lib.js": `require("node:fs").writeFileSync(process.argv[2], "${version}");\n`,
      });
      using project = new Project({
        ...tool("1.0.0"),
        "steps.ts": `import { cmd, data, file } from "mlpipe";
export const made = data("made", { outputs: { text: file("txt") }, command: (_i, o) => cmd\`node_modules/.bin/tool \${o.text}\` });
`,
        "made.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { made } from "./steps.ts";
export default pipeline("made", z.object({}), () => made({}));
`,
        "node_modules/.bin/tool": `#!/bin/sh\nbasedir=$(dirname "$0")\nexec node  "$basedir/../tool/cli.js" "$@"\n`,
      });
      chmodSync(join(project.root, "node_modules/tool/cli.js"), 0o755);
      const bin = join(project.root, "node_modules/.bin/tool");
      chmodSync(bin, 0o755);
      if (how.startsWith("a link")) {
        rmSync(bin);
        symlinkSync("../tool/cli.js", bin);
      }
      expect(await project.statuses()).toEqual({ ran: ["made"] });
      expect(await project.statuses()).toEqual({ cached: ["made"] });
      project.write(tool("1.0.1"));
      const { steps } = await project.run();
      expect(steps[0]?.reasons.map(({ part, name }) => [part, name])).toEqual([["packages", "tool"]]);
      expect(project.read("artifacts/made/text.txt")).toBe("1.0.1");
    },
  );

  it("about code that was edited while the run was going on", async () => {
    const files = {
      "h.ts": `export const h = () => "v1";\n`,
      "steps.ts": `${stepImports}import { h } from "./h.ts";
${untilTold}export const two = data("two", { inputs: { n: z.int() }, outputs: { text: z.string() }, run: ({ n }) => ({ text: h() + n }) });
`,
      "edited.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { long, two } from "./steps.ts";
export default pipeline("edited", z.object({}), () => two({ n: long({}).n }));
`,
    };
    using project = new Project(files);
    const ended = finished(project.start(["run", "--json"]));
    while (!existsSync(join(project.root, "started.mark"))) await pause(20);
    project.write({ "h.ts": `export const h = () => "v2";\n`, "go.mark": "" });
    const { stdout, stderr, exit } = await ended;
    expect(exit, stderr).toBe(0);
    expect(stderr).toContain("h.ts was edited while the run was going on: the result of two is not cached.");
    expect(stdout).toContain('"status": "succeeded"');
    project.write({ "h.ts": files["h.ts"] });
    const again = await project.run();
    expect(again.steps.map(({ status }) => status)).toEqual(["cached", "ran"]);
    expect(JSON.parse(project.read("artifacts/edited/text.json"))).toBe("v11");
  });

  it("about a package that was installed while the run was going on", async () => {
    const words = (version: string): Readonly<Record<string, string>> => ({
      "node_modules/words/package.json": JSON.stringify({ name: "words", version, main: "index.cjs" }),
      "node_modules/words/index.cjs": `exports.word = "${version}";\n`,
    });
    using project = new Project({
      ...words("1.0.0"),
      "steps.ts": `${stepImports}import { word } from "words";
${untilTold}export const two = data("two", { inputs: { n: z.int() }, outputs: { text: z.string() }, run: ({ n }) => ({ text: word + n }) });
`,
      "installed.pipeline.ts": `import { pipeline } from "mlpipe";
import { long, two } from "./steps.ts";
export default pipeline("installed", () => two({ n: long({}).n }));
`,
    });
    const ended = finished(project.start(["run"]));
    while (!existsSync(join(project.root, "started.mark"))) await pause(20);
    project.write({ ...words("2.0.0"), "go.mark": "" });
    const { stderr, exit } = await ended;
    expect(exit, stderr).toBe(0);
    expect(stderr).toContain(
      "packages were installed (words 1.0.0 → 2.0.0) while the run was going on: the result of two",
    );
    project.write(words("1.0.0"));
    expect((await project.run()).steps.at(-1)?.status).toBe("ran");
    expect(JSON.parse(project.read("artifacts/installed/text.json"))).toBe("1.0.01");
  });

  it("about an object that was damaged: it is dropped and made anew", async () => {
    using project = new Project(smallPipeline);
    const first = await project.run();
    const object = objectOf(project, first.steps[1]?.outputs["model"]?.digest);
    chmodSync(object, 0o644);
    writeFileSync(object, '{"slope": 9.0}'.padEnd(project.read("artifacts/line/model.json").length, " "));
    project.edit("steps/score.ts", "Math.abs(y - slope * x)", "Math.abs(slope * x - y)");
    const run = await project.run();
    expect(run.exit).toBe(1);
    expect(run.steps.find(({ id }) => id === "score")).toMatchObject({
      status: "failed",
      error: {
        code: "MLP3034",
        message: 'The input model of "score", made by fit, was damaged in the store.',
      },
    });
    const healed = await project.run();
    expect(healed.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "split cached",
      "fit ran",
      "score ran",
      "good-enough cached",
      "publish cached",
    ]);
    expect(healed.steps[2]?.metrics).toEqual({ mae: 0 });
  });

  it("about a damaged object that is only returned", async () => {
    using project = new Project(smallPipeline);
    const first = await project.run();
    for (const [step, port, artifact] of [
      [2, "metrics", "metrics.json"],
      [0, "rows", "rows.json"],
    ] as const) {
      const object = objectOf(project, first.steps[step]?.outputs[port]?.digest);
      chmodSync(object, 0o644);
      writeFileSync(object, "Z");
      project.write({ [`artifacts/line/${artifact}`]: "gone" });
      await project.mlpipe("run");
      expect((await project.run()).exit).toBe(0);
      expect(project.read(`artifacts/line/${artifact}`)).not.toContain("Z");
    }
  });

  it("about a damaged object that is taken out: it is dropped, and the next run makes it anew", async () => {
    using project = new Project(smallPipeline);
    const first = await project.run();
    const object = objectOf(project, first.steps[1]?.outputs["model"]?.digest);
    chmodSync(object, 0o644);
    writeFileSync(object, '{"slope": 9.0}');
    const { exit, stdout, stderr } = await project.mlpipe("get", "fit.model", "-o", "-");
    expect([exit, stdout]).toEqual([4, ""]);
    expect(stderr).toContain("→ mlpipe run makes it again.");
    await project.run();
    expect(JSON.parse((await project.mlpipe("get", "fit.model", "-o", "-")).stdout)).toEqual({ slope: 2 });
  });

  it("about items of each whose keys look alike", async () => {
    using project = new Project({
      "steps.ts": `import { data, dir, many } from "mlpipe";
import { z } from "zod";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
export const make = data("make", {
  inputs: { key: z.string() },
  outputs: { folder: dir() },
  async run({ key }, out) {
    writeFileSync(join(out.folder.path, "key.txt"), key);
  },
});
export const list = data("list", {
  inputs: { folders: many(dir()) },
  outputs: { keys: z.array(z.string()) },
  run: ({ folders }) => ({ keys: [...folders].map(([key, { path }]) => key + " in " + path.split("/").at(-1)) }),
});
`,
      "alike.pipeline.ts": `import { each, pipeline } from "mlpipe";
import { z } from "zod";
import { list, make } from "./steps.ts";
export default pipeline("alike", z.object({}), () => {
  const made = each(["a:b", "a_b", "a@b", ".", "..", "-x"], (key) => key, (key) => make({ key }));
  return { keys: list({ folders: made.folder }).keys, folders: made.folder };
});
`,
    });
    const run = await project.run();
    expect(run.exit).toBe(0);
    expect(new Set(readdirSync(join(project.root, "artifacts/alike/folders"))).size).toBe(6);
    const keys = JSON.parse(project.read("artifacts/alike/keys.json")) as string[];
    expect(new Set(keys.map((text) => text.split(" in ")[1])).size).toBe(6);
    expect(await project.statuses()).toEqual({ cached: run.steps.map(({ id }) => id) });
  });
});
