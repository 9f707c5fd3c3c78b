/** The least that any tool on Node would need: bare programs to compare with. */
import { hash } from "node:crypto";
import { lstatSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Measure, Tool } from "../tool.ts";
import { copiesOf, largeFiles, type Shape, type Workload } from "../workload.ts";

const script = (name: string): string => join(import.meta.dirname, `${name}.mjs`);

/** @param cp the program that every trivial command is */
export function floors(node: string, cp: string, mlpipe: string): readonly Tool[] {
  const floor = (
    name: string,
    argv: readonly string[],
    shapes: readonly Shape[],
    measure: Measure,
    write: Tool["write"] = () => {},
  ): Tool => ({
    name,
    role: "floor",
    does: ({ shape }) => (shapes.includes(shape) ? [measure] : []),
    checkable: false,
    leaves: measure === "cold" ? ["out/*"] : [],
    write,
    run: () => argv,
  });
  const wide: readonly Shape[] = ["fan", "chain"];
  return [
    floor("node -e 0", [node, "-e", "0"], ["start"], "no-op"),
    { ...floor("mlpipe --version", [node, mlpipe, "--version"], ["start"], "no-op"), role: "variant" },
    { ...floor("mlpipe --help", [node, mlpipe, "--help"], ["start"], "no-op"), role: "variant" },
    floor("one command", [cp, "data/0.txt", "out/0.txt"], ["start"], "no-op"),
    floor("bare planner", [node, script("planner")], wide, "no-op", writeManifest),
    {
      ...floor("the least promised", [node, script("promised"), cp], wide, "no-op", writeKept),
      does: ({ shape }) => (shape === "fan" ? ["no-op", "leaf"] : shape === "chain" ? ["no-op"] : []),
    },
    floor("bare spawner, durable", [node, script("spawner"), "durable"], ["fan"], "cold", writeCommands),
    floor("bare spawner", [node, script("spawner")], ["fan"], "cold", writeCommands),
    floor("stat walk", [node, script("stat-walk")], ["files"], "no-op"),
    floor("one-shot sha256, one core", [node, script("hash"), ...largeFiles], ["large"], "cold"),
  ];
}

function writeCommands(project: string, workload: Workload): void {
  writeFileSync(join(project, "commands.json"), JSON.stringify(copiesOf(workload)));
}

/** As a planner would keep it: what is to do, and what is known of each input. */
function writeManifest(project: string, workload: Workload): void {
  const steps = copiesOf(workload).map(({ from }, i) => ({
    id: `copy-${i}`,
    kind: "data",
    module: "steps.ts",
    export: "copy",
    // A chain's inputs are outputs, which this one never makes: any file costs the same to look at.
    input: from.startsWith("out/") ? "data/0.txt" : from,
    outputs: { to: { kind: "file", ext: "txt" } },
  }));
  const index = Object.fromEntries(
    steps.map(({ id, input }) => {
      const { size, mtimeMs } = statSync(join(project, input));
      return [input, { size, mtimeMs, digest: "0".repeat(64), step: id }];
    }),
  );
  writeFileSync(join(project, "manifest.json"), JSON.stringify({ steps }));
  writeFileSync(join(project, "index.json"), JSON.stringify(index));
}

/** As a tool would keep it that goes by content: what it knows of inputs, entries by key, and an object for each step. */
function writeKept(project: string, workload: Workload): void {
  const code = hash("sha256", "cp");
  const steps = copiesOf(workload).map(({ from }, i) => ({
    id: `copy-${i}`,
    code,
    // As above.
    input: from.startsWith("out/") ? "data/0.txt" : from,
  }));
  writeFileSync(join(project, "manifest.json"), JSON.stringify({ steps }));
  mkdirSync(join(project, "objects"), { recursive: true });
  rmSync(join(project, "promised.db"), { force: true });
  using database = new DatabaseSync(join(project, "promised.db"));
  database.exec(
    "CREATE TABLE stats (id PRIMARY KEY, document); CREATE TABLE entries (id PRIMARY KEY, document); BEGIN",
  );
  const keep = (table: string) => database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`);
  const [stats, entries] = [keep("stats"), keep("entries")];
  for (const { input } of steps) {
    const { size, mtimeNs, ctimeNs, ino } = lstatSync(join(project, input), { bigint: true });
    const digest = hash("sha256", input);
    const stamp = `${size} ${mtimeNs} ${ctimeNs} ${ino}`;
    stats.run(input, JSON.stringify({ stamp, digest }));
    const object = `objects/${digest}`;
    writeFileSync(join(project, object), "x");
    const key = hash("sha256", JSON.stringify({ code, inputs: { from: digest } }));
    entries.run(key, JSON.stringify({ object, size: 1 }));
  }
  database.exec("COMMIT");
}
