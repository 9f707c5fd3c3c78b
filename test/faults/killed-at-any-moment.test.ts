/** Promise 1: after mlpipe was killed at any moment, a plain `run` is all it takes. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { isFull, sweepTimeoutMs } from "./extent.ts";
import { survivorsIn, supervisorIn } from "./processes.ts";
import { problemsOf, runsOf } from "./store-state.ts";
import { callsOfRun, canTrace, killedAtCall } from "./system-calls.ts";
import { threeSteps } from "./three-steps.ts";

/** What a run leaves for its user, and whether anything is wrong with what it keeps. */
async function stateAfterRun(project: Project): Promise<unknown> {
  const { exit, status, steps } = await project.run();
  const [last, ...earlier] = runsOf(join(project.root, ".mlpipe"));
  return {
    exit,
    status,
    steps: steps.map(({ id, key, outputs }) => ({ id, key, outputs })),
    isDone: steps.every((step) => step.status === "ran" || step.status === "cached"),
    artifacts: [
      project.read("artifacts/three/text.txt"),
      ...readdirSync(join(project.root, "artifacts/three/folder"))
        .toSorted()
        .map((name) => [name, project.read(`artifacts/three/folder/${name}`)]),
    ],
    problems: problemsOf(join(project.root, ".mlpipe")),
    verify: (await project.mlpipe("verify")).exit,
    last,
    // One that was killed when all was done has succeeded.
    earlier: earlier.filter((each) => each !== "crashed" && each !== "succeeded" && each !== "failed"),
  };
}

async function clean(): Promise<unknown> {
  using project = new Project(threeSteps);
  return await stateAfterRun(project);
}

/** Calls and their numbers to be killed at, until told that there are no more of a name. */
class Moments {
  readonly #over = new Set<string>();
  readonly #all: Iterator<readonly [string, number]>;

  constructor(calls: readonly (readonly [string, number])[]) {
    this.#all = isFull ? this.#sweep(calls) : sample(calls, 18);
  }

  next(): readonly [string, number] | undefined {
    const next = this.#all.next();
    return next.done === true ? undefined : next.value;
  }

  /** There are no more calls of this name. */
  over(call: string): void {
    this.#over.add(call);
  }

  *#sweep(calls: readonly (readonly [string, number])[]): Generator<readonly [string, number]> {
    for (const [call] of calls) for (let n = 1; !this.#over.has(call); n++) yield [call, n];
  }
}

/** So many of all moments, with equal gaps, beginning elsewhere each time. */
function* sample(
  calls: readonly (readonly [string, number])[],
  size: number,
): Generator<readonly [string, number]> {
  const all = calls.flatMap(([call, count]) =>
    Array.from({ length: count }, (_, n) => [call, n + 1] as const),
  );
  const gap = Math.max(1, all.length / size);
  for (let at = Math.random() * gap; at < all.length; at += gap) {
    const moment = all[Math.floor(at)];
    if (moment !== undefined) yield moment;
  }
}

describe("killed with -9 at any moment, the next run is as if nothing had been", () => {
  it.skipIf(!canTrace)(
    "mlpipe, before every call of the system by which it changes something",
    async () => {
      const expected = await clean();
      using counted = new Project(threeSteps);
      const calls = await callsOfRun(counted);
      const moments = new Moments(calls);
      const wrong: unknown[] = [];
      let kills = 0;
      const work = async (): Promise<void> => {
        for (let moment = moments.next(); moment !== undefined; moment = moments.next()) {
          const [call, n] = moment;
          using project = new Project(threeSteps);
          const { signal, exit, stderr } = await killedAtCall(project, call, n);
          if (signal === null) {
            // So many calls it does not make.
            moments.over(call);
            if (exit !== 0) wrong.push({ call, n, exit, stderr });
            continue;
          }
          kills++;
          const survivors = await survivorsIn(project.root);
          const state = await stateAfterRun(project);
          if (survivors.length > 0 || JSON.stringify(state) !== JSON.stringify(expected))
            wrong.push({ call, n, survivors, state });
        }
      };
      await Promise.all([work(), work()]);
      const made = calls.map(([call, count]) => `${call} ${count}`).join(", ");
      console.log(`mlpipe was killed ${kills} times at one of these calls: ${made}`);
      expect(wrong).toEqual([]);
      expect(kills).toBeGreaterThan(isFull ? 200 : 10);
    },
    sweepTimeoutMs,
  );

  it.skipIf(process.platform !== "linux")(
    "its supervisor, at moments all over the run: the run ends by itself",
    async () => {
      const expected = await clean();
      const wrong: unknown[] = [];
      let kills = 0;
      const rounds = isFull ? 60 : 6;
      for (let round = 0; round < rounds; round++) {
        using project = new Project(threeSteps);
        const child = project.start(["run", "--json", "--jobs", "1"]);
        const ended = finished(child);
        let pid: number | undefined;
        while (pid === undefined && child.exitCode === null) {
          await pause(2);
          pid = supervisorIn(project.root);
        }
        await pause((round / rounds) * 250);
        try {
          if (pid !== undefined) process.kill(pid, "SIGKILL");
          kills++;
        } catch {
          // The run was faster.
        }
        const { exit, signal, stderr } = await ended;
        const survivors = await survivorsIn(project.root);
        const state = await stateAfterRun(project);
        const isExpected = JSON.stringify(state) === JSON.stringify(expected);
        if (signal !== null || ![0, 1, 4].includes(exit ?? -1) || survivors.length > 0 || !isExpected)
          wrong.push({ round, exit, signal, stderr, survivors, state });
      }
      expect(wrong).toEqual([]);
      expect(kills).toBeGreaterThan(rounds / 4);
    },
    sweepTimeoutMs,
  );
});
