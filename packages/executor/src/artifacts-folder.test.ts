import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Manifest } from "@mlpipe/dsl";
import { type Content, openStore } from "@mlpipe/store";
import { expect, onTestFinished, test } from "vitest";
import { copyArtifacts } from "./artifacts-folder.ts";

/** Puts other files in the place of one, over and over, as runs with other params do. */
const replacing = `
  const { renameSync, writeFileSync } = require("node:fs");
  const { workerData: { target, stop } } = require("node:worker_threads");
  for (let i = 0; Atomics.load(stop, 0) === 0; i++) {
    writeFileSync(target + ".other", "of another run, " + i);
    renameSync(target + ".other", target);
  }
`;

test("what a pipeline returns is copied also while other runs copy theirs to the same place", async () => {
  const root = mkdtempSync(join(tmpdir(), "mlpipe-artifacts-"));
  const store = openStore(join(root, ".mlpipe"));
  onTestFinished(() => {
    store.close();
    rmSync(root, { recursive: true, force: true });
  });
  const contents = ["one", "two"].map((text) => store.objects.putBytes(text));
  const manifest: Pick<Manifest, "pipeline" | "outputs" | "steps"> = {
    pipeline: "sweep",
    outputs: {
      score: { kind: { kind: "file", extension: "txt" }, from: { type: "step", step: "score", port: "to" } },
    },
    steps: [],
  };
  const copy = (content: Content | undefined): unknown =>
    // Of a manifest it reads no more.
    copyArtifacts({ manifest: manifest as Manifest, store, root, outputOf: () => content });
  const folder = join(root, "artifacts/sweep");
  mkdirSync(folder, { recursive: true });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(replacing, { eval: true, workerData: { target: join(folder, "score"), stop } });
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  try {
    for (const end = performance.now() + 3_000; performance.now() < end;)
      for (const each of contents) copy(each);
  } finally {
    Atomics.store(stop, 0, 1);
    await ended;
  }
  copy(contents[0]);
  expect(readFileSync(join(folder, "score"), "utf8")).toBe("one");
});
