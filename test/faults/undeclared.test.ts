/**
 * What a step opens and does not declare: refused by name under `--hermetic`, for TypeScript and
 * Python, and a word about it without.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { findFence } from "@mlpipe/executor/fence";
import { describe, expect, it } from "vitest";
import { finished, mlpipe, Project, type RunJson } from "../e2e/project.ts";
import { smallPipeline, smallSteps } from "../e2e/small-pipeline.ts";

/** What a step tries, in both languages, and what the error must name. */
interface Attempted {
  readonly code: string;
  readonly name: string;
  readonly typescript: string;
  readonly python: string;
}

/** `LEAK` and `SIBLING` stand for absolute paths that are known once the project is there. */
const tries: Readonly<Record<string, Attempted>> = {
  "a file beside the project": {
    code: "MLP3050",
    name: "../secret.csv",
    typescript: `readFileSync("../secret.csv", "utf8")`,
    python: `open("../secret.csv").read()`,
  },
  "a file of the project that no port declares": {
    code: "MLP3050",
    name: "data/extra.csv",
    typescript: `readFileSync("data/extra.csv", "utf8")`,
    python: `open("data/extra.csv").read()`,
  },
  "an absolute path": {
    code: "MLP3050",
    name: "secret.csv",
    typescript: `readFileSync("LEAK", "utf8")`,
    python: `open("LEAK").read()`,
  },
  "a link in the project that leads out of it": {
    code: "MLP3050",
    name: "data/link.csv",
    typescript: `readFileSync("data/link.csv", "utf8")`,
    python: `open("data/link.csv").read()`,
  },
  "a link in an input folder that leads out of it": {
    code: "MLP3050",
    name: "leak.csv",
    typescript: `readFileSync(folder.path + "/leak.csv", "utf8")`,
    python: `open(os.path.join(folder, "leak.csv")).read()`,
  },
  "a link that the step makes itself": {
    code: "MLP3050",
    name: "secret.csv",
    typescript: `execFileSync("sh", ["-c", 'ln -s LEAK "$TMPDIR/l" && cat "$TMPDIR/l" || cat LEAK'], { encoding: "utf8" })`,
    python: `(os.symlink("LEAK", os.environ["TMPDIR"] + "/l"), open(os.environ["TMPDIR"] + "/l").read() and "")[1]`,
  },
  "a child process": {
    code: "MLP3050",
    name: "../secret.csv",
    typescript: `execFileSync("cat", ["../secret.csv"], { encoding: "utf8" })`,
    python: `subprocess.run(["cat", "../secret.csv"], check=True, capture_output=False, stdout=subprocess.PIPE, text=True).stdout`,
  },
  "the output of another step": {
    code: "MLP3051",
    name: "SIBLING",
    typescript: `(writeFileSync("SIBLING", "mine"), "written")`,
    python: `str(open("SIBLING", "w").write("mine"))`,
  },
};

const steps = (
  language: "typescript" | "python",
  { typescript, python }: Attempted,
): Record<string, string> => ({
  "steps.ts":
    language === "typescript"
      ? `import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { data, dir, file } from "mlpipe";
void [execFileSync, readFileSync, writeFileSync];
export const sly = data("sly", {
  inputs: { text: file("txt"), folder: dir() },
  outputs: { text: file("txt") },
  async run({ text, folder }, out) {
    const own = await text.text();
    void folder;
    await out.text.write(own + ${typescript});
  },
});
`
      : `import { cmd, data, dir, file } from "mlpipe";
export const sly = data("sly", {
  inputs: { text: file("txt"), folder: dir() },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`python3 sly.py \${i.text} \${i.folder} \${o.text}\`,
});
`,
  "sly.py": `import os, subprocess, sys
import everyday, helper
text, folder, out = sys.argv[1:]
own = helper.read(text)
open(out, "w").write(own + ${python})
`,
});

