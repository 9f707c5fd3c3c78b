/** How long a result holds: `cache: false` and `maxAge`, through the real command line. */
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";

/** A step that reads something no port declares, here a file that stands for a database, and one that uses it. */
function fetching(cache: string): Project {
  return new Project({
    "answer.txt": "42",
    "steps.ts": `import { cmd, data, file } from "mlpipe";
export const fetched = data("fetched", {
  outputs: { answer: file("txt") },
  cache: ${cache},
  files: ["fetch.sh"],
  command: (_i, o) => cmd\`sh fetch.sh \${o.answer}\`,
});
export const used = data("used", {
  inputs: { answer: file("txt") },
  outputs: { copy: file("txt") },
  command: (i, o) => cmd\`cp \${i.answer} \${o.copy}\`,
});
`,
    "fetch.sh": 'echo fetched >> fetches.txt\ncp answer.txt "$1"\n',
    "fresh.pipeline.ts": `import { pipeline } from "mlpipe";
import { fetched, used } from "./steps.ts";
export default pipeline("fresh", () => used({ answer: fetched({}).answer }));
`,
  });
}

async function text(project: Project, ...args: readonly string[]): Promise<string> {
  const { exit, stdout } = await project.mlpipe(...args);
  expect(exit).toBe(0);
  return stdout;
}

describe("cache: false", () => {
  it("runs every time, and what comes after it only when something new came out", async () => {
    using project = fetching("false");
    await project.run();
    const { steps } = await project.run();
    expect(steps.map(({ id, status, reasons }) => [id, status, reasons[0]?.message])).toEqual([
      ["fetched", "ran", "never cached (cache: false)"],
      ["used", "cached", "fetched made the same output again: stopped here"],
    ]);
    project.write({ "answer.txt": "43" });
    expect(await project.statuses()).toEqual({ ran: ["fetched", "used"] });
    expect(project.read("artifacts/fresh/copy.txt")).toBe("43");
    expect(await text(project, "plan")).toContain("fetched  run    never cached (cache: false)");
    expect(await text(project, "plan")).toContain("used     waits  waits for fetched");
    expect(await text(project, "why", "fetched")).toContain("never cached (cache: false)");
    expect(await text(project, "status")).toContain("fetched  stale  never cached (cache: false)");
  });

  it("is recorded as a result that is not kept, and has nothing to be compared with", async () => {
    using project = fetching("false");
    await project.run();
    const shown = JSON.parse(await text(project, "show", "last", "--json")) as {
      stepRuns: readonly { step: { id: string }; cache: { decision: string } }[];
    };
    expect(shown.stepRuns.map(({ step, cache }) => [step.id, cache.decision])).toEqual([
      ["fetched", "off"],
      ["used", "miss"],
    ]);
    const checked = await project.run("--check");
    expect(checked.steps.map(({ id, check }) => [id, check !== undefined])).toEqual([
      ["fetched", false],
      ["used", true],
    ]);
  });
});

describe("maxAge", () => {
  it("a result holds until it is too old, and plan, why and status say until when", async () => {
    using project = fetching('{ maxAge: "4s" }');
    await project.run();
    expect(await project.statuses()).toEqual({ cached: ["fetched", "used"] });
    const until = /holds until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, made \d{4}/;
    expect(await text(project, "plan")).toMatch(until);
    expect(await text(project, "why", "fetched")).toMatch(until);
    const status = await text(project, "status");
    expect(status).toMatch(/fetched {2}fresh {2}holds until/);
    expect(status).toContain("up to date: all of 2 steps");
    const { expiring } = JSON.parse(await text(project, "status", "--json")) as {
      expiring: readonly { id: string; expiresAt: string }[];
    };
    expect(expiring.map(({ id }) => id)).toEqual(["fetched"]);

    const left = Date.parse(expiring[0]?.expiresAt ?? "") - Date.now();
    expect(left).toBeLessThanOrEqual(4_000);
    await pause(Math.max(0, left) + 50);
    expect(await text(project, "status")).toContain("fetched  stale  older than its maxAge");
    expect(await text(project, "plan")).toContain("used     waits  waits for fetched");
    // The same again: the wave stops, and the result is fresh from now on.
    const { steps } = await project.run();
    expect(steps.map(({ status: each, reasons }) => [each, reasons[0]?.part])).toEqual([
      ["ran", "expired"],
      ["cached", "unchanged"],
    ]);
    expect(await project.statuses()).toEqual({ cached: ["fetched", "used"] });
  });

  it("something new that came out when it was made again goes on downstream", async () => {
    using project = fetching('{ maxAge: "1ms" }');
    await project.run();
    project.write({ "answer.txt": "43" });
    expect(await project.statuses()).toEqual({ ran: ["fetched", "used"] });
    expect(project.read("artifacts/fresh/copy.txt")).toBe("43");
  });

  it("runs beside each other make what is too old once", async () => {
    using project = fetching('{ maxAge: "3s" }');
    // Long enough that both have decided before either is done.
    project.write({ "fetch.sh": `${project.read("fetch.sh")}sleep 1.5\n` });
    await project.run();
    await pause(3_000);
    const children = [project.start(["run", "--json"]), project.start(["run", "--json"])];
    const outcomes = await Promise.all(children.map(finished));
    expect(outcomes.map(({ exit }) => exit)).toEqual([0, 0]);
    expect(project.read("fetches.txt")).toBe("fetched\nfetched\n");
  });

  it("--check leaves it out, since another result is no surprise, unless it is named", async () => {
    using project = fetching('{ maxAge: "1h" }');
    await project.run();
    project.write({ "answer.txt": "43" });
    const all = await project.run("--check");
    expect([all.exit, all.steps.map(({ check }) => check !== undefined)]).toEqual([0, [false, true]]);
    const named = await project.run("--check", "fetched");
    expect([named.exit, named.steps[0]?.check]).toEqual([3, expect.objectContaining({ same: false })]);
  });

  it("that is no time is refused by name", async () => {
    using project = fetching('{ maxAge: "soon" }');
    const { exit, stderr } = await project.mlpipe("plan");
    expect([exit, stderr]).toEqual([2, expect.stringContaining('has a maxAge that is no duration: "soon"')]);
  });
});
