/** Inputs that change when they should not: nothing is kept under a content that nobody can vouch for. */
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { Project } from "./project.ts";

const copying = (py: string): Readonly<Record<string, string>> => ({
  "in.txt": "first\n",
  "copy.py": `import os, sys, time\nsource, target = sys.argv[1:]\n${py}`,
  "steps.ts": `import { cmd, data, file } from "mlpipe";
export const load = data("load", {
  inputs: { text: file("txt") },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`python3 copy.py \${i.text} \${o.text}\`,
});
export const copy = data("copy", {
  inputs: { text: file("txt") },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`python3 copy.py \${i.text} \${o.text}\`,
});
`,
  "copy.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy, load } from "./steps.ts";
export default pipeline("copy", z.object({}), () => {
  const { text } = load({ text: source("in.txt", file("txt")) });
  return copy({ text });
});
`,
});
const copies = "open(target, 'w').write(open(source).read())\n";

describe("an input", () => {
  it("edited while its step runs: the step fails, names it, and nothing is kept", async () => {
    using project = new Project(
      copying(`${copies}if not os.path.exists("once.mark"):
    open("once.mark", "w").close()
    open("in.txt", "w").write("edited meanwhile\\n")
`),
    );
    const run = await project.run();
    expect(run.exit).toBe(1);
    expect(run.steps[0]).toMatchObject({ status: "failed", error: { code: "MLP3007" } });
    expect(run.steps[0]?.error?.message).toContain("in.txt");
    expect(await project.statuses()).toEqual({ ran: ["load", "copy"] });
    expect(project.read("artifacts/copy/text.txt")).toBe("edited meanwhile\n");
  });

  it("damaged by the step itself: the step fails, and the next run makes the input again", async () => {
    using project = new Project(
      copying(`${copies}if ".mlpipe/objects" in os.path.realpath(source) and not os.path.exists("once.mark"):
    open("once.mark", "w").close()
    os.chmod(source, 0o644)
    open(source, "a").write("damage")
`),
    );
    const run = await project.run();
    expect(run.steps.map(({ status }) => status)).toEqual(["ran", "failed"]);
    expect(run.steps[1]?.error).toMatchObject({
      code: "MLP3007",
      message: 'The input text of "copy", made by load, was altered while the step had it.',
      hint: expect.stringContaining('"copy" has written to it, or something outside of the run'),
    });
    const again = await project.run();
    expect(again.steps.map(({ status, reasons }) => [status, reasons[0]?.message])).toEqual([
      ["ran", "its output text is no longer in the store"],
      ["ran", "did not succeed last time (failed)"],
    ]);
    expect(project.read("artifacts/copy/text.txt")).toBe("first\n");
  });

  it("edited with the same size and the old mtime is seen", async () => {
    using project = new Project(copying(copies));
    await project.run();
    const path = join(project.root, "in.txt");
    const { atime, mtime } = statSync(path);
    writeFileSync(path, "second".slice(0, 5) + "\n");
    utimesSync(path, atime, mtime);
    expect(statSync(path).size).toBe("first\n".length);
    expect(await project.statuses()).toEqual({ ran: ["load", "copy"] });
    expect(project.read("artifacts/copy/text.txt")).toBe("secon\n");
  });

  it("edited again and again, as fast as it can be run: every edit is seen", async () => {
    using project = new Project(copying(copies));
    for (let round = 0; round < 5; round++) {
      project.write({ "in.txt": `round ${round}\n` });
      await project.run();
      expect(project.read("artifacts/copy/text.txt")).toBe(`round ${round}\n`);
    }
  });

  it("that is a link counts by what it leads to", async () => {
    using project = new Project(copying(copies));
    mkdirSync(join(project.root, "elsewhere"));
    writeFileSync(join(project.root, "elsewhere/a.txt"), "first\n");
    await project.run();
    writeFileSync(join(project.root, "elsewhere/b.txt"), "other\n");
    const link = join(project.root, "in.txt");
    rmSync(link);
    symlinkSync("elsewhere/a.txt", link);
    expect(await project.statuses()).toEqual({ cached: ["load", "copy"] });
    rmSync(link);
    symlinkSync("elsewhere/b.txt", link);
    expect(await project.statuses()).toEqual({ ran: ["load", "copy"] });
  });

  it("that is a database which somebody has open: what lies in its log is seen by the step, so nothing is kept", async () => {
    using project = new Project({
      "count.py": `import sqlite3, sys
rows = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute("select count(*) from t").fetchone()
open(sys.argv[2], "w").write(str(rows[0]))
`,
      "steps.ts": `import { cmd, data, file } from "mlpipe";
export const count = data("count", {
  inputs: { app: file("db") },
  outputs: { rows: file("txt") },
  command: (i, o) => cmd\`python3 count.py \${i.app} \${o.rows}\`,
});
`,
      "count.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { count } from "./steps.ts";
export default pipeline("count", () => count({ app: source("link.db", file("db")) }));
`,
    });
    mkdirSync(join(project.root, "disk"));
    symlinkSync("disk/app.db", join(project.root, "link.db"));
    const app = new DatabaseSync(join(project.root, "disk/app.db"));
    app.exec(
      "pragma journal_mode = wal; create table t (a); insert into t values (1); pragma wal_checkpoint(truncate)",
    );
    expect(await project.statuses()).toEqual({ ran: ["count"] });
    expect(await project.statuses()).toEqual({ cached: ["count"] });

    app.exec("insert into t values (2)");
    const open = await project.run();
    expect(open.steps[0]).toMatchObject({
      status: "ran",
      reasons: [{ part: "uncacheable", name: "link.db" }],
    });
    expect(open.steps[0]?.reasons[0]?.message).toContain(
      "app.db-wal holds changes that link.db does not have yet",
    );
    expect(project.read("artifacts/count/rows.txt")).toBe("2");

    app.close();
    expect(await project.statuses()).toEqual({ ran: ["count"] });
    expect(await project.statuses()).toEqual({ cached: ["count"] });
  });

  it("that cannot be read is an error that names it", async () => {
    using project = new Project(copying(copies));
    chmodSync(join(project.root, "in.txt"), 0o000);
    const { exit, stderr } = await project.mlpipe("run");
    // Nothing is unreadable to a superuser.
    const expected = process.getuid?.() === 0 ? [0, false] : [4, true];
    expect([exit, stderr.includes("in.txt")]).toEqual(expected);
  });
});