const common: Readonly<Record<string, string>> = {
  "helper.py":
    "def read(path):\n    with open(path) as file:\n        return file.read()\n\n\n" +
    "def read_or(path, other):\n    try:\n        return read(path)\n    except OSError:\n        return other\n",
  "everyday.py": `import multiprocessing, os, pathlib, shutil, sqlite3, subprocess, sys, tempfile
def run(folder, out):
    found = sorted(path.name for path in pathlib.Path(folder).rglob("*.csv"))
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, place + "/copy")
        os.makedirs(place + "/a/b")
        os.symlink("/etc/passwd", place + "/a/link")
        os.rename(place + "/copy", place + "/moved")
        sqlite3.connect(place + "/rows.sqlite").execute("create table rows(a)")
    with multiprocessing.Pool(2) as pool:
        found += map(str, pool.map(abs, [-1, -2]))
    child = subprocess.run([sys.executable, "-c", "import helper; print(helper)"], stdout=subprocess.PIPE, check=True)
    return " ".join(found)
`,
  "in.txt": "declared\n",
  "data/extra.csv": "extra\n",
  "folder/kept.csv": "kept\n",
  "sly.pipeline.ts": `import { dir, file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { sly } from "./steps.ts";
export default pipeline("sly", z.object({}), () =>
  sly({ text: source("in.txt", file("txt")), folder: source("folder", dir()) }));
`,
};

/** A step that opens nothing but what it is given. */
const innocent: Attempted = {
  code: "",
  name: "",
  typescript: `readFileSync(folder.path + "/kept.csv", "utf8")`,
  python: `open(os.path.join(folder, "kept.csv")).read()`,
};

/** What honest steps do, and a fence must not be in the way of. */
const everyday: Pick<Attempted, "typescript" | "python"> = {
  typescript: `await (async () => {
      const { promises, existsSync, mkdtempSync, rmSync } = await import("node:fs");
      const { tmpdir } = await import("node:os");
      const folderOfMine = mkdtempSync(tmpdir() + "/x");
      await promises.cp(folder.path, folderOfMine + "/copy", { recursive: true, dereference: true });
      writeFileSync(folderOfMine + "/flushed", "x", { flush: true });
      const handle = await promises.open(folderOfMine + "/synced", "w");
      await handle.sync();
      await handle.close();
      rmSync(folderOfMine, { recursive: true });
      const { Worker } = await import("node:worker_threads");
      const late = await new Promise((resolve, reject) => {
        new Worker(new URL("./worker.mjs", import.meta.url)).on("message", resolve).on("error", reject);
      });
      const child = execFileSync(process.execPath, ["-p", "process.env.NODE_OPTIONS"], { encoding: "utf8" });
      return [late, child, existsSync("none.json"), folder.files()].join();
    })()`,
  python: `everyday.run(folder, out)`,
};

class SlyProject extends Project {
  readonly secret: string;
  readonly sibling = ".mlpipe/attempts/other-0123456789abcdef/out/text.txt";

  constructor(language: "typescript" | "python", attempted: Attempted) {
    super({ ...common, ...steps(language, attempted) });
    // Beside the project, in the folder of all temporary ones: its name is its own.
    this.secret = `${this.root}.secret.csv`;
    writeFileSync(this.secret, "secret\n");
    symlinkSync(this.secret, join(this.root, "data/link.csv"));
    symlinkSync(this.secret, join(this.root, "folder/leak.csv"));
    mkdirSync(join(this.root, ".mlpipe/attempts/other-0123456789abcdef/out"), { recursive: true });
    for (const file of ["steps.ts", "sly.py"]) {
      const text = this.read(file)
        .replaceAll("../secret.csv", `../${this.secret.slice(this.secret.lastIndexOf("/") + 1)}`)
        .replaceAll("LEAK", this.secret)
        .replaceAll("SIBLING", this.sibling);
      this.write({ [file]: text });
    }
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    rmSync(this.secret, { force: true });
  }
}

/** Those of this machine; where there is none, the tests that need one are skipped, and the report says so. */
const fences = ["landlock", "bubblewrap"].filter(
  (name) => findFence({ ...process.env, MLPIPE_FENCE: name }).sandbox === name,
);

type Hermetic = RunJson & { readonly exit: number | null; readonly stderr: string };

