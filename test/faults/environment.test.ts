/** Promise 13: what a step can see of the environment is keyed or fixed; the rest is invisible. */
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";

/** Steps that write down every variable they see, one started as a program and one as a function. */
const seeing: Readonly<Record<string, string>> = {
  "steps.ts": `import { cmd, data, file, json, secret } from "mlpipe";
import { z } from "zod";
const Variables = z.record(z.string(), z.string());
const env = ["REGION", "ABSENT", secret("API_TOKEN")] as const;
export const program = data("program", {
  outputs: { seen: file("environ") },
  env,
  command: (_i, o) => cmd\`cp /proc/self/environ \${o.seen}\`,
});
export const code = data("code", {
  outputs: { seen: json(Variables) },
  env,
  async run(_i, out) {
    await out.seen.write({ ...process.env } as Record<string, string>);
  },
});
`,
  "see.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { code, program } from "./steps.ts";
export default pipeline("see", z.object({}), () => ({ program: program({}).seen, code: code({}).seen }));
`,
};

/** What hosts have set, each of which changes what some program does. */
const surroundings: Readonly<Record<string, string>> = {
  REGION: "eu",
  API_TOKEN: "the-token-itself",
  OTHER: "1",
  PYTHONPATH: "/nowhere",
  PYTHONHASHSEED: "7",
  OMP_NUM_THREADS: "3",
  CUDA_VISIBLE_DEVICES: "1",
  LC_ALL: "de_DE.UTF-8",
  LC_NUMERIC: "de_DE.UTF-8",
  LANG: "tr_TR.UTF-8",
  TZ: "Asia/Tokyo",
  HTTP_PROXY: "http://proxy.invalid",
  SHELL: "/bin/odd",
  EDITOR: "ed",
  COLUMNS: "40",
  MLPIPE_ATTEMPT: "/forged",
  "with space": "x",
  __proto__x: "y",
};

type Seen = Readonly<Record<"program" | "code", Readonly<Record<string, string>>>>;

async function runIn(
  project: Project,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly seen: Seen; readonly statuses: readonly string[] }> {
  const { exit, signal, stdout, stderr } = await finished(project.start(["run", "--json"], env));
  expect([exit, signal], stderr).toEqual([0, null]);
  const { steps } = JSON.parse(stdout) as { steps: { status: string }[] };
  const lines = project.read("artifacts/see/program.environ").split("\0").filter(Boolean);
  return {
    seen: {
      program: Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      ),
      code: JSON.parse(project.read("artifacts/see/code.json")) as Record<string, string>,
    },
    statuses: steps.map(({ status }) => status),
  };
}

// A program is asked through /proc, because shells and interpreters add variables of their own.
describe.skipIf(process.platform !== "linux")("the environment of a step", () => {
  it("holds the declared variables, the fixed ones, the plumbing, and nothing else", async () => {
    using project = new Project(seeing);
    const { seen } = await runIn(project, surroundings);
    const plumbing = ["HOME", "LOGNAME", "MLPIPE_ATTEMPT", "PATH", "TMPDIR", "USER"].filter(
      (name) => process.env[name] !== undefined || name === "MLPIPE_ATTEMPT" || name === "TMPDIR",
    );
    const fixed = ["LANG", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONUNBUFFERED", "TZ"];
    const expected = ["API_TOKEN", "REGION", ...fixed, ...plumbing].toSorted();
    expect(Object.keys(seen.program).toSorted()).toEqual(expected);
    expect(Object.keys(seen.code).toSorted()).toEqual([...expected, "NODE_COMPILE_CACHE"].toSorted());
    for (const variables of [seen.program, seen.code]) {
      expect(variables).toMatchObject({ REGION: "eu", LANG: "C.UTF-8", TZ: "UTC", PYTHONHASHSEED: "0" });
      expect(variables["MLPIPE_ATTEMPT"]).toContain(project.root);
    }
  });

  it("is keyed where it is declared and fixed elsewhere: other values run nothing again", async () => {
    using project = new Project(seeing);
    const first = await runIn(project, surroundings);
    const elsewhere = {
      ...Object.fromEntries(Object.keys(surroundings).map((name) => [name, "another value"])),
      REGION: "eu",
      // Of a locale that there is not, Node itself dies.
      LC_ALL: "C",
    };
    const moved = await runIn(project, {
      ...elsewhere,
      HOME: project.root,
      USER: "somebody",
      LOGNAME: "somebody",
    });
    expect(moved.statuses).toEqual(["cached", "cached"]);
    expect(moved.seen).toEqual(first.seen);
    expect((await runIn(project, { ...surroundings, REGION: "us" })).statuses).toEqual(["ran", "ran"]);
    expect((await runIn(project, { ...surroundings, REGION: "eu", ABSENT: "" })).statuses).toEqual([
      "ran",
      "ran",
    ]);
    const { API_TOKEN: _token, ...without } = surroundings;
    expect((await runIn(project, { ...without, API_TOKEN: "rotated" })).statuses).toEqual([
      "cached",
      "cached",
    ]);
  });
});
