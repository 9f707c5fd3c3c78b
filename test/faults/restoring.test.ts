/** Promise 17: restoring never writes outside its root or through a link, and is all or nothing. */
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { finished, mlpipe, Project } from "../e2e/project.ts";
import { spawn } from "node:child_process";

const files: Readonly<Record<string, string>> = {
  "make.py": `import os, sys
open(sys.argv[1], "w").write("made\\n" * 200000)
os.makedirs(sys.argv[2] + "/deep", exist_ok=True)
open(sys.argv[2] + "/deep/a.txt", "w").write("a")
`,
  "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
import { z } from "zod";
export const make = data("make", {
  outputs: { text: file("txt"), folder: dir() },
  command: (_, o) => cmd\`python3 make.py \${o.text} \${o.folder}\`,
});
export const count = data("count", {
  inputs: { text: file("txt") },
  outputs: { n: z.int() },
  async run({ text }) {
    return { n: (await text.text()).length };
  },
});
`,
  "line.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { count, make } from "./steps.ts";
export default pipeline("line", z.object({}), () => {
  const { text, folder } = make({});
  return { text, folder, n: count({ text }).n };
});
`,
};

/** Replaces what a run says of an output: records are no way to reach what a manifest must not name. */
function pretend(project: Project, digest: string, by: string): void {
  const database = new DatabaseSync(join(project.root, ".mlpipe/state.db"));
  for (const table of ["runs", "step_runs"])
    database.exec(`UPDATE ${table} SET document = replace(document, '${digest}', '${by}')`);
  database.close();
}

describe("restoring", () => {
  it.each([
    ["climbs out", "../../escaped.txt"],
    ["is absolute", "/tmp/mlpipe-escaped.txt"],
    ["goes below a link", "out/escaped.txt"],
    ["hides a dot-dot in the middle", "deep/../../escaped.txt"],
  ])("refuses a folder with an entry that %s", async (_, path) => {
    using project = new Project(files);
    const run = await project.run();
    const folder = run.steps[0]?.outputs["folder"]?.digest ?? "";
    const link = { path: "out", type: "link", target: ".." };
    const file = {
      digest: createHash("sha256").update("evil").digest("hex"),
      mode: "-",
      path,
      size: 4,
      type: "file",
    };
    const sorted = (path.startsWith("out/") ? [link, file] : [file]).map((entry) =>
      JSON.stringify(Object.fromEntries(Object.entries(entry).toSorted(([a], [b]) => (a < b ? -1 : 1)))),
    );
    const manifest = `{"entries":[${sorted.join(",")}],"type":"mlpipe/tree/v1"}`;
    const digest = createHash("sha256").update(manifest).digest("hex");
    const object = join(project.root, ".mlpipe/objects", digest.slice(0, 2), `${digest.slice(2)}.tree`);
    mkdirSync(object, { recursive: true });
    writeFileSync(`${object}.json`, manifest);
    writeFileSync(join(object, "escaped.txt"), "evil");
    pretend(project, folder, digest);

    const got = await project.mlpipe("get", "make.folder", "-o", "inner/place");
    expect(got.exit).toBe(4);
    expect(got.stderr).toContain("MLP4009");
    expect(existsSync(join(project.root, "inner/place"))).toBe(false);
    const escaped = ["escaped.txt", "inner/escaped.txt", "../escaped.txt"].map((at) =>
      join(project.root, at),
    );
    expect([...escaped, "/tmp/mlpipe-escaped.txt"].filter((at) => existsSync(at))).toEqual([]);
  });

  it("replaces a link at the destination, and leaves what it leads to alone", async () => {
    using project = new Project({ ...files, "mine.txt": "precious\n", "mine/x.txt": "precious too\n" });
    await project.run();
    const outputs = { "artifacts/line/text.txt": "mine.txt", "artifacts/line/n.json": "mine.txt" };
    const before = Object.keys(outputs).map((path) => project.read(path));
    for (const [path, target] of Object.entries(outputs)) {
      rmSync(join(project.root, path));
      symlinkSync(join(project.root, target), join(project.root, path));
    }
    rmSync(join(project.root, "artifacts/line/folder"), { recursive: true });
    symlinkSync(join(project.root, "mine"), join(project.root, "artifacts/line/folder"));
    expect(await project.statuses()).toEqual({ cached: ["make", "count"] });
    expect(project.read("mine.txt")).toBe("precious\n");
    expect(readdirSync(join(project.root, "mine"))).toEqual(["x.txt"]);
    expect(Object.keys(outputs).map((path) => project.read(path))).toEqual(before);
    expect(lstatSync(join(project.root, "artifacts/line/n.json")).isSymbolicLink()).toBe(false);
    expect(project.read("artifacts/line/folder/deep/a.txt")).toBe("a");

    symlinkSync(join(project.root, "mine.txt"), join(project.root, "link.txt"));
    expect((await project.mlpipe("get", "make.text", "-o", "link.txt")).exit).toBe(2);
    expect((await project.mlpipe("get", "make.text", "-o", "link.txt", "--overwrite")).exit).toBe(0);
    expect(project.read("mine.txt")).toBe("precious\n");
    expect(project.read("link.txt")).toContain("made\n");
  });

  it("that fails half-way leaves what was there", async () => {
    using project = new Project({ ...files, "taken/mine.txt": "precious\n" });
    await project.run();
    project.write({ "taken.txt": "precious\n" });
    // No file may grow beyond 100 KiB, and the output has a megabyte: as on a full disk.
    const get = (...args: readonly string[]) =>
      finished(
        spawn("sh", ["-c", 'ulimit -f 200; exec "$@"', "sh", process.execPath, mlpipe, "get", ...args], {
          cwd: project.root,
          stdio: ["ignore", "pipe", "pipe"],
        }),
      );
    const { exit, signal } = await get("make.text", "-o", "taken.txt", "--overwrite");
    expect({ exit, signal }).not.toEqual({ exit: 0, signal: null });
    expect(project.read("taken.txt")).toBe("precious\n");
    // With room it succeeds, and a folder takes the place of a folder.
    expect((await project.mlpipe("get", "make.text", "-o", "taken.txt", "--overwrite")).exit).toBe(0);
    expect((await project.mlpipe("get", "make.folder", "-o", "taken", "--overwrite")).exit).toBe(0);
    expect(readdirSync(join(project.root, "taken"))).toEqual(["deep"]);
  });

  it("never hands out a damaged object, and leaves what was there", async () => {
    using project = new Project(files);
    const run = await project.run();
    const digest = run.steps[0]?.outputs["text"]?.digest ?? "";
    const object = join(project.root, ".mlpipe/objects", digest.slice(0, 2), digest.slice(2));
    const bytes = readFileSync(object);
    bytes[500_000] = 0;
    writeFileSync(`${dirname(object)}/new`, bytes);
    renameSync(`${dirname(object)}/new`, object);
    project.write({ "taken.txt": "precious\n" });
    const got = await project.mlpipe("get", "make.text", "-o", "taken.txt", "--overwrite");
    expect(got.exit).toBe(4);
    expect(project.read("taken.txt")).toBe("precious\n");
  });
});
