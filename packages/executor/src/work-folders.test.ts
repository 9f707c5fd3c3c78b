import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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
