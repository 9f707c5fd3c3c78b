import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { attemptVariable } from "./engine.ts";
import { WorkFolders } from "./work-folders.ts";

it.skipIf(process.platform !== "linux")(
  "a folder that an attempt has left is made anew, and what still works in it ends; others do not",
  async () => {
    const root = mkdtempSync(join(tmpdir(), "mlpipe-work-"));
    onTestFinished(() => {
      rmSync(root, { recursive: true, force: true });
    });
    const [left, other] = [join(root, "fit-1"), join(root, "fit-10")];
    const start = (mark: string): ReturnType<typeof spawn> => {
      const child = spawn("sleep", ["60"], {
        env: { [attemptVariable]: mark },
        stdio: "ignore",
        detached: true,
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      return child;
    };
    const [survivor, innocent] = [start(left), start(other)];
    const gone = new Promise((resolve) => survivor.once("exit", (_code, signal) => resolve(signal)));
    mkdirSync(left);
    writeFileSync(join(left, "half"), "written");
    const folders = new WorkFolders();
    folders.make(left);
    expect(await gone).toBe("SIGKILL");
    expect(readdirSync(left).toSorted()).toEqual(["in", "out"]);
    expect([innocent.exitCode, innocent.signalCode]).toEqual([null, null]);
    folders.discard(left);
    await folders.settle();
    expect(readdirSync(root)).toEqual([]);
  },
);

it("the next attempt finds nothing of the one before, whatever that has left, and in the end nothing is there", async () => {
  const root = mkdtempSync(join(tmpdir(), "mlpipe-work-"));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const leave: readonly ((folder: string) => void)[] = [
    () => {},
    (folder) => symlinkSync("/etc/hostname", join(folder, "in", "from.txt")),
    (folder) => writeFileSync(join(folder, "in", "of-its-own"), ""),
    (folder) => {
      symlinkSync("/etc/hostname", join(folder, "in", "a.txt"));
      mkdirSync(join(folder, "in", "b", "c"), { recursive: true });
    },
    (folder) => writeFileSync(join(folder, "out", "left"), ""),
    (folder) => writeFileSync(join(folder, "left"), ""),
    (folder) => rmdirSync(join(folder, "out")),
    (folder) => chmodSync(join(folder, "out"), 0o777),
    (folder) => rmSync(folder, { recursive: true }),
  ];
  const folders = new WorkFolders();
  for (const [i, left] of leave.entries()) {
    const folder = join(root, `step-${i}`);
    folders.make(folder);
    const names = readdirSync(folder, { recursive: true }).map(String);
    expect(names.toSorted(), String(leave[i - 1])).toEqual(["in", "out"]);
    for (const name of ["", "in", "out"]) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o700);
    left(folder);
    folders.discard(folder);
    const isGivenUp = i % 2 === 0;
    if (isGivenUp) folders.leave(folder);
    expect(isGivenUp && existsSync(folder)).toBe(false);
  }
  await folders.settle();
  expect(readdirSync(root)).toEqual([]);
});

it("one that somebody has written to since it was left clean is deleted all the same", async () => {
  const root = mkdtempSync(join(tmpdir(), "mlpipe-work-"));
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const folders = new WorkFolders();
  for (const name of ["a", "b"]) folders.make(join(root, name));
  for (const name of ["a", "b"]) folders.discard(join(root, name));
  writeFileSync(join(root, "a", "out", "late"), "");
  rmSync(join(root, "b"), { recursive: true });
  await folders.settle();
  expect(readdirSync(root)).toEqual([]);
});
