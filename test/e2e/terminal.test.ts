/** What a person at a terminal sees. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { mlpipe, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

const exec = promisify(execFile);

/** Everything a command wrote to a terminal of the given size. */
async function onTerminal(
  project: Project,
  size: { readonly columns: number; readonly rows: number },
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { CI: _ci, NO_COLOR: _no, FORCE_COLOR: _force, GITHUB_ACTIONS: _actions, ...rest } = process.env;
  const { stdout } = await exec(
    "python3",
    [
      join(import.meta.dirname, "terminal.py"),
      `${size.columns}`,
      `${size.rows}`,
      process.execPath,
      mlpipe,
      ...args,
    ],
    { cwd: project.root, env: { ...rest, TERM: "xterm-256color", ...env }, maxBuffer: 16 * 1024 * 1024 },
  );
  return stdout;
}

const slow = { ...smallPipeline, "fit.py": `import time\ntime.sleep(1.5)\n${smallPipeline["fit.py"] ?? ""}` };

describe("on a terminal", () => {
  it("the picture is drawn in place, calmly, and the summary stays", async () => {
    using project = new Project(slow);
    const said = await onTerminal(project, { columns: 100, rows: 30 }, ["run"]);
    // Each picture is drawn as one: terminals show it whole or not at all.
    const pictures = said.split("\u001b[?2026h").slice(1);
    expect(pictures.length).toBeGreaterThan(3);
    // A step that says nothing for 1.5 s is drawn about once a second, and not ten times.
    expect(pictures.length).toBeLessThan(30);
    expect(pictures.some((picture) => /fit +running +1 s/.test(stripVTControlCharacters(picture)))).toBe(
      true,
    );
    // The cursor is there again, and the summary stands below what was erased.
    expect(said.lastIndexOf("\u001b[?25h")).toBeGreaterThan(said.lastIndexOf("\u001b[?25l"));
    const end = stripVTControlCharacters(said.slice(said.lastIndexOf("\u001b[?2026l")));
    expect(end).toMatch(/line succeeded in \d+\.\d s +5 steps: 5 ran/);
    expect(end).toContain("score.mae  0  lower is better");
    expect(end).toMatch(/model +artifacts\/line\/model\.json/);
    expect(end).toContain("✓ fit");
  });

  it("a narrow and low one is not overrun", async () => {
    using project = new Project(slow);
    const said = await onTerminal(project, { columns: 30, rows: 5 }, ["run"]);
    const pictures = said.split("\u001b[?2026h").slice(1);
    for (const picture of pictures) {
      const lines = stripVTControlCharacters(picture.slice(0, picture.indexOf("\u001b[?2026l")))
        .trimEnd()
        .split("\r\n");
      expect(lines.length).toBeLessThan(5);
      for (const line of lines) expect(line.length, line).toBeLessThan(30);
    }
  });

  it("NO_COLOR takes the colours away; a dumb terminal and CI get plain lines", async () => {
    using project = new Project(smallPipeline);
    const bare = await onTerminal(project, { columns: 100, rows: 30 }, ["run"], { NO_COLOR: "1" });
    for (const colour of [31, 32, 36]) expect(bare).not.toContain(`\u001b[${colour}m`);
    for (const env of [{ TERM: "dumb" }, { CI: "true" }]) {
      const said = await onTerminal(project, { columns: 100, rows: 30 }, ["run", "--force"], env);
      expect(said).not.toContain("\u001b[?25l");
      expect(stripVTControlCharacters(said)).toMatch(/✓ fit +ran in \d+\.\d s/);
    }
  });
});
