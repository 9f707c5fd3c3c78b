import type { Verified } from "@mlpipe/store/maintenance";
import { isWhole, verifyStore } from "@mlpipe/store/maintenance";
import { findProject } from "../../project/project.ts";
import { bytes, count } from "../format.ts";
import { print, printJson } from "../output.ts";
import { styleFor } from "../style.ts";

/** `mlpipe verify`: whether everything that is kept is what it should be. Executes no code of the project. */
export async function verify(options: { readonly repair?: true; readonly json?: true }): Promise<number> {
  const { storeRoot } = findProject(process.cwd());
  // They would go on writing to what is repaired here.
  if (options.repair === true) (await import("@mlpipe/executor")).endOrphans(storeRoot);
  const verified = await verifyStore(storeRoot, { repair: options.repair === true });
  const whole = isWhole(verified);
  if (options.json === true) {
    const { checked, findings } = verified;
    printJson({ schemaVersion: 1, store: storeRoot, whole, checked, findings });
  } else {
    for (const line of linesOf(verified, options.repair === true)) print(line);
  }
  return whole ? 0 : 4;
}

function linesOf(verified: Verified, repaired: boolean): readonly string[] {
  const style = styleFor(process.stdout);
  const { checked, findings } = verified;
  const lines = findings.map(({ path, message, isDamage, isRepaired }) => {
    const look = isRepaired ? "good" : isDamage ? "bad" : "quiet";
    const word = isRepaired ? "repaired" : isDamage ? "damaged" : "leftover";
    return `${style(look, word.padEnd(8))}  ${path}: ${message}`;
  });
  const looked = `${count(checked.objects, "object")} (${bytes(checked.bytes)}), ${count(checked.entries, "kept result")}, ${count(checked.runs, "run")}`;
  if (isWhole(verified)) {
    // What was repaired was among what was looked at.
    const isMended = findings.some(({ isDamage }) => isDamage);
    return [
      ...lines,
      isMended ? `The store is whole again; looked at ${looked}.` : `The store is whole: ${looked}.`,
    ];
  }
  const isOfRecords = findings.every(
    ({ about, isDamage, isRepaired }) => !isDamage || isRepaired || about === "records" || about === "log",
  );
  const hint = isOfRecords
    ? "Records are written once, and nothing can repair them: put them back from a copy. Kept results do not depend on them."
    : repaired
      ? "What could not be repaired is left as it is; kept results do not depend on it."
      : "mlpipe verify --repair drops what is damaged; the next run makes it anew.";
  return [...lines, `The store is damaged; looked at ${looked}.`, hint];
}
