/** Promise 16: logs of any size and bytes, in bounded memory. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { finished, mlpipe, Project } from "../e2e/project.ts";
import { asOrdinary, canBeOrdinary, giveToOrdinary } from "../e2e/ordinary-user.ts";
import { onTerminal } from "../e2e/on-terminal.ts";

/** A project with steps that are Python scripts of these texts. */
function speaking(scripts: Readonly<Record<string, string>>): Project {
  const names = Object.keys(scripts);
  return new Project({
    "steps.ts": `import { cmd, data, file } from "mlpipe";
${names
  .map(
    (name) =>
      `export const ${name} = data("${name}", { outputs: { out: file("txt") }, command: (_, o) => cmd\`python3 ${name}.py \${o.out}\` });`,
  )
  .join("\n")}
`,
    "talk.pipeline.ts": `import { pipeline } from "mlpipe";
import * as steps from "./steps.ts";
export default pipeline("talk", () => ({ ${names.map((name) => `${name}: steps.${name}.with({ retry: { attempts: 1, backoff: "1ms" } })({}).out`).join(", ")} }));
`,
    ...Object.fromEntries(
      names.map((name) => [
        `${name}.py`,
        `import os, sys, time\nout, err = sys.stdout.buffer, sys.stderr.buffer\n${scripts[name]}\nopen(sys.argv[1], "w").write("done")\n`,
      ]),
    ),
  });
}

/** Runs mlpipe with its output in a file, and says what it printed and how much memory it took at most. */
async function measured(
  project: Project,
  args: readonly string[],
): Promise<{ readonly exit: number | null; readonly path: string; readonly peakMiB: number }> {
  const path = join(project.root, `${args[0]}-${args.length}.said`);
  const to = openSync(path, "w");
  const child = spawn(process.execPath, [mlpipe, ...args], {
    cwd: project.root,
    stdio: ["ignore", to, args[0] === "logs" ? "inherit" : to],
    env: { ...process.env, NO_COLOR: "1" },
  });
  let peak = 0;
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const look = setInterval(() => {
    peak = Math.max(peak, peakKib(child));
  }, 20);
  const exit = await ended;
  clearInterval(look);
  closeSync(to);
  return { exit, path, peakMiB: peak / 1024 };
}

/** The most memory a process ever took; 0 where the system does not tell. */
function peakKib({ pid }: ChildProcess): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** What could do harm to a terminal. */
// oxlint-disable-next-line no-control-regex -- these are what must not be there
const harmful = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202e]/;

describe("logs of any size and bytes", () => {
  it("300 MB in lines, and one line of 200 MiB: kept whole, printed whole, in bounded memory", async () => {
    using project = speaking({
      lines: `block = b"".join(b"%07d " % i + b"x" * 91 + b"\\n" for i in range(10000))
for _ in range(300): out.write(block)`,
      line: `for _ in range(200): out.write(b"y" * 2**20)`,
      quiet: "",
    });
    const quiet = await measured(project, ["run", "--only", "quiet"]);
    const ran = await measured(project, ["run", "--only", "lines", "line"]);
    expect(ran.exit).toBe(0);
    // Megabytes that are read before they are collected, and not hundreds of them.
    expect(ran.peakMiB).toBeLessThan(quiet.peakMiB + 150);

    const block = Array.from(
      { length: 10_000 },
      (_, i) => `${`${i}`.padStart(7, "0")} ${"x".repeat(91)}\n`,
    ).join("");
    const lines = createHash("sha256");
    for (let i = 0; i < 300; i++) lines.update(block);
    const printed = await measured(project, ["logs", "last", "lines"]);
    expect(printed.exit).toBe(0);
    expect(digest(printed.path)).toBe(lines.digest("hex"));
    expect(printed.peakMiB).toBeLessThan(quiet.peakMiB + 100);
    const line = await measured(project, ["logs", "last", "line", "--raw"]);
    expect(statSync(line.path).size).toBe(200 * 2 ** 20);
    expect(line.peakMiB).toBeLessThan(quiet.peakMiB + 100);
    // What was shown while it ran is cut, and says so.
    const said = readFileSync(ran.path, "utf8");
    expect(said).toContain("yyyyy…");
    expect(said).not.toContain("y".repeat(5_000));
  });

  it("more than Node reads at once, which verify compares with what was said", async () => {
    using project = speaking({ zeros: `for _ in range(2200): out.write(bytes(1_000_000))` });
    const { run } = await project.run();
    const whole = await project.mlpipe("verify");
    expect([whole.exit, whole.stdout, whole.stderr]).toEqual([0, expect.stringContaining("is whole"), ""]);
    const log = join(project.root, ".mlpipe/runs", run, "zeros.1.stdout.log");
    const file = openSync(log, "r+");
    writeSync(file, "x", 2_000_000_000);
    closeSync(file);
    const altered = await project.mlpipe("verify");
    expect([altered.exit, altered.stdout]).toEqual([
      4,
      expect.stringContaining("is not what its step had said"),
    ]);
  });

  it.skipIf(!canBeOrdinary)("one that may not be read, which verify names", async () => {
    using project = speaking({ word: `out.write(b"word\\n")` });
    const { run } = await project.run();
    giveToOrdinary(project);
    chmodSync(join(project.root, ".mlpipe/runs", run, "word.1.stdout.log"), 0o000);
    const { exit, stdout } = await asOrdinary(project, "verify");
    expect([exit, stdout]).toEqual([4, expect.stringContaining("the log cannot be read (EACCES)")]);
    const said = await asOrdinary(project, "logs", "last");
    expect([said.exit, said.stderr]).toEqual([4, expect.stringContaining("EACCES")]);
  });

  it("bytes that are no text and escapes of terminals: byte for byte on disk, harmless on a terminal", async () => {
    const bytes = String.raw`b"\x1b[2J\x1b]0;title\x07red\x1b[31m\x9b1m \xff\xfe\x00 \xe2\x80\xaegnp.exe\r\n" + bytes(range(256)) * 40`;
    using project = speaking({ wild: `out.write(${bytes})\nerr.write(b"on the other stream\\n")` });
    const shown = await onTerminal(project, { columns: 80, rows: 24 }, ["run"], { CI: "true" });
    // CI: plain lines. Nothing of it is an escape, other than the colours that mlpipe itself uses.
    expect(stripVTControlCharacters(shown)).not.toMatch(harmful);
    for (const escape of ["\u001b[2J", "\u001b]", "\u009b"]) expect(shown).not.toContain(escape);

    const expected = Buffer.concat([
      Buffer.from("\u001b[2J\u001b]0;title\u0007red\u001b[31m"),
      Buffer.from([0x9b]),
      Buffer.from("1m "),
      Buffer.from([0xff, 0xfe, 0]),
      Buffer.from(" \u202egnp.exe\r\n"),
      ...Array.from({ length: 40 }, () => Buffer.from(Array.from({ length: 256 }, (_, i) => i))),
    ]);
    const piped = await measured(project, ["logs", "last", "wild", "--stream", "stdout", "--raw"]);
    expect(readFileSync(piped.path).equals(expected)).toBe(true);
    const [run = ""] = readdirSync(join(project.root, ".mlpipe/runs"));
    expect(readFileSync(join(project.root, ".mlpipe/runs", run, "wild.1.stdout.log")).equals(expected)).toBe(
      true,
    );

    const onScreen = await onTerminal(project, { columns: 80, rows: 24 }, ["logs", "last", "wild"]);
    expect(onScreen).toContain("red");
    expect(onScreen).toContain("on the other stream");
    expect(onScreen).not.toMatch(harmful);
    const other = await project.mlpipe("logs", "last", "wild", "--stream", "stderr", "--raw");
    expect([other.stdout, other.stderr]).toEqual(["", "on the other stream\n"]);
  });

  it("of one attempt alone", async () => {
    using project = speaking({
      shaky: `first = not os.path.exists("tried.mark")
open("tried.mark", "w").close()
out.write(b"first\\n" if first else b"second\\n")
if first: sys.exit(1)`,
    });
    expect((await project.run()).status).toBe("succeeded");
    expect((await project.mlpipe("logs", "last", "shaky")).stdout).toBe("first\nsecond\n");
    expect((await project.mlpipe("logs", "last", "shaky", "--attempt", "2")).stdout).toBe("second\n");
    expect((await project.mlpipe("logs", "--attempt", "1")).stdout).toBe("first\n");
    const wrong = await project.mlpipe("logs", "--attempt", "zero");
    expect([wrong.exit, wrong.stderr]).toEqual([
      2,
      expect.stringContaining("--attempt takes a whole number"),
    ]);
  });
});

describe("logs -f", () => {
  it("prints what is said while it is said, whole lines of each step, and ends with the run", async () => {
    using project = speaking({
      slow: `for i in range(6):
    out.write(b"slow %d" % i); out.flush(); time.sleep(0.15); out.write(b" done\\n"); out.flush()
while not os.path.exists("go.mark"): time.sleep(0.05)
out.write(b"the last without an end"); out.flush()`,
      other: `for i in range(6): out.write(b"other %d\\n" % i); out.flush(); time.sleep(0.1)`,
    });
    const running = project.start(["run", "--jobs", "2"]);
    const runEnded = finished(running);
    while (!(await project.mlpipe("runs")).stdout.includes("running")) await pause(50);
    const following = project.start(["logs", "-f"]);
    let said = "";
    following.stdout?.on("data", (text: Buffer) => (said += text.toString()));
    const followEnded = finished(following);
    while (!said.includes("slow 5 done\n")) await pause(25);
    // The run goes on, and so does whoever follows it.
    expect(running.exitCode).toBeNull();
    expect(following.exitCode).toBeNull();
    project.write({ "go.mark": "" });
    expect((await runEnded).exit).toBe(0);
    const { exit, stdout, stderr } = await followEnded;
    expect(exit).toBe(0);
    expect(stdout.replaceAll(/other \d\n/g, "")).toBe(
      `${Array.from({ length: 6 }, (_, i) => `slow ${i} done\n`).join("")}the last without an end`,
    );
    expect(stdout.match(/other \d\n/g)).toHaveLength(6);
    expect(stderr).toContain("── slow");
    expect(stderr).toContain("── other");
    // Of a run that has ended everything is there at once.
    const after = await project.mlpipe("logs", "last", "slow", "-f");
    expect(after.stdout).toContain("the last without an end");
  });

  it("ends when the run was killed, and what its steps had said is there", async () => {
    using project = speaking({ slow: `out.write(b"so far\\n"); out.flush(); time.sleep(600)` });
    const running = project.start(["run"]);
    const runEnded = finished(running);
    const log = async (): Promise<string> => (await project.mlpipe("logs")).stdout;
    while (!(await log()).includes("so far")) await pause(50);
    const following = project.start(["logs", "-f"]);
    const followEnded = finished(following);
    // It has what there is, and waits for more.
    await new Promise((resolve) => following.stdout?.once("data", resolve));
    running.kill("SIGKILL");
    await runEnded;
    const { exit, stdout, stderr } = await followEnded;
    expect([exit, stdout]).toEqual([0, "so far\n"]);
    expect(stderr).toContain("was broken off: its mlpipe is gone");
    expect(await log()).toBe("so far\n");
    // Ends what the killed run has left behind.
    project.write({ "slow.py": `import sys\nopen(sys.argv[1], "w").write("done")` });
    expect((await project.run()).status).toBe("succeeded");
  });

  it("a reader that goes away ends it", async () => {
    using project = speaking({
      chatty: `for i in range(400000): out.write(b"%d\\n" % i)`,
    });
    expect((await project.run()).status).toBe("succeeded");
    const folder = mkdtempSync(join(tmpdir(), "mlpipe-head-"));
    try {
      writeFileSync(join(folder, "head.sh"), `"$@" | head -n 1; exit 0`);
      const child = spawn("sh", [join(folder, "head.sh"), process.execPath, mlpipe, "logs"], {
        cwd: project.root,
      });
      const { exit, stdout, stderr } = await finished(child);
      expect([exit, stdout, stderr]).toEqual([0, "0\n", ""]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
