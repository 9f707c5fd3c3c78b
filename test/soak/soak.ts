/**
 * `pnpm soak [--minutes 10] [--steps 2000]`: a large pipeline whose steps fail at random, run by several mlpipe at once,
 * of which one or another is killed all the time. At the end nothing may be lost, twice made, left over or grown. Writes
 * what it saw to docs/soak.md.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Finished, finished, Project } from "../e2e/project.ts";
import { processesIn, supervisorIn, survivorsIn } from "../faults/processes.ts";
import { problemsOf, runsOf } from "../faults/store-state.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, steps: { type: "string", default: "2000" } },
});
const minutes = Number(values.minutes);
const chains = 40;
const depth = Math.round(Number(values.steps) / chains);
const steps = chains * depth;
const atOnce = 3;
const jobs = 4;

/** Of 256 executions so many exit with 1, are killed, leave their output out, leave a daemon, or take a while. */
const chaos = { fail: 8, killed: 4, missing: 1, daemon: 4, slow: 20 };

const work = `# OUT NAME BEFORE: writes the digest of its name and of what came before it.
luck=255
[ -e chaos ] && luck=$(od -An -N1 -tu1 /dev/urandom)
[ $luck -lt ${chaos.fail} ] && { echo "no luck" >&2; exit 1; }
luck=$((luck - ${chaos.fail}))
[ $luck -lt ${chaos.killed} ] && kill -9 $$
luck=$((luck - ${chaos.killed}))
[ $luck -lt ${chaos.missing} ] && exit 0
luck=$((luck - ${chaos.missing}))
[ $luck -lt ${chaos.daemon} ] && { setsid sleep 600 & }
luck=$((luck - ${chaos.daemon}))
[ $luck -lt ${chaos.slow} ] && sleep 0.5
cat "$3" 2>/dev/null | { cat; echo "$2"; } | sha256sum >"$1"
echo "$2" >>executions.log
`;

