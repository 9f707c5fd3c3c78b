import { createReadStream, mkdirSync } from "node:fs";
import { dirname, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { MlpipeError } from "@mlpipe/dsl";
import type { Run } from "@mlpipe/provenance";
import { type Content, isDigest, type Store } from "@mlpipe/store";
import { nearest } from "../../project/nearest.ts";
import { asArgument, bytes, shortId } from "../format.ts";
import { printJson, say } from "../output.ts";
import { outputPlace } from "../output-place.ts";
import { newestRuns, recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

export interface GetOptions {
  readonly output: string;
  readonly run?: string;
  readonly overwrite?: true;
  readonly json?: true;
}

/** `mlpipe get STEP.PORT -o PATH`: takes an output out of the store. */
export async function get(named: string, options: GetOptions): Promise<number> {
  const { project, store } = openRecords();
  try {
    const found = find(store, named, options.run);
    const { content } = found;
    if (!store.objects.has(content)) {
      throw new MlpipeError("MLP6014", `${named} of run ${shortId(found.run)} is no longer in the store.`, {
        exit: 4,
        hint: "mlpipe run makes it again.",
      });
    }
    if (store.objects.verify(content) !== "ok") {
      store.objects.remove(content);
      throw new MlpipeError(
        "MLP4009",
        `${named} of run ${shortId(found.run)} was damaged in the store, and was dropped.`,
        {
          exit: 4,
          hint: "mlpipe run makes it again.",
        },
      );
    }
    if (options.output === "-") {
      if (content.type === "tree") {
        throw new MlpipeError("MLP6014", `${named} is a folder, and a folder cannot be printed.`, {
          hint: "Name a place: -o folder",
        });
      }
      await printFile(store.objects.pathOf(content));
      return 0;
    }
    const target = outputPlace(options.output, {
      overwrite: options.overwrite,
      made: content.type === "tree" ? "folder" : "file",
      kept: [project.root, store.root, process.cwd()],
    });
    mkdirSync(dirname(target), { recursive: true });
    store.objects.copyOut(content, target);
    if (options.json === true) printJson({ schemaVersion: 1, run: found.run, path: target, ...content });
    else
      say(
        `${relative(process.cwd(), target) || target}  ${bytes(content.size)}, from run ${shortId(found.run)}`,
      );
    return 0;
  } finally {
    store.close();
  }
}

const pieceBytes = 1024 * 1024;

/** How many runs back an output is looked for. */
const runsBack = 100;

function find(
  store: Store,
  named: string,
  id: string | undefined,
): { readonly run: string; readonly content: Content } {
  const dot = named.lastIndexOf(".");
  if (dot < 1) {
    throw new MlpipeError("MLP6014", `${named} names no output.`, {
      hint: "Write STEP.PORT: mlpipe get fit.model -o model",
    });
  }
  const step = named.slice(0, dot);
  const port = named.slice(dot + 1);
  const runs: Run[] = [];
  for (const run of id === undefined ? newestRuns(store, runsBack) : [recordedRun(store, id).run]) {
    const output = run.steps.find((each) => each.id === step)?.outputs[port];
    if (output !== undefined && isDigest(output.digest)) {
      return { run: run.id, content: { type: output.type, digest: output.digest, size: output.size } };
    }
    runs.push(run);
  }
  throw new MlpipeError(
    "MLP6014",
    `${id === undefined ? "No run" : `The run ${id}`} has an output ${named}.`,
    {
      hint: hintFor(named, runs),
    },
  );
}

/** Whatever its size. That nobody reads it any more, or that it cannot be written, is told where all output is. */
async function printFile(path: string): Promise<void> {
  try {
    await pipeline(createReadStream(path, { highWaterMark: pieceBytes }), process.stdout, { end: false });
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error && error.syscall === "write")) throw error;
  }
}

function hintFor(named: string, runs: readonly Run[]): string {
  const known = new Set(
    runs.flatMap(({ steps }) =>
      steps.flatMap(({ id, outputs }) => Object.keys(outputs).map((port) => `${id}.${port}`)),
    ),
  );
  const dot = named.lastIndexOf(".");
  const child = [...known].find(
    (name) => name.startsWith(`${named.slice(0, dot)}[`) && name.endsWith(named.slice(dot)),
  );
  if (child !== undefined)
    return `It is made once for each item: mlpipe get ${asArgument(child)} -o PATH takes one of them.`;
  const similar = nearest(named, known);
  if (similar !== undefined) return `Did you mean ${similar}?`;
  return known.size === 0 ? "mlpipe run makes some." : `There is: ${[...known].slice(0, 12).join(", ")}.`;
}
