/** What a person at a terminal sees. */
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { onTerminal } from "./on-terminal.ts";
import { Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

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

  it("one that is resized is drawn anew, and what the old picture left is taken back", async () => {
    using project = new Project(slow);
    const said = await onTerminal(project, { columns: 100, rows: 30 }, ["run", "--force"], {}, [
      { after: 1.6, columns: 34, rows: 12 },
    ]);
    // So many rows up, and everything below away: a line that was longer than 34 columns had become several.
    // oxlint-disable-next-line no-control-regex -- what a terminal is told
    const [, rows] = /\u001b\[(\d+)A\r\u001b\[J/.exec(said) ?? [];
    expect(Number(rows)).toBeGreaterThanOrEqual(6);
    const after = said.slice(said.indexOf(`\u001b[${rows}A\r\u001b[J`));
    expect(after.split("\u001b[?2026h").length).toBeGreaterThan(1);
    expect(widest(after)).toBeLessThan(34);
    expect(widest(said)).toBeGreaterThan(34);
  });

  it("a thousand steps fill no more rows and draw no more often than ten", async () => {
    using project = new Project({
      "one.txt": "1",
      "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const one = data("one", {
  inputs: { n: z.int() },
  outputs: { out: file("txt") },
  files: ["one.txt"],
  command: (_, o) => cmd\`cp one.txt \${o.out}\`,
});`,
      "many.pipeline.ts": `import { pipeline } from "mlpipe";
import { one } from "./steps.ts";
export default pipeline("many", () => {
  const all = Array.from({ length: 1000 }, (_, n) => one.as(\`step-\${n}\`)({ n }).out);
  return { last: all[999] ?? one({ n: 0 }).out };
});`,
    });
    const since = performance.now();
    const said = await onTerminal(project, { columns: 20, rows: 12 }, ["run"]);
    const seconds = (performance.now() - since) / 1000;
    const pictures = picturesOf(said);
    expect(pictures.length).toBeGreaterThan(3);
    expect(pictures.length).toBeLessThan(10 * seconds + 5);
    for (const lines of pictures) expect(lines.length).toBeLessThan(12);
    expect(Math.max(...pictures.flat().map((line) => line.length))).toBeLessThan(20);
    expect(said).toContain("1000 ran");
  });

  it("a run goes on when nobody reads what it says", async () => {
    using project = new Project(smallPipeline);
    for (const args of [["run"], ["run", "--force", "--ndjson"], ["run", "--force", "--json"]]) {
      const child = project.start(args);
      child.stdout?.destroy();
      child.stderr?.destroy();
      const exit = await new Promise((resolve) => child.once("exit", resolve));
      expect(exit, args.join(" ")).toBe(0);
    }
    const { stdout } = await project.mlpipe("runs", "--json");
    // The shape is asserted here.
    const { runs } = JSON.parse(stdout) as { runs: { status: string }[] };
    expect(runs.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
  });
});

/** The lines of each picture that was drawn. */
function picturesOf(said: string): readonly (readonly string[])[] {
  return said
    .split("\u001b[?2026h")
    .slice(1)
    .map((picture) =>
      stripVTControlCharacters(picture.slice(0, picture.indexOf("\u001b[?2026l")))
        .trimEnd()
        .split("\r\n"),
    );
}

function widest(said: string): number {
  return Math.max(...picturesOf(said).flatMap((lines) => lines.map((line) => line.length)));
}
