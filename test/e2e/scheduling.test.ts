/** When steps start, through the real command line: measured by the records of real processes. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";

interface StepSource {
  readonly py?: string;
  readonly needs?: readonly string[];
  /** The options of its call, as source. */
  readonly with?: string;
}

/** A pipeline of Python steps, each a script of its own that writes what it is told to. */
function scripts(steps: Readonly<Record<string, StepSource>>): Readonly<Record<string, string>> {
  const definitions = Object.entries(steps).map(([name, { needs = [] }]) => {
    const ports = needs.map((need) => `${need}: file("txt")`).join(", ");
    const words = needs.map((need) => ` \${i.${need}}`).join("");
    return `export const ${name} = data("${name}", {
  inputs: { ${ports} },
  outputs: { out: file("txt") },
  command: (i, o) => cmd\`python3 ${name}.py \${o.out}${words}\`,
});`;
  });
  const calls = Object.entries(steps).map(([name, { needs = [], with: options }]) => {
    const ports = needs.map((need) => `${need}: ${need}.out`).join(", ");
    return `  const ${name} = steps.${name}${options === undefined ? "" : `.with(${options})`}({ ${ports} });`;
  });
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
      Object.entries(steps).map(([name, { py = write }]) => [`${name}.py`, `import os, sys, time\n${py}\n`]),
    ),
  };
}

const write = `open(sys.argv[1], "w").write("done")`;
const takes = (seconds: number): string => `time.sleep(${seconds})\n${write}`;

interface Span {
  readonly step: string;
  readonly from: number;
  readonly to: number;
}

/** When the processes of the last run were there, by its records, in the order of their starts. */
async function spans(project: Project): Promise<readonly Span[]> {
  const { stdout } = await project.mlpipe("show", "last", "--json");
  const { stepRuns } = JSON.parse(stdout) as {
    stepRuns: { step: { id: string }; attempts: { startedAt: string; endedAt: string }[] }[];
  };
  return stepRuns
    .flatMap(({ step, attempts }) =>
      attempts.map(({ startedAt, endedAt }) => ({
        step: step.id,
        from: Date.parse(startedAt),
        to: Date.parse(endedAt),
      })),
    )
    .toSorted((a, b) => a.from - b.from);
}

/** The most of the given steps that were there at once. */
function mostAtOnce(all: readonly Span[], ...ids: readonly string[]): number {
  const chosen = all.filter(({ step }) => ids.includes(step));
  return Math.max(
    ...chosen.map(({ from }) => chosen.filter((other) => other.from <= from && from < other.to).length),
  );
}