const files: Readonly<Record<string, string>> = {
  "work.sh": work,
  chaos: "",
  "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
const files = ["work.sh"];
export const first = data("first", {
  inputs: { name: z.string() },
  outputs: { out: file("txt") },
  files,
  command: (i, o) => cmd\`sh work.sh \${o.out} \${i.name} /dev/null\`,
});
export const next = data("next", {
  inputs: { name: z.string(), before: file("txt") },
  outputs: { out: file("txt") },
  files,
  command: (i, o) => cmd\`sh work.sh \${o.out} \${i.name} \${i.before}\`,
});
`,
  "soak.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { first, next } from "./steps.ts";
export default pipeline("soak", z.object({ epoch: z.int() }), (p) => {
  const ends = {};
  for (let chain = 0; chain < ${chains}; chain++) {
    const name = (n) => \`e\${p.epoch}-c\${chain}-n\${n}\`;
    const retrying = { retry: 2 };
    let { out } = first.with(retrying).as(\`first-\${chain}\`)({ name: name(0) });
    for (let n = 1; n < ${depth}; n++)
      ({ out } = next.with(retrying).as(\`next-\${chain}-\${n}\`)({ name: name(n), before: out }));
    ends[\`end\${chain}\`] = out;
  }
  return ends;
});
`,
};

/** What the end of a chain must be, computed without mlpipe. */
function expectedEnd(epoch: number, chain: number): string {
  let before = "";
  for (let n = 0; n < depth; n++)
    before = `${createHash("sha256").update(`${before}e${epoch}-c${chain}-n${n}\n`).digest("hex")}  -\n`;
  return before;
}

interface Sample {
  readonly atMs: number;
  readonly kind: "mlpipe" | "supervisor";
  readonly mib: number;
}

const project = new Project(files);
const store = join(project.root, ".mlpipe");
const began = performance.now();
const samples: Sample[] = [];
const tally = {
  runs: 0,
  killed: 0,
  supervisorsKilled: 0,
  stopped: 0,
  exits: new Map<string, number>(),
  epochs: 0,
};
const problems: string[] = [];

function sample(): void {
  for (const line of processesIn(project.root)) {
    const kind = line.includes("supervisor/main")
      ? "supervisor"
      : line.includes("mlpipe.js run")
        ? "mlpipe"
        : undefined;
    if (kind === undefined) continue;
    try {
      const status = readFileSync(`/proc/${line.split(" ")[0]}/status`, "utf8");
      const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
      if (kib > 0) samples.push({ atMs: performance.now() - began, kind, mib: kib / 1024 });
    } catch {
      // It has ended.
    }
  }
}

function execute(epoch: number): { readonly child: ChildProcess; readonly ended: Promise<Finished> } {
  tally.runs++;
  const child = project.start([
    "run",
    "--json",
    "--keep-going",
    "--jobs",
    String(jobs),
    "-s",
    `epoch=${epoch}`,
  ]);
  const ended = finished(child);
  return { child, ended };
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode === null && signalCode === null;

const kept = (): number => {
  const executed = existsSync(join(project.root, "executions.log"))
    ? new Set(project.read("executions.log").trim().split("\n"))
    : new Set();
  return executed.size;
};

let epoch = 0;
const sampler = setInterval(sample, 500);
while (performance.now() - began < minutes * 60_000) {
  const running = Array.from({ length: atOnce }, () => execute(epoch));
  // Until all of them have ended by themselves or otherwise, one after the other is disturbed.
  while (running.some(({ child }) => isRunning(child))) {
    await pause(3_000 + Math.random() * 6_000);
    if (performance.now() - began > minutes * 60_000) break;
    const victim = running[Math.floor(Math.random() * running.length)]?.child;
    const luck = Math.random();
    if (victim === undefined || !isRunning(victim)) continue;
    if (luck < 0.6) {
      victim.kill("SIGKILL");
      tally.killed++;
    } else if (luck < 0.8) {
      victim.kill("SIGINT");
      tally.stopped++;
    } else {
      const pid = supervisorIn(project.root);
      if (pid === undefined) continue;
      process.kill(pid, "SIGKILL");
      tally.supervisorsKilled++;
    }
  }
  for (const { child } of running) child.kill("SIGINT");
  for (const { ended } of running) {
    const { exit, signal, stderr } = await ended;
    const how = signal ?? String(exit);
    tally.exits.set(how, (tally.exits.get(how) ?? 0) + 1);
    if (exit === 70 || stderr.includes("MLP7000")) problems.push(`a bug: ${stderr.slice(-2_000)}`);
  }
  process.stderr.write(
    `${Math.round((performance.now() - began) / 1000)} s: epoch ${epoch}, ${kept()} executed\n`,
  );
  if (kept() >= steps * (epoch + 1) * 0.97) {
    await conclude();
    epoch++;
    if (performance.now() - began < minutes * 60_000) writeFileSync(join(project.root, "chaos"), "");
  }
}
if (tally.epochs <= epoch) await conclude();
clearInterval(sampler);

/** Without disturbance to the end of an epoch, whose outputs are then looked at. */
async function conclude(): Promise<void> {
  rmSync(join(project.root, "chaos"), { force: true });
  const { exit, stderr } = await project.mlpipe("run", "--jobs", String(jobs), "-s", `epoch=${epoch}`);
  if (exit !== 0) problems.push(`the last run of epoch ${epoch} ended with ${exit}: ${stderr.slice(-2_000)}`);
  for (let chain = 0; chain < chains; chain++) {
    if (project.read(`artifacts/soak/end${chain}.txt`) !== expectedEnd(epoch, chain))
      problems.push(`epoch ${epoch}: the end of chain ${chain} is not what it must be`);
  }
  tally.epochs++;
}

const survivors = await survivorsIn(project.root);
if (survivors.length > 0) problems.push(`still alive: ${survivors.join("; ")}`);
problems.push(...problemsOf(store));
const verified = await project.mlpipe("verify");
if (verified.exit !== 0) problems.push(`verify: ${verified.stdout}`);
const statuses = Map.groupBy(runsOf(store), (status) => status);
if (statuses.has("running")) problems.push("a run is listed as running");
const collected = await project.mlpipe("gc");
const left = readdirSync(join(store, "attempts"));
if (collected.exit !== 0) problems.push(`gc: ${collected.stderr}`);
if (left.length > 0) problems.push(`left in attempts after gc: ${left.join(" ")}`);

const executions = project.read("executions.log").trim().split("\n");
const keys = new Set(executions);
const again = executions.length - keys.size;
// Whatever was under way when mlpipe or its supervisor ended may have to be done again.
const excused = (tally.killed + tally.supervisorsKilled + tally.stopped + atOnce * tally.epochs) * jobs;
if (keys.size !== steps * tally.epochs)
  problems.push(`${keys.size} keys were executed of ${steps * tally.epochs}`);
if (again > excused)
  problems.push(`${again} executions were of keys that had been executed, and ${excused} are excused`);

// The same without any disturbance, of the last epoch, in a project of its own.
const undisturbed = new Project(files);
rmSync(join(undisturbed.root, "chaos"));
const calm = await undisturbed.run("--jobs", String(jobs), "-s", `epoch=${epoch}`);
const shaken = await project.run("--jobs", String(jobs), "-s", `epoch=${epoch}`);
const digests = (run: typeof calm): string =>
  JSON.stringify(run.steps.map(({ id, key, outputs }) => [id, key, outputs]));
if (digests(calm) !== digests(shaken)) problems.push("outputs differ from those of an undisturbed run");
if (shaken.steps.some(({ status }) => status !== "cached")) problems.push("not everything was kept");

const whole = performance.now() - began;
const peaks = (kind: Sample["kind"], part: 0 | 1 | 2): number =>
  Math.max(
    0,
    ...samples
      .filter(({ kind: each, atMs }) => each === kind && Math.floor((atMs / whole) * 3) === part)
      .map(({ mib }) => mib),
  );
for (const kind of ["mlpipe", "supervisor"] as const) {
  if (peaks(kind, 2) > peaks(kind, 0) * 1.25 + 10)
    problems.push(
      `memory of ${kind} grew: ${peaks(kind, 0).toFixed(0)} MiB at first, ${peaks(kind, 2).toFixed(0)} at last`,
    );
}

const load = spawnSync("cat", ["/proc/loadavg"], { encoding: "utf8" })
  .stdout.split(" ")
  .slice(0, 3)
  .join(" ");
const row = (what: string, figure: string | number): string => `| ${what} | ${figure} |`;
const report = `# A soak

Written by \`pnpm soak\`: a pipeline of ${steps} steps (${chains} chains of ${depth}) whose steps fail at random, run by ${atOnce} mlpipe at
once, of which one or another is killed with -9, stopped with Ctrl-C, or loses its supervisor every few seconds. When
nearly all of it is made it is finished undisturbed, and begins again with other params (an epoch).

Of 256 executions ${chaos.fail} exit with 1, ${chaos.killed} are killed by a signal, ${chaos.missing} leaves its output out, ${chaos.daemon} leave a daemon behind, ${chaos.slow} take half a
second.

| | |
| --- | --- |
${[
  row("when", new Date().toISOString().slice(0, 16).replace("T", " ")),
  row(
    "machine",
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}, load ${load}`,
  ),
  row("length", `${(whole / 60_000).toFixed(1)} minutes`),
  row("epochs", tally.epochs),
  row("runs", tally.runs),
  row("killed with -9", tally.killed),
  row("stopped with SIGINT", tally.stopped),
  row("supervisors killed with -9", tally.supervisorsKilled),
  row("how runs ended", [...tally.exits].map(([how, count]) => `${how}: ${count}`).join(", ")),
  row("listed as", [...statuses].map(([status, all]) => `${status}: ${all.length}`).join(", ")),
  row("keys executed", `${keys.size} of ${steps * tally.epochs}`),
  row("executed again after a kill", `${again} (at most ${excused} could be)`),
  row(
    "peak memory of mlpipe, by thirds",
    `${[0, 1, 2].map((part) => peaks("mlpipe", part as 0 | 1 | 2).toFixed(0)).join(", ")} MiB`,
  ),
  row(
    "peak memory of supervisors, by thirds",
    `${[0, 1, 2].map((part) => peaks("supervisor", part as 0 | 1 | 2).toFixed(0)).join(", ")} MiB`,
  ),
  row("processes left alive", survivors.length),
  row(
    "outputs",
    problems.some((problem) => problem.includes("outputs") || problem.includes("chain"))
      ? "differ"
      : "equal to those of an undisturbed run",
  ),
  row("`mlpipe verify`", verified.exit === 0 ? "whole" : "damaged"),
].join("\n")}

${problems.length === 0 ? "Nothing was lost, left over or grown." : `## Problems\n\n${problems.map((problem) => `- ${problem}`).join("\n")}`}
`;
const page = join(import.meta.dirname, "../../docs/soak.md");
writeFileSync(page, report);
spawnSync(join(import.meta.dirname, "../../node_modules/.bin/oxfmt"), [page], { stdio: "ignore" });
process.stderr.write(report);
undisturbed[Symbol.dispose]();
if (problems.length === 0) project[Symbol.dispose]();
process.exitCode = problems.length === 0 ? 0 : 1;
