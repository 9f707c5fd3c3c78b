import { mkdirSync, readFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { MlpipeError } from "@mlpipe/dsl";
import { type Run, runOf } from "@mlpipe/provenance";
import { type Content, isDigest, type Store } from "@mlpipe/store";
import { nearest } from "../../project/nearest.ts";
import { asArgument, bytes, shortId } from "../format.ts";
import { printJson, say } from "../output.ts";
import { outputPlace } from "../output-place.ts";
import { recordedRun } from "./recorded.ts";
import { openRecords } from "./session.ts";

export interface GetOptions {
  readonly output: string;
  readonly run?: string;
  readonly overwrite?: true;
  readonly json?: true;
}

/** `mlpipe get STEP.PORT -o PATH`: takes an output out of the store. */
export function get(named: string, options: GetOptions): number {
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
      process.stdout.write(readFileSync(store.objects.pathOf(content)));
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
  const runs =
    id === undefined
      ? store.runs.list({ limit: runsBack }).map((row) => runOf(row, []))
      : [recordedRun(store, id).run];
  for (const run of runs) {
    const output = run.steps.find((each) => each.id === step)?.outputs[port];
    if (output !== undefined && isDigest(output.digest)) {
      return { run: run.id, content: { type: output.type, digest: output.digest, size: output.size } };
    }
  }
  throw new MlpipeError(
    "MLP6014",
    `${id === undefined ? "No run" : `The run ${id}`} has an output ${named}.`,
    {
      hint: hintFor(named, runs),
    },
  );
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
