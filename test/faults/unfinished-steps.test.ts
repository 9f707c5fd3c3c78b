/** Promise 3: a step that was killed, timed out, failed or left an output out is never a cache entry. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { until } from "./processes.ts";
import { scripts, write } from "./scripts.ts";
import { entriesOf, problemsOf } from "./store-state.ts";

/** Does it well the second time. */
const secondTime = `if os.path.exists("mended.mark"):
    if os.path.isdir(out): open(out + "/b", "w").write("second")
    else: open(out, "w").write("second")
    sys.exit(0)
`;

describe("what did not end well is not kept", () => {
  it("a step that was killed, took too long, failed, or left something out, whatever it had written by then", async () => {
    using project = new Project(
      scripts({
        good: { py: write },
        killed: { py: `${secondTime}${write}os.kill(os.getpid(), signal.SIGKILL)` },
        half: {
          py: `${secondTime}f = open(out, "w"); f.write("ha"); f.flush()\nos.kill(os.getpid(), signal.SIGSEGV)`,
        },
        late: { py: `${secondTime}${write}time.sleep(600)`, with: `{ timeout: "1s" }` },
        lateButWell: {
          py: `${secondTime}signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n${write}time.sleep(600)`,
          with: `{ timeout: "1s" }`,
        },
        failed: { py: `${secondTime}${write}sys.exit(3)` },
        missing: { py: `${secondTime}sys.exit(0)` },
        gone: { py: `${secondTime}os.rmdir(out)`, output: "dir()" },
        wrongSort: { py: `${secondTime}os.mkdir(out)` },
        link: {
          py: `${secondTime}open("elsewhere", "w").write("x"); os.symlink(os.path.abspath("elsewhere"), out)`,
        },
        after: { py: write, needs: "half" },
      }),
    );
    const run = await project.run("--keep-going");
    expect(run.exit).toBe(1);
    expect(Object.fromEntries(run.steps.map(({ id, status, error }) => [id, error?.code ?? status]))).toEqual(
      {
        good: "ran",
        killed: "MLP3003",
        half: "MLP3003",
        late: "MLP3004",
        lateButWell: "MLP3004",
        failed: "MLP3001",
        missing: "MLP3005",
        gone: "MLP3005",
        wrongSort: "MLP3006",
        link: "MLP3006",
        after: "blocked",
      },
    );
    const store = join(project.root, ".mlpipe");
    expect(entriesOf(store).length).toBe(1);
    project.write({ "mended.mark": "" });
    const mended = await project.run("--keep-going");
    expect(mended.exit).toBe(0);
    const statuses = mended.steps.map(({ id, status }) => `${id} ${status}`);
    expect(statuses).toEqual(mended.steps.map(({ id }) => `${id} ${id === "good" ? "cached" : "ran"}`));
    for (const id of ["killed", "half", "late", "failed", "missing"])
      expect(project.read(`artifacts/work/${id}.txt`)).toBe("second");
    expect(problemsOf(store)).toEqual([]);
  });

  it.each(["SIGINT", "SIGKILL"] as const)(
    "a step that had written its output when mlpipe got %s",
    async (signal) => {
      using project = new Project(
        scripts({ step: { py: `${secondTime}${write}open("up.mark", "w").close()\ntime.sleep(600)` } }),
      );
      const child = project.start(["run"]);
      const ended = finished(child);
      await until(() => existsSync(join(project.root, "up.mark")));
      child.kill(signal);
      await ended;
      expect(entriesOf(join(project.root, ".mlpipe"))).toEqual([]);
      project.write({ "mended.mark": "" });
      expect(await project.statuses()).toEqual({ ran: ["step"] });
      expect(project.read("artifacts/work/step.txt")).toBe("second");
    },
  );
});
