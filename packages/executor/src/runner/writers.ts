/** What the function of a step fills its output ports with. */
import { resolve } from "node:path";
import { isKind, MlpipeError, type Port, specOf, type StepDefinition } from "@mlpipe/dsl";
import { OutputFile, type OutputPlace, PlainOutput } from "../artifacts/output-file.ts";
import type { Task } from "../task.ts";

/** The writers of a step by port. */
export class Writers {
  readonly #writers: ReadonlyMap<string, unknown>;

  private constructor(writers: ReadonlyMap<string, unknown>) {
    this.#writers = writers;
  }

  static async of(definition: StepDefinition, task: Task, root: string): Promise<Writers> {
    const writers = new Map<string, unknown>();
    for (const [port, declared] of Object.entries(definition.outputs)) {
      const place = task.outputs[port];
      if (place === undefined || isReturned(declared)) continue;
      writers.set(port, await writer(declared, { port, path: resolve(root, place.path) }));
    }
    return new Writers(writers);
  }

  /** As the function gets them. */
  get out(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#writers);
  }

  /** @throws MlpipeError MLP3027 if the function returned before all was written */
  checkDone(): void {
    for (const [port, each] of this.#writers) {
      if (!(each instanceof OutputFile) || !each.isWriting) continue;
      throw new MlpipeError(
        "MLP3027",
        `The step returned while its output ${port} was still being written.`,
        {
          exit: 1,
          hint: `Await it: await out.${port}.write(…).`,
        },
      );
    }
  }
}

/** Whether a port is filled by what the function returns. */
export function isReturned(declared: Port): boolean {
  const { kind } = specOf(declared);
  return kind === "value" || kind === "metrics";
}

/** Loads the writers of rows and documents only where there is such a port. */
async function writer(declared: Port, place: OutputPlace): Promise<unknown> {
  const { kind } = specOf(declared);
  if (kind === "dir") return { path: place.path };
  const schema = isKind(declared) ? declared.schema : undefined;
  if (schema === undefined) return new PlainOutput(place);
  switch (kind) {
    case "csv": {
      const { CsvWriter } = await import("../artifacts/csv-writer.ts");
      return new CsvWriter(place, schema);
    }
    case "jsonl": {
      const { JsonlWriter } = await import("../artifacts/jsonl-writer.ts");
      return new JsonlWriter(place, schema);
    }
    default: {
      const { OutputJson } = await import("../artifacts/json-writer.ts");
      return new OutputJson(place, schema);
    }
  }
}
