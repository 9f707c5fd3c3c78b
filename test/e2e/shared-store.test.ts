/** One store for several clones of a project: what one made the others need not make. */
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

let store: string;
beforeEach(() => {
  store = join(realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-shared-"))), "store");
});
afterEach(() => {
  rmSync(join(store, ".."), { recursive: true, force: true });
});

/** A step that writes down the paths it is given, and one that takes a while. */
const withPaths: Readonly<Record<string, string>> = {
  ...smallPipeline,
  "paths.py": `import sys
open(sys.argv[2], "w").write(" ".join(sys.argv) + "\\n")
`,
  "steps/paths.ts": `import { cmd, data, file } from "mlpipe";
export const paths = data("paths", {
  inputs: { from: file("txt") },
  outputs: { said: file("txt") },
  command: (i, o) => cmd\`python3 paths.py \${i.from} \${o.said}\`,
});
`,
  "paths.txt": "x",
  "paths.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { paths } from "./steps/paths.ts";
export default pipeline("paths", z.object({}), () => paths({ from: source("paths.txt", file("txt")) }));
`,
};

const manifest = (place: string): Readonly<Record<string, string>> => ({
  "package.json": JSON.stringify({ name: "e2e", type: "module", mlpipe: { store: place } }),
});

describe("a store that clones share", () => {
  it("has what another clone made, and each deploys for itself", async () => {
    using one = new Project({ ...smallPipeline, ...manifest(store) });
    using other = new Project({ ...smallPipeline, ...manifest(store) });
    expect(await one.statuses()).toEqual({ ran: smallSteps });
    // What was deployed elsewhere is not missing here.
    expect((await other.mlpipe("plan")).stdout).toContain("nothing was deployed to deployed here yet");
    expect(await other.statuses()).toEqual({
      cached: smallSteps.filter((step) => step !== "publish"),
      ran: ["publish"],
    });
    expect(other.read("deployed/model.json")).toBe(one.read("deployed/model.json"));
    // Neither takes the other's receipt away.
    for (const clone of [one, other, one]) expect(await clone.statuses()).toEqual({ cached: smallSteps });
    expect(existsSync(join(one.root, ".mlpipe/state.db"))).toBe(false);
    const runs = JSON.parse((await other.mlpipe("runs", "--json")).stdout) as { runs: unknown[] };
    expect(runs.runs).toHaveLength(5);
    expect((await one.mlpipe("verify")).exit).toBe(0);

    // Receipts know their project by records too.
    for (const end of ["", "-wal", "-shm"]) rmSync(join(store, `state.db${end}`), { force: true });
    for (const clone of [one, other]) expect(await clone.statuses()).toEqual({ cached: smallSteps });
  });

  it("gives steps the same paths everywhere", async () => {
    using own = new Project(withPaths);
    using clone = new Project({ ...withPaths, ...manifest(store) });
    for (const project of [own, clone]) {
      const { exit, stderr } = await project.mlpipe("run", "paths");
      expect(exit, stderr).toBe(0);
    }
    const said = own.read("artifacts/paths/said.txt");
    expect(said).toMatch(/^paths\.py \.mlpipe\/attempts\/paths-[0-9a-f]{16}\/in\/from\.txt /);
    expect(clone.read("artifacts/paths/said.txt")).toBe(said);
    // A folder of the clone's own, with a link for each attempt, which goes with it.
    expect(lstatSync(join(clone.root, ".mlpipe/attempts")).isDirectory()).toBe(true);
    for (const place of [join(clone.root, ".mlpipe"), store])
      expect(readdirSync(join(place, "attempts"))).toEqual([]);
  });

  it("is used by clones that run at once: each key executes once over all of them", async () => {
    using first = new Project({ ...withPaths, ...manifest(store) });
    const clones = Array.from({ length: 4 }, () => new Project(withPaths));
    try {
      const env = { MLPIPE_STORE: store };
      const ends = await Promise.all(
        clones.flatMap((clone) =>
          [1, 2].map((from) =>
            finished(clone.start(["run", "line", "--json", "-s", `from=${from + 3}`], env)),
          ),
        ),
      );
      expect(ends.map(({ exit, stderr }) => (exit === 0 ? 0 : stderr))).toEqual(ends.map(() => 0));
      const ran = ends.flatMap(({ stdout }) =>
        (JSON.parse(stdout) as { steps: { id: string; key: string; status: string }[] }).steps.flatMap(
          ({ id, key, status }) => (status === "ran" && id !== "publish" ? [key] : []),
        ),
      );
      expect(ran.length).toBe(new Set(ran).size);
      const verified = await first.mlpipe("verify");
      expect(verified.exit, verified.stdout).toBe(0);
    } finally {
      for (const clone of clones) clone[Symbol.dispose]();
    }
  });

  it("is refused where other things lie, and where it is no path", async () => {
    using project = new Project(smallPipeline);
    mkdirSync(join(store, "letters"), { recursive: true });
    const taken = await finished(project.start(["run"], { MLPIPE_STORE: store }));
    expect(taken.exit).toBe(2);
    expect(taken.stderr).toContain("MLP6011");
    expect(readdirSync(store)).toEqual(["letters"]);
    project.write({ "package.json": `{ "type": "module", "mlpipe": { "store": 1 } }` });
    expect((await project.mlpipe("runs")).stderr).toContain("mlpipe.store in package.json is no path.");
    // The variable has the last word, and no place of its own is made for nothing.
    const elsewhere = await finished(project.start(["runs"], { MLPIPE_STORE: join(store, "new") }));
    expect(elsewhere.stdout).toBe("Nothing has run here yet.\n");
  });
});
