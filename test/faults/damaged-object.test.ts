/** Promise 8: a damaged object is found when it is used, by `verify` always, and healed by `verify --repair` or a re-run. */
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { Project, type RunJson } from "../e2e/project.ts";

const files: Readonly<Record<string, string>> = {
  "data/n.txt": "4\n",
  "parts.py": `import os, sys
os.makedirs(sys.argv[2] + "/deep", exist_ok=True)
open(sys.argv[2] + "/deep/one.txt", "w").write(open(sys.argv[1]).read() * 3)
open(sys.argv[2] + "/two.txt", "w").write("two\\n")
`,
  "join.py": `import sys
open(sys.argv[2], "w").write(open(sys.argv[1] + "/deep/one.txt").read() + open(sys.argv[1] + "/two.txt").read())
`,
  "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
export const parts = data("parts", {
  inputs: { n: file("txt") },
  outputs: { folder: dir() },
  command: (i, o) => cmd\`python3 parts.py \${i.n} \${o.folder}\`,
});
export const join = data("join", {
  inputs: { folder: dir() },
  outputs: { all: file("txt") },
  command: (i, o) => cmd\`python3 join.py \${i.folder} \${o.all}\`,
});
`,
  "line.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { join, parts } from "./steps.ts";
export default pipeline("line", z.object({}), () => {
  const { folder } = parts({ n: source("data/n.txt", file("txt")) });
  const { all } = join({ folder });
  return { all };
});
`,
};

/** The object of `join.all`, a file, and a file inside of that of `parts.folder`. */
function objectsOf(project: Project, run: RunJson): { readonly file: string; readonly inner: string } {
  const objects = join(project.root, ".mlpipe/objects");
  const place = (digest = ""): string => join(objects, digest.slice(0, 2), digest.slice(2));
  return {
    file: place(run.steps[1]?.outputs["all"]?.digest),
    inner: `${place(run.steps[0]?.outputs["folder"]?.digest)}.tree/deep/one.txt`,
  };
}

function writable(path: string): void {
  for (const each of [join(path, ".."), path]) chmodSync(each, 0o755);
}

/** As a failing disk does it: no trace in length or times. */
function flipQuietly(path: string): void {
  const { atime, mtime } = lstatSync(path);
  writable(path);
  const bytes = readFileSync(path);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  chmodSync(path, 0o444);
  utimesSync(path, atime, mtime);
}

const faults: Readonly<Record<string, (path: string) => void>> = {
  "a flipped bit": flipQuietly,
  "a truncation": (path) => {
    writable(path);
    truncateSync(path, 1);
  },
  "a swap for another file": (path) => {
    writable(path);
    rmSync(path);
    writeFileSync(path, "another\n");
  },
  "a link to elsewhere": (path) => {
    writable(path);
    const copy = join(path, "../../../../elsewhere.txt");
    cpSync(path, copy);
    rmSync(path);
    symlinkSync(copy, path);
  },
  "a folder in its place": (path) => {
    writable(path);
    rmSync(path);
    mkdirSync(path);
  },
};

describe.each(Object.entries(faults))("%s", (_, fault) => {
  it.each(["file", "inner"] as const)("of an object's %s is named by verify, and healed", async (which) => {
    using project = new Project(files);
    const first = await project.run();
    expect((await project.mlpipe("verify")).exit).toBe(0);
    const path = objectsOf(project, first)[which];
    const before = project.read("artifacts/line/all.txt");
    fault(path);

    const found = await project.mlpipe("verify");
    expect(found.exit, found.stdout).toBe(4);
    const object = path.replace(`${project.root}/.mlpipe/`, "").replace("/deep/one.txt", "");
    expect(found.stdout).toContain(`damaged   ${object}: `);
    expect(found.stdout).toMatch(/damaged {3}state\.db: the kept result of \w+ has lost its output/);
    // Looking changed nothing.
    expect((await project.mlpipe("verify")).stdout).toBe(found.stdout);

    const repaired = await project.mlpipe("verify", "--repair");
    expect(repaired.exit, repaired.stdout).toBe(0);
    expect(repaired.stdout).toMatch(/^The store is whole again; looked at \d objects? /m);
    const after = await project.mlpipe("verify");
    expect(after.exit, after.stdout).toBe(0);
    const again = await project.run();
    expect(again.steps[which === "file" ? 1 : 0]?.status).toBe("ran");
    expect(again.steps.map(({ outputs }) => outputs)).toEqual(first.steps.map(({ outputs }) => outputs));
    expect(project.read("artifacts/line/all.txt")).toBe(before);
    const end = await project.mlpipe("verify");
    expect(end.stdout).toMatch(/^The store is whole: 2 objects /);
  });
});

describe("verify", () => {
  it("looks at what nobody uses, at files that are no objects, and at records", async () => {
    using project = new Project(files);
    const { run } = await project.run();
    project.write({ ".mlpipe/objects/ab/stray.txt": "stray" });
    const stray = await project.mlpipe("verify", "--json");
    expect(stray.exit).toBe(4);
    expect(JSON.parse(stray.stdout)).toMatchObject({
      schemaVersion: 1,
      whole: false,
      findings: [{ about: "object", path: "objects/ab/stray.txt", message: "is no object", isDamage: true }],
    });
    expect((await project.mlpipe("verify", "--repair")).exit).toBe(0);
    expect(readdirSync(join(project.root, ".mlpipe/objects/ab"))).not.toContain("stray.txt");

    const records = `.mlpipe/runs/${run}/records.jsonl`;
    project.edit(records, '"status":"ran"', '"status":"run"');
    const broken = await project.mlpipe("verify", "--repair");
    expect(broken.exit).toBe(4);
    expect(broken.stdout).toContain(`damaged   runs/${run}/records.jsonl: `);
    expect(broken.stdout).toContain("Kept results do not depend on them.");
    expect(await project.statuses()).toEqual({ cached: ["parts", "join"] });
  });

  it("finds a store that is whole where there is none yet", async () => {
    using project = new Project(files);
    const verified = await project.mlpipe("verify");
    expect(verified).toMatchObject({
      exit: 0,
      stdout: "The store is whole: 0 objects (0 B), 0 kept results, 0 runs.\n",
    });
    expect(readdirSync(project.root)).not.toContain(".mlpipe");
  });

  it("names what killed runs left, which is no damage, and removes it", async () => {
    using project = new Project(files);
    await project.run();
    project.write({ ".mlpipe/attempts/fit-0123456789abcdef/in/x.txt": "x", ".mlpipe/attempts/.tmp-1": "x" });
    const verified = await project.mlpipe("verify");
    expect(verified.exit).toBe(0);
    expect(verified.stdout).toContain(
      "leftover  attempts/fit-0123456789abcdef: was left by a run that was killed",
    );
    const repaired = await project.mlpipe("verify", "--repair");
    expect(repaired.stdout).toContain("repaired  attempts/.tmp-1");
    expect(readdirSync(join(project.root, ".mlpipe/attempts"))).toEqual([]);
  });

  it("names a row that says something else than the records, and writes it anew", async () => {
    using project = new Project(files);
    const first = await project.run();
    const database = new DatabaseSync(join(project.root, ".mlpipe/state.db"));
    database.exec(`UPDATE step_runs SET document = replace(document, '"name":"join"', '"name":"coin"')`);
    database.close();
    const verified = await project.mlpipe("verify");
    expect(verified.stdout).toMatch(
      /damaged {3}state\.db: what it says of [0-9a-f-]+ is not what the records say/,
    );
    expect(verified.exit).toBe(4);
    expect((await project.mlpipe("verify", "--repair")).exit).toBe(0);
    const shown = await project.mlpipe("show", first.run, "--json");
    expect(shown.stdout).toContain('"name": "join"');
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });
});
