/** Every reason names the exact part that changed, in one line that a stranger understands. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Project } from "./project.ts";

const files: Readonly<Record<string, string>> = {
  "data/days.csv": "day,rain\n1,0\n2,5\n3,0\n",
  "data/events.jsonl": '{"n":1}\n{"n":2}\n',
  "data/pages/a.html": "a",
  "data/pages/b.html": "b",
  "data/notes.txt": "notes",
  "steps.ts": `import { cmd, csv, data, dir, file, jsonl, many } from "mlpipe";
import { z } from "zod";
export const Day = z.object({ day: z.int(), rain: z.number() });
export const Event = z.object({ n: z.int() });
export const load = data("load", {
  inputs: { days: csv(Day), events: jsonl(Event), pages: dir(), notes: file("txt"), limit: z.number() },
  outputs: { wet: csv(Day), total: z.number() },
  env: ["REGION"],
  async run({ days, limit }, out) {
    const all = await days.all();
    await out.wet.write(all.filter(({ rain }) => rain > limit));
    return { total: all.length };
  },
});
export const count = data("count", {
  inputs: { wet: csv(Day) },
  outputs: { rows: z.int() },
  run: async ({ wet }) => ({ rows: (await wet.all()).length }),
});
export const shout = data("shout", {
  inputs: { rows: z.int() },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`python3 shout.py \${o.text} \${i.rows}\`,
});
export const join = data("join", {
  inputs: { texts: many(file("txt")) },
  outputs: { letters: z.int() },
  run: ({ texts }) => ({ letters: texts.size }),
});
`,
  "shout.py": "import sys\nopen(sys.argv[1], 'w').write(sys.argv[2] + '!')\n",
  "what.pipeline.ts": `import { csv, dir, file, jsonl, pipeline, source } from "mlpipe";
import { z } from "zod";
import { count, Day, Event, join, load, shout } from "./steps.ts";
export default pipeline("what", z.object({ limit: z.number().default(1), names: z.array(z.string()).default(["x"]) }), (p) => {
  const { wet, total } = load({
    days: source("data/days.csv", csv(Day)),
    events: source("data/events.jsonl", jsonl(Event)),
    pages: source("data/pages", dir()),
    notes: source("data/notes.txt", file("txt")),
    limit: p.limit,
  });
  const { rows } = count({ wet });
  const texts = Object.fromEntries(p.names.map((name) => [name, shout.as("shout-" + name)({ rows }).text]));
  return { total, letters: join({ texts }).letters };
});
`,
};

interface Edit {
  readonly change: (project: Project) => void;
  readonly step?: string;
  readonly args?: readonly string[];
  readonly run?: boolean;
  readonly says: readonly string[];
}

const edits: Readonly<Record<string, Edit>> = {
  "rows added": {
    change: (project) => {
      project.edit("data/days.csv", "3,0\n", "3,0\n4,1\n5,2\n");
    },
    says: ["input days: 2 rows added (data/days.csv)"],
  },
  "a row removed": {
    change: (project) => {
      project.edit("data/days.csv", "2,5\n", "");
    },
    says: ["input days: 1 row removed (data/days.csv)"],
  },
  "a value changed": {
    change: (project) => {
      project.edit("data/days.csv", "2,5", "2,6");
    },
    says: ["input days: rows changed (3 as before) (data/days.csv)"],
  },
  "a column added": {
    change: (project) => {
      project.write({ "data/days.csv": "day,rain,wind\n1,0,1\n2,5,1\n3,0,1\n" });
    },
    says: ["input days: column wind added (data/days.csv)"],
  },
  "a line of JSON added": {
    change: (project) => {
      project.edit("data/events.jsonl", '{"n":2}\n', '{"n":2}\n{"n":3}\n');
    },
    says: ["input events: 1 row added (data/events.jsonl)"],
  },
  "files of a folder": {
    change: (project) => {
      project.write({ "data/pages/c.html": "c", "data/pages/a.html": "A" });
      rmSync(join(project.root, "data/pages/b.html"));
    },
    says: ["input pages: c.html added; b.html removed; a.html changed (data/pages)"],
  },
  "a file that nobody looks into": {
    change: (project) => {
      project.write({ "data/notes.txt": "other notes" });
    },
    says: ["input notes changed (data/notes.txt)"],
  },
  "a param": {
    change: () => {},
    args: ["-s", "limit=4"],
    says: ["input limit 1 → 4 (params.limit)"],
  },
  "two things at once": {
    change: (project) => {
      project.edit("data/days.csv", "2,5\n", "");
    },
    args: ["-s", "limit=4"],
    says: ["input days: 1 row removed (data/days.csv)", "input limit 1 → 4 (params.limit)"],
  },
  "the step's function": {
    change: (project) => {
      project.edit("steps.ts", "rain > limit", "rain >= limit");
    },
    says: ["code: load in steps.ts changed"],
  },
  "a port's schema": {
    change: (project) => {
      project.edit("steps.ts", "rain: z.number()", "rain: z.number().min(0)");
    },
    says: ["code: Day in steps.ts changed"],
  },
  "a declared variable": {
    change: () => {
      process.env["REGION"] = "north";
    },
    says: ["env REGION (unset) → north"],
  },
  "rows of an upstream output": {
    change: (project) => {
      project.edit("data/days.csv", "3,0\n", "3,7\n4,8\n");
    },
    step: "count",
    run: true,
    says: ["input wet: 2 rows added (from load)"],
  },
  "an upstream step that made the same again": {
    change: (project) => {
      project.edit("data/days.csv", "3,0\n", "3,0.5\n");
    },
    step: "count",
    run: true,
    says: ["load made the same output again: stopped here"],
  },
  "a Python script": {
    change: (project) => {
      project.edit("shout.py", "'!'", "'!!'");
    },
    step: "shout-x",
    says: ["code: shout.py changed"],
  },
  "the arguments of a command": {
    change: (project) => {
      project.edit("steps.ts", "{i.rows}`", "{i.rows} loud`");
    },
    step: "shout-x",
    says: [
      "code: shout in steps.ts changed",
      "command python3 shout.py {text} {rows} → python3 shout.py {text} {rows} loud",
    ],
  },
  "an item of a many": {
    change: () => {},
    step: "join",
    args: ["-s", 'names=["x","y"]'],
    run: true,
    says: ["input texts: y added"],
  },
  "a step that was renamed and changed": {
    change: (project) => {
      project.edit("what.pipeline.ts", "count({ wet })", 'count.as("tally")({ wet })');
      project.edit("steps.ts", "(await wet.all()).length", "(await wet.all()).length + 1");
    },
    step: "tally",
    says: [
      "never ran under this name; the nearest is count, and this differs from it",
      "code: count in steps.ts changed",
    ],
  },
};

describe("why", () => {
  let project: Project;
  const original = process.env["REGION"];
  beforeAll(async () => {
    delete process.env["REGION"];
    project = new Project(files);
    await project.run();
  });
  afterAll(() => {
    if (original !== undefined) process.env["REGION"] = original;
    project[Symbol.dispose]();
  });

  it.for(Object.entries(edits))("%s", async ([, { change, step = "load", args = [], run = false, says }]) => {
    rmSync(join(project.root, "data"), { recursive: true });
    project.write(files);
    delete process.env["REGION"];
    // Back at the beginning: the last success is that of the original files.
    await project.run("--force");
    change(project);
    const reasons = run
      ? (await project.run(...args)).steps.find(({ id }) => id === step)?.reasons
      : (
          JSON.parse((await project.mlpipe("why", step, "--json", ...args)).stdout) as {
            reasons: { message: string }[];
          }
        ).reasons;
    expect(reasons?.map(({ message }) => message)).toEqual(says);
  });
});
