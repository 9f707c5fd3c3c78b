/** Promise 11: editing a restored output, even as root, never alters the cache. */
import {
  appendFileSync,
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Project } from "../e2e/project.ts";
import { smallPipeline, smallSteps } from "../e2e/small-pipeline.ts";

/** In place: through whatever names and links lead to the same bytes. */
const edits: Readonly<Record<string, (path: string) => void>> = {
  overwritten: (path) => writeFileSync(path, "edited\n"),
  appended: (path) => appendFileSync(path, "edited\n"),
  truncated: (path) => truncateSync(path, 0),
};

it.each(Object.entries(edits))("a restored output that is %s", async (_, edit) => {
  using project = new Project(smallPipeline);
  const first = await project.run();
  await project.mlpipe("get", "fit.model", "-o", "copy.json");
  await project.mlpipe("get", "split.train", "-o", "train.csv");
  const artifacts = join(project.root, "artifacts/line");
  const places = [
    ...readdirSync(artifacts).map((name) => join(artifacts, name)),
    join(project.root, "copy.json"),
    join(project.root, "train.csv"),
    join(project.root, "deployed/model.json"),
  ];
  const before = places.map((path) => readFileSync(path, "utf8"));
  for (const path of places) {
    expect(lstatSync(path)).toMatchObject({ nlink: 1 });
    expect(lstatSync(path).isFile()).toBe(true);
    chmodSync(path, 0o666);
    edit(path);
  }

  const verified = await project.mlpipe("verify");
  expect(verified.exit, verified.stdout).toBe(0);
  const again = await project.run();
  // What is deployed is no copy of the cache but an effect: it is seen to have changed, and deployed again.
  expect(again.steps.map(({ id, status }) => [id, status])).toEqual(
    smallSteps.map((id) => [id, id === "publish" ? "ran" : "cached"]),
  );
  expect(again.steps.map(({ outputs }) => outputs)).toEqual(first.steps.map(({ outputs }) => outputs));
  for (const path of ["copy.json", "train.csv"])
    expect(
      (await project.mlpipe("get", path === "copy.json" ? "fit.model" : "split.train", "-o", path, "-f"))
        .exit,
    ).toBe(0);
  expect(places.map((path) => readFileSync(path, "utf8"))).toEqual(before);
});
