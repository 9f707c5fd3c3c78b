/** `run --ndjson`: every line is an event as the published schema has it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { z } from "zod";
import { finished, Project } from "./project.ts";

const schema: unknown = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../docs/schemas/event.schema.json"), "utf8"),
);
// The schema was made by zod itself; what it reads back is what any validator would.
const Event = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);

function eventsOf(stdout: string): readonly { readonly type: string }[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string });
}

it("every kind of event is as the schema says, and no field is unknown to it", async () => {
  using project = new Project({
    "steps.ts": `import { cmd, data, file, gate, model, train } from "mlpipe";
import { z } from "zod";
export const load = data("load", {
  outputs: { rows: z.int() },
  run() { console.log("loading"); console.error("carefully"); return { rows: Date.now() }; },
});
export const shaky = data("shaky", {
  outputs: { out: file("txt") },
  command: (_, o) => cmd\`python3 shaky.py \${o.out}\`,
});
export const fit = train("fit", {
  inputs: { rows: z.int() },
  outputs: { model: model("json") },
  async run(_, out) { await out.model.write("{}"); },
});
export const check = gate("check", {
  inputs: { model: model("json") },
  pass: "model",
  check: () => "not today",
});
export const broken = data("broken", { inputs: { rows: z.int() }, outputs: { n: z.int() }, run() { throw new Error("no"); } });`,
    "shaky.py": `import os, sys
if not os.path.exists("tried.mark"):
    open("tried.mark", "w").close()
    sys.exit(1)
open(sys.argv[1], "w").write("done")`,
    "all.pipeline.ts": `import { pipeline } from "mlpipe";
import * as steps from "./steps.ts";
export default pipeline("all", () => {
  const { rows } = steps.load({});
  const { model } = steps.fit({ rows });
  return {
    shaky: steps.shaky.with({ retry: { attempts: 1, backoff: "1ms" } })({}).out,
    model: steps.check({ model }).model,
    n: steps.broken({ rows }).n,
  };
});`,
  });
  const first = await project.mlpipe("run", "--ndjson", "--keep-going");
  const second = await project.mlpipe("run", "--ndjson", "--keep-going", "--check", "load");
  const refused = await project.mlpipe("run", "--ndjson", "--set", "nothing=1");
  expect(refused.exit).toBe(2);
  const frozen = await project.mlpipe("run", "--ndjson", "--frozen");
  expect(frozen.exit).not.toBe(0);
  const events = [first, second, refused, frozen].flatMap(({ stdout }) => eventsOf(stdout));
  const problems = events.flatMap((event) => {
    const parsed = Event.safeParse(event);
    return parsed.success ? [] : [{ event, issues: parsed.error.issues }];
  });
  expect(problems).toEqual([]);
  expect([...new Set(events.map(({ type }) => type))].toSorted()).toEqual([
    "error",
    "run-finished",
    "run-started",
    "step-checked",
    "step-finished",
    "step-output",
    "step-retrying",
    "step-started",
    "warning",
  ]);
  // And the schema does not take just anything.
  const [started] = events;
  expect(Event.safeParse({ ...started, extra: 1 }).success).toBe(false);
  expect(Event.safeParse({ ...started, type: "run-begun" }).success).toBe(false);
});

it("a run that is refused before it begins says so as an event, as the only line", async () => {
  using project = new Project({});
  const { exit, stdout, stderr } = await project.mlpipe("run", "--ndjson", "nowhere");
  expect(exit).toBe(2);
  expect(eventsOf(stdout)).toEqual([
    { type: "error", at: expect.any(String), error: expect.objectContaining({ code: "MLP6003" }) },
  ]);
  expect(stderr).toContain("MLP6003");
});

it("a step whose key another run executes says whom it waits for", async () => {
  using project = new Project({
    "steps.ts": `import { cmd, data, file } from "mlpipe";
export const slow = data("slow", {
  outputs: { out: file("txt") },
  command: (_, o) => cmd\`python3 slow.py \${o.out}\`,
});
`,
    "slow.py": `import sys, time
open("begun.log", "a").write("begun\\n")
time.sleep(2.5)
open(sys.argv[1], "w").write("made")
`,
    "one.pipeline.ts": `import { pipeline } from "mlpipe";
import { slow } from "./steps.ts";
export default pipeline("one", () => slow({}));
`,
  });
  const first = project.start(["run", "--ndjson"]);
  const told = finished(first);
  await expect.poll(() => existsSync(join(project.root, "begun.log")), { timeout: 10_000 }).toBe(true);
  const second = await project.mlpipe("run", "--ndjson");
  const run = eventsOf((await told).stdout).find(({ type }) => type === "run-started");
  expect([second.exit, project.read("begun.log")]).toEqual([0, "begun\n"]);
  const waiting = eventsOf(second.stdout).filter(({ type }) => type === "step-waiting");
  expect(waiting).toEqual([
    {
      type: "step-waiting",
      step: "slow",
      for: (run as { run?: string } | undefined)?.run,
      at: expect.any(String),
    },
  ]);
  expect(waiting.every((event) => Event.safeParse(event).success)).toBe(true);
});
