/**
 * The process of a TypeScript step: `main.ts TASK`, with the project's root as working folder. It
 * does the one task, writes `result.json` beside it and exits with 0, 3 (a gate said no) or 1.
 * Standard output and error belong to the step.
 */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { type Task, taskVersion } from "../task.ts";
import { type Answer, Ending } from "./ending.ts";
import { failureOf } from "./failure.ts";
import { readInputs } from "./inputs.ts";
import { loadStep } from "./load-step.ts";
import { checkReturned } from "./returned.ts";
import { expectRefusals } from "./undeclared.ts";
import { Writers } from "./writers.ts";

const root = process.cwd();
const taskFile = resolve(root, process.argv[2] ?? "task.json");
const ending = new Ending(join(dirname(taskFile), "result.json"), root);

// Ten frames, as Node keeps them, may all lie in packages below the user's own.
Error.stackTraceLimit = 30;
ending.watch();
// A top-level await would hide from `beforeExit` that the step never settles.
void run();

async function run(): Promise<void> {
  let answer: Answer;
  try {
    answer = await perform();
  } catch (error) {
    answer = { status: "error", error: failureOf(error, root) };
  }
  ending.end(answer);
}

async function perform(): Promise<Answer> {
  const task = readTask();
  await keepWithin(task);
  const loaded = await loadStep(task, root);
  if ("error" in loaded) return { status: "error", error: loaded.error };
  const { definition } = loaded;
  const inputs = await readInputs(definition, task, root);
  if (task.mode === "check") return judged(await definition.check?.(inputs as never));

  const writers = await Writers.of(definition, task, root);
  const context = {
    step: task.step,
    key: task.key,
    ...(task.target !== undefined && { target: resolve(root, task.target) }),
  };
  // The public signatures typed them by the ports, which are the same ports here.
  const result = await definition.run?.(inputs as never, writers.out as never, context as never);
  writers.checkDone();
  return { status: "ok", returned: await checkReturned(definition, result) };
}

/** Loaded is only what the task asks for: most steps are watched, few are kept. */
async function keepWithin({ watched }: Task): Promise<void> {
  if (watched !== undefined) {
    const { watchReads } = await import("./watched-reads.ts");
    watchReads(root, dirname(taskFile), watched);
    return;
  }
  expectRefusals();
  const { permission, execArgv } = process;
  if (!execArgv.includes("--permission")) return;
  // Behind a fence children are its business. With these flags, which Node hands on, one of another version would not start.
  if (permission.has("child")) {
    process.execArgv = execArgv.filter((flag) => !/^--(?:permission$|allow-)/.test(flag));
  }
  const { bridgePermissionGaps } = await import("./permission-gaps.ts");
  await bridgePermissionGaps(taskFile);
}

function readTask(): Task {
  let task: Task;
  try {
    // Written by mlpipe, and its version is looked at first.
    task = JSON.parse(readFileSync(taskFile, "utf8")) as Task;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MlpipeError("MLP3019", `The task ${taskFile} cannot be read: ${why}.`, { exit: 1 });
  }
  const version: number = task.schemaVersion;
  if (version === taskVersion) return task;
  const message = `The task has version ${version}, and this runner knows version ${taskVersion}.`;
  throw new MlpipeError("MLP3019", message, { exit: 1 });
}

function judged(answer: unknown): Answer {
  if (answer === true) return { status: "ok", returned: {} };
  if (answer === false) return { status: "rejected", reason: "The check returned false." };
  if (typeof answer === "string") return { status: "rejected", reason: answer };
  const found = answer === undefined ? "nothing" : typeof answer;
  throw new MlpipeError("MLP3029", `The check of the gate returned ${found}.`, {
    exit: 1,
    hint: "Return true to let the model pass, and false or the reason why not.",
  });
}
