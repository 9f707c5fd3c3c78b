/** `checkpoint()`: a training that did not end goes on where it was, through the real command line. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";

/**
 * A training of six epochs, in both languages. Each epoch is added to `epochs.txt`, and its number to the
 * checkpoint. `trouble.txt` says what happens after the third: nothing keyed knows of it.
 */
const training: Readonly<Record<string, string>> = {
  "fit.ts": `import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import { checkpoint, cmd, model, seed, train } from "mlpipe";
import { z } from "zod";
const ports = { inputs: { lr: z.number(), seed: seed(), checkpoint: checkpoint() }, outputs: { model: model("json") } } as const;
export const fit = train("fit", {
  ...ports,
  async run({ lr, checkpoint }, out) {
    const state = checkpoint.path + "/epoch";
    const done = Number(await readFile(state, "utf8").catch(() => "0"));
    console.log("starting after epoch " + done);
    for (let epoch = done + 1; epoch <= 6; epoch++) {
      await appendFile("epochs.txt", "typescript " + epoch + "\\n");
      await writeFile(state + ".new", String(epoch));
      await rename(state + ".new", state);
      const trouble = await readFile("trouble.txt", "utf8").catch(() => "");
      if (epoch === 3 && trouble === "fail") throw new Error("out of luck");
      if (epoch === 3 && trouble === "once") {
        await writeFile("trouble.txt", "");
        throw new Error("out of luck");
      }
      if (epoch === 3 && trouble === "hang") {
        await writeFile("pid.txt", process.pid + "\\n");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      }
    }
    await out.model.write(JSON.stringify({ lr, epochs: 6 }));
  },
});
export const fitInPython = train("fit-python", {
  ...ports,
  command: (i, o) => cmd\`python3 fit.py \${i.checkpoint} \${i.lr} \${o.model}\`,
});
`,
  "fit.py": `import os, sys, time
folder, lr, out = sys.argv[1:]
state = os.path.join(folder, "epoch")
done = int(open(state).read()) if os.path.exists(state) else 0
print("starting after epoch", done)
for epoch in range(done + 1, 7):
    with open("epochs.txt", "a") as log:
        log.write("python %d\\n" % epoch)
    with open(state + ".new", "w") as file:
        file.write(str(epoch))
    os.replace(state + ".new", state)
    trouble = open("trouble.txt").read() if os.path.exists("trouble.txt") else ""
    if epoch == 3 and trouble == "fail":
        sys.exit("out of luck")
    if epoch == 3 and trouble == "once":
        open("trouble.txt", "w").close()
        sys.exit("out of luck")
    if epoch == 3 and trouble == "hang":
        with open("pid.txt", "w") as file:
            file.write("%d\\n" % os.getpid())
        time.sleep(60)
open(out, "w").write('{"lr": %s, "epochs": 6}' % lr)
`,
  "work.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { fit, fitInPython } from "./fit.ts";
export default pipeline("work", z.object({ lr: z.number().default(0.1), timeout: z.string().default("1m"), retry: z.int().default(0), python: z.boolean() }), (p) => {
  const step = p.python ? fitInPython : fit;
  return step.with({ timeout: p.timeout, retry: p.retry })({ lr: p.lr, seed: 1 });
});
`,
};

function epochs(project: Project): readonly number[] {
  const text = existsSync(join(project.root, "epochs.txt")) ? project.read("epochs.txt") : "";
  return text
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ")[1]));
}

function checkpoints(project: Project): readonly string[] {
  const folder = join(project.root, ".mlpipe/checkpoints");
  return existsSync(folder) ? readdirSync(folder) : [];
}

async function untilThere(project: Project, path: string): Promise<string> {
  for (let tries = 0; tries < 400; tries++) {
    if (existsSync(join(project.root, path)) && project.read(path).endsWith("\n"))
      return project.read(path).trim();
    await pause(25);
  }
  throw new Error(`${path} never came`);
}

function lastLog(project: Project): Promise<string> {
  return project.mlpipe("logs", "last").then(({ stdout }) => stdout);
}

describe.each([
  ["TypeScript", "python=false", "fit"],
  ["Python", "python=true", "fit-python"],
])("a checkpoint of a training in %s", (_language, language, step) => {
  const args = ["-s", language] as const;

  it("survives kill -9 of mlpipe and of the training, and is gone once the step has succeeded", async () => {
    using project = new Project({ ...training, "trouble.txt": "hang" });
    const child = project.start(["run", ...args]);
    const ended = finished(child);
    const pid = Number(await untilThere(project, "pid.txt"));
    child.kill("SIGKILL");
    process.kill(pid, "SIGKILL");
    expect((await ended).signal).toBe("SIGKILL");
    expect(epochs(project)).toEqual([1, 2, 3]);
    expect(checkpoints(project)).toEqual([expect.stringMatching(new RegExp(`^${step}-[0-9a-f]{16}$`))]);

    project.write({ "trouble.txt": "" });
    const { status, exit } = await project.run(...args);
    expect([status, exit]).toEqual(["succeeded", 0]);
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await lastLog(project)).toBe("starting after epoch 3\n");
    expect(checkpoints(project)).toEqual([]);
    expect(await project.statuses(...args)).toEqual({ cached: [step] });
  });

  it("survives a failure, a timeout and Ctrl-C", async () => {
    using project = new Project({ ...training, "trouble.txt": "fail" });
    expect(await project.statuses(...args)).toEqual({ failed: [step] });
    expect(checkpoints(project)).toHaveLength(1);
    project.write({ "trouble.txt": "" });
    await project.run(...args);
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);

    // Scheduling is no part of the key, so the attempts of one key may have different limits.
    project.write({ "trouble.txt": "hang", "epochs.txt": "" });
    const late = await project.run(...args, "-s", "lr=0.2", "-s", "timeout=3s");
    expect(late.steps[0]?.error?.code).toBe("MLP3004");
    project.write({ "trouble.txt": "" });
    await project.run(...args, "-s", "lr=0.2");
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);

    project.write({ "trouble.txt": "hang", "epochs.txt": "", "pid.txt": "" });
    const child = project.start(["run", ...args, "-s", "lr=0.3"]);
    const ended = finished(child);
    await untilThere(project, "pid.txt");
    child.kill("SIGINT");
    expect((await ended).exit).toBe(130);
    project.write({ "trouble.txt": "" });
    await project.run(...args, "-s", "lr=0.3");
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(checkpoints(project)).toEqual([]);
  });

  it("serves the next attempt of a retry, and no other key", async () => {
    using project = new Project({ ...training, "trouble.txt": "once" });
    expect(await project.statuses(...args, "-s", "retry=1")).toEqual({ ran: [step] });
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);

    project.write({ "trouble.txt": "fail", "epochs.txt": "" });
    await project.run(...args, "-s", "lr=0.2");
    project.write({ "trouble.txt": "", "epochs.txt": "" });
    await project.run(...args, "-s", "lr=0.3");
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await lastLog(project)).toBe("starting after epoch 0\n");
    // The one of the key that failed is still there.
    expect(checkpoints(project)).toHaveLength(1);
  });

  it("is not gone on from when a step is run again to compare", async () => {
    using project = new Project(training);
    await project.run(...args);
    project.write({ "trouble.txt": "fail", "epochs.txt": "" });
    await project.run(...args, "--force");
    expect(checkpoints(project)).toHaveLength(1);
    project.write({ "trouble.txt": "", "epochs.txt": "" });
    const { exit, steps } = await project.run(...args, "--check");
    expect([exit, steps[0]?.check]).toEqual([0, expect.objectContaining({ same: true })]);
    expect(epochs(project)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(checkpoints(project)).toEqual([]);
  });
});

it("a checkpoint may be written in a hermetic run, and without one nobody is warned of it", async () => {
  using project = new Project({
    "fit.ts": `import { readFile, writeFile } from "node:fs/promises";
import { checkpoint, cmd, file, seed, train } from "mlpipe";
const ports = { inputs: { seed: seed(), saved: checkpoint() }, outputs: { out: file("txt") } } as const;
export const fit = train("fit", {
  ...ports,
  async run({ saved }, out) {
    await writeFile(saved.path + "/epoch", "1");
    await out.out.write(await readFile(saved.path + "/epoch", "utf8"));
  },
});
export const fitInPython = train("fit-python", { ...ports, command: (i, o) => cmd\`python3 fit.py \${i.saved} \${o.out}\` });
`,
    "fit.py": `import os, sys
folder, out = sys.argv[1:]
open(os.path.join(folder, "epoch"), "w").write("1")
open(out, "w").write(open(os.path.join(folder, "epoch")).read())
`,
    "work.pipeline.ts": `import { pipeline } from "mlpipe";
import { fit, fitInPython } from "./fit.ts";
export default pipeline("work", () => ({ typescript: fit({ seed: 1 }).out, python: fitInPython({ seed: 1 }).out }));
`,
  });
  const hermetic = await project.mlpipe("run", "--hermetic");
  expect([hermetic.exit, hermetic.stderr]).toEqual([0, expect.not.stringContaining("MLP305")]);
  const plain = await project.mlpipe("run", "--force");
  expect([plain.exit, plain.stderr]).toEqual([0, expect.not.stringContaining("warning")]);
});

it("a checkpoint is neither given by a call, nor an output, nor of a gate", async () => {
  using project = new Project({ ...training });
  const failure = async (from: string, to: string, file = "fit.ts"): Promise<string> => {
    const before = project.read(file);
    project.edit(file, from, to);
    const { exit, stderr } = await project.mlpipe("plan", "-s", "python=false");
    project.write({ [file]: before });
    return `${exit} ${stderr.split("\n")[0]}`;
  };
  expect(
    await failure("({ lr: p.lr, seed: 1 })", "({ lr: p.lr, seed: 1, checkpoint: 3 })", "work.pipeline.ts"),
  ).toBe('2 MLP1006  "fit" was given something as checkpoint, which is a checkpoint: mlpipe gives it.');
  expect(
    await failure('{ model: model("json") }', '{ model: model("json"), saved: checkpoint() }'),
  ).toContain("has the output saved of kind checkpoint, which only inputs can have");
});
