/** Manifests of projects that change between one look and the next. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Manifest } from "@mlpipe/dsl";
import type { LoadAnswer, LoadRequest } from "./load-manifests.ts";

/** Loads pipelines in a process of its own, one after the other. */
export class Manifests implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(join(import.meta.dirname, "load-manifests.ts"), {
      execArgv: ["--conditions=@mlpipe/source", "--disable-warning=ExperimentalWarning"],
    });
  }

  /** The manifest of a pipeline as its files are now. */
  async load(request: LoadRequest): Promise<Manifest> {
    const answered = once(this.#child, "message");
    this.#child.send(request);
    // Written by the other end, in this shape.
    const [answer] = (await answered) as [LoadAnswer];
    if ("error" in answer) throw new Error(`${request.file} does not load: ${answer.error}`);
    return answer.manifest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.disconnect();
    await exited;
  }
}
