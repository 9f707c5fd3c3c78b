/**
 * Random pipelines under random sequences of edits, against a model that executes everything always:
 * every output is right after every run, nothing runs again that was made of the same before, and
 * nothing is taken from the cache that was made of something else.
 *
 * `MLPIPE_TEST_SEQUENCES` and `MLPIPE_TEST_CLI_SEQUENCES` say how many.
 */
import { digestOf } from "@mlpipe/store";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  anyOperation,
  anyShape,
  describeOperation,
  describeShape,
  type Expected,
  expectedOf,
  firstState,
  idOf,
  nextState,
  type Operation,
  type Shape,
  type State,
} from "./random-pipeline.ts";
import { CommandLineWorld, type Outcome, PlannedWorld, type World } from "./random-world.ts";

const sequences = Number(process.env["MLPIPE_TEST_SEQUENCES"] ?? 100);
const cliSequences = Number(process.env["MLPIPE_TEST_CLI_SEQUENCES"] ?? 4);
const minutes = 60_000;

/** A pipeline and what is done to it. */
interface Story {
  readonly shape: Shape;
  readonly operations: readonly Operation[];
}

const storyOf = (longest: number): fc.Arbitrary<Story> =>
  fc.record({ shape: anyShape, operations: fc.array(anyOperation, { minLength: 5, maxLength: longest }) });

// Side by side: the one works here, the other waits for processes.
it.concurrent(
  "plans of random pipelines under random edits are sound and precise",
  async () => {
    await fc.assert(
      fc.asyncProperty(storyOf(12), async (story) => {
        using world = new PlannedWorld();
        const { faults, told } = await play(story, world);
        expect(faults, told).toEqual([]);
      }),
      { numRuns: sequences },
    );
  },
  20 * minutes,
);

it.concurrent(
  "runs of random pipelines under random edits are sound and precise",
  async () => {
    await fc.assert(
      fc.asyncProperty(storyOf(7), async (story) => {
        using world = new CommandLineWorld();
        const { faults, told } = await play(story, world);
        expect(faults, told).toEqual([]);
      }),
      // To shrink would take hours.
      { numRuns: cliSequences, endOnFailure: true },
    );
  },
  60 * minutes,
);

/** Plays a story until a run is wrong, or to its end; tells it for people to read. */
async function play(
  { shape, operations }: Story,
  world: World,
): Promise<{ readonly faults: readonly string[]; readonly told: string }> {
  const memory = new Memory();
  const states = [firstState(shape)];
  let told = `the pipeline\n${describeShape(shape)}\nand what was done before each run:\n`;
  for (const operation of [{ do: "nothing" } as const, ...operations]) {
    const before = states.at(-1);
    if (before === undefined) throw new Error("there is a first state");
    const state = nextState(shape, before, operation, states);
    told += `  ${states.length}. ${describeOperation(operation)}\n`;
    states.push(state);
    world.write(shape, state);
    const forced = disturb(shape, state, operation, world);
    const expected = expectedOf(shape, state);
    const gone = new Set(expected.filter(({ text }) => !world.hasObject(text)).map(({ text }) => text));
    let faults: readonly string[];
    try {
      faults = memory.look(expected, await world.run(shape, state, forced), forced, gone);
    } catch (error) {
      faults = [error instanceof Error ? error.message : String(error)];
    }
    if (faults.length > 0) return { faults, told };
  }
  return { faults: [], told };
}

/** Does what is not a change of the state; returns the steps to be forced. */
function disturb(shape: Shape, state: State, operation: Operation, world: World): ReadonlySet<string> {
  if (operation.do === "touch") world.touch(operation.at);
  if (operation.do === "remove object") {
    const expected = expectedOf(shape, state);
    world.removeObject(expected[operation.at % expected.length]?.text ?? "");
  }
  return operation.do === "force" ? new Set([idOf(state, operation.at % shape.steps.length)]) : new Set();
}

const nothing: Expected = { id: "", text: "", made: "" };

/** What the runs of one story have made, by the model. */
class Memory {
  /** All that was ever made. */
  readonly #made = new Set<string>();
  /** What each step run made its output of. */
  readonly #madeBy = new Map<string, string>();

  /** What is wrong with a run. */
  look(
    expected: readonly Expected[],
    outcomes: readonly Outcome[],
    forced: ReadonlySet<string>,
    gone: ReadonlySet<string>,
  ): readonly string[] {
    const faults: string[] = [];
    expect(outcomes.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
    const before = new Set(this.#made);
    const ranNow = new Set<string>();
    // Steps run side by side: one may be given what a later one of the same key has made.
    outcomes.forEach(({ id, status, stepRun, reasons }, index) => {
      const { text, made } = expected[index] ?? nothing;
      if (status !== "ran") return;
      if (stepRun !== null) this.#madeBy.set(stepRun, made);
      this.#made.add(made);
      if (forced.has(id)) return;
      if (before.has(made) && !gone.has(text))
        faults.push(`${id} ran again, though it was made of the same before: ${reasons.join("; ")}`);
      if (ranNow.has(made)) faults.push(`${id} ran, though another step of this run was made of the same`);
      ranNow.add(made);
    });
    outcomes.forEach(({ id, status, stepRun, output }, index) => {
      const { text, made } = expected[index] ?? nothing;
      if (output !== digestOf(text)) faults.push(`${id} gives another output than ${JSON.stringify(text)}`);
      if (status === "ran") return;
      if (status !== "cached" || forced.has(id)) faults.push(`${id} is ${status}`);
      const then = this.#madeBy.get(stepRun ?? "");
      if (then !== made)
        faults.push(`${id} was cached, though it was made of something else: ${then} → ${made}`);
    });
    return faults;
  }
}