describe("pools", () => {
  it("memory, a pool of one's own and processors each hold steps back", async () => {
    using project = new Project(
      scripts({
        a: { py: takes(0.4), with: `{ resources: { memory: "600MB" } }` },
        b: { py: takes(0.4), with: `{ resources: { memory: "600MB" } }` },
        c: { py: takes(0.4), with: `{ resources: { license: 1 } }` },
        d: { py: takes(0.4), with: `{ resources: { license: 1 } }` },
        e: { py: takes(0.4) },
      }),
    );
    project.write({ "mlpipe.config.ts": `export default { pools: { memory: "1GB", license: 2 } };` });
    expect((await project.run("--jobs", "8")).status).toBe("succeeded");
    const first = await spans(project);
    expect(mostAtOnce(first, "a", "b")).toBe(1);
    expect(mostAtOnce(first, "c", "d")).toBe(2);
    expect(mostAtOnce(first, "a", "c", "d", "e")).toBe(4);
    // What the command line says holds over the configuration.
    await project.run("--jobs", "8", "--force", "--pool", "memory=2GB", "--pool", "license=1");
    const second = await spans(project);
    expect(mostAtOnce(second, "a", "b")).toBe(2);
    expect(mostAtOnce(second, "c", "d")).toBe(1);
  });

  it("each step that asks for a gpu sees a device of its own, and no device is seen twice at once", async () => {
    const py = `open("seen.txt", "a").write(f"{sys.argv[0][0]} {os.environ.get('CUDA_VISIBLE_DEVICES')}\\n")\n${takes(0.3)}`;
    const gpu = `{ resources: { gpu: 1 } }`;
    using project = new Project({
      ...scripts({
        a: { py, with: gpu },
        b: { py, with: gpu },
        c: { py, with: gpu },
        d: { py, with: `{ resources: { gpu: 2 } }` },
        e: { py },
      }),
      "bin/nvidia-smi": `#!/bin/sh\n[ "$1" = -L ] && echo asked >> "$PWD/asked.txt"\nprintf 'GPU 0: X (UUID: GPU-a)\\nGPU 1: X (UUID: GPU-b)\\n'\n`,
    });
    chmodSync(join(project.root, "bin/nvidia-smi"), 0o755);
    const env = { PATH: `${join(project.root, "bin")}:${process.env["PATH"]}` };
    const run = (...args: readonly string[]): ReturnType<typeof finished> =>
      finished(project.start(["run", "--jobs", "8", ...args], env));
    const seen = (): Readonly<Record<string, string>> =>
      Object.fromEntries(
        project
          .read("seen.txt")
          .trim()
          .split("\n")
          .map((line) => line.split(" ") as [string, string]),
      );
    expect((await run()).exit).toBe(0);
    expect(seen()["d"]).toBe("0,1");
    // Whoever asked for none is told nothing: its environment is its own.
    expect(seen()["e"]).toBe("None");
    const first = await spans(project);
    expect(mostAtOnce(first, "a", "b", "c")).toBe(2);
    expect(mostAtOnce(first, "a", "d")).toBe(1);
    const sharing = [
      ["a", "b"],
      ["b", "c"],
      ["a", "c"],
    ].filter(
      ([one = "", other = ""]) => mostAtOnce(first, one, other) === 2 && seen()[one] === seen()[other],
    );
    expect(sharing).toEqual([]);
    expect(project.read("asked.txt")).toBe("asked\n");
    // Where nothing has to run, nobody asks; and the devices that the user leaves are the pool.
    expect((await run()).exit).toBe(0);
    expect(project.read("asked.txt")).toBe("asked\n");
    const restricted = await finished(
      project.start(["run", "--force", "a", "b", "--only", "a", "b"], { ...env, CUDA_VISIBLE_DEVICES: "7" }),
    );
    expect(restricted.exit, restricted.stderr).toBe(0);
    expect([seen()["a"], seen()["b"]]).toEqual(["7", "7"]);
    expect(mostAtOnce(await spans(project), "a", "b")).toBe(1);
  });

  it("a step that could never start ends the run before anything was started", async () => {
    using project = new Project(
      scripts({
        quick: { py: `open("ran.mark", "w").close()\n${write}` },
        greedy: { needs: ["quick"], with: `{ resources: { memory: "900TB" } }` },
      }),
    );
    const { exit, stderr } = await project.mlpipe("run");
    expect(exit).toBe(2);
    expect(stderr).toMatch(
      /MLP3037 .*"greedy" asks for 900000GB of the pool memory, and there is [\d.]+GB\./,
    );
    expect(stderr).toContain("work.pipeline.ts:6:");
    expect(stderr).toContain("--pool memory=900000GB");
    expect(() => project.read("ran.mark")).toThrow("ENOENT");
    expect((await project.mlpipe("run", "--pool", "memory=900TB")).exit).toBe(0);
    // What is kept asks for nothing.
    expect(await project.statuses()).toEqual({ cached: ["quick", "greedy"] });
    expect((await project.mlpipe("run", "--force", "greedy")).exit).toBe(2);
  });

  it("an amount or a name that cannot be read is refused by name", async () => {
    using project = new Project(scripts({ a: { with: "{ resources: { license: 1 } }" } }));
    for (const [pool, text] of [
      ["memory=lots", 'the resource memory is "lots", and must be bytes or a size such as "8GB"'],
      ["license", "the resource license is"],
      ["=3", '"" is no name of a pool'],
      ["licence=3", "no step takes from a pool of this name"],
      ["licence=3", "Did you mean license?"],
    ] as const) {
      const { exit, stderr } = await project.mlpipe("run", "--pool", pool);
      expect(exit).toBe(2);
      expect(stderr).toContain(text);
    }
    project.write({ "mlpipe.config.ts": `export default { pools: { memory: "lots" } };` });
    const { exit, stderr } = await project.mlpipe("run");
    expect(exit).toBe(2);
    expect(stderr).toMatch(/MLP6008 .*In pools of mlpipe.config.ts, the resource memory is "lots"/);
  });
});

describe("the order", () => {
  it("goes by what steps took in earlier runs: the longest path first", async () => {
    using project = new Project(
      scripts({
        fast: { py: takes(0.05) },
        slow: { py: takes(3) },
        first: { py: takes(0.05) },
        last: { needs: ["first"] },
      }),
    );
    const order = async (): Promise<readonly string[]> => (await spans(project)).map(({ step }) => step);
    // Nothing is known yet: the longer chain first, and then as they are wired.
    await project.run("--jobs", "1");
    expect((await order()).slice(0, 2)).toEqual(["first", "fast"]);
    await project.run("--jobs", "1", "--force");
    expect((await order()).slice(0, 2)).toEqual(["slow", "first"]);
  });

  it("a step that needs the whole machine has its turn among many small ones", async () => {
    const small = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`s${i}`, { py: takes(0.1 + (i % 3) * 0.1) }]),
    );
    using project = new Project(
      scripts({
        s0: small["s0"] ?? {},
        big: { py: takes(0.1), with: "{ resources: { cpu: 2 } }" },
        ...small,
        after: { needs: ["big"] },
      }),
    );
    expect((await project.run("--jobs", "2")).status).toBe("succeeded");
    const all = await spans(project);
    const big = all.findIndex(({ step }) => step === "big");
    expect(big).toBeLessThan(all.length - 2);
    const beside = all.filter(({ step }) => step !== "big" && mostAtOnce(all, "big", step) > 1);
    expect(beside).toEqual([]);
  });
});

