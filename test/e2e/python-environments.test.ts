/** Environments of Python inside a project, whatever they are called: what is installed there is nobody's data and nobody's code. */
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";

/** A project whose one step is run by an environment that lies in its folder `place`. */
class EnvironmentProject extends Project {
  readonly site: string;

  constructor(place: string, script: string, command = `${place}/bin/python fit.py`) {
    super({
      "fit.py": script,
      "steps.ts": `import { cmd, data, file } from "mlpipe";
export const fit = data("fit", {
  outputs: { made: file("txt") },
  command: (_i, o) => cmd\`${command} \${o.made}\`,
});
`,
      "line.pipeline.ts": `import { pipeline } from "mlpipe";
import { fit } from "./steps.ts";
export default pipeline("line", () => fit({}));
`,
    });
    spawnSync("python3", ["-m", "venv", "--without-pip", join(this.root, place)]);
    const [site] = globSync(`${place}/lib/python*/site-packages`, { cwd: this.root });
    if (site === undefined) throw new Error("There is no environment.");
    this.site = site;
    this.install("1.0");
  }

  /** Installs a version of the distribution `words`, as an installer does: the old one goes, the new one comes. */
  install(version: string): void {
    spawnSync("sh", ["-c", `rm -rf ${join(this.root, this.site)}/words*`]);
    const info = `${this.site}/words-${version}.dist-info`;
    this.write({
      [`${this.site}/words/__init__.py`]: "def say():\n    from . import late\n    return late.word\n",
      [`${this.site}/words/late.py`]: `word = "${version}"\n`,
      [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: words\nVersion: ${version}\n`,
      [`${info}/RECORD`]: `words/__init__.py,,\nwords/late.py,,\nwords-${version}.dist-info/METADATA,,\n`,
    });
  }

  /** The lines of a run that warn. */
  async warnings(): Promise<readonly string[]> {
    const { stderr } = await this.mlpipe("run");
    return stderr.split("\n").filter((line) => line.startsWith("warning"));
  }
}

const says = `import sys, words
open(sys.argv[1], "w").write(words.say())
`;

describe("what is installed in an environment of the project is never undeclared", () => {
  it.each([".venv", "env", ".dvcenv", "tools/envs/default"])("%s", async (place) => {
    using project = new EnvironmentProject(place, says);
    expect(await project.warnings()).toEqual([]);
    expect(await project.statuses()).toEqual({ cached: ["fit"] });
  });

  it("of a package that nothing in the code leads to, too", async () => {
    using project = new EnvironmentProject(
      "env",
      says.replace("import sys, words", "import sys\nwords = __import__('wor' + 'ds')"),
    );
    project.edit("steps.ts", "outputs:", 'files: ["fit.py"],\n  outputs:');
    expect(await project.warnings()).toEqual([]);
    expect(await project.statuses()).toEqual({ cached: ["fit"] });
  });

  it.each(["env", "."])("although a file of the project beside it is: %s", async (place) => {
    using project = new EnvironmentProject(place, `open("extra.csv")\n${says}`);
    project.write({ "extra.csv": "1" });
    expect(await project.warnings()).toEqual([
      expect.stringContaining("read extra.csv, which no port declares"),
    ]);
  });
});

describe("a package that is installed while the run is going on", () => {
  it("belongs to no key: the result is not kept, and the packages are named", async () => {
    using project = new EnvironmentProject(
      "env",
      `import os, sys, time, words
open("started.mark", "w").close()
while not os.path.exists("go.mark"):
    time.sleep(0.02)
open(sys.argv[1], "w").write(words.say())
`,
    );
    const ended = finished(project.start(["run"]));
    while (!existsSync(join(project.root, "started.mark"))) await pause(20);
    project.install("2.0");
    project.write({ "go.mark": "" });
    const { stderr, exit } = await ended;
    expect(exit, stderr).toBe(0);
    expect(stderr).toContain(
      "warning  fit: packages were installed (words 1.0 → 2.0) while the run was going on: the result of fit is not cached.\n",
    );
    expect(project.read("artifacts/line/made.txt")).toBe("2.0");
    project.install("1.0");
    expect(await project.statuses()).toEqual({ ran: ["fit"] });
    expect(project.read("artifacts/line/made.txt")).toBe("1.0");
    expect(await project.statuses()).toEqual({ cached: ["fit"] });
  });

  it("is nothing to a step that does not reach it", async () => {
    using project = new EnvironmentProject(
      "env",
      `import os, sys, words
info = "env/lib/python%d.%d/site-packages/other-1.0.dist-info" % sys.version_info[:2]
os.makedirs(info, exist_ok=True)
open(sys.argv[1], "w").write(words.say())
`,
    );
    expect(await project.warnings()).toEqual([]);
    expect(await project.statuses()).toEqual({ cached: ["fit"] });
  });
});
