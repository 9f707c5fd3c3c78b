/** Manifests of projects that change between one look and the next. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Manifest } from "@mlpipe/dsl";
import type { LoadAnswer, LoadRequest } from "./load-manifests.ts";

/** Loads pipelines in a process of its own, one after the other. */
export class Manifests implements AsyncDisposable {
  #child = start();

  /** The manifest of a pipeline as its files are now. */
  async load(request: LoadRequest): Promise<Manifest> {
    let answer = await this.#ask(request);
    if ("error" in answer) {
      // Node reads a package.json once in the life of a process, and this one may have changed since.
      await this[Symbol.asyncDispose]();
      this.#child = start();
      answer = await this.#ask(request);
    }
    if ("error" in answer) throw new Error(`${request.file} does not load: ${answer.error}`);
    return answer.manifest;
  }

  async #ask(request: LoadRequest): Promise<LoadAnswer> {
    const answered = once(this.#child, "message");
    this.#child.send(request);
    // Written by the other end, in this shape.
    const [answer] = (await answered) as [LoadAnswer];
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.disconnect();
    await exited;
  }
}

function start(): ChildProcess {
  return fork(join(import.meta.dirname, "load-manifests.ts"), {
    execArgv: ["--conditions=@mlpipe/source", "--disable-warning=ExperimentalWarning"],
  });
}
