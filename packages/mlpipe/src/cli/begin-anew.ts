/** What a command does when the store gave way under it: set that right, and begin again. */
import { relative } from "node:path";
import { healDatabase } from "@mlpipe/store/maintenance";
import { findProject } from "../project/project.ts";
import { count } from "./format.ts";
import type { Attempted } from "./main.ts";
import { say } from "./output.ts";
import { isCoded } from "./render-error.ts";

/** A gc would have to drop what is being planned as often as this for a run to give up. */
const mostTries = 5;

/**
 * Tries a command again. A database that is damaged or gone is rebuilt before, once, and that is said.
 * @param again tries it
 * @param code what it failed with the first time
 */
export async function beginAnew(again: () => Promise<Attempted>, code: string): Promise<Attempted> {
  let failedWith = code;
  let isHealed = false;
  for (let tries = 1; ; tries++) {
    if (failedWith !== "MLP4017") {
      try {
        await heal();
        isHealed = true;
      } catch (error) {
        return { error };
      }
    }
    const attempted = await again();
    if (!("error" in attempted) || !isCoded(attempted.error) || tries === mostTries) return attempted;
    failedWith = attempted.error.code;
    const isWorthIt = failedWith === "MLP4017" || (isStateGone(failedWith) && !isHealed);
    if (!isWorthIt) return attempted;
  }
}

function isStateGone(code: string): boolean {
  return code === "MLP4002" || code === "MLP4015";
}

async function heal(): Promise<void> {
  const { storeRoot } = findProject(process.cwd());
  const healed = await healDatabase(storeRoot);
  if (healed === undefined) return;
  const { aside, runs, entries } = healed;
  const what =
    aside === undefined
      ? "The state database was gone."
      : `The state database was damaged and was put aside as ${relative(process.cwd(), aside)}.`;
  say(`${what} It was rebuilt from the records: ${count(runs, "run")}, ${count(entries, "kept result")}.`);
}
