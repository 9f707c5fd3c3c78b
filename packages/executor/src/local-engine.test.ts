/** The engine of this machine: what every engine promises, and what it does when somebody kills it or mlpipe. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AliveLock } from "@mlpipe/store/alive-lock";
import { describe, expect, it, onTestFinished } from "vitest";
import { attemptVariable, type Ended, type StartedProcess } from "./engine.ts";
import { engineContract } from "./engine-contract.ts";
import { LocalEngine } from "./local-engine.ts";

function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-local-engine-")));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The lock of a run in a store of that folder, with what is there before anything is executed. */
function lockIn(folder: string): string {
  mkdirSync(join(folder, "attempts"), { recursive: true });
  mkdirSync(join(folder, "runs/one"), { recursive: true });
  return join(folder, "runs/one/alive.db");
}

async function openLocalEngine(folder = newFolder()): Promise<LocalEngine> {
  const engine = new LocalEngine(lockIn(folder));
  await engine.ready();
  return engine;
}

engineContract("LocalEngine", openLocalEngine);

/** Processes whose command line or environment names a folder. */
function processesOf(folder: string, file: "cmdline" | "environ" = "environ"): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/${file}`, "utf8").includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

const supervisorOf = (folder: string): number => {
  const pid = processesOf(lockIn(folder), "cmdline").find((each) =>
    readFileSync(`/proc/${each}/cmdline`, "utf8").includes("supervisor/main"),
  );
  if (pid === undefined) throw new Error("there is no supervisor");
  return pid;
};

async function until(what: () => boolean, patienceMs = 15_000): Promise<void> {
  for (const since = performance.now(); !what(); await pause(10)) {
    if (performance.now() - since > patienceMs) throw new Error(`it did not come to it: ${what.toString()}`);
  }
}

const daemon = `import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0: os._exit(0)
    open("daemon", "w").write("up")
    time.sleep(600)
