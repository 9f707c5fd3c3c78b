/**
 * What every engine promises, as tests: `engineContract("my engine", openMine)` in a test file of the engine. They use
 * nothing but {@link Engine} and files in the process's folder, which the engine's machines must share with the test.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attemptVariable, type Ended, type Engine, type StartedProcess } from "./engine.ts";

/** What a process of the contract is asked to do. */
interface Work {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly handsOver?: boolean;
  readonly leaves?: readonly string[];
  readonly onBegin?: (at: Date) => void;
  readonly onOutput?: (stream: "stdout" | "stderr", bytes: Buffer) => void;
}

/** What came of it. */
interface Finished extends Ended {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Describes an engine by what it promises.
 * @param open makes an engine that is ready; it is closed after each test
 */
export function engineContract(name: string, open: () => Promise<Engine>): void {
  describe(`what every engine promises: ${name}`, () => {
    let engine: Engine;
    let folder: string;

    beforeEach(async () => {
      folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-engine-")));
      engine = await open();
    });

    afterEach(async () => {
      await engine.close();
      rmSync(folder, { recursive: true, force: true });
    });

    let works = 0;
    const start = ({ argv, env = {}, ...rest }: Work): StartedProcess =>
      engine.start({
        argv,
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", [attemptVariable]: `${folder}/${works++}`, ...env },
        onOutput: () => {},
        ...rest,
      });
    const run = async (work: Work): Promise<Finished> => {
      const said: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
      const started = start({ onOutput: (stream, bytes) => said[stream].push(bytes), ...work });
      const ended = await started.ended;
      return { ...ended, stdout: Buffer.concat(said.stdout), stderr: Buffer.concat(said.stderr) };
    };
    const python = (code: string, ...args: readonly string[]): readonly string[] => [
      "python3",
      "-c",
      `import os, signal, subprocess, sys, time\n${code}`,
      ...args,
    ];
    const there = async (name: string): Promise<string> => {
      const path = join(folder, name);
      for (let tries = 0; tries < 800; tries++) {
        if (existsSync(path) && readFileSync(path, "utf8").endsWith("\n")) return readFileSync(path, "utf8");
        await pause(25);
      }
      throw new Error(`${name} never came`);
    };
    /** Whether something still writes to a file: engines on other machines have no process numbers to ask for here. */
    const beats = async (name: string): Promise<boolean> => {
      const before = statSync(join(folder, name)).size;
      await pause(400);
      return statSync(join(folder, name)).size > before;
    };

    describe("how a process ended", () => {
      it("with 0, with another exit code, and by a signal", async () => {
        const [zero, seven, killed] = await Promise.all([
          run({ argv: ["true"] }),
          run({ argv: ["sh", "-c", "exit 7"] }),
          run({ argv: ["sh", "-c", "kill -SEGV $$"] }),
        ]);
        expect(zero).toMatchObject({ code: 0, signal: null, timedOut: false, stopped: false });
        expect(zero.failure).toBeUndefined();
        expect(seven).toMatchObject({ code: 7, signal: null });
        expect(killed).toMatchObject({ code: null, signal: "SIGSEGV", stopped: false });
      });

      it("that could not be started: a missing program, one that may not be run, a missing folder", async () => {
        writeFileSync(join(folder, "plain"), "no program");
        const [missing, plain, nowhere] = await Promise.all([
          run({ argv: ["no-such-program-anywhere"] }),
          run({ argv: ["./plain"] }),
          run({ argv: ["true"], cwd: join(folder, "nowhere") }),
        ]);
        expect(missing).toMatchObject({ code: null, signal: null, failure: { code: "ENOENT" } });
        expect(plain.failure?.code).toBe("EACCES");
        expect(nowhere.failure?.code).toBe("ENOENT");
      });

      it("with arguments too long for the system, or with a zero byte: said, and the engine goes on and closes", async () => {
        const long = await run({ argv: ["true", "x".repeat(3_000_000)] });
        expect(long.failure?.code).toBe("E2BIG");
        const zero = await run({ argv: ["true", "a\0b"] });
        expect(zero.failure).toBeDefined();
        expect((await run({ argv: ["true"] })).code).toBe(0);
        const since = performance.now();
        await engine.close();
        expect(performance.now() - since).toBeLessThan(1_000);
      });
    });

    describe("what a process is given", () => {
      it("the environment exactly as it is, and no more", async () => {
        const env = { "odd name": "x y", EMPTY: "", UTF: "žluťoučký 🐴", LINES: "a\nb", EQUALS: "=a=b=" };
        const { stdout } = await run({
          argv: ["env", "-0"],
          env: { ...env, PATH: "/usr/bin:/bin", [attemptVariable]: "mark" },
        });
        const seen = Object.fromEntries(
          stdout
            .toString("utf8")
            .split("\0")
            .filter(Boolean)
            .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
        );
        expect(seen).toEqual({ ...env, PATH: "/usr/bin:/bin", [attemptVariable]: "mark" });
      });

      it("the working folder, the arguments as they are, and nothing to read", async () => {
        const odd = ["", "a b", "$(touch x)", "'", '"', "\\", "*", "--", "-n", "ž", "\n", "\u0001"];
        const { stdout } = await run({
          argv: python("print(ascii([os.getcwd(), sys.argv[1:], sys.stdin.read()]))", ...odd),
        });
        const shown = await run({
          argv: python("print(ascii(eval(sys.argv[1])))", JSON.stringify([folder, odd, ""])),
        });
        expect(stdout.toString()).toBe(shown.stdout.toString());
      });
    });

    describe("which program is started", () => {
      /** Puts a program of the same name into folders, each saying where it is and how it was called. */
      const put = (...folders: readonly string[]): void => {
        for (const each of folders) {
          mkdirSync(join(folder, each), { recursive: true });
          writeFileSync(join(folder, each, "tell"), `#!/bin/sh\necho ${each}\n`, { mode: 0o755 });
        }
      };
      const told = async (path: string): Promise<string> =>
        (await run({ argv: ["tell"], env: { PATH: path } })).stdout.toString().trim();

      it("the first of its name on PATH that may be executed", async () => {
        put("b", "c");
        mkdirSync(join(folder, "a/tell"), { recursive: true });
        writeFileSync(join(folder, "plain"), "");
        const path = ["a", "nowhere", "plain", "b", "c"].map((each) => join(folder, each)).join(":");
        expect(await told(path)).toBe("b");
        expect(await told(path.split(":").toReversed().join(":"))).toBe("c");
        expect(await told(`nowhere:./c:${path}`)).toBe("c");
      });

      it("another one, when it has gone from where it was; also one that was not there before", async () => {
        const path = `${folder}/a:${folder}/b`;
        expect((await run({ argv: ["tell"], env: { PATH: path } })).failure?.code).toBe("ENOENT");
        put("a", "b");
        expect(await told(path)).toBe("a");
        rmSync(join(folder, "a/tell"));
        expect(await told(path)).toBe("b");
        rmSync(join(folder, "b/tell"));
        expect((await run({ argv: ["tell"], env: { PATH: path } })).failure?.code).toBe("ENOENT");
      });

      it("is told the name that it was called by", async () => {
        symlinkSync("/bin/sh", join(folder, "as-it-was-called"));
        const path = `${folder}:/usr/bin:/bin`;
        const argv = ["as-it-was-called", "-c", "echo $0"];
        expect((await run({ argv, env: { PATH: path } })).stdout.toString()).toBe("as-it-was-called\n");
      });
    });

    /** What serves one process after the other does so for the hundredth as for the first. */
    const after = async (others: number): Promise<void> => {
      for (let n = 0; n < others; n++) expect((await run({ argv: ["true"] })).code).toBe(0);
    };

    describe.each([0, 40])("what a process says, after %i others", (others) => {
      beforeEach(() => after(others));

      it("arrives byte by byte, on the stream it was said on", async () => {
        const { stdout, stderr } = await run({
          argv: python(`sys.stdout.buffer.write(bytes(range(256)) * 300)
sys.stderr.buffer.write(b"\\xff\\xfe\\x00no newline")`),
        });
        expect(
          stdout.equals(
            Buffer.concat(
              Array.from({ length: 300 }, () => Buffer.from(Array.from({ length: 256 }, (_, n) => n))),
            ),
          ),
        ).toBe(true);
        expect(stderr.equals(Buffer.from("\u00ff\u00fe\0no newline", "latin1"))).toBe(true);
      });

      it("200 MB arrive whole, and memory stays where it was", async () => {
        const hash = createHash("sha256");
        let size = 0;
        const before = process.memoryUsage.rss();
        let peak = before;
        const { code } = await start({
          argv: python(`block = bytes(range(256)) * 4096
for _ in range(200): sys.stdout.buffer.write(block)`),
          onOutput: (_stream, bytes) => {
            hash.update(bytes);
            size += bytes.length;
            if (size % 7 === 0 || bytes.length > 1_000) peak = Math.max(peak, process.memoryUsage.rss());
          },
        }).ended;
        expect([code, size]).toEqual([0, 200 * 1_048_576]);
        const block = Buffer.alloc(1_048_576, Buffer.from(Array.from({ length: 256 }, (_, n) => n)));
        const expected = createHash("sha256");
        for (let n = 0; n < 200; n++) expected.update(block);
        expect(hash.digest("hex")).toBe(expected.digest("hex"));
        expect((peak - before) / 1_048_576).toBeLessThan(100);
      }, 120_000);

      it("is held back when nobody takes it", async () => {
        const progress = join(folder, "progress");
        let seen: number | undefined;
        const { code } = await start({
          argv: python(`block = b"x" * 65536
for n in range(1600):
    sys.stdout.buffer.write(block)
    open("progress", "w").write(str(n))`),
          onOutput: () => {
            if (seen !== undefined) return;
            // Whoever waits for the disk, say, blocks like this.
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
            seen = Number(readFileSync(progress, "utf8"));
          },
        }).ended;
        expect(code).toBe(0);
        // Of 100 MiB a few may lie in pipes and buffers.
        expect(seen).toBeLessThan(320);
      });

      it("of a process that has ended is passed on before it counts as ended, however slowly it is taken", async () => {
        let size = 0;
        const { code } = await start({
          argv: python(`sys.stdout.buffer.write(b"x" * 3_000_000)`),
          onOutput: (_stream, bytes) => {
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
            size += bytes.length;
          },
        }).ended;
        expect([code, size]).toEqual([0, 3_000_000]);
      });

      it("at once, while it runs", async () => {
        const said: string[] = [];
        const work = start({
          argv: ["sh", "-c", "echo one; until [ -e go ]; do sleep 0.01; done; echo two >&2"],
          onOutput: (stream, bytes) => said.push(`${stream} ${bytes.toString()}`),
        });
        for (let tries = 0; said.length === 0 && tries < 800; tries++) await pause(10);
        expect(said).toEqual(["stdout one\n"]);
        writeFileSync(join(folder, "go"), "");
        expect((await work.ended).code).toBe(0);
        expect(said).toEqual(["stdout one\n", "stderr two\n"]);
      });

      it("is never taken for what another one says, whatever stays behind and keeps the pipes", async () => {
        const bodies = [
          // Short and loud, short and quiet, long, with much to say, and with somebody left who goes on speaking.
          (n: number) => `echo ${n}; echo ${n} >&2`,
          () => "exit 0",
          (n: number) => `sleep 0.1; echo ${n}; echo ${n} >&2`,
          // More than a pipe holds.
          (n: number) => `yes ${n} | head -n 60000; echo ${n} >&2`,
          (n: number) =>
            `(while :; do echo left; echo left >&2; sleep 0.005; done) & echo ${n}; echo ${n} >&2`,
          (n: number) => `exec 3>&1 4>&2 >/dev/null 2>/dev/null; sleep 0.06; echo ${n} >&3; echo ${n} >&4`,
        ];
        const words = (stream: Buffer): readonly string[] => [
          ...new Set(stream.toString().split("\n").filter(Boolean)),
        ];
        const one = async (n: number): Promise<void> => {
          const kind = n % bodies.length;
          const { code, stdout, stderr } = await run({ argv: ["sh", "-c", bodies[kind]?.(n) ?? ""] });
          // Only those of its own left child may come between.
          const own = kind === 4 ? ["left", String(n)] : [String(n)];
          const foreign = [...words(stdout), ...words(stderr)].filter((word) => !own.includes(word));
          const isHeard = [stdout, stderr].map((stream) => words(stream).includes(String(n)));
          expect([n, code, foreign, isHeard]).toEqual([n, 0, [], [kind !== 1, kind !== 1]]);
        };
        let next = 0;
        await Promise.all(
          [0, 1, 2].map(async () => {
            while (next < 60) await one(next++);
          }),
        );
      }, 60_000);
    });

    describe("stopping", () => {
      it("gently: the process may put its things away", async () => {
        const started = start({
          argv: python(`def end(*_):
    time.sleep(0.5)
    open("saved", "w").write("yes")
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
open("ready", "w").write("\\n")
time.sleep(600)`),
        });
        await there("ready");
        started.stop("gently");
        expect(await started.ended).toMatchObject({ code: 3, stopped: true, timedOut: false });
        expect(readFileSync(join(folder, "saved"), "utf8")).toBe("yes");
      });

      it("gently: so may everything below it, also when the process itself ends at once", async () => {
        writeFileSync(
          join(folder, "training.py"),
          `import signal, sys, time
def end(*_):
    time.sleep(0.7)
    open("saved", "w").write("yes")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open("ready", "w").write("\\n")
time.sleep(600)`,
        );
        // A shell does not wait for its child when it is told to end.
        const started = start({ argv: ["sh", "-c", "python3 training.py & wait"] });
        await there("ready");
        started.stop("gently");
        expect(await started.ended).toMatchObject({ signal: "SIGTERM", stopped: true });
        expect(existsSync(join(folder, "saved"))).toBe(true);
      });

      it("gently: also a process that was suspended, which cannot hear before it goes on", async () => {
        const started = start({
          argv: python(`def end(*_):
    open("saved", "w").write("yes")
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
open("ready", "w").write("\\n")
os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(600)`),
        });
        await there("ready");
        await pause(100);
        started.stop("gently");
        expect(await started.ended).toMatchObject({ code: 3, stopped: true });
        expect(existsSync(join(folder, "saved"))).toBe(true);
      });

      it("now: nobody is asked", async () => {
        const started = start({
          argv: python(`signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("ready", "w").write("\\n")
time.sleep(600)`),
        });
        await there("ready");
        const since = performance.now();
        started.stop("now");
        expect(await started.ended).toMatchObject({ code: null, signal: "SIGKILL", stopped: true });
        expect(performance.now() - since).toBeLessThan(2_000);
      });

      it("gently, a process that does not listen is ended after the grace period, and at once if asked again", async () => {
        const deaf = python(`signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write("\\n")
time.sleep(600)`);
        const [patient, pressed] = ["patient", "pressed"].map((name) => start({ argv: [...deaf, name] }));
        await Promise.all([there("patient"), there("pressed")]);
        const since = performance.now();
        patient?.stop("gently");
        pressed?.stop("gently");
        await pause(300);
        pressed?.stop("now");
        expect(await pressed?.ended).toMatchObject({ signal: "SIGKILL", stopped: true });
        expect(performance.now() - since).toBeLessThan(3_000);
        expect(await patient?.ended).toMatchObject({ signal: "SIGKILL", stopped: true });
        expect(performance.now() - since).toBeGreaterThan(2_000);
      });

      it("what has ended already is no matter", async () => {
        const started = start({ argv: ["true"] });
        await started.ended;
        started.stop("gently");
        started.stop("now");
        expect(await started.ended).toMatchObject({ code: 0, stopped: false });
      });

      it("closing ends everything, and whoever waits is told", async () => {
        const all = Array.from({ length: 5 }, (_, n) =>
          start({ argv: ["sh", "-c", `echo >ready${n}; while :; do echo x >>beat${n}; sleep 0.05; done`] }),
        );
        for (let n = 0; n < 5; n++) await there(`beat${n}`);
        await engine.close();
        const ended = await Promise.all(all.map((each) => each.ended));
        expect(ended.every(({ stopped, signal }) => stopped && signal === "SIGKILL")).toBe(true);
        for (let n = 0; n < 5; n++) expect(await beats(`beat${n}`)).toBe(false);
        await engine.close();
      });
    });

    describe("time", () => {
      it("that is up ends the whole tree", async () => {
        const since = performance.now();
        const ended = await run({
          argv: ["sh", "-c", "(while :; do echo x >>beat; sleep 0.05; done) & sleep 600"],
          timeoutMs: 700,
        });
        expect(ended).toMatchObject({ timedOut: true, stopped: false, signal: "SIGTERM" });
        expect(performance.now() - since).toBeGreaterThan(600);
        expect(await beats("beat")).toBe(false);
      });

      it("of more days than a timer counts is no hurry", async () => {
        const ended = await run({ argv: ["sleep", "0.5"], timeoutMs: 30 * 86_400_000 });
        expect(ended).toMatchObject({ code: 0, timedOut: false });
      });
    });

    describe.each([0, 40])("what a process leaves behind, after %i others", (others) => {
      beforeEach(() => after(others));

      /** A daemon as the book has it: a session of its own, two forks, and the pipes kept open. */
      const daemon = (
        beat: string,
        ready = `while not os.path.exists("${beat}"): time.sleep(0.01)`,
      ): string =>
        `if os.fork() == 0:
    os.setsid()
    if os.fork() != 0: os._exit(0)
    while True:
        open("${beat}", "a").write("x\\n")
        time.sleep(0.02)
os.wait()
${ready}
`;

      it("a daemon that holds the pipes open is dead when the process counts as ended, and delays nothing", async () => {
        const since = performance.now();
        const ended = await run({ argv: python(`${daemon("beat")}print("done")`) });
        expect(ended).toMatchObject({ code: 0 });
        expect(ended.stdout.toString()).toBe("done\n");
        expect(performance.now() - since).toBeLessThan(5_000);
        expect(await beats("beat")).toBe(false);
      });

      it("also of one process while others begin and end", async () => {
        const long = start({
          argv: python(`${daemon("beat")}open("ready", "w").write("\\n")
while not os.path.exists("go"): time.sleep(0.01)`),
        });
        await there("ready");
        // Each of them has something to be looked for, so that everything that runs is looked at.
        for (let n = 0; n < 3; n++) expect((await run({ argv: python(daemon(`other${n}`)) })).code).toBe(0);
        expect(await beats("beat")).toBe(true);
        writeFileSync(join(folder, "go"), "");
        expect((await long.ended).code).toBe(0);
        expect(await beats("beat")).toBe(false);
      });

      it("also a daemon that was started in the first moment", async () => {
        for (let n = 0; n < 10; n++) {
          const ended = await run({
            argv: [
              "sh",
              "-c",
              `setsid sh -c 'setsid sh -c "while :; do echo x >>beat${n}; sleep 0.02; done" &' & while [ ! -s beat${n} ]; do sleep 0.01; done`,
            ],
          });
          expect(ended.code).toBe(0);
        }
        for (let n = 0; n < 10; n++) expect(await beats(`beat${n}`)).toBe(false);
      });

      it("also one that flees: each child starts the next and ends", async () => {
        writeFileSync(
          join(folder, "flee.py"),
          `import os, time
os.setsid()
while True:
    open("beat", "a").write("x\\n")
    if os.fork() != 0: os._exit(0)
    os.setsid()
    time.sleep(0.02)`,
        );
        const ended = await run({
          argv: ["sh", "-c", "python3 flee.py & while [ ! -s beat ]; do sleep 0.01; done"],
        });
        expect(ended.code).toBe(0);
        expect(await beats("beat")).toBe(false);
      });

      it("after it was killed, stopped or took too long: also its daemons", async () => {
        const work = (name: string): Work => ({
          argv: python(
            `${daemon(`beat-${name}`)}open("${name}", "w").write(f"{os.getpid()}\\n")\ntime.sleep(600)`,
          ),
        });
        const killed = start({
          argv: [
            ...work("killed").argv.slice(0, 2),
            `${work("killed").argv[2]?.replace("time.sleep(600)", "os.kill(os.getpid(), 9)")}`,
          ],
        });
        const stopped = start(work("stopped"));
        const late = start({ ...work("late"), timeoutMs: 1_500 });
        await there("stopped");
        stopped.stop("now");
        expect((await killed.ended).signal).toBe("SIGKILL");
        expect((await stopped.ended).stopped).toBe(true);
        expect((await late.ended).timedOut).toBe(true);
        for (const name of ["killed", "stopped", "late"]) expect(await beats(`beat-${name}`)).toBe(false);
      });
    });

    describe("a process in line", () => {
      const waits = (file: string): readonly string[] => [
        "sh",
        "-c",
        `echo ${file} >>order; while [ ! -e ${file} ]; do sleep 0.01; done`,
      ];

      it("begins when one has ended well, first come first served; taken out, it never does", async () => {
        const begun: string[] = [];
        const inLine = (file: string): StartedProcess =>
          start({ argv: waits(file), handsOver: true, onBegin: () => begun.push(file) });
        const running = start({ argv: waits("a"), handsOver: true });
        const [first, second, third] = [inLine("b"), inLine("c"), inLine("d")];
        await there("order");
        second.withdraw();
        expect(await second.ended).toMatchObject({ neverBegan: true, code: null, stopped: false });
        third.stop("gently");
        expect(await third.ended).toMatchObject({ neverBegan: true, stopped: true });
        expect([begun, await there("order")]).toEqual([[], "a\n"]);
        writeFileSync(join(folder, "a"), "");
        await running.ended;
        expect(begun).toEqual(["b"]);
        // It has begun: it goes on.
        first.withdraw();
        first.begin();
        writeFileSync(join(folder, "b"), "");
        const ended = await first.ended;
        expect(ended.code).toBe(0);
        expect(ended.neverBegan).toBeUndefined();
        expect([begun, await there("order")]).toEqual([["b"], "a\nb\n"]);
      });

      it("after a failure none begins before it is given a place", async () => {
        const begun: string[] = [];
        const inLine = (name: string): StartedProcess =>
          start({ argv: ["true"], handsOver: true, onBegin: () => begun.push(name) });
        const fails = start({ argv: ["sh", "-c", "exit 3"], handsOver: true });
        const other = start({ argv: waits("go"), handsOver: true });
        const [first, second] = [inLine("first"), inLine("second")];
        expect((await fails.ended).code).toBe(3);
        writeFileSync(join(folder, "go"), "");
        expect((await other.ended).code).toBe(0);
        expect(begun).toEqual([]);
        first.begin();
        expect((await first.ended).code).toBe(0);
        expect((await second.ended).code).toBe(0);
        expect(begun).toEqual(["first", "second"]);
      });

      it("after one that left out what it was to leave, none begins before it is given a place either", async () => {
        const begun: string[] = [];
        const inLine = (name: string): StartedProcess =>
          start({ argv: ["true"], handsOver: true, onBegin: () => begun.push(name) });
        const leaves = ["made", "also made"];
        const keeps = start({ argv: ["sh", "-c", "echo >made; echo >'also made'"], handsOver: true, leaves });
        const first = inLine("first");
        expect((await keeps.ended).code).toBe(0);
        expect((await first.ended).code).toBe(0);
        expect(begun).toEqual(["first"]);
        const breaks = start({ argv: ["rm", "made"], handsOver: true, leaves });
        const second = inLine("second");
        expect((await breaks.ended).code).toBe(0);
        await run({ argv: ["true"] });
        expect(begun).toEqual(["first"]);
        second.begin();
        expect((await second.ended).code).toBe(0);
      });
    });

    it("runs 200 at once, each with its own words and end", async () => {
      const all = await Promise.all(
        Array.from({ length: 200 }, async (_, n) => {
          const { code, stdout } = await run({ argv: ["sh", "-c", `echo ${n}; sleep 0.3; exit ${n % 100}`] });
          return [code, stdout.toString()];
        }),
      );
      expect(all).toEqual(Array.from({ length: 200 }, (_, n) => [n % 100, `${n}\n`]));
    }, 120_000);

    it.skipIf(process.platform !== "linux")(
      "says what a process has used: processor, memory, bytes",
      async () => {
        const { usage } = await run({
          argv: python(`held = bytearray(os.urandom(1)) * 100_000_000
open("written", "wb").write(held[:20_000_000])
open("written", "rb").read()
until = time.process_time() + 0.3
while time.process_time() < until: pass
time.sleep(0.2)`),
        });
        expect((usage?.cpuUserMs ?? 0) + (usage?.cpuSystemMs ?? 0)).toBeGreaterThanOrEqual(280);
        expect((usage?.cpuUserMs ?? 0) + (usage?.cpuSystemMs ?? 0)).toBeLessThan(5_000);
        expect(usage?.maxRssBytes).toBeGreaterThanOrEqual(100_000_000);
        expect(usage?.maxRssBytes).toBeLessThan(300_000_000);
        expect(usage?.readBytes).toBeGreaterThanOrEqual(20_000_000);
        expect(usage?.writtenBytes).toBeGreaterThanOrEqual(20_000_000);
      },
    );
  });
}
