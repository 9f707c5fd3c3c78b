/** Tables of edits as tests: what re-runs after each, why, and that nothing does when it is undone. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Reruns, rerun } from "./edited-run.ts";
import { Manifests } from "./manifests.ts";
import { Sandbox } from "./sandbox.ts";
import { scratchFolder } from "./scratch-folder.ts";

/** What is edited, how, and every step that then runs, with the lines that `why` gives. */
export type Edit = readonly [what: string, change: (project: Sandbox) => void, reruns: Reruns];

/** Edits by what they have in common. */
export type EditTable = Readonly<Record<string, readonly Edit[]>>;

/** The steps of the project in order. */
const steps = ["load", "look", "embed", "watch", "clean", "fit", "shrink", "score", "good", "publish"];

// What follows when a step's output is another one.
export const afterScore: Reruns = { good: "input metrics changed (from score)" };
export const afterLook: Reruns = { score: "input n changed (from look)", ...afterScore };
export const afterFit: Reruns = {
  shrink: "input model changed (from fit)",
  score: "input model changed (from fit)",
  good: ["input metrics changed (from score)", "input model changed (from fit)"],
  publish: "input model changed (from good)",
};
export const rowsOfClean = "input rows: 1 row changed (from clean)";
export const afterClean: Reruns = {
  fit: rowsOfClean,
  ...afterFit,
  score: ["input model changed (from fit)", rowsOfClean],
};
export const rowsOfLoad = "input rows: 1 row changed (from load)";
export const afterLoad: Reruns = { clean: rowsOfLoad, ...afterClean };

/** Makes the tests of a table. */
export function testEdits(table: EditTable): void {
  let folder: string;
  let manifests: Manifests;
  let base: Sandbox;
  let edits = 0;

  beforeAll(async () => {
    folder = scratchFolder();
    manifests = new Manifests();
    base = Sandbox.make(join(folder, "base"));
    const first = await rerun(base, manifests);
    expect(Object.keys(first).toSorted()).toEqual(steps.toSorted());
    expect(new Set(Object.values(first))).toEqual(new Set(["never ran before"]));
  });
  afterAll(async () => {
    await manifests[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [group, rows] of Object.entries(table)) {
    describe(`${group}:`, () => {
      it.each(rows)("%s", async (_what, change, reruns) => {
        const project = Sandbox.copy(base, join(folder, `edit-${++edits}`));
        change(project);
        expect(shown(await rerun(project, manifests))).toEqual(reruns);
        // With equal keys there is nothing more to see.
        if (Object.keys(reruns).length === 0) return;
        const deployedAnother =
          project.exists("deployed.json") && project.read("deployed.json") !== base.read("deployed.json");

        // A second run has nothing to do, apart from what says that it is never kept.
        expect(await rerun(project, manifests)).toEqual(neverKept(reruns));

        // What was made before the edit still holds after it. A deploy alone is done again.
        project.undo(base);
        expect(Object.keys(await rerun(project, manifests))).toEqual(deployedAnother ? ["publish"] : []);
      });
    });
  }
}

/** Digests of packages say nothing to a reader of the table. */
function shown(reruns: Reruns): Reruns {
  const short = (line: string): string => line.replaceAll(/\+[0-9a-f]{16}/g, "+…");
  return Object.fromEntries(
    Object.entries(reruns).map(([step, lines]) => [
      step,
      typeof lines === "string" ? short(lines) : lines.map(short),
    ]),
  );
}

function neverKept(reruns: Reruns): Reruns {
  return Object.fromEntries(
    Object.entries(reruns).filter(
      ([, lines]) => typeof lines === "string" && /^(?:not cached|never cached)/.test(lines),
    ),
  );
}
