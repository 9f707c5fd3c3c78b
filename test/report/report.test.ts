/** `mlpipe report`: what stands on the page, that nothing of a user's text becomes more than text, and how it looks. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, type Finished, Project } from "../e2e/project.ts";
import { Browser, browserProgram } from "./browser.ts";
import { hostileProject, hostileText, secret } from "./hostile-project.ts";

let project: Project;
/** All steps succeed; then most come from the cache and one fails, with what waits for it. */
let good: string;
let bad: string;
let goodPage: string;
let badPage: string;

async function inProject(...args: readonly string[]): Promise<Finished> {
  return finished(project.start(args, { TOKEN: secret, TZ: "Europe/Berlin" }));
}

async function run(...args: readonly string[]): Promise<string> {
  const done = await inProject("run", "--json", ...args);
  return (JSON.parse(done.stdout) as { readonly run: string }).run;
}

beforeAll(async () => {
  project = hostileProject();
  good = await run();
  const first = await inProject("report", "-o", "-");
  expect(first).toMatchObject({ exit: 0, stderr: "" });
  goodPage = first.stdout;
  bad = await run("--keep-going", "-s", "limit=0.25");
  await inProject("note", bad, "</p><script>alert('note')</script>");
  expect(await inProject("report")).toMatchObject({
    exit: 0,
    stdout: "",
    stderr: expect.stringContaining("2 of 4 plots are not in it"),
  });
  badPage = project.read("report.html");
});
afterAll(() => {
  project[Symbol.dispose]();
});

/** The elements of a page with their attributes. */
function elementsOf(page: string): readonly (readonly [string, Readonly<Record<string, string>>])[] {
  const script = join(import.meta.dirname, "elements.py");
  // What the script prints.
  return JSON.parse(execFileSync("python3", [script], { input: page, encoding: "utf8" })) as [
    string,
    Record<string, string>,
  ][];
}

/** What a reader sees of a page, in a line. */
function textOf(page: string): string {
  return page
    .replaceAll(/<style>.*?<\/style>/gs, "")
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ");
}

