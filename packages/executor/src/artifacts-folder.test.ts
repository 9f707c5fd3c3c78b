import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Manifest } from "@mlpipe/dsl";
import { type Content, hashPath, openStore, removeAll } from "@mlpipe/store";
import { expect, onTestFinished, test } from "vitest";
import { copyArtifacts } from "./artifacts-folder.ts";

/** Puts other files in the place of one, over and over, as runs with other params do. */
const replacingFile = `
  writeFileSync(target + ".other", "of another run, " + i);
  renameSync(target + ".other", target);
`;

/** The same with folders, of which one has to go before another comes. */
const replacingFolder = `
  mkdirSync(target + ".other");
  writeFileSync(target + ".other/rows.txt", "of another run, " + i);
  try {
    renameSync(target, target + ".aside");
  } catch {}
  try {
    renameSync(target + ".other", target);
  } catch {}
  rmSync(target + ".other", { recursive: true, force: true });
  rmSync(target + ".aside", { recursive: true, force: true });
`;

const overAndOver = (replace: string): string => `
  const { mkdirSync, renameSync, rmSync, writeFileSync } = require("node:fs");
  const { workerData: { target, stop } } = require("node:worker_threads");
  for (let i = 0; Atomics.load(stop, 0) === 0; i++) {
    ${replace}
  }
`;

test.each([
  ["a file", replacingFile, { kind: "file", extension: "txt" }, "score"],
  ["a folder", replacingFolder, { kind: "dir" }, "score/rows.txt"],
] as const)(
  "%s that a pipeline returns is copied also while other runs copy theirs to the same place",
  async (_, replacing, kind, file) => {
    const root = mkdtempSync(join(tmpdir(), "mlpipe-artifacts-"));
    const store = openStore(join(root, ".mlpipe"));
    onTestFinished(() => {
      store.close();
      removeAll(root);
    });
    const contents = ["one", "two"].map((text) => {
      if (kind.kind === "file") return store.objects.putBytes(text);
      const made = join(root, text);
      mkdirSync(made);
      writeFileSync(join(made, "rows.txt"), text);
      const content = hashPath(made);
      store.publish([{ objects: [{ path: made, content }], rows: () => {} }]);
      return content;
    });
    const manifest: Pick<Manifest, "pipeline" | "outputs" | "steps"> = {
      pipeline: "sweep",
      outputs: { score: { kind, from: { type: "step", step: "score", port: "to" } } },
      steps: [],
    };
    const copy = (content: Content | undefined): unknown =>
      // Of a manifest it reads no more.
      copyArtifacts({ manifest: manifest as Manifest, store, root, outputOf: () => content });
    const folder = join(root, "artifacts/sweep");
    mkdirSync(folder, { recursive: true });
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { target: join(folder, "score"), stop };
    const worker = new Worker(overAndOver(replacing), { eval: true, workerData });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    try {
      for (const end = performance.now() + 3_000; performance.now() < end;)
        for (const each of contents) copy(each);
    } finally {
      Atomics.store(stop, 0, 1);
      await ended;
    }
    copy(contents[0]);
    expect(readFileSync(join(folder, file), "utf8")).toBe("one");
    expect(readdirSync(folder)).toEqual(["score"]);
  },
);