describe("trying again", () => {
  it("after the failures that the step names, with more memory each time, and pauses that grow", async () => {
    using project = new Project(
      scripts({
        shaky: {
          py: `tries = len(open("tries.txt").read()) if os.path.exists("tries.txt") else 0
open("tries.txt", "a").write("x")
if tries < 2: sys.exit(75)
${write}`,
          with: `{ retry: { attempts: 3, backoff: "300ms", factor: 2, on: [75] } }`,
        },
        other: {
          py: `open("others.txt", "a").write("x")\nsys.exit(1)`,
          with: `{ retry: { attempts: 3, backoff: "10ms", on: [75, "timeout", "memory", "killed"] } }`,
        },
      }),
    );
    const run = await project.run("--keep-going");
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual(["shaky ran", "other failed"]);
    expect(project.read("tries.txt")).toBe("xxx");
    expect(project.read("others.txt")).toBe("x");
    const [first, second, third] = (await spans(project)).filter(({ step }) => step === "shaky");
    expect((second?.from ?? 0) - (first?.to ?? 0)).toBeGreaterThanOrEqual(230);
    expect((third?.from ?? 0) - (second?.to ?? 0)).toBeGreaterThanOrEqual(470);
  });

  it("a step that waits for its next attempt holds no place, and Ctrl-C does not wait for it", async () => {
    using project = new Project(
      scripts({
        shaky: { py: "sys.exit(1)", with: `{ retry: { attempts: 1, backoff: "60s", maxBackoff: "60s" } }` },
        other: { py: `open("other.mark", "w").close()\n${write}` },
      }),
    );
    const child = project.start(["run", "--jobs", "1", "--json"]);
    const ended = finished(child);
    for (let tries = 0; tries < 200; tries++) {
      try {
        project.read("other.mark");
        break;
      } catch {
        await pause(50);
      }
    }
    await pause(300);
    const since = performance.now();
    child.kill("SIGINT");
    const { exit, stdout } = await ended;
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(exit).toBe(130);
    const { steps } = JSON.parse(stdout) as { steps: { id: string; status: string }[] };
    expect(steps.map(({ id, status }) => `${id} ${status}`)).toEqual(["shaky failed", "other ran"]);
  });

  it("a TypeScript step that fills its heap is named so, and has more the next time", async () => {
    using project = new Project({
      "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const fill = data("fill", {
  outputs: { length: z.int() },
  run() {
    const all: number[][] = [];
    for (let i = 0; i < 150; i++) all.push(Array.from({ length: 131072 }, (_, j) => j + 0.5));
    return { length: all.length };
  },
});`,
      "fill.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { fill } from "./steps.ts";
export default pipeline("fill", z.object({ tries: z.int() }), (p) =>
  fill.with({
    resources: { memory: (attempt) => attempt * 100 * 2 ** 20 },
    retry: { attempts: p.tries, on: ["memory"], backoff: "1ms" },
  })({}));`,
    });
    const once = await project.run("-s", "tries=0");
    expect(once.exit).toBe(1);
    expect(once.steps[0]?.error?.code).toBe("MLP3038");
    expect(once.steps[0]?.error?.message).toContain("JavaScript heap out of memory");
    const thrice = await project.run("-s", "tries=3");
    expect(thrice.steps[0]?.status).toBe("ran");
    const { stdout } = await project.mlpipe("show", "last", "--json");
    const { stepRuns } = JSON.parse(stdout) as { stepRuns: { attempts: { error?: { code: string } }[] }[] };
    const codes = stepRuns[0]?.attempts.map(({ error }) => error?.code) ?? [];
    expect(codes[0]).toBe("MLP3038");
    expect(codes.at(-1)).toBeUndefined();
    expect(codes.length).toBeGreaterThan(1);
  });
});

describe("scheduling is never keyed", () => {
  it("other resources, retries and timeouts run nothing again", async () => {
    using project = new Project(
      scripts({
        one: { with: `{ retry: 1, timeout: "1h", resources: { cpu: 1 } }` },
        two: { needs: ["one"] },
      }),
    );
    expect(await project.statuses()).toEqual({ ran: ["one", "two"] });
    project.edit(
      "work.pipeline.ts",
      `{ retry: 1, timeout: "1h", resources: { cpu: 1 } }`,
      `{ retry: { attempts: 5, on: ["memory"] }, timeout: "2h", resources: { cpu: 2, memory: (n) => n * 1e6, gpu: 0 } }`,
    );
    expect(await project.statuses("--pool", "memory=1GB")).toEqual({ cached: ["one", "two"] });
  });
});
