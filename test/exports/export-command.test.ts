/** `mlpipe export` as its user meets it: where exports go, which model is meant, and what cannot be exported. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync, chmodSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPromise } from "yauzl";
import { deployed, failed, type History, sweep } from "./histories.ts";

const histories: History[] = [];
let line: History;
let broken: History;
let swept: History;
beforeAll(async () => {
  histories.push((line = await deployed()), (broken = await failed()), (swept = await sweep()));
});
afterAll(() => {
  for (const { project } of histories) project[Symbol.dispose]();
});

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

async function unzipped(path: string): Promise<Record<string, string>> {
  const zip = await openPromise(path);
  const files: Record<string, string> = {};
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith("/")) files[entry.fileName] = "";
    else files[entry.fileName] = await text(await zip.openReadStreamPromise(entry));
  }
  return files;
}

describe("mlpipe export", () => {
  it("prints, writes a file, and writes over nothing", async () => {
    const { project } = line;
    const printed = await project.mlpipe("export", "last", "--format", "model-card");
    expect(printed.exit, printed.stderr).toBe(0);
    const written = await project.mlpipe("export", "last", "--format", "model-card", "-o", "cards/README.md");
    expect([written.exit, written.stdout]).toEqual([0, ""]);
    expect(project.read("cards/README.md")).toBe(printed.stdout);
    const again = await project.mlpipe("export", "last", "--format", "model-card", "-o", "cards/README.md");
    expect([again.exit, again.stderr]).toEqual([2, expect.stringContaining("MLP6015")]);
    const over = await project.mlpipe(
      "export",
      "last",
      "--format",
      "model-card",
      "-f",
      "--json",
      "-o",
      "cards/README.md",
    );
    expect(JSON.parse(over.stdout)).toMatchObject({
      schemaVersion: 1,
      format: "model-card",
      run: line.run.run,
    });
  });

  it("executes no code of the project", async () => {
    const { project } = line;
    const before = project.read("line.pipeline.ts");
    project.write({
      "line.pipeline.ts": "throw new Error('executed');\n",
      "mlpipe.config.ts": "process.exit(9);\n",
    });
    for (const format of ["openlineage", "cyclonedx", "model-card"]) {
      expect((await project.mlpipe("export", "last", "--format", format)).exit).toBe(0);
    }
    project.write({ "line.pipeline.ts": before, "mlpipe.config.ts": "export default {};\n" });
  });

  it("refuses a crate without a place, events elsewhere, formats and runs that do not exist", async () => {
    const { project } = line;
    const cases: readonly (readonly [string, number, ...(readonly string[])])[] = [
      ["MLP6010", 2, "export", "last", "--format", "rocrate"],
      ["MLP6010", 2, "export", "last", "--format", "slsa", "--to", "http://127.0.0.1:9"],
      ["MLP6010", 2, "export", "last", "--format", "openlineage", "--to", "nowhere"],
      ["MLP6010", 2, "export", "last", "--format", "prov"],
      ["MLP6010", 2, "export", "last"],
      ["MLP5001", 2, "export", "0000", "--format", "slsa"],
      ["MLP5014", 4, "export", "last", "--format", "openlineage", "--to", "http://127.0.0.1:9"],
    ];
    for (const [code, exit, ...args] of cases) {
      const done = await project.mlpipe(...args);
      expect([done.exit, done.stdout, done.stderr]).toEqual([exit, "", expect.stringContaining(code)]);
    }
  });
});

describe("the model", () => {
  it("of several has to be named, and each can be", async () => {
    const { project } = swept;
    // What is returned is the choice; without it three trainings are left.
    const chosen = await project.mlpipe("export", "last", "--format", "model-card");
    expect(chosen.stdout).toContain("# line: choose.best");
    for (const key of ["1", "0.9", "1e-7"]) {
      const id = `fit[shrink=${key}]`;
      const card = await project.mlpipe("export", "last", "--format", "model-card", "--model", `${id}.model`);
      expect(card.stdout).toContain(`made by the step \`${id}\``);
      expect(card.stdout).toContain(`| shrink | \`${key}\` |`);
    }
    const wrong = await project.mlpipe("export", "last", "--format", "cyclonedx", "--model", "fit.model");
    expect(wrong.exit).toBe(2);
    expect(wrong.stderr).toMatch(/MLP5010 .*has no model fit\.model[\s\S]*There is: fit\[shrink=1\]\.model/);
    project.edit("line.pipeline.ts", "return choose(", "choose(");
    project.edit("line.pipeline.ts", "});\n});", "});\n  return {};\n});");
    await project.run();
    const several = await project.mlpipe("export", "last", "--format", "cyclonedx");
    expect([several.exit, several.stderr]).toEqual([2, expect.stringContaining("MLP5015")]);
  });

  it("of a run that made none is none", async () => {
    for (const format of ["model-card", "cyclonedx"]) {
      const done = await broken.project.mlpipe("export", "last", "--format", format);
      expect([done.exit, done.stderr]).toEqual([2, expect.stringContaining("MLP5010")]);
    }
  });

  it("says what the gate and the deploy said, and shows no text of a user as anything else", async () => {
    const { stdout } = await line.project.mlpipe("export", "last", "--format", "model-card");
    expect(stdout).toContain("- `good-enough`: pass (limit 9)");
    expect(stdout).toMatch(/- `publish` to `deployed` on \d{4}-\d\d-\d\d \d\d:\d\d UTC/);
    expect(stdout).toMatch(/\| commit \| `[0-9a-f]{40}`, with changes that were not committed \|/);
    expect(stdout).toMatch(/\| command \| `python3 fit\.py --data .*` \|/);
  });
});

describe("a crate", () => {
  it("holds what the store has, byte for byte, and the records", async () => {
    const { project, run } = line;
    await project.mlpipe("export", "last", "--format", "rocrate", "-o", "crate");
    const model = run.steps.find(({ id }) => id === "fit")?.outputs["model"]?.digest;
    expect(sha256(join(project.root, "crate/artifacts/fit/model.json"))).toBe(model);
    expect(project.read("crate/records.jsonl")).toBe(project.read(`.mlpipe/runs/${run.run}/records.jsonl`));
    expect(project.read("crate/line.pipeline.ts")).toBe(project.read("line.pipeline.ts"));
    // A source that the pipeline did not ask to be kept stays where it is.
    expect(existsSync(join(project.root, "crate/sources"))).toBe(false);
    expect(project.read("crate/ro-crate-metadata.json")).toContain(
      `"file://${project.root}/data/points.csv"`,
    );
  });

  it("says how many outputs it could not have", async () => {
    const { project } = broken;
    rmSync(join(project.root, ".mlpipe/objects"), { recursive: true });
    const done = await project.mlpipe("export", "last", "--format", "rocrate", "-o", "empty");
    expect(done.exit, done.stderr).toBe(0);
    expect(done.stderr).toContain("3 outputs of the run left the store");
    expect(existsSync(join(project.root, "empty/artifacts"))).toBe(false);
    expect(project.read("empty/ro-crate-metadata.json")).toContain('"urn:sha256:');
  });

  it("in the project is no second pipeline of it", async () => {
    const { project } = line;
    await project.mlpipe("export", "last", "--format", "rocrate", "-o", "crates/one", "-f");
    expect(existsSync(join(project.root, "crates/one/line.pipeline.ts"))).toBe(true);
    const plan = await project.mlpipe("plan");
    expect([plan.exit, plan.stderr]).toEqual([0, ""]);
  });

  it("as a zip holds the same, folders included, and twice the same bytes", async () => {
    const { project } = swept;
    await project.mlpipe("export", swept.run.run, "--format", "rocrate", "-o", "one.zip");
    await project.mlpipe("export", swept.run.run, "--format", "rocrate", "-o", "two.zip");
    await project.mlpipe("export", swept.run.run, "--format", "rocrate", "-o", "folder");
    expect(sha256(join(project.root, "one.zip"))).toBe(sha256(join(project.root, "two.zip")));
    const files = await unzipped(join(project.root, "one.zip"));
    expect(files["sources/data/more/deep/ü.csv"]).toBe("x,y\n2,4\n");
    expect(files["artifacts/choose/all/inside/shrink=0.9.json"]).toContain("slope");
    const there = readdirSync(join(project.root, "folder"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(project.root.length + "/folder/".length));
    expect(
      Object.keys(files)
        .filter((name) => !name.endsWith("/"))
        .toSorted(),
    ).toEqual(there.toSorted());
    for (const name of there) expect(files[name]).toBe(project.read(`folder/${name}`));
  });

  it("has the pipeline as it was, out of the commit when it was edited since; else says that it is gone", async () => {
    const { project, run } = line;
    const before = project.read("line.pipeline.ts");
    project.edit("line.pipeline.ts", "default(5)", "default(4)");
    await project.mlpipe("export", run.run, "--format", "rocrate", "-o", "of-the-commit");
    expect(project.read("of-the-commit/line.pipeline.ts")).toBe(before);
    project.write({ "line.pipeline.ts": before });
    broken.project.edit("line.pipeline.ts", "default(5)", "default(4)");
    await broken.project.mlpipe("export", "last", "--format", "rocrate", "-o", "gone");
    expect(existsSync(join(broken.project.root, "gone/line.pipeline.ts"))).toBe(false);
    expect(broken.project.read("gone/ro-crate-metadata.json")).toContain("as it was in the run is not kept");
  });

  it("never carries on what is damaged in the store, and leaves nothing half done", async () => {
    const { project, run } = line;
    const digest = run.steps.find(({ id }) => id === "fit")?.outputs["model"]?.digest ?? "";
    const object = join(project.root, ".mlpipe/objects", digest.slice(0, 2), digest.slice(2));
    const content = readFileSync(object);
    chmodSync(object, 0o644);
    writeFileSync(object, content.toString().replace(/\d/, "7"));
    for (const place of ["damaged", "damaged.zip"]) {
      const done = await project.mlpipe("export", run.run, "--format", "rocrate", "-o", place);
      expect([done.exit, done.stderr]).toEqual([4, expect.stringContaining("MLP4009")]);
      expect(readdirSync(project.root).filter((name) => name.includes("damaged"))).toEqual([]);
    }
    writeFileSync(object, content);
  });
});
