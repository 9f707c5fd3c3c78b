import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NativeProcess, NativeProcesses } from "./native-process.ts";

/** Whether this Node has what they are made of; older ones, and other systems, have none. */
const has = process.platform === "linux" && process.getBuiltinModule("node:ffi") !== undefined;

const natives = NativeProcesses.find();
let folder = "";
let files = 0;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-native-")));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const newFile = (): string => join(folder, `${files++}`);

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const env = { PATH: process.env["PATH"] ?? "", WORD: "käse", EMPTY: "" };

function start(script: string, options: { argv?: readonly string[]; program?: string; cwd?: string } = {}) {
  const paths = [newFile(), newFile()] as const;
  const [stdout, stderr] = [openSync(paths[0], "w"), openSync(paths[1], "w")];
  const started = natives?.start({
    program: options.program ?? "/bin/sh",
    argv: options.argv ?? ["sh", "-c", script],
    cwd: options.cwd ?? folder,
    env,
    output: [stdout, stderr],
  });
  closeSync(stdout);
  closeSync(stderr);
  return {
    started,
    said: () => ({ stdout: readFileSync(paths[0], "utf8"), stderr: readFileSync(paths[1], "utf8") }),
  };
}

async function ended(started: NativeProcess | undefined): Promise<Pick<End, "code" | "signal">> {
  if (started === undefined) throw new Error("it was not started");
  return new Promise((resolve) => {
    started.once("exit", (code: number | null, signal: string | null) => resolve({ code, signal }));
  });
}

async function run(script: string, options?: Parameters<typeof start>[1]): Promise<End> {
  const { started, said } = start(script, options);
  return { ...(await ended(started)), ...said() };
}

/** The same by Node. */
async function runByNode(script: string): Promise<End> {
  const paths = [newFile(), newFile()] as const;
  const [stdout, stderr] = [openSync(paths[0], "w"), openSync(paths[1], "w")];
  const child = spawn("/bin/sh", ["-c", script], {
    argv0: "sh",
    cwd: folder,
    env,
    stdio: ["ignore", stdout, stderr],
    detached: true,
  });
  closeSync(stdout);
  closeSync(stderr);
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      resolve({
        code,
        signal,
        stdout: readFileSync(paths[0], "utf8"),
        stderr: readFileSync(paths[1], "utf8"),
      });
    });
  });
}

it("are there where Node can call the C library, and nowhere else", () => {
  expect(natives !== undefined).toBe(has);
});

describe.runIf(has)("a native process", () => {
  it("is to its program what one of Node's is", async () => {
    // Signals, limits, descriptors, variables, folder, mask of new files; of itself: session and group.
    const script = `grep -E '^(Sig[BIC]|Umask|Seccomp|NoNewPrivs|Groups)' /proc/self/status
cat /proc/self/limits; ls -l /proc/self/fd | sed 's/.* \\([0-9]\\) ->/\\1/' | grep -v /proc/ | grep -v -e total -e pipe: | grep -v ${folder}
cat /proc/$$/environ | tr '\\0' '\\n'; pwd; tr '\\0' ' ' < /proc/$$/cmdline
set -- $(sed 's/.*) //' /proc/$$/stat); [ $3 = $$ ] && [ $4 = $$ ] && echo leads its session and group
cat; echo said >&2`;
    const native = await run(script);
    expect(native).toEqual(await runByNode(script));
    expect(native.stdout).toContain("leads its session and group");
    expect(native.stdout).toContain("WORD=käse\nEMPTY=\n");
    expect(native.stderr).toBe("said\n");
  });

  it("says how it ended", async () => {
    expect(await run("exit 0")).toMatchObject({ code: 0, signal: null });
    expect(await run("exit 137")).toMatchObject({ code: 137, signal: null });
    expect(await run("kill -KILL $$")).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await run("kill -SEGV $$")).toMatchObject({ code: null, signal: "SIGSEGV" });
    expect(await run("kill -40 $$")).toMatchObject({ code: 168, signal: null });
  });

  it("is called by the name it is given, with its arguments as they are", async () => {
    const argv = ["a name", "-c", 'printf "%s|" "$0" "$@"', "zero", "", "two words", "ü\n"];
    expect((await run("", { argv })).stdout).toBe("zero||two words|ü\n|");
    expect((await run("", { argv: ["a name", "-c", "tr '\\0' ' ' < /proc/$$/cmdline"] })).stdout).toMatch(
      /^a name -c/,
    );
  });

  it("of hundreds at once, each is told of", async () => {
    const codes = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => (await run(`exit ${n % 200}`)).code),
    );
    expect(codes).toEqual(Array.from({ length: 300 }, (_, n) => n % 200));
    // None is left that nobody has waited for.
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean);
    const stats = children.map((pid) => readFileSync(`/proc/${pid}/stat`, "utf8"));
    expect(stats.filter((stat) => stat.includes(") Z "))).toEqual([]);
  });

  it("beside those of Node, nobody takes the other's", async () => {
    const both = Array.from({ length: 50 }, async (_, n) =>
      Promise.all([run(`exit ${n}`), runByNode(`exit ${n + 100}`)]),
    );
    const codes = (await Promise.all(both)).map(([native, node]) => [native.code, node.code]);
    expect(codes).toEqual(Array.from({ length: 50 }, (_, n) => [n, n + 100]));
  });

  it("is told apart from others by the processor time that it has used", async () => {
    const count = (to: number): string => `i=0; while [ $i -lt ${to} ]; do i=$((i + 1)); done`;
    const used = async (script: string): Promise<number> => {
      const { started } = start(script);
      await ended(started);
      return (started?.used?.userMs ?? Number.NaN) + (started?.used?.systemMs ?? Number.NaN);
    };
    // Both end in the same moment: the first has counted in a child that it has waited for.
    const [busy, idle] = await Promise.all([used(`sh -c '${count(300_000)}'`), used("sleep 0.2")]);
    expect(busy).toBeGreaterThan(30);
    expect(busy).toBeLessThan(30_000);
    expect(idle).toBeGreaterThan(0);
    expect(idle).toBeLessThan(busy / 2);
  });

  it("is not there where Node has to say why", () => {
    const missing = join(folder, "missing");
    const argv = ["sh", "-c", `: > ${missing}`];
    expect(start("", { program: join(folder, "no-program"), argv }).started).toBeUndefined();
    expect(start("", { argv, cwd: join(folder, "no-folder") }).started).toBeUndefined();
    expect(start("", { argv: [...argv, "a\0b"] }).started).toBeUndefined();
    expect(start("", { argv: [...argv, "x".repeat(4_000_000)] }).started).toBeUndefined();
    // Nothing was started all the same.
    expect(existsSync(missing)).toBe(false);
  });
});
