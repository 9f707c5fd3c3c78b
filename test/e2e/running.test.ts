/** How steps are executed, through the real command line with real processes. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";

/** A pipeline of Python steps, each a script of its own. */
function scripts(
  steps: Readonly<Record<string, { readonly py: string; readonly needs?: string; readonly with?: string }>>,
): Readonly<Record<string, string>> {
  const definitions = Object.entries(steps).map(
    ([name, { needs }]) => `export const ${name} = data("${name}", {
  inputs: { ${needs === undefined ? "" : `before: file("txt")`} },
  outputs: { out: file("txt") },
  command: (i, o) => cmd\`python3 ${name}.py \${o.out}${needs === undefined ? "" : ` \${i.before}`}\`,
});`,
  );
  const calls = Object.entries(steps).map(
    ([name, { needs, with: options }]) =>
      `  const ${name} = steps.${name}${options === undefined ? "" : `.with(${options})`}({ ${needs === undefined ? "" : `before: ${needs}.out`} });`,
  );
  return {
    "steps.ts": `import { cmd, data, file } from "mlpipe";\n${definitions.join("\n")}\n`,
    "work.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import * as steps from "./steps.ts";
export default pipeline("work", z.object({}), () => {
${calls.join("\n")}
  return { ${Object.keys(steps)
    .map((name) => `${name}: ${name}.out`)
    .join(", ")} };
});
`,
    ...Object.fromEntries(
      Object.entries(steps).map(([name, { py }]) => [
        `${name}.py`,
        `import os, subprocess, sys, time\n${py}`,
      ]),
    ),
  };
}

const write = `open(sys.argv[1], "w").write("done")\n`;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for is dead all the same.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function untilThere(path: string): Promise<string> {
  for (let tries = 0; tries < 400; tries++) {
    if (existsSync(path) && readFileSync(path, "utf8").endsWith("\n"))
      return readFileSync(path, "utf8").trim();
    await pause(25);
  }
  throw new Error(`${path} never came`);
}

describe("running steps", () => {
  it("two at once with --jobs 2, one after the other with --jobs 1", async () => {
    // Each waits for the other's mark, so both end well only if they run at the same time.
    const meet = (own: string, other: string): string => `open("${own}.mark", "w").close()
for _ in range(100):
    if os.path.exists("${other}.mark"): break
    time.sleep(0.05)
else:
    sys.exit("alone")
${write}`;
    using together = new Project(
      scripts({ left: { py: meet("left", "right") }, right: { py: meet("right", "left") } }),
    );
    expect(await together.statuses("--jobs", "2")).toEqual({ ran: ["left", "right"] });

    const alone = `if os.path.exists("busy.mark"): sys.exit("not alone")
open("busy.mark", "w").close()
time.sleep(0.3)
os.remove("busy.mark")
${write}`;
    using inTurn = new Project(scripts({ left: { py: alone }, right: { py: alone } }));
    expect(await inTurn.statuses("--jobs", "1")).toEqual({ ran: ["left", "right"] });
  });

  it("a failure stops what has not begun; with --keep-going only what depends on it", async () => {
    const files = scripts({
      bad: { py: "sys.exit(1)" },
      after: { py: write, needs: "bad" },
      other: { py: write },
    });
    using stopping = new Project(files);
    const run = await stopping.run("--jobs", "1");
    expect(run.exit).toBe(1);
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "bad failed",
      "after blocked",
      "other cancelled",
    ]);
    using going = new Project(files);
    const kept = await going.run("--jobs", "1", "--keep-going");
    expect(kept.exit).toBe(1);
    expect(kept.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "bad failed",
      "after blocked",
      "other ran",
    ]);
  });

  it("a step that takes too long is ended with everything it started", async () => {
    using project = new Project(
      scripts({
        slow: {
          py: `child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("child.pid", "w").write(f"{child.pid}\\n")
time.sleep(600)`,
          with: `{ timeout: "1s" }`,
        },
      }),
    );
    const { exit, steps } = await project.run();
    expect(exit).toBe(1);
    expect(steps[0]?.error?.code).toBe("MLP3004");
    expect(isAlive(Number(project.read("child.pid")))).toBe(false);
  });

  it("a step that fails once and may be tried again", async () => {
    using project = new Project(
      scripts({
        shaky: {
          py: `if not os.path.exists("tried.mark"):
    open("tried.mark", "w").close()
    sys.exit("the service is not there")
${write}`,
          with: "{ retry: 1 }",
        },
      }),
    );
    const run = await project.run();
    expect(run.steps.map(({ status }) => status)).toEqual(["ran"]);
    const { stepRuns } = JSON.parse((await project.mlpipe("show", "last", "--json")).stdout) as {
      stepRuns: { attempts: { n: number; exit: { code: number }; error?: { code: string } }[] }[];
    };
    expect(stepRuns[0]?.attempts.map(({ n, exit, error }) => [n, exit.code, error?.code])).toEqual([
      [1, 1, "MLP3001"],
      [2, 0, undefined],
    ]);
    const { stderr } = await project.mlpipe("logs", "last", "shaky");
    expect(stderr).toContain("the service is not there");
  });

  it("a background process that holds the pipes open does not hold up the run", async () => {
    using project = new Project(
      scripts({
        daemon: {
          py: `child = subprocess.Popen(["sleep", "600"])
open("child.pid", "w").write(f"{child.pid}\\n")
${write}`,
        },
      }),
    );
    const since = performance.now();
    expect(await project.statuses()).toEqual({ ran: ["daemon"] });
    expect(performance.now() - since).toBeLessThan(20_000);
    expect(isAlive(Number(project.read("child.pid")))).toBe(false);
  });

  it("Ctrl-C: the steps end, the record says cancelled, exit 130, and the next run goes on", async () => {
    using project = new Project(
      scripts({
        first: { py: write },
        second: {
          needs: "first",
          py: `open("second.pid", "w").write(f"{os.getpid()}\\n")
if not os.path.exists("go.mark"): time.sleep(600)
${write}`,
        },
        third: { needs: "second", py: write },
      }),
    );
    const child = project.start(["run", "--json"]);
    const ended = finished(child);
    const pid = Number(await untilThere(join(project.root, "second.pid")));
    child.kill("SIGINT");
    const { exit, stdout } = await ended;
    expect(exit).toBe(130);
    const run = JSON.parse(stdout) as { status: string; steps: { id: string; status: string }[] };
    expect(run.status).toBe("cancelled");
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "first ran",
      "second cancelled",
      "third cancelled",
    ]);
    expect(isAlive(pid)).toBe(false);
    project.write({ "go.mark": "" });
    expect(await project.statuses()).toEqual({ cached: ["first"], ran: ["second", "third"] });
  });

  it("Ctrl-C stops the run as ever when a step has failed before", async () => {
    using project = new Project(
      scripts({
        bad: { py: "sys.exit(1)\n" },
        slow: {
          py: `while not os.path.exists("bad.mark"): time.sleep(0.02)
open("slow.pid", "w").write(f"{os.getpid()}\\n")
time.sleep(600)`,
        },
      }),
    );
    const child = project.start(["run", "--keep-going", "--ndjson"]);
    child.stdout?.on("data", (lines: Buffer) => {
      if (/"step-finished".*"bad"/.test(lines.toString())) project.write({ "bad.mark": "" });
    });
    const ended = finished(child);
    await untilThere(join(project.root, "slow.pid"));
    child.kill("SIGINT");
    expect((await ended).exit).toBe(130);
  });

  it("a step that ignores the request to stop is ended by the second Ctrl-C at once", async () => {
    using project = new Project(
      scripts({
        stubborn: {
          py: `import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("stubborn.pid", "w").write(f"{os.getpid()}\\n")
time.sleep(600)`,
        },
      }),
    );
    const child = project.start(["run"]);
    const ended = finished(child);
    const pid = Number(await untilThere(join(project.root, "stubborn.pid")));
    child.kill("SIGINT");
    await pause(300);
    expect(isAlive(pid)).toBe(true);
    const since = performance.now();
    child.kill("SIGINT");
    expect((await ended).exit).toBe(130);
    expect(performance.now() - since).toBeLessThan(3_000);
    expect(isAlive(pid)).toBe(false);
  });

  it("after mlpipe was killed, what it left running is ended, and the next run is right", async () => {
    using project = new Project(
      scripts({
        slow: {
          py: `open("slow.pid", "a").write(f"{os.getpid()}\\n")
if not os.path.exists("go.mark"):
    time.sleep(2)
    # The folder is another attempt's by now.
    open(sys.argv[1], "w").write("written too late")
    time.sleep(600)
time.sleep(3)
${write}`,
        },
      }),
    );
    const child = project.start(["run"]);
    const ended = finished(child);
    const pid = Number(await untilThere(join(project.root, "slow.pid")));
    child.kill("SIGKILL");
    await ended;
    project.write({ "go.mark": "" });
    expect(await project.statuses()).toEqual({ ran: ["slow"] });
    expect(project.read("artifacts/work/slow.txt")).toBe("done");
    // Only Linux tells which processes they are.
    expect(isAlive(pid)).toBe(process.platform !== "linux");
    const { stdout } = await project.mlpipe("runs");
    expect(stdout).toMatch(/work +crashed/);
  });

  it("two runs at once execute each step once", async () => {
    using project = new Project(
      scripts({
        once: { py: `open("count.txt", "a").write("x")\ntime.sleep(0.5)\n${write}` },
        twice: { needs: "once", py: `open("count.txt", "a").write("y")\ntime.sleep(0.2)\n${write}` },
      }),
    );
    const both = await Promise.all([project.statuses(), project.statuses()]);
    expect(project.read("count.txt")).toBe("xy");
    expect(both.flatMap((one) => one["ran"] ?? []).toSorted()).toEqual(["once", "twice"]);
  });

  it("arguments reach the program as they are: no shell reads them", async () => {
    const text = `$(touch injected) \`touch injected\`; touch injected & | > injected * ~ ' " \\\\`;
    using project = new Project({
      "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const echo = data("echo", {
  inputs: { text: z.string() },
  outputs: { out: file("txt") },
  command: (i, o) => cmd\`python3 echo.py \${o.out} \${i.text} a=\${i.text}\`,
});`,
      "echo.py": `import sys\nopen(sys.argv[1], "w").write(chr(10).join(sys.argv[2:]))\n`,
      "echo.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { echo } from "./steps.ts";
export default pipeline("echo", z.object({ text: z.string() }), (p) => echo({ text: p.text }));`,
    });
    expect(await project.statuses("-s", `text=${text}`)).toEqual({ ran: ["echo"] });
    expect(project.read("artifacts/echo/out.txt")).toBe(`${text}\na=${text}`);
    expect(existsSync(join(project.root, "injected"))).toBe(false);
  });

  it("what a step says is kept byte by byte, and shown without harm", async () => {
    using project = new Project(
      scripts({
        loud: {
          py: `sys.stdout.buffer.write(b"\\x1b[2Jred\\x1b[31m \\xff\\x00 50%\\r100%\\n" + b"x" * 100000 + b"\\nlast")
${write}`,
        },
      }),
    );
    const { stderr } = await project.mlpipe("run");
    expect(stderr).not.toContain("\u001b");
    expect(stderr).toContain("100%");
    const child = project.start(["logs", "last", "loud"]);
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => child.once("close", resolve));
    const said = Buffer.concat(chunks);
    expect(said.length).toBe(
      100_000 + 1 + 4 + Buffer.from("\u001b[2Jred\u001b[31m ").length + 2 + " 50%\r100%\n".length,
    );
    expect(said.subarray(0, 4).toString("latin1")).toBe("\u001b[2J");
  });

  it("a secret is seen by the step, and by nobody else", async () => {
    using project = new Project({
      "steps.ts": `import { cmd, data, file, secret } from "mlpipe";
export const call = data("call", {
  outputs: { out: file("txt") },
  env: [secret("API_TOKEN"), "REGION"],
  command: (_i, o) => cmd\`python3 call.py \${o.out}\`,
});`,
      "call.py": `import os, sys
print("token", os.environ["API_TOKEN"], "region", os.environ["REGION"], "other", os.environ.get("OTHER"))
open(sys.argv[1], "w").write(str(len(os.environ["API_TOKEN"])))\n`,
      "call.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { call } from "./steps.ts";
export default pipeline("call", z.object({}), () => call({}));`,
    });
    const env = { API_TOKEN: "s3cr3t-t0ken-value", REGION: "eu", OTHER: "x" };
    const first = await finished(project.start(["run", "--json"], env));
    expect(first.exit, first.stderr).toBe(0);
    expect(project.read("artifacts/call/out.txt")).toBe("18");
    expect(first.stdout + first.stderr).not.toContain("s3cr3t");
    expect(first.stderr).toContain("token *** region eu other None");
    const shown = await project.mlpipe("show", "last", "--json");
    expect(shown.stdout).not.toContain("s3cr3t");
    // Rotating the secret re-runs nothing; another region does.
    const rotated = await finished(project.start(["run", "--json"], { ...env, API_TOKEN: "another-token" }));
    expect(rotated.stdout).toContain('"cached"');
    const moved = await finished(project.start(["run", "--json"], { ...env, REGION: "us" }));
    expect(moved.stdout).toContain("env REGION eu → us");
    expect(moved.stdout).toContain('"ran"');
  });
});
