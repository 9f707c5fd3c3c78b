/** Promise 9: a damaged or deleted `state.db` never yields a wrong hit, and needs no manual step. */
import {
  copyFileSync,
  renameSync,
  mkdirSync,
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, Project, type RunJson } from "../e2e/project.ts";

/** Two commands, one after the other: quick, and keyed by all that they are made of. */
const files: Readonly<Record<string, string>> = {
  "data/n.txt": "4\n",
  "twice.py": `import sys
open("twice.mark", "a").write("ran\\n")
open(sys.argv[2], "w").write(str(int(open(sys.argv[1]).read()) * 2) + "\\n")
`,
  "fit.py": `import sys
open(sys.argv[2], "w").write(open(sys.argv[1]).read() + sys.argv[3] + "\\n")
`,
  "steps.ts": `import { cmd, data, file, model, train } from "mlpipe";
import { z } from "zod";
export const twice = data("twice", {
  inputs: { n: file("txt") },
  outputs: { m: file("txt") },
  command: (i, o) => cmd\`python3 twice.py \${i.n} \${o.m}\`,
});
export const fit = train("fit", {
  inputs: { n: file("txt"), shrink: z.number() },
  outputs: { model: model("txt") },
  command: (i, o) => cmd\`python3 fit.py \${i.n} \${o.model} \${i.shrink}\`,
});
`,
  "line.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { fit, twice } from "./steps.ts";
export default pipeline("line", z.object({ shrink: z.number().default(1) }), (p) => {
  const { m } = twice({ n: source("data/n.txt", file("txt")) });
  const { model } = fit({ n: m, shrink: p.shrink });
  return { model };
});
`,
};

let whole: Project;
/** The same with what was written last in the write-ahead log. */
let logged: Project;
let first: RunJson;
/** The project as it was, to begin each round from. */
const copies: Project[] = [];

beforeAll(async () => {
  whole = new Project(files);
  first = await whole.run();
  expect(first.status).toBe("succeeded");
  expect(await whole.statuses()).toEqual({ cached: ["twice", "fit"] });
  // A short log is left to the next run: kept for those who damage the log, folded in for those who damage the database.
  logged = copyOf(whole);
  const database = new DatabaseSync(stateOf(whole));
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
});
afterAll(() => {
  for (const project of [whole, ...copies]) project[Symbol.dispose]();
});

function copyOf(original: Project): Project {
  const project = new Project(files);
  copies.push(project);
  cpSync(join(original.root, ".mlpipe"), join(project.root, ".mlpipe"), { recursive: true });
  return project;
}

const copyOfWhole = (): Project => copyOf(whole);

const stateOf = (project: Project): string => join(project.root, ".mlpipe/state.db");
const outputsOf = ({ steps }: RunJson): unknown => steps.map(({ id, outputs }) => ({ id, outputs }));

/** What a plain run makes of a database, whatever was done to it; then a repair, for what the run did not come across. */
async function recovered(project: Project): Promise<unknown> {
  const child = await finished(project.start(["run", "--json"]));
  const repaired = await project.mlpipe("verify", "--repair");
  const verified = await project.mlpipe("verify");
  const database = new DatabaseSync(stateOf(project), { readOnly: true });
  const integrity = database.prepare("PRAGMA integrity_check").get()?.["integrity_check"];
  database.close();
  return {
    run: child.exit === 0 ? outputsOf(JSON.parse(child.stdout) as RunJson) : child,
    artifact: project.read("artifacts/line/model.txt"),
    repaired: repaired.exit === 0 || repaired,
    verified: verified.exit === 0 || verified,
    integrity,
  };
}

const right = (): unknown => ({
  run: outputsOf(first),
  artifact: "8\n1\n",
  repaired: true,
  verified: true,
  integrity: "ok",
});

describe("a state database", () => {
  it("that was deleted is rebuilt: nothing runs again, the runs are listed", async () => {
    const project = copyOfWhole();
    for (const end of ["", "-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
    const runs = await project.mlpipe("runs");
    expect(runs.exit).toBe(4);
    expect(runs.stderr).toContain("MLP4015");
    expect(existsSync(stateOf(project))).toBe(false);

    const again = await project.mlpipe("run");
    expect(again.exit, again.stderr).toBe(0);
    expect(again.stderr).toContain(
      "The state database was gone. It was rebuilt from the records: 2 runs, 2 kept results.",
    );
    expect(again.stdout).toContain("2 cached");
    expect(existsSync(join(project.root, "twice.mark"))).toBe(false);
    const listed = JSON.parse((await project.mlpipe("runs", "--json")).stdout) as {
      runs: readonly { run: string; status: string }[];
    };
    expect(listed.runs.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
    expect(listed.runs.at(-1)?.run).toBe(first.run);
    const shown = await project.mlpipe("show", first.run.slice(0, 18), "--json");
    const before = await whole.mlpipe("show", first.run.slice(0, 18), "--json");
    expect(JSON.parse(shown.stdout)).toEqual(JSON.parse(before.stdout));
  });

  it("that was overwritten is put aside and rebuilt", async () => {
    const project = copyOfWhole();
    overwriteHeader(project);
    const again = await project.mlpipe("run");
    expect(again.exit, again.stderr).toBe(0);
    expect(again.stderr).toMatch(
      /^The state database was damaged and was put aside as \.mlpipe\/state\.db\.damaged-\w+\. It was rebuilt from the records: 2 runs, 2 kept results\.$/m,
    );
    expect(again.stdout).toContain("2 cached");
    expect(
      readdirSync(join(project.root, ".mlpipe")).some((name) => name.startsWith("state.db.damaged-")),
    ).toBe(true);
  });

  it("that is a folder is put aside and rebuilt, by a run as by verify --repair", async () => {
    for (const command of [["run"], ["verify", "--repair"]]) {
      const project = copyOfWhole();
      for (const end of ["", "-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
      mkdirSync(stateOf(project));
      const verified = await project.mlpipe("verify");
      expect([verified.exit, verified.stdout + verified.stderr]).toEqual([
        4,
        expect.stringContaining("it is a folder"),
      ]);
      expect(await project.mlpipe("runs")).toMatchObject({
        exit: 4,
        stderr: expect.stringMatching(/MLP4002 .*state\.db is damaged: it is a folder/),
      });
      const mended = await project.mlpipe(...command);
      expect(mended.exit, mended.stderr).toBe(0);
      expect(await project.statuses()).toEqual({ cached: ["twice", "fit"] });
    }
  });

  it("that is a link which leads nowhere is put aside and rebuilt too", async () => {
    for (const command of [["run"], ["verify", "--repair"]]) {
      const project = copyOfWhole();
      for (const end of ["", "-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
      symlinkSync(join(project.root, "no-more/state.db"), stateOf(project));
      expect(await project.mlpipe("runs")).toMatchObject({
        exit: 4,
        stderr: expect.stringMatching(/MLP4002 .*state\.db is damaged: it is a link that leads nowhere/),
      });
      const mended = await project.mlpipe(...command);
      expect(mended.exit, mended.stderr).toBe(0);
      expect(lstatSync(stateOf(project)).isFile()).toBe(true);
      expect(await project.statuses()).toEqual({ cached: ["twice", "fit"] });
    }
  });

  it("truncated or with a flipped bit, at many places: never a wrong hit, never a manual step", async () => {
    const { size } = statSync(stateOf(whole));
    const rounds = Number(process.env["MLPIPE_FAULT_ROUNDS"] ?? 12);
    for (let round = 0; round < rounds; round++) {
      const project = copyOfWhole();
      // Spread over the file, off the page boundaries; and some in the header, where most of the meaning is.
      const at = round % 4 === 3 ? (round * 7) % 100 : Math.floor(((round + 0.37) * size) / rounds);
      // The version of the schema: a larger one is a newer mlpipe's, which is left alone.
      if (at >= 60 && at < 64) continue;
      if (round % 2 === 0) truncateSync(stateOf(project), at);
      else flip(stateOf(project), at);
      expect(
        await recovered(project),
        `${round % 2 === 0 ? "truncated" : "flipped"} at ${at} of ${size}`,
      ).toEqual(right());
    }
  }, 600_000);

  it("that lost its last runs is told them by gc, which drops nothing of theirs", async () => {
    const project = copyOfWhole();
    await project.run();
    const before = `${stateOf(project)}.before`;
    new DatabaseSync(stateOf(project)).exec("PRAGMA wal_checkpoint(TRUNCATE)");
    copyFileSync(stateOf(project), before);
    const lost = await project.run("-s", "shrink=0.25");
    expect(lost.steps.map(({ status }) => status)).toEqual(["cached", "ran"]);
    for (const end of ["-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
    renameSync(before, stateOf(project));
    const verified = await project.mlpipe("verify");
    expect([verified.exit, verified.stdout]).toEqual([
      0,
      expect.stringMatching(/runs\/\S+: the database knows nothing of this run; --repair takes it in/),
    ]);
    const collected = await project.mlpipe("gc");
    expect([collected.exit, collected.stdout]).toEqual([0, expect.stringContaining("Nothing to collect")]);
    expect((await project.mlpipe("runs")).stdout).toContain(lost.run.slice(0, 18));
    expect(await project.statuses("-s", "shrink=0.25")).toEqual({ cached: ["twice", "fit"] });
  });

  it("whose write-ahead log was truncated or has a flipped bit: never a wrong hit either", async () => {
    const { size } = statSync(`${stateOf(logged)}-wal`);
    expect(size).toBeGreaterThan(0);
    const rounds = Number(process.env["MLPIPE_FAULT_ROUNDS"] ?? 6);
    for (let round = 0; round < rounds; round++) {
      const project = copyOf(logged);
      const at = Math.floor(((round + 0.61) * size) / rounds);
      const log = `${stateOf(project)}-wal`;
      if (round % 2 === 0) truncateSync(log, at);
      else flip(log, at);
      const what = `the log ${round % 2 === 0 ? "truncated" : "flipped"} at ${at} of ${size}`;
      expect(await recovered(project), what).toEqual(right());
    }
  }, 600_000);

  it("whose every byte of a result was flipped never gives another result", async () => {
    const bytes = readFileSync(stateOf(whole));
    const digest = first.steps[1]?.outputs["model"]?.digest ?? "";
    const places: number[] = [];
    for (let at = bytes.indexOf(digest); at >= 0; at = bytes.indexOf(digest, at + 1)) places.push(at);
    expect(places.length).toBeGreaterThan(2);
    for (const at of places) {
      const project = copyOfWhole();
      flip(stateOf(project), at + 3);
      expect(await recovered(project), `flipped at ${at + 3}, in a digest`).toEqual(right());
    }
  }, 600_000);
});

describe("a damaged database and several runs", () => {
  it("ten at once rebuild it once, and all are right", async () => {
    const project = copyOfWhole();
    overwriteHeader(project);
    const ends = await Promise.all(
      Array.from({ length: 10 }, () => finished(project.start(["run", "--json"]))),
    );
    expect(ends.map(({ exit, stderr }) => (exit === 0 ? 0 : stderr))).toEqual(ends.map(() => 0));
    for (const { stdout } of ends) expect(outputsOf(JSON.parse(stdout) as RunJson)).toEqual(outputsOf(first));
    expect(ends.filter(({ stderr }) => stderr.includes("It was rebuilt from the records"))).toHaveLength(1);
    const aside = readdirSync(join(project.root, ".mlpipe")).filter((name) => /damaged-\w+$/.test(name));
    expect(aside).toHaveLength(1);
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });

  it("leave it in place under a run that is executing", async () => {
    const project = copyOfWhole();
    project.edit(
      "fit.py",
      "import sys",
      "import os, sys, time\nopen('waiting.mark', 'w')\nwhile not os.path.exists('go.mark'): time.sleep(0.02)",
    );
    const held = finished(project.start(["run", "--json"]));
    while (!existsSync(join(project.root, "waiting.mark"))) await pause(20);
    // Deleted, since what is damaged may well not show while the log still has a younger copy of a page.
    for (const end of ["", "-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
    const other = await project.mlpipe("run");
    expect(other.exit).toBe(4);
    expect(other.stderr).toContain("MLP4016");
    expect(other.stderr).toMatch(/has to be replaced, and run [0-9a-f-]+ is using it/);
    project.write({ "go.mark": "" });
    const { exit, stdout, stderr } = await held;
    expect(exit, stderr).toBe(0);
    expect(outputsOf(JSON.parse(stdout) as RunJson)).toEqual(outputsOf(first));
    const next = await project.mlpipe("run");
    expect(next.exit, next.stderr).toBe(0);
    expect(next.stderr).toContain("It was rebuilt from the records: 3 runs, 3 kept results.");
    expect(next.stdout).toContain("2 cached");
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });
});

describe("records", () => {
  it("whose last line nobody vouches for give no result", async () => {
    const project = copyOfWhole();
    for (const end of ["", "-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
    const path = `.mlpipe/runs/${first.run}/records.jsonl`;
    const lines = project.read(path).trimEnd().split("\n");
    // As after a crash: the last line is a step run, and no end follows.
    const cut = lines.slice(0, -1);
    expect(cut.at(-1)).toContain('"type":"step-run"');
    project.write({ [path]: `${cut.join("\n")}\n` });
    expect(await project.statuses()).toEqual({ cached: ["twice"], ran: ["fit"] });
  });

  it("with a flipped bit in a result give no result from there on", async () => {
    const project = copyOfWhole();
    for (const end of ["", "-wal", "-shm"]) rmSync(stateOf(project) + end, { force: true });
    const path = `.mlpipe/runs/${first.run}/records.jsonl`;
    project.edit(path, '"outputs":{"m":{', '"outputs":{"w":{');
    expect(await project.statuses()).toEqual({ ran: ["twice", "fit"] });
    expect(project.read("artifacts/line/model.txt")).toBe("8\n1\n");
  });
});

function overwriteHeader(project: Project): void {
  const descriptor = openSync(stateOf(project), "r+");
  writeSync(descriptor, Buffer.alloc(4096, "rubbish "), 0, 4096, 0);
  closeSync(descriptor);
}

function flip(path: string, at: number): void {
  const descriptor = openSync(path, "r+");
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 0x04;
  writeSync(descriptor, byte, 0, 1, at);
  closeSync(descriptor);
}
