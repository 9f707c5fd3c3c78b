import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, removeAll } from "@mlpipe/store";
import { onTestFinished } from "vitest";
import { storeContract } from "./store-contract.ts";

storeContract("the local store", () => {
  const project = mkdtempSync(join(tmpdir(), "mlpipe-contract-"));
  onTestFinished(() => {
    removeAll(project);
  });
  return {
    open: () => openStore(join(project, ".mlpipe")),
    newAttempt: (store) => mkdtempSync(join(store.root, "attempts/step-")),
  };
});
