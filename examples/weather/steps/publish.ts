import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { approved, deploy, model } from "mlpipe";
import { scores } from "../scores.ts";

export const publish = deploy("publish", {
  description: "Puts the model into deployed/versions and points deployed/current at it",
  inputs: { model: approved(model("json")), metrics: scores, baseline: scores },
  target: "deployed",
  async run({ model: forest, ...judged }, _out, { target }) {
    const content = await forest.text();
    const metadata = `${JSON.stringify(judged, null, 2)}\n`;
    const version = createHash("sha256").update(content).update(metadata).digest("hex").slice(0, 12);

    // A version is named by its content, so one that is there already is the right one.
    const folder = join(target, "versions", version);
    if (!existsSync(folder)) {
      const partial = `${folder}.partial`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial, { recursive: true });
      writeFileSync(join(partial, "model.json"), content, { flush: true });
      writeFileSync(join(partial, "metadata.json"), metadata, { flush: true });
      renameSync(partial, folder);
    }

    // Renaming replaces the pointer in one go: a reader finds the old version or the new one.
    const next = join(target, "next");
    rmSync(next, { force: true });
    symlinkSync(join("versions", version), next);
    renameSync(next, join(target, "current"));
  },
});