time.sleep(600)`;
const deaf = `import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("deaf", "w").write("up")
time.sleep(600)`;
const chatty = `import sys
open("chatty", "w").write("up")
while True: sys.stdout.write("x" * 65536)`;
const steps = [daemon, deaf, chatty].map((code) => ["python3", "-c", code]);
const areUp = (folder: string): boolean =>
  ["daemon", "deaf", "chatty"].every((name) => existsSync(join(folder, name)));

// What of a run is alive is read from /proc; elsewhere process groups end the same way, and daemons are not found.
describe.skipIf(process.platform !== "linux")("when mlpipe is killed with -9", () => {
  const startUser = async (folder: string, detached = false): Promise<ChildProcess> => {
    const user = spawn(
      process.execPath,
      [
        "--conditions=@mlpipe/source",
        new URL("./fixtures/engine-user.ts", import.meta.url).pathname,
        lockIn(folder),
        folder,
        ...steps.map((argv) => JSON.stringify(argv)),
      ],
      { stdio: ["ignore", "ignore", "inherit"], detached },
    );
    onTestFinished(() => void user.kill("SIGKILL"));
    await until(() => areUp(folder));
    return user;
  };
  /** What is alive when the lock is free, and whether that came soon. While anything lives the lock is held. */
  const whatSurvives = async (lock: string): Promise<unknown> => {
    const since = performance.now();
    await until(() => !AliveLock.isHeld(lock));
    const alive = processesOf(dirname(dirname(dirname(lock))));
    const soon = performance.now() - since < 2_000;
    await until(() => processesOf(lock, "cmdline").length === 0);
    return { alive, soon, lock: existsSync(lock) };
  };
  const nothing = { alive: [], soon: true, lock: false };

  it("nothing of the run survives it by two seconds, and until then the lock is held", async () => {
    const folder = newFolder();
    const user = await startUser(folder);
    const lock = lockIn(folder);
    expect(AliveLock.isHeld(lock)).toBe(true);
    expect(processesOf(folder).length).toBeGreaterThanOrEqual(4);
    user.kill("SIGKILL");
    expect(await whatSurvives(lock)).toEqual(nothing);
  });

  it("also when everything in its process group is killed with it", async () => {
    const folder = newFolder();
    const user = await startUser(folder, true);
    process.kill(-(user.pid ?? 0), "SIGKILL");
    expect(await whatSurvives(lockIn(folder))).toEqual(nothing);
  });
});

describe.skipIf(process.platform !== "linux")("when the supervisor is killed with -9", () => {
  const start = (engine: LocalEngine, folder: string): readonly StartedProcess[] =>
    steps.map((argv, n) =>
      engine.start({
        argv,
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", [attemptVariable]: `${folder}/${n}` },
        onOutput: () => {},
      }),
    );

  it("its processes end, their ends say why, and closing is at once", async () => {
    const folder = newFolder();
    const engine = await openLocalEngine(folder);
    const all = start(engine, folder);
    await until(() => areUp(folder));
    process.kill(supervisorOf(folder), "SIGKILL");
    const ended: readonly Ended[] = await Promise.all(all.map((each) => each.ended));
    expect(processesOf(folder)).toEqual([]);
    expect(ended.map(({ failure }) => failure?.code)).toEqual(["MLP3036", "MLP3036", "MLP3036"]);
    expect(AliveLock.isHeld(lockIn(folder))).toBe(false);
    await engine.close();
  });

  it("what is started afterwards fails in the same way", async () => {
    const folder = newFolder();
    const engine = await openLocalEngine(folder);
    process.kill(supervisorOf(folder), "SIGKILL");
    await pause(200);
    const [late] = start(engine, folder);
    expect((await late?.ended)?.failure?.code).toBe("MLP3036");
    await engine.close();
  });
});

it("a lock that another process holds is an error before anything is started", async () => {
  const folder = newFolder();
  const first = await openLocalEngine(folder);
  const second = new LocalEngine(lockIn(folder));
  await expect(second.ready()).rejects.toMatchObject({ code: "MLP4013" });
  await second.close();
  await first.close();
  expect(existsSync(lockIn(folder))).toBe(false);
});

it.skipIf(process.platform !== "linux")(
  "the supervisor stays small, whatever goes through it and however slowly it is taken",
  async () => {
    const folder = newFolder();
    const engine = await openLocalEngine(folder);
    const supervisor = supervisorOf(folder);
    const memory = (): number =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${supervisor}/status`, "utf8"))?.[1]) / 1024;
    let peak = memory();
    let size = 0;
    const loud = `import sys
for _ in range(400): sys.stdout.buffer.write(b"x" * 262144)`;
    await Promise.all(
      [0, 1].map(
        (n) =>
          engine.start({
            argv: ["python3", "-c", loud],
            cwd: folder,
            env: { PATH: process.env["PATH"] ?? "", [attemptVariable]: `${folder}/${n}` },
            onOutput: (_stream, bytes) => {
              if (Math.floor((size + bytes.length) / 5_000_000) > Math.floor(size / 5_000_000)) {
                Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
                peak = Math.max(peak, memory());
              }
              size += bytes.length;
            },
          }).ended,
      ),
    );
    expect(size).toBe(2 * 400 * 262_144);
    expect(peak).toBeLessThan(120);
    await engine.close();
  },
);

it.skipIf(process.platform !== "linux")(
  "after some processes the next ones speak into pipes that have no name, and the supervisor keeps few of them",
  async () => {
    const folder = newFolder();
    const engine = await openLocalEngine(folder);
    const supervisor = supervisorOf(folder);
    const open = (): number => readdirSync(`/proc/${supervisor}/fd`).length;
    const said: string[] = [];
    const run = async (script: string): Promise<void> => {
      const { code } = await engine.start({
        argv: ["sh", "-c", script],
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", [attemptVariable]: `${folder}/${said.length}` },
        onOutput: (_stream, bytes) => said.push(bytes.toString().trim()),
      }).ended;
      expect(code).toBe(0);
    };
    const kind = "stat -L -c %F /proc/self/fd/1";
    await run(kind);
    for (let n = 0; n < 20; n++) await run("exit 0");
    await until(() => open() > 20);
    await run(kind);
    await run(`sleep 0.1; ${kind}`);
    expect(said).toEqual(["socket", "fifo", "fifo"]);
    const before = open();
    // Some end at once, some are listened to, some leave somebody who keeps the pipes.
    for (let n = 0; n < 20; n++) await run("exit 0");
    for (let n = 0; n < 3; n++) await run("sleep 0.06");
    await until(() => open() <= before);
    for (let n = 0; n < 6; n++) await run("setsid sleep 60 & exit 0");
    await run("exit 0");
    await until(() => open() <= before + 16);
    expect(readdirSync(join(folder, "attempts"))).toEqual([]);
    await engine.close();
  },
);
