/** Environments of Python inside a project, whatever they are called: what is installed there is nobody's data and nobody's code. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "./project.ts";

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
    this.install("1.0", "def say():\n    from . import late\n    return late.word\n");
  }

  /** Installs a version of the distribution `words`, as an installer does: the old one goes, the new one comes. */
  install(version: string, init: string): void {
    spawnSync("sh", ["-c", `rm -rf ${join(this.root, this.site)}/words*`]);
    const info = `${this.site}/words-${version}.dist-info`;
    this.write({
      [`${this.site}/words/__init__.py`]: init,
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