async function hermetic(project: Project, which: string, ...args: readonly string[]): Promise<Hermetic> {
  const child = project.start(["run", "--json", "--hermetic", ...args], { MLPIPE_FENCE: which });
  const { exit, stdout, stderr } = await finished(child);
  // The shape is asserted below.
  return { ...(JSON.parse(stdout) as RunJson), exit, stderr };
}

const statusesOf = (run: RunJson): readonly string[] => run.steps.map(({ id, status }) => `${id} ${status}`);

describe.skipIf(fences.length === 0).each(fences.length === 0 ? ["no fence on this machine"] : fences)(
  "behind %s",
  (which) => {
    describe.each(["typescript", "python"] as const)("a %s step", (language) => {
      it.each(Object.entries(tries))("%s is refused by name", async (_what, attempted) => {
        using project = new SlyProject(language, attempted);
        const run = await hermetic(project, which);
        const [step] = run.steps;
        const name = attempted.name
          .replace("secret.csv", basename(project.secret))
          .replace("SIBLING", project.sibling);
        expect([run.exit, step?.status], run.stderr).toEqual([1, "failed"]);
        expect([step?.error?.code, step?.error?.message], run.stderr).toEqual([
          attempted.code,
          expect.stringContaining(name),
        ]);
        expect(step?.error?.message).toContain('"sly" tried to');
        expect(readFileSync(project.secret, "utf8")).toBe("secret\n");
      });

      it("what it declares is read and written, and the record says how it was kept", async () => {
        using project = new SlyProject(language, innocent);
        // A folder with a link that leads out of it is not cached.
        rmSync(join(project.root, "folder/leak.csv"));
        const run = await hermetic(project, which);
        expect(run.status, run.stderr).toBe("succeeded");
        expect(run.stderr).not.toContain("warning");
        expect(project.read("artifacts/sly/text.txt")).toBe("declared\nkept\n");
        const shown = await project.mlpipe("show", run.run, "--json");
        expect(shown.stdout).toContain(`"sandbox": "${which}"`);
        // Content decides, not how a step was run: a result is shared both ways.
        expect(await project.statuses()).toEqual({ cached: ["sly"] });
        expect(statusesOf(await hermetic(project, which))).toEqual(["sly cached"]);
      });

      it("the libraries of its language work: copies, temporary files, children, workers", async () => {
        using project = new SlyProject(language, { ...innocent, ...everyday });
        rmSync(join(project.root, "folder/leak.csv"));
        project.write({
          "worker.mjs":
            'import { parentPort } from "node:worker_threads"; import { late } from "./late.ts"; parentPort.postMessage(late);',
          "late.ts": "export const late = 2;\n",
        });
        const run = await hermetic(project, which);
        expect(run.status, run.stderr).toBe("succeeded");
        expect(run.stderr).not.toContain("warning");
      });

      it("a refusal that the step does without is told, and its result is kept", async () => {
        using project = new SlyProject(language, {
          ...innocent,
          typescript: `(() => { try { return readFileSync("data/extra.csv", "utf8"); } catch { return "without\\n"; } })()`,
          python: `helper.read_or("data/extra.csv", "without\\n")`,
        });
        const run = await hermetic(project, which);
        expect(run.status, run.stderr).toBe("succeeded");
        expect(project.read("artifacts/sly/text.txt")).toBe("declared\nwithout\n");
        // Node does not tell of an error that was caught, and what is not mounted is just not there.
        expect(run.stderr.includes("sly was refused data/extra.csv, which no port declares")).toBe(
          language === "python" && which === "landlock",
        );
      });
    });

    it("does not get out through other processes, mounts or devices", async () => {
      using project = new SlyProject("python", { ...innocent, python: `way_out.found("LEAK")` });
      rmSync(join(project.root, "folder/leak.csv"));
      project.edit("sly.py", "import everyday, helper", "import everyday, helper, way_out");
      project.write({
        "way_out.py": `import ctypes, os, stat, subprocess
def found(secret):
    ways = []
    # By another program: what watches Python itself would refuse it too.
    for there in ("root", "cwd"):
        script = f"cat /proc/[0-9]*/{there}{secret} 2>/dev/null"
        if subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE).stdout:
            ways.append(there)
    libc = ctypes.CDLL(None)
    if libc.mount(b"none", b"/", None, 32 | 4096, None) == 0: ways.append("remounted")
    disk = os.path.join(os.environ["TMPDIR"], "disk")
    try:
        os.mknod(disk, stat.S_IFBLK | 0o600, os.makedev(1, 1))
        open(disk, "rb").close()
        ways.append("a device")
    except OSError:
        pass
    return "ways out: " + " ".join(ways)
`,
      });
      const run = await hermetic(project, which);
      expect(run.status, run.stderr).toBe("succeeded");
      expect(project.read("artifacts/sly/text.txt")).toBe("declared\nways out: ");
    });

    it.each([
      [
        "typescript",
        "its own input",
        `(writeFileSync(text.path, "mine"), "")`,
        "MLP3051",
        "(a link to in.txt), which is none of its outputs",
      ],
      [
        "typescript",
        "the project's folder",
        "readdirSync(process.cwd()).join()",
        "MLP3050",
        " ., the folder of the project",
      ],
      [
        "python",
        "a hard link",
        `str(os.link("data/extra.csv", os.environ["TMPDIR"] + "/l"))`,
        "MLP3050",
        "data/extra.csv",
      ],
      ["python", "a mode", `str(os.chmod(text, 0o777))`, "MLP3051", "tried to write"],
      ["python", "times", `str(os.utime("data/extra.csv", (1, 1)))`, "MLP3051", "data/extra.csv"],
      ["python", "an owner", `str(os.chown("data/extra.csv", os.getuid(), -1))`, "MLP3051", "data/extra.csv"],
      [
        "python",
        "an attribute",
        `str(os.setxattr("data/extra.csv", "user.a", b"1"))`,
        "MLP3051",
        "data/extra.csv",
      ],
      [
        "python",
        "the mode of an open file",
        `str(os.fchmod(os.open(text, os.O_RDONLY), 0o777))`,
        "MLP3051",
        "tried to write",
      ],
    ] as const)(
      "of a %s step, %s: what was meant is said",
      async (language, _what, code, expected, words) => {
        using project = new SlyProject(language, { ...innocent, [language]: code });
        if (language === "typescript")
          project.edit("steps.ts", "{ readFileSync,", "{ readdirSync, readFileSync,");
        rmSync(join(project.root, "folder/leak.csv"));
        const run = await hermetic(project, which);
        expect(run.steps[0]?.error?.code, run.stderr).toContain(expected);
        expect(run.steps[0]?.error?.message, run.stderr).toContain(words);
      },
    );

    it("any other command is refused in its own words, and the error names the file", async () => {
      using project = new Project({
        ...common,
        "data/link.csv": "",
        "folder/leak.csv": "",
        "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
export const sly = data("sly", {
  inputs: { text: file("txt"), folder: dir() },
  outputs: { text: file("txt") },
  files: ["read.sh"],
  command: (i, o) => cmd\`sh read.sh \${o.text}\`,
});
`,
        "read.sh": "name=extra\ncat data/$name.csv > $1\n",
      });
      const run = await hermetic(project, which);
      expect(run.steps[0]?.error, run.stderr).toMatchObject({
        code: "MLP3050",
        message: expect.stringContaining("data/extra.csv"),
        logTail: [expect.stringContaining("cat: data/extra.csv")],
      });
      project.edit("steps.ts", '"read.sh"]', '"read.sh", "data/extra.csv"]');
      expect(statusesOf(await hermetic(project, which))).toEqual(["sly ran"]);
      expect(project.read("artifacts/sly/text.txt")).toBe("extra\n");
    });

    // Only a superuser can become somebody to whom another's folder is closed.
    it.skipIf(process.getuid?.() !== 0)(
      "what is closed to mlpipe as well is named, and loses no exit code",
      async () => {
        using project = new SlyProject("python", innocent);
        const closed = project.root + ".closed";
        mkdirSync(closed, { mode: 0o700 });
        project.edit(
          "steps.ts",
          "cmd`python3 sly.py ${i.text} ${i.folder} ${o.text}`",
          `cmd\`cat ${closed}/secret \${i.text} \${i.folder} \${o.text}\``,
        );
        spawnSync("chown", ["-R", "65534:65534", project.root]);
        const { stdout, stderr } = spawnSync(
          "setpriv",
          [
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            process.execPath,
            mlpipe,
            "run",
            "--json",
            "--hermetic",
          ],
          {
            cwd: project.root,
            encoding: "utf8",
            env: { ...process.env, HOME: project.root, MLPIPE_FENCE: which },
          },
        );
        rmSync(closed, { recursive: true });
        const { steps } = JSON.parse(stdout) as RunJson;
        expect(steps[0]?.error, stderr).toMatchObject({
          code: "MLP3050",
          message: expect.stringContaining("closed/secret"),
          logTail: expect.arrayContaining([expect.stringContaining("closed/secret")]),
        });
      },
    );

    it("a program that is not there is an error of its own", async () => {
      using project = new Project({
        ...common,
        "folder/kept.csv": "",
        "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
export const sly = data("sly", {
  inputs: { text: file("txt"), folder: dir() },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`no-such-program \${i.text} \${o.text}\`,
});
`,
      });
      expect((await hermetic(project, which)).steps[0]?.error?.code).toBe("MLP3002");
    });

    it("a package of Python in the project's root is found by -m and from outside, and nothing else there is", async () => {
      using project = new Project({
        "steps.ts": `import { cmd, data, file } from "mlpipe";
export const inside = data("inside", { outputs: { out: file("txt") }, command: (_, o) => cmd\`python3 -m pkg.deep.mod \${o.out}\` });
export const outside = data("outside", { outputs: { out: file("txt") }, command: (_, o) => cmd\`python3 run.py \${o.out}\` });
export const sly = data("sly", { outputs: { out: file("txt") }, command: (_, o) => cmd\`python3 -m pkg.sly \${o.out}\` });`,
        "pkg/__init__.py": "",
        "pkg/util.py": "x = 7\n",
        "pkg/deep/__init__.py": "",
        "pkg/deep/mod.py": "import sys\nfrom ..util import x\nopen(sys.argv[1], 'w').write(str(x))\n",
        "pkg/sly.py": "import sys\nopen(sys.argv[1], 'w').write(open('extra.csv').read())\n",
        "run.py": "import sys\nfrom pkg.deep import mod\n",
        "extra.csv": "extra\n",
        "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { inside, outside, sly } from "./steps.ts";
export default pipeline("a", () => ({ one: inside({}).out, two: outside({}).out, three: sly({}).out }));`,
      });
      const run = await hermetic(project, which, "--keep-going");
      expect(statusesOf(run), run.stderr).toEqual(["inside ran", "outside ran", "sly failed"]);
      expect(run.steps[2]?.error).toMatchObject({
        code: "MLP3050",
        message: expect.stringContaining("extra.csv") as string,
      });
    });

    it("a pipeline of every kind of step runs whole, its deploy included", async () => {
      using project = new Project(smallPipeline);
      const run = await hermetic(project, which);
      expect(statusesOf(run), run.stderr).toEqual(smallSteps.map((id) => `${id} ran`));
      expect(project.read("deployed/model.json")).toContain("slope");
      expect(run.stderr).not.toContain("warning");
    });

    it("a deploy that does nothing has left nothing", async () => {
      using project = new Project(smallPipeline);
      project.edit("steps/publish.ts", "await mkdir", "if (target === '') await mkdir");
      project.edit("steps/publish.ts", "await writeFile", "if (target === '') await writeFile");
      project.edit("steps/publish.ts", "await rename", "if (target === '') await rename");
      const run = await hermetic(project, which);
      expect(run.steps.at(-1)?.error?.code, run.stderr).toBe("MLP3030");
      expect(existsSync(join(project.root, "deployed"))).toBe(false);
    });

    it.each(["--python", undefined])("the project that init %s makes runs whole", async (option) => {
      using project = new Project({});
      await project.mlpipe("init", "homes", ...(option === undefined ? [] : [option]));
      const child = project.start(["-C", "homes", "run", "--hermetic"], { MLPIPE_FENCE: which });
      const { exit, stdout, stderr } = await finished(child);
      expect(exit, stdout + stderr).toBe(0);
      expect(stdout).toContain("5 ran");
      expect(stderr).not.toContain("warning");
    });

    it("a pipeline in a workspace, whose steps import another package of it, runs whole", async () => {
      using project = new Project({
        "packages/shared/package.json": `{"name":"@acme/shared","type":"module","exports":"./src/index.ts"}`,
        "packages/shared/src/index.ts": "export const greeting = 'hello';\n",
        "packages/shared/secret.txt": "hidden\n",
        "packages/lines/package.json": `{"name":"@acme/lines","type":"module"}`,
        "packages/lines/lines.pipeline.ts": `import { pipeline } from "mlpipe";
import { write } from "./steps.ts";
export default pipeline("lines", () => write({}));
`,
        "packages/lines/steps.ts": `import { readFileSync } from "node:fs";
import { greeting } from "@acme/shared";
import { data, file } from "mlpipe";
void readFileSync;
export const write = data("write", {
  outputs: { text: file("txt") },
  async run(_inputs, out) { await out.text.write(greeting); },
});
`,
      });
      mkdirSync(join(project.root, "node_modules/@acme"));
      symlinkSync("../../packages/shared", join(project.root, "node_modules/@acme/shared"));
      const go = async () =>
        finished(project.start(["-C", "packages/lines", "run", "--hermetic"], { MLPIPE_FENCE: which }));
      const { exit, stderr } = await go();
      expect(exit, stderr).toBe(0);
      expect(project.read("packages/lines/artifacts/lines/text.txt")).toBe("hello");

      const link = "../../node_modules/@acme/shared/secret.txt";
      project.edit(
        "packages/lines/steps.ts",
        "write(greeting)",
        `write(greeting + readFileSync(${JSON.stringify(link)}))`,
      );
      const refused = await go();
      expect([refused.exit, refused.stderr]).toEqual([
        1,
        expect.stringContaining(`"write" tried to read ${link}, which no port declares`),
      ]);
    });

    it("a project whose node_modules is a link runs whole", async () => {
      using project = new Project(smallPipeline);
      const modules = join(project.root, "node_modules");
      renameSync(modules, join(project.root, "installed"));
      symlinkSync("installed", modules);
      const run = await hermetic(project, which);
      expect([run.status, run.steps.map(({ status }) => status)], run.stderr).toEqual([
        "succeeded",
        smallSteps.map(() => "ran"),
      ]);
    });

    it("a project whose store is elsewhere runs whole", async () => {
      using store = new Project({});
      using project = new Project(smallPipeline);
      const mlpipe = { store: join(store.root, "store") };
      project.write({ "package.json": JSON.stringify({ name: "e2e", type: "module", mlpipe }) });
      expect(statusesOf(await hermetic(project, which))).toEqual(smallSteps.map((id) => `${id} ran`));
    });

    it("the weather example runs whole", async () => {
      using project = new Project({});
      const example = join(import.meta.dirname, "../../examples/weather");
      cpSync(example, project.root, {
        recursive: true,
        filter: (path) => !/\/(?:node_modules|\.mlpipe|artifacts|deployed)$/.test(path),
      });
      for (const name of ["vega-datasets", "ml-random-forest"]) {
        const installed = realpathSync(join(example, "node_modules", name));
        symlinkSync(installed, join(project.root, "node_modules", name));
      }
      const run = await hermetic(project, which, "-s", "trees=5", "-s", "margin=-1");
      expect([run.status, run.steps.length], run.stderr).toEqual(["succeeded", 7]);
      expect(run.stderr).not.toContain("warning");
    });
  },
);

describe("where there is no fence", () => {
  it("a pipeline with a command is not run, and the error says what is needed", async () => {
    using project = new SlyProject("python", innocent);
    const child = project.start(["run", "--hermetic"], { MLPIPE_FENCE: "none" });
    const { exit, stderr } = await finished(child);
    expect(exit).toBe(4);
    expect(stderr).toContain('MLP3052  "sly" starts a program');
    expect(stderr).toContain("Landlock");
  });

  it("TypeScript steps run under Node's permission model, which is called partial", async () => {
    using project = new SlyProject("typescript", innocent);
    rmSync(join(project.root, "folder/leak.csv"));
    const run = await hermetic(project, "none");
    expect(statusesOf(run), run.stderr).toEqual(["sly ran"]);
    expect(run.stderr).toContain("--hermetic is partial here");
  });

  const alone = new Set(["a file beside the project", "an absolute path", "the output of another step"]);
  it.each(Object.entries(tries).filter(([what]) => alone.has(what)))(
    "%s is refused by name",
    async (_what, attempted) => {
      using project = new SlyProject("typescript", attempted);
      rmSync(join(project.root, "folder/leak.csv"));
      const run = await hermetic(project, "none");
      expect(run.steps[0]?.error?.code, run.stderr).toBe(attempted.code);
    },
  );

  it("a child process, which the model knows nothing of, is not started", async () => {
    using project = new SlyProject("typescript", tries["a child process"] ?? innocent);
    rmSync(join(project.root, "folder/leak.csv"));
    const [step] = (await hermetic(project, "none")).steps;
    expect(step?.error).toMatchObject({
      code: "MLP3050",
      message: expect.stringContaining("another process"),
    });
  });

  it("a link in an input folder that leads out of it, which the model would follow, is refused", async () => {
    using project = new SlyProject("typescript", innocent);
    const [step] = (await hermetic(project, "none")).steps;
    expect(step?.error).toMatchObject({ code: "MLP3050", message: expect.stringContaining("leak.csv") });
  });
});

describe("a module loads the data that it imports, also for a step that uses none of it", () => {
  const files = {
    "limits.json": `{"low":1}`,
    "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
import limits from "./limits.json" with { type: "json" };
export const bounded = data("bounded", { outputs: { low: z.int() }, run: () => ({ low: limits.low }) });
export const free = data("free", { outputs: { n: z.int() }, run: () => ({ n: 1 }) });
`,
    "one.pipeline.ts": `import { pipeline } from "mlpipe";
import { bounded, free } from "./steps.ts";
export default pipeline("one", () => ({ ...bounded({}), ...free({}) }));
`,
  };

  it.each([...fences, "none"])("with --hermetic, kept to it by %s", async (which) => {
    using project = new Project(files);
    const run = await hermetic(project, which);
    expect(statusesOf(run), run.stderr).toEqual(["bounded ran", "free ran"]);
  });

  it("without --hermetic there is nothing to warn of, and an edit of the data runs the other step alone", async () => {
    using project = new Project(files);
    const { exit, stderr } = await project.mlpipe("run");
    expect([exit, stderr.includes("warning")], stderr).toEqual([0, false]);
    project.edit("limits.json", "1", "2");
    const again = JSON.parse((await project.mlpipe("run", "--json")).stdout) as RunJson;
    expect(statusesOf(again)).toEqual(["bounded ran", "free cached"]);
  });
});

describe("without --hermetic", () => {
  it.each(["typescript", "python"] as const)(
    "a %s step that reads what it does not declare is told of, once",
    async (language) => {
      using project = new SlyProject(
        language,
        tries["a file of the project that no port declares"] ?? innocent,
      );
      const { exit, stderr } = await project.mlpipe("run");
      expect(exit, stderr).toBe(0);
      const warnings = stderr
        .split("\n")
        .filter((line) => line.startsWith("warning") && line.includes("extra.csv"));
      expect(warnings).toEqual([
        "warning  sly: sly read data/extra.csv, which no port declares: an edit of it re-runs nothing.",
      ]);
    },
  );

  it.each(["typescript", "python"] as const)(
    "a %s step that keeps to what it declares is left alone",
    async (language) => {
      using project = new SlyProject(language, {
        ...innocent,
        // Node hands flags and Python variables on: neither may be seen by what the step starts.
        typescript: `execFileSync("env", { encoding: "utf8" })`,
        python: `subprocess.run(["env"], stdout=subprocess.PIPE, text=True).stdout`,
      });
      rmSync(join(project.root, "folder/leak.csv"));
      const { exit, stderr } = await project.mlpipe("run");
      expect([exit, stderr.includes("warning")], stderr).toEqual([0, false]);
      expect(project.read("artifacts/sly/text.txt")).not.toMatch(/NODE_OPTIONS|PYTHONPATH|MLPIPE_WATCH/);
    },
  );

  it.each(["as it is", "compiled before"])(
    "a module of the project that a pickle leads to, %s: the result is not kept until files names it",
    async (how) => {
      using project = new Project({
        "models.py": "class Model:\n    def predict(self, x):\n        return x * 2\n",
        "fit.py": "import models, pickle, sys\npickle.dump(models.Model(), open(sys.argv[1], 'wb'))\n",
        "score.py":
          "import pickle, sys\nmodel = pickle.load(open(sys.argv[1], 'rb'))\nopen(sys.argv[2], 'w').write(str(model.predict(3)))\n",
        "steps.ts": `import { cmd, data, file } from "mlpipe";
export const fit = data("fit", {
  outputs: { model: file("pkl") },
  command: (_i, o) => cmd\`python3 fit.py \${o.model}\`,
});
export const score = data("score", {
  inputs: { model: file("pkl") },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`python3 score.py \${i.model} \${o.text}\`,
});
`,
        "pickled.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { fit, score } from "./steps.ts";
export default pipeline("pickled", z.object({}), () => score({ model: fit({}).model }));
`,
      });
      const compile = (): void => {
        const { PYTHONDONTWRITEBYTECODE: _, ...env } = process.env;
        if (how === "compiled before")
          spawnSync("python3", ["-c", "import models"], { cwd: project.root, env });
      };
      compile();
      const first = await project.mlpipe("run");
      expect(first.exit, first.stderr).toBe(0);
      expect(first.stderr.split("\n").filter((line) => line.startsWith("warning"))).toEqual([
        'warning  score: score loaded models.py, which its key does not hold: the result is not cached. Name it: files: ["models.py"].',
      ]);
      project.edit("models.py", "x * 2", "x * 50");
      compile();
      const { steps } = await project.run();
      expect(steps.map(({ id, reasons }) => [id, reasons.map(({ message }) => message)])).toEqual([
        ["fit", ["code: models.py changed"]],
        ["score", ["its last result was not kept"]],
      ]);
      expect(project.read("artifacts/pickled/text.txt")).toBe("150");

      project.edit("steps.ts", `inputs: { model`, `files: ["models.py"],\n  inputs: { model`);
      await project.run();
      expect(await project.statuses()).toEqual({ cached: ["fit", "score"] });
      project.edit("models.py", "x * 50", "x * 6");
      expect(await project.statuses()).toEqual({ ran: ["fit", "score"] });
      expect(project.read("artifacts/pickled/text.txt")).toBe("18");
    },
  );

  it("a pipeline of every kind of step draws no warning", async () => {
    using project = new Project(smallPipeline);
    const { exit, stderr } = await project.mlpipe("run");
    expect([exit, stderr.includes("warning")], stderr).toEqual([0, false]);
  });

  it("a project's own sitecustomize is run as it would be", async () => {
    using project = new SlyProject("python", { ...innocent, python: "os.environ['CUSTOM']" });
    project.write({ "lib/sitecustomize.py": "import os\nos.environ['CUSTOM'] = 'customized'\n" });
    project.edit("steps.ts", "outputs:", 'env: ["PYTHONPATH"],\n  outputs:');
    rmSync(join(project.root, "folder/leak.csv"));
    const { exit, stderr } = await finished(project.start(["run"], { PYTHONPATH: "lib" }));
    expect(exit, stderr).toBe(0);
    expect(project.read("artifacts/sly/text.txt")).toBe("declared\ncustomized");
  });
});
