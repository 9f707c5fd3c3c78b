import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { containerFacts } from "./container.ts";
import { gpuFacts } from "./gpus.ts";
import { hostFacts } from "./host.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mlpipe-host-"));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function put(path: string, text: string, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, mode);
}

test("of the environment only what tells how numbers are computed is recorded", async () => {
  const facts = await hostFacts(root, {
    OMP_NUM_THREADS: "2",
    AWS_SECRET_ACCESS_KEY: "no",
    HOME: "/home/ana",
  });
  expect(facts.variables).toEqual({ OMP_NUM_THREADS: "2" });
  expect(facts.cpu.model).not.toBe("");
  expect(facts.timezone).not.toBe("");
});

test.skipIf(process.platform !== "linux")("the C library, on Linux", async () => {
  expect((await hostFacts(root, {})).os.libc).toMatch(/^(?:glibc \d+\.\d+|musl)$/);
});

const id = "0123456789abcdef".repeat(4);

test("no container, and nothing is guessed", () => {
  put("proc/self/cgroup", "0::/user.slice/session.scope\n");
  expect(containerFacts({}, root)).toEqual({ container: null });
});

test("a container of Docker has its id, and an image only if whoever started it says so", () => {
  put(".dockerenv", "");
  put(
    "proc/self/mountinfo",
    `1 2 8:1 /var/lib/docker/containers/${id}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n`,
  );
  expect(containerFacts({}, root)).toEqual({ container: "docker", containerId: id });
  const digest = `sha256:${id}`;
  expect(containerFacts({ MLPIPE_IMAGE: `registry.example.org/train:1@${digest}` }, root)).toEqual({
    container: "docker",
    containerId: id,
    image: { name: "registry.example.org/train:1", id: digest, source: "MLPIPE_IMAGE" },
  });
});

test("a container of Podman tells its image by itself, a pod its id", () => {
  put(
    "run/.containerenv",
    `engine="podman-5.0"\nid="${id}"\nimage="docker.io/library/node:24"\nimageid="abc"\n`,
  );
  expect(containerFacts({}, root)).toEqual({
    container: "podman",
    containerId: id,
    image: { name: "docker.io/library/node:24", id: "abc", source: "/run/.containerenv" },
  });
  put("proc/self/cgroup", `0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope\n`);
  rmSync(join(root, "run"), { recursive: true });
  expect(containerFacts({}, root)).toEqual({ container: "kubernetes", containerId: id });
});

test("graphics processors with driver and CUDA, as nvidia-smi tells them; none where it fails", async () => {
  const program = `#!/bin/sh
case "$1" in
  --query-gpu*) echo "NVIDIA H100, 550.54.15, 81559 MiB"; echo "NVIDIA H100, 550.54.15, 81559 MiB" ;;
  *) echo "| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4     |" ;;
esac
`;
  put("bin/nvidia-smi", program, 0o755);
  put("usr/local/cuda/version.json", JSON.stringify({ cuda: { name: "CUDA SDK", version: "12.3.2" } }));
  const env = { PATH: [join(root, "bin"), "/usr/bin", "/bin"].join(delimiter) };
  const gpu = { name: "NVIDIA H100", driver: "550.54.15", memory: "81559 MiB" };
  expect(await gpuFacts(env, root)).toEqual({
    gpus: [gpu, gpu],
    cuda: { driver: "12.4", toolkit: "12.3.2" },
  });
  put("bin/nvidia-smi", "#!/bin/sh\necho no driver >&2\nexit 9\n", 0o755);
  rmSync(join(root, "usr"), { recursive: true });
  expect(await gpuFacts(env, root)).toEqual({ gpus: [] });
});
