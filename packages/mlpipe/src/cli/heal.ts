/** What a command does about a state database that is damaged or gone: rebuild it, and begin again. */
import { relative } from "node:path";
import { healDatabase } from "@mlpipe/store/maintenance";
import { findProject } from "../project/project.ts";
import { count } from "./format.ts";
import type { Attempted } from "./main.ts";
import { say } from "./output.ts";

/**
 * Rebuilds the database of the project's store, says so, and tries the command again.
 * @param again tries it again
 * @param failed what became of it the first time; given back if the database cannot be rebuilt
 */
export async function heal(again: () => Promise<Attempted>, failed: Attempted): Promise<Attempted> {
  const { storeRoot } = findProject(process.cwd());
  try {
    const healed = await healDatabase(storeRoot);
    if (healed !== undefined) {
      const { aside, runs, entries } = healed;
      const what =
        aside === undefined
          ? "The state database was gone."
          : `The state database was damaged and was put aside as ${relative(process.cwd(), aside)}.`;
      say(
        `${what} It was rebuilt from the records: ${count(runs, "run")}, ${count(entries, "kept result")}.`,
      );
    }
  } catch (error) {
    return { ...failed, error };
  }
  return again();
}
