/** What Pythons open that a step's program starts: behind shell scripts, launchers, pools of processes and make. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "./project.ts";

const learn = `import json, sys
from lib.model import weight
rate = json.load(open("conf/rate.json"))
open(sys.argv[1], "w").write(str(weight * rate))
`;

/** A step whose command is `command` and which names `files`; what it starts imports a module and reads a file. */
function project(
  command: string,
  files: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Project {
  return new Project({
    "learn.py": learn,
    "lib/__init__.py": "",
    "lib/model.py": "weight = 2\n",
    "conf/rate.json": "3",
    "steps.ts": `import { cmd, data, file } from "mlpipe";
export const fit = data("fit", {
  files: ${JSON.stringify(files)},
  outputs: { made: file("txt") },
  command: (_i, o) => cmd\`${command} \${o.made}\`,
});
`,
    "line.pipeline.ts": `import { pipeline } from "mlpipe";
import { fit } from "./steps.ts";
export default pipeline("line", () => fit({}));
`,
    ...more,
  });
}

/** The files that a run warns of: those that were loaded as code, and those that were read. */
async function warnings(ran: Project): Promise<{ loaded: readonly string[]; read: readonly string[] }> {
  const { stderr } = await ran.mlpipe("run");
  const named = (verb: string): readonly string[] =>
    [...stderr.matchAll(new RegExp(`^warning {2}fit: fit ${verb} (\\S+), which`, "gm"))]
      .map((match) => match[1] ?? "")
      .toSorted();
  return { loaded: named("loaded"), read: named("read") };
}

const launcher = `import subprocess, sys
sys.exit(subprocess.run([sys.executable, *sys.argv[1:]]).returncode)
`;
const spawning = `import multiprocessing, sys
def work(place):
    from lib.model import weight
    open(place, "w").write(str(weight * int(open("conf/rate.json").read())))
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(work, sys.argv[1:])
`;

describe("a Python that is started by", () => {
  it.each([
    ["a shell script", "bash train.sh", "train.sh", 'set -e\npython3 learn.py "$1"\n'],
    ["make", "make -f rules train", "rules", "train:\n\tpython3 learn.py $(OUT)\n"],
  ])("%s: modules are named until files has them, and data is warned of", async (_, start, file, text) => {
    using ran = project(start, [file], { [file]: text });
    if (file === "rules") ran.edit("steps.ts", "${o.made}", "OUT=${o.made}");
    expect(await warnings(ran)).toEqual({
      loaded: ["learn.py", "lib/__init__.py", "lib/model.py"],
      read: ["conf/rate.json"],
    });
    ran.edit("lib/model.py", "2", "5");
    expect(await ran.statuses()).toEqual({ ran: ["fit"] });
    expect(ran.read("artifacts/line/made.txt")).toBe("15");

    ran.edit("steps.ts", JSON.stringify([file]), JSON.stringify([file, "learn.py", "lib/**", "conf/**"]));
    expect(await warnings(ran)).toEqual({ loaded: [], read: [] });
    expect(await ran.statuses()).toEqual({ cached: ["fit"] });
    ran.edit("lib/model.py", "5", "7");
    expect(await ran.statuses()).toEqual({ ran: ["fit"] });
  });

  it("a launcher written in Python: its modules are known, and data is warned of", async () => {
    using ran = project("python3 launch.py learn.py", [], { "launch.py": launcher });
    expect(await warnings(ran)).toEqual({ loaded: [], read: ["conf/rate.json"] });
  });

  it("a launcher that is given the module's name in pieces: the module is named", async () => {
    using ran = project("python3 launch.py --module", ["launch.py"], {
      "launch.py": launcher.replace("*sys.argv[1:]", '"lea" + "rn.py", sys.argv[2]'),
    });
    expect(await warnings(ran)).toEqual({
      loaded: ["learn.py", "lib/__init__.py", "lib/model.py"],
      read: ["conf/rate.json"],
    });
  });

  it("a pool of processes", async () => {
    using ran = project("python3 pool.py", [], { "pool.py": spawning });
    expect(await warnings(ran)).toEqual({ loaded: [], read: ["conf/rate.json"] });
  });
});

/** A file that is no part of the system, nor hidden, nor among what programs leave for a while. */
const elsewhere = import.meta.filename;
const isSomewhere = !/^\/(?:tmp|usr|var|private)\/|\/\./.test(elsewhere);

describe.runIf(isSomewhere)("data outside the project that a step opens undeclared", () => {
  it("is warned of, by its own path and by a link; what Python itself opens there is not", async () => {
    using ran = project("python3 read.py", [], {
      "read.py": `import sys, csv, json, ssl, encodings.idna, zoneinfo
open(${JSON.stringify(elsewhere)}).read()
open("data/link.ts").read()
open("/etc/passwd").read()
zoneinfo.ZoneInfo("UTC")
open(sys.argv[1], "w").close()
`,
      "data/kept.csv": "",
    });
    symlinkSync(elsewhere, join(ran.root, "data/link.ts"));
    expect(await warnings(ran)).toEqual({
      loaded: [],
      read: [expect.stringMatching(/watched-children\.test\.ts$/), "data/link.ts"],
    });
  });

  it("is not warned of once it is a source", async () => {
    using ran = project("python3 read.py ${i.text}", [], {
      "read.py": "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n",
    });
    ran.edit("steps.ts", "outputs:", 'inputs: { text: file("ts") },\n  outputs:');
    ran.edit("steps.ts", "(_i, o)", "(i, o)");
    ran.edit(
      "line.pipeline.ts",
      "fit({})",
      `fit({ text: source(${JSON.stringify(elsewhere)}, file("ts")) })`,
    );
    ran.edit("line.pipeline.ts", "{ pipeline }", "{ file, pipeline, source }");
    expect(await warnings(ran)).toEqual({ loaded: [], read: [] });
  });
});

describe("what a step opens undeclared is told in few lines", () => {
  it("of a folder with many files, as one of the folder; of a few, by name", async () => {
    const pictures = Array.from({ length: 30 }, (_, index) => `data/pictures/${index % 3}/${index}.png`);
    using ran = project("python3 walk.py", [], {
      "walk.py": `import glob, sys
for path in glob.glob("data/pictures/*/*.png") + ["conf/rate.json"]:
    open(path).read()
open(sys.argv[1], "w").close()
`,
      ...Object.fromEntries(pictures.map((path) => [path, ""])),
    });
    const { stderr } = await ran.mlpipe("run");
    expect(stderr.split("\n").filter((line) => line.startsWith("warning"))).toEqual([
      "warning  fit: fit read 30 files below data/pictures, which no port declares: an edit of one of them re-runs nothing.",
      "warning  fit: fit read conf/rate.json, which no port declares: an edit of it re-runs nothing.",
    ]);
  });

  it("of many modules, as one line with what to name", async () => {
    using ran = project("bash train.sh", ["train.sh"], {
      "train.sh": 'python3 all.py "$1"\n',
      "all.py": `import sys, ${Array.from({ length: 9 }, (_, index) => `parts.m${index}`).join(", ")}
open(sys.argv[1], "w").close()
`,
      ...Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`parts/m${index}.py`, ""])),
    });
    const { stderr } = await ran.mlpipe("run");
    expect(stderr.split("\n").filter((line) => line.startsWith("warning"))).toEqual([
      'warning  fit: fit loaded all.py, parts/m0.py, parts/m1.py and 7 more modules, which its key does not hold: the result is not cached. Name them: files: ["all.py","parts/*.py"].',
    ]);
    ran.edit("steps.ts", '["train.sh"]', '["train.sh", "all.py", "parts/*.py"]');
    expect(await ran.statuses()).toEqual({ ran: ["fit"] });
    expect(await ran.statuses()).toEqual({ cached: ["fit"] });
  });
});
