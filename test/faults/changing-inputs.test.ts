/**
 * Promise 10: a file edited in the same instant, with the same size and a restored mtime, is seen; a file that changes
 * while a run goes on is cached under neither content.
 */
import { closeSync, openSync, readFileSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { isFull, sweepTimeoutMs } from "./extent.ts";
import { until } from "./processes.ts";
import { scripts, untilGo, write } from "./scripts.ts";
import { openStore } from "@mlpipe/store";

const copying: Readonly<Record<string, string>> = {
  "in.txt": "round 0000\n",
  "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
export const copy = data("copy", {
  inputs: { text: file("txt"), folder: dir() },
  outputs: { text: file("txt"), part: file("txt") },
  command: (i, o) => cmd\`sh copy.sh \${i.text} \${o.text} \${i.folder}/part.txt \${o.part}\`,
  files: ["copy.sh"],
});
`,
  "copy.sh": `cp "$1" "$2" && cp "$3" "$4"\n`,
  "folder/part.txt": "round 0000\n",
  "copy.pipeline.ts": `import { dir, file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
export default pipeline("copy", z.object({}), () => {
  const { text, part } = copy({ text: source("in.txt", file("txt")), folder: source("folder", dir()) });
  return { text, part };
});
`,
};

/** Writes the same number of bytes in place and puts the old time back. */
function editInPlace(path: string, text: string): void {
  const { atime, mtime, size } = statSync(path);
  const file = openSync(path, "r+");
  writeSync(file, text);
  closeSync(file);
  utimesSync(path, atime, mtime);
  expect(statSync(path).size).toBe(size);
}

describe("an input that changes", () => {
  it(
    "in place, with its size and its time kept, right after it was looked at: every edit is seen by run",
    async () => {
      using project = new Project(copying);
      const rounds = isFull ? 200 : 10;
      for (let round = 1; round <= rounds; round++) {
        const text = `round ${String(round).padStart(4, "0")}\n`;
        const path = join(project.root, round % 2 === 0 ? "in.txt" : "folder/part.txt");
        editInPlace(path, text);
        expect(await project.statuses()).toEqual({ ran: ["copy"] });
        expect(project.read(`artifacts/copy/${round % 2 === 0 ? "text" : "part"}.txt`)).toBe(text);
      }
    },
    sweepTimeoutMs,
  );

  it("200 times in the very instant in which it is looked at: every edit is seen by the index", () => {
    using project = new Project(copying);
    using store = openStore(join(project.root, ".mlpipe"));
    const path = join(project.root, "in.txt");
    const seen = new Set<string>();
    for (let round = 0; round < 200; round++) {
      writeFileSync(path, `round ${String(round).padStart(4, "0")}\n`);
      const first = store.index.contentOf(path).digest;
      editInPlace(path, `other ${String(round).padStart(4, "0")}\n`);
      const second = store.index.contentOf(path).digest;
      store.index.flush();
      seen.add(first).add(second);
    }
    expect(seen.size).toBe(400);
  });

  it.each(["in.txt", "folder/part.txt"])(
    "and back again while its step runs (%s): what was read between is not kept",
    async (path) => {
      using project = new Project({
        ...copying,
        "copy.sh": `[ -e go.mark ] || printf 'other 0000\\n' >${path}
cp "$1" "$2" && cp "$3" "$4"
[ -e go.mark ] || printf 'round 0000\\n' >${path}
`,
      });
      const run = await project.run();
      expect(run.steps[0]).toMatchObject({ status: "failed", error: { code: "MLP3007" } });
      project.write({ "go.mark": "" });
      expect((await project.run()).exit).toBe(0);
      expect(project.read("artifacts/copy/text.txt") + project.read("artifacts/copy/part.txt")).toBe(
        "round 0000\n".repeat(2),
      );
    },
  );

  it(
    "all the while runs go on: nothing is ever kept under a content that it was not made of",
    async () => {
      using project = new Project(copying);
      const path = join(project.root, "in.txt");
      // From another thread, so that it changes at every moment of a run.
      const stop = new SharedArrayBuffer(4);
      const worker = new Worker(
        `const { workerData } = require("node:worker_threads");
const { writeFileSync } = require("node:fs");
const stop = new Int32Array(workerData.stop);
for (let n = 0; Atomics.load(stop, 0) === 0; n++) {
  writeFileSync(workerData.path, "round " + String(n % 3).padStart(4, "0") + "\\n");
  Atomics.wait(stop, 0, 0, 10 + (n * 7) % 40);
}`,
        { eval: true, workerData: { path, stop } },
      );
      const done = new Promise((resolve) => worker.once("exit", resolve));
      const codes = new Set<string>();
      for (let round = 0; round < (isFull ? 60 : 8); round++) {
        const { exit, stdout, stderr } = await project.mlpipe("run", "--json");
        expect([0, 1, 4], stderr).toContain(exit);
        codes.add(/MLP\d{4}/.exec(stdout)?.[0] ?? String(exit));
      }
      Atomics.store(new Int32Array(stop), 0, 1);
      Atomics.notify(new Int32Array(stop), 0);
      await done;
      // Whatever was kept meanwhile, of each content the next run gives the copy of that content.
      for (let n = 0; n < 3; n++) {
        const text = `round ${String(n).padStart(4, "0")}\n`;
        writeFileSync(path, text);
        expect((await project.run()).exit).toBe(0);
        expect(readFileSync(join(project.root, "artifacts/copy/text.txt"), "utf8")).toBe(text);
      }
      expect(
        [...codes].every((code) => code === "0" || code === "MLP3007" || code.startsWith("MLP4")),
        [...codes].join(),
      ).toBe(true);
    },
    sweepTimeoutMs,
  );
});

it("an input that two steps have, altered by one of them: neither is accused, and both are named", async () => {
  using project = new Project(
    scripts({
      first: { py: write },
      alters: {
        needs: "first",
        py: `os.chmod(before, 0o644)\nopen(before, "a").write("damage")\nopen("altered.mark", "w")\n${untilGo}${write}`,
      },
      reads: {
        needs: "first",
        py: `while not os.path.exists("altered.mark"): time.sleep(0.02)\n${write}`,
      },
    }),
  );
  const run = project.start(["run", "--ndjson", "--jobs", "2"]);
  let said = "";
  run.stdout?.on("data", (text: Buffer) => (said += text.toString()));
  const ended = finished(run);
  const outcomeOf = (step: string): StepFinished["outcome"] | undefined =>
    said
      .split("\n")
      .filter((line) => line.includes('"type":"step-finished"'))
      .map((line) => JSON.parse(line) as StepFinished)
      .find(({ outcome }) => outcome.id === step)?.outcome;
  // Who has altered it is still at work when the other one finds out.
  await until(() => outcomeOf("reads") !== undefined);
  expect(outcomeOf("alters")).toBeUndefined();
  project.write({ "go.mark": "" });
  expect((await ended).exit).toBe(1);
  for (const [step, other] of [
    ["reads", "alters"],
    ["alters", "reads"],
  ] as const) {
    expect(outcomeOf(step)?.error).toMatchObject({
      code: "MLP3007",
      message: `The input before of "${step}", made by first, was altered while the step had it.`,
      hint: expect.stringContaining(
        `"${step}" and "${other}" had it at the time: one of them has written to it`,
      ),
    });
  }
  project.edit("alters.py", 'open(before, "a").write("damage")\n', "");
  expect((await project.run()).exit).toBe(0);
  expect(project.read("artifacts/work/first.txt")).toBe("done");
});

interface StepFinished {
  readonly outcome: { readonly id: string; readonly error?: unknown };
}
