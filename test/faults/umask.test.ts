/** Promise 19: files of mlpipe are not writable by other users, whatever the umask. */
import { spawn } from "node:child_process";
import { chmodSync, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { becomeOrdinary, canBeOrdinary, giveToOrdinary } from "../e2e/ordinary-user.ts";
import { finished, mlpipe, Project } from "../e2e/project.ts";
import { smallPipeline, smallSteps } from "../e2e/small-pipeline.ts";
import { threeSteps } from "./three-steps.ts";

/**
 * What others might write to in a store: every entry by its path. Links apart, whose permissions mean nothing, and the
 * folders of Node's compile cache, which it makes itself: there the folder of the store is what keeps others out.
 */
function writable(store: string): readonly string[] {
  return ["", ...readdirSync(store, { recursive: true, encoding: "utf8" })].filter((path) => {
    const stats = lstatSync(join(store, path));
    const isNodes = path.startsWith("compile-cache") && stats.isDirectory();
    return !stats.isSymbolicLink() && !isNodes && (stats.mode & 0o022) !== 0;
  });
}

const withUmask = async (project: Project, umask: string, ...args: readonly string[]) =>
  finished(
    spawn("sh", ["-c", `umask ${umask}; exec "$@"`, "sh", process.execPath, mlpipe, ...args], {
      cwd: project.root,
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );

it.each(["000", "002", "022", "077", "177"])("with umask %s", async (umask) => {
  using project = new Project(smallPipeline);
  const store = join(project.root, ".mlpipe");
  const first = await withUmask(project, umask, "run", "--json");
  expect(first.exit, first.stderr).toBe(0);
  expect(writable(store)).toEqual([]);
  // Others cannot even look: what a pipeline works on may be confidential.
  for (const folder of ["", "objects", "runs", "attempts"])
    expect(lstatSync(join(store, folder)).mode & 0o777).toBe(0o700);
  const again = await withUmask(project, umask, "run", "--json");
  expect(JSON.parse(again.stdout)).toMatchObject({
    steps: smallSteps.map((id) => ({ id, status: "cached" })),
  });
  for (const command of [["verify", "--repair"], ["gc"]])
    expect((await withUmask(project, umask, ...command)).exit).toBe(0);
  expect(writable(store)).toEqual([]);
});

it.skipIf(!canBeOrdinary).each(["177", "777"])(
  "with umask %s, which takes from an owner who is no superuser too",
  async (umask) => {
    using project = new Project(threeSteps);
    giveToOrdinary(project);
    const words = [`umask ${umask}; exec "$@"`, "sh", ...becomeOrdinary, process.execPath, mlpipe, "run"];
    const { exit, stderr } = await finished(
      spawn("sh", ["-c", ...words], {
        cwd: project.root,
        env: { ...process.env, HOME: project.root },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    expect(exit, stderr).toBe(0);
    expect(writable(join(project.root, ".mlpipe"))).toEqual([]);
  },
);

it("a store that others could write to is closed when it is next used", async () => {
  using project = new Project(smallPipeline);
  const store = join(project.root, ".mlpipe");
  await project.run();
  for (const folder of ["", "objects", "runs", "attempts"]) chmodSync(join(store, folder), 0o777);
  await project.run();
  for (const folder of ["", "objects", "runs", "attempts"])
    expect(lstatSync(join(store, folder)).mode & 0o077).toBe(0);
});
