import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { visibleDevices } from "./devices.ts";
import { cpuLimit, memoryLimit, outOfMemoryKills } from "./machine-limits.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mlpipe-limits-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A machine that looks so from inside: files as Linux has them. */
function machine(files: Readonly<Record<string, string>>): { self: string } {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content.replaceAll("ROOT", root));
  }
  return { self: join(root, "self") };
}

test("without control groups: what the system says", () => {
  expect(cpuLimit({ self: root })).toBe(availableParallelism());
  expect(memoryLimit({ self: root })).toBe(totalmem());
  expect(outOfMemoryKills({ self: root })).toBeUndefined();
});

test("version 2: the tightest group up to the root holds", () => {
  const folders = machine({
    "self/cgroup": "0::/outer/inner\n",
    "self/mountinfo": "30 23 0:26 / ROOT/cg rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
    "cg/outer/memory.max": "536870912\n",
    "cg/outer/inner/memory.max": "max\n",
    "cg/outer/cpu.max": "100000 100000\n",
    "cg/outer/inner/cpu.max": "max 100000\n",
    "cg/outer/inner/memory.events": "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\noom_group_kill 0\n",
  });
  expect([cpuLimit(folders), memoryLimit(folders), outOfMemoryKills(folders)]).toEqual([1, 536870912, 3]);
});

test("version 1, in a container that sees its own group as the root", () => {
  const folders = machine({
    "self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
    "self/mountinfo":
      "31 23 0:28 /docker/abc ROOT/cg/memory rw - cgroup cgroup rw,memory\n" +
      "32 23 0:29 /docker/abc ROOT/cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
    "cg/memory/memory.limit_in_bytes": "268435456\n",
    "cg/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "cg/cpu/cpu.cfs_quota_us": "50000\n",
    "cg/cpu/cpu.cfs_period_us": "100000\n",
  });
  // Half a processor still runs one step at a time.
  expect([cpuLimit(folders), memoryLimit(folders), outOfMemoryKills(folders)]).toEqual([1, 268435456, 1]);
});

test("no limit is no limit", () => {
  const folders = machine({
    "self/cgroup": "4:memory:/\n5:cpu:/\n",
    "self/mountinfo":
      "31 23 0:28 / ROOT/m rw - cgroup cgroup rw,memory\n32 23 0:29 / ROOT/c rw - cgroup cgroup rw,cpu\n",
    "m/memory.limit_in_bytes": "9223372036854771712\n",
    "c/cpu.cfs_quota_us": "-1\n",
    "c/cpu.cfs_period_us": "100000\n",
  });
  expect([cpuLimit(folders), memoryLimit(folders)]).toEqual([availableParallelism(), totalmem()]);
});

test("devices: those the driver lists, and of these only what the user leaves", () => {
  machine({});
  mkdirSync(join(root, "bin"));
  writeFileSync(
    join(root, "bin/nvidia-smi"),
    '#!/bin/sh\n[ "$1" = -L ] || exit 2\necho "GPU 0: A (UUID: GPU-1)"\necho "GPU 1: A (UUID: GPU-2)"\n',
    { mode: 0o755 },
  );
  const PATH = `${join(root, "bin")}:${process.env["PATH"]}`;
  expect(visibleDevices({ PATH })).toEqual(["0", "1"]);
  expect(visibleDevices({ PATH: root })).toEqual([]);
  expect(visibleDevices({ PATH: root }, 3)).toEqual(["0", "1", "2"]);
  expect(visibleDevices({ PATH, CUDA_VISIBLE_DEVICES: "3, GPU-9" })).toEqual(["3", "GPU-9"]);
  expect(visibleDevices({ PATH, CUDA_VISIBLE_DEVICES: "3,1" }, 1)).toEqual(["3"]);
  expect(visibleDevices({ PATH, CUDA_VISIBLE_DEVICES: "2,-1,0" })).toEqual(["2"]);
  expect(visibleDevices({ PATH, CUDA_VISIBLE_DEVICES: "" })).toEqual([]);
});