describe("the page", () => {
  it("tells of results, steps, data, code, machine and logs", () => {
    const text = textOf(goodPage);
    expect(text).toMatch(/hostile ✓ succeeded 7 steps: 7 ran\./);
    expect(text).toContain("Europe/Berlin");
    expect(text).toMatch(/score\[lr=0\.2\]\.mae lower is better 0\.2/);
    expect(text).toMatch(/a&lt;b\.c 1 /);
    expect(text).toMatch(
      /data\/&lt;b&gt;x&lt;\/b&gt; &amp; &quot;q&quot;\/a\.csv 8 B 1 row, 2 columns [0-9a-f]{12}/,
    );
    expect(text).toMatch(/steps\.ts#fit fit\[…\]/);
    expect(text).toMatch(/Processor \d+ ×/);
    expect(text).toMatch(/zod 4\.\d+\.\d+/);
    expect(text).toMatch(/out artifacts\/hostile\/out\.csv 8 B/);
  });

  it("tells first what went wrong, what was before, and what came from the cache", () => {
    const text = textOf(badPage);
    expect(text).toMatch(
      /✗ failed 7 steps: 3 cached, 2 ran, 1 failed, 1 blocked\. What came from the cache had taken/,
    );
    expect(text).toMatch(/What went wrong fit\[lr=0\.3\] MLP3010 steps\.ts:\d+ Error: no convergence/);
    expect(text).toMatch(/limit 0\.25 was 1 /);
    expect(text).toContain("⊘ blocked fit[lr=0.3] failed");
    // The end of what it said, and where the rest is.
    expect(text).toContain("epoch 300 &lt;/pre&gt;");
    expect(text).not.toContain("epoch 200 ");
    expect(text).toMatch(/stderr the last 80 lines of [\d.]+ KiB; all of it: mlpipe logs \S+ fit\[lr=0\.3\]/);
    // The graph has what was never executed, too.
    expect(badPage).toMatch(/<title>fit\[lr=0\.3\] to score\[lr=0\.3\]<\/title>/);
  });

  it("says aloud which plots it leaves out", () => {
    expect(goodPage.match(/<img src="data:image\/svg\+xml;base64,/g)).toHaveLength(2);
    const text = textOf(goodPage);
    expect(text).toMatch(/page\.html \(25 B\) is not shown: no image/);
    expect(text).toMatch(/large\.png \(1\.1 MiB\) is not shown: larger than 1\.0 MiB/);
  });

  it("is the same bytes whenever it is made", async () => {
    const again = await inProject("report", good, "-o", "-");
    expect(again.stdout === goodPage).toBe(true);
  });

  it("loads nothing, runs nothing and lets nobody's text be more than text", () => {
    for (const page of [goodPage, badPage]) {
      const elements = elementsOf(page);
      expect(elements.map(([tag]) => tag)).not.toEqual(
        expect.arrayContaining([
          expect.stringMatching(/script|iframe|object|embed|form|base|foreignObject/i),
        ]),
      );
      const attributes = elements.flatMap(([tag, of]) =>
        Object.entries(of).map(([name, value]) => ({ tag, name, value })),
      );
      expect(attributes.filter(({ name }) => /^on|^style|^action|^srcset/i.test(name))).toEqual([]);
      const isOwn = /^(?:#|data:(?:image\/[a-z+]+;base64)?,)/;
      const led = attributes.filter(({ name }) => /href|src/i.test(name));
      expect(led.filter(({ value }) => !isOwn.test(value))).toEqual([]);
      expect(page).not.toContain(secret);
      expect(page).toContain("default-src 'none'");
      // Nothing that turns text around, or that a terminal obeys.
      for (const character of ["\u001b", "\u202e"]) expect(page).not.toContain(character);
    }
    expect(badPage).toContain(
      hostileText.replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;"),
    );
    expect(badPage).toContain("&lt;script&gt;alert(&#39;note&#39;)&lt;/script&gt;");
  });
});

describe("mlpipe report", () => {
  it("tells of a run that was killed what was under way, and the last it said", async () => {
    using killed = new Project({
      "steps.ts": `import { cmd, data, file } from "mlpipe";
export const slow = data("slow", { outputs: { made: file("txt") }, command: (i, o) => cmd\`sh -c "echo epoch 1; sleep 60" \${o.made}\` });
`,
      "slow.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { slow } from "./steps.ts";
export default pipeline("slow", z.object({}), () => slow({}));
`,
    });
    const child = killed.start(["run"]);
    const ended = once(child, "close");
    const runs = join(killed.root, ".mlpipe/runs");
    const hasSpoken = (): boolean =>
      existsSync(runs) &&
      readdirSync(runs, { recursive: true }).some(
        (name) => String(name).endsWith("stdout.log") && statSync(join(runs, String(name))).size > 0,
      );
    while (!hasSpoken() && child.exitCode === null) await pause(20);
    child.kill("SIGKILL");
    await ended;
    const { stdout } = await killed.mlpipe("report", "-o", "-");
    const text = textOf(stdout);
    expect(text).toMatch(/slow ✗ crashed .*slow was under way\. stdout 8 B epoch 1 /);
    expect(text).toContain("not recorded before the end of a run");
  });

  it("replaces its own pages alone, and executes no code of the project", async () => {
    const before = project.read("hostile.pipeline.ts");
    project.write({ "hostile.pipeline.ts": "process.exit(9);\n", "mine.html": "<p>mine</p>" });
    const json = await inProject("report", good, "--json", "-o", "sub/page.html");
    expect(JSON.parse(json.stdout)).toMatchObject({
      run: good,
      path: join(project.root, "sub/page.html"),
      plots: 2,
      plotsLeftOut: 2,
    });
    expect(project.read("sub/page.html") === goodPage).toBe(true);
    expect((await inProject("report", bad, "-o", "sub/page.html")).exit).toBe(0);
    const mine = await inProject("report", "-o", "mine.html");
    expect(mine).toMatchObject({ exit: 2, stderr: expect.stringContaining("MLP6015") });
    expect(project.read("mine.html")).toBe("<p>mine</p>");
    const none = await inProject("report", "0000");
    expect(none).toMatchObject({ exit: 2, stderr: expect.stringContaining("MLP5001") });
    project.write({ "hostile.pipeline.ts": before });
  });
});

/** Colours of all text against what is behind it, as WCAG 2.1 has it: the worst, and where. */
const worstContrast = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (color) => { const [r, g, b] = [...rgb(color)].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  let worst = { ratio: 99 };
  for (const element of document.querySelectorAll("main *")) {
    if (element.closest("svg") || ![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== "")) continue;
    let back = element;
    while (back.parentElement && rgb(getComputedStyle(back).backgroundColor)[3] === 0) back = back.parentElement;
    const [a, b] = [light(getComputedStyle(element).color), light(getComputedStyle(back).backgroundColor)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: element.textContent.slice(0, 40) };
  }
  return worst;
})()`;

describe.skipIf(browserProgram === undefined)("in a browser", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await Browser.start(browserProgram ?? "");
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
  });

  const background = "getComputedStyle(document.body).backgroundColor";

  it("is quiet, whole and readable, wide and on a phone, in the light and in the dark", async () => {
    const path = join(project.root, "report.html");
    for (const view of [
      { width: 1280 },
      { width: 1280, isDark: true },
      { width: 390, height: 844, isPhone: true },
      { width: 390, height: 844, isPhone: true, isDark: true },
      { width: 760 },
    ]) {
      await browser.open(path, view);
      expect(browser.complaints).toEqual([]);
      expect(browser.requests).toEqual([`file://${path}`]);
      expect(await browser.evaluate("document.documentElement.scrollWidth")).toBe(view.width);
      expect(await browser.evaluate(background)).toBe(
        view.isDark === true ? "rgb(21, 24, 27)" : "rgb(255, 255, 255)",
      );
      const { ratio, text } = await browser.evaluate<{ ratio: number; text: string }>(worstContrast);
      expect(ratio, text).toBeGreaterThan(4.5);
      // The source, what reads it, three trainings and three scores.
      expect(await browser.evaluate("document.querySelectorAll('.graph .node').length")).toBe(8);
      expect(
        await browser.evaluate(
          "[...document.images].every((image) => image.complete && image.naturalWidth > 0)",
        ),
      ).toBe(true);
      const folded = "[...document.querySelectorAll('details')].map((each) => each.open)";
      expect((await browser.evaluate<boolean[]>(folded)).filter((isOpen) => isOpen)).toHaveLength(1);
    }
  });

  it("is printed on white, with what is folded away", async () => {
    await browser.open(join(project.root, "report.html"), { width: 800, isDark: true, isPrinted: true });
    expect(await browser.evaluate(background)).toBe("rgb(255, 255, 255)");
    const hidden = `[...document.querySelectorAll("details:not(.long) table")].filter((table) => !table.checkVisibility()).length`;
    expect(await browser.evaluate(hidden)).toBe(0);
    expect((await browser.pdf()).subarray(0, 5).toString()).toBe("%PDF-");
  });
});
