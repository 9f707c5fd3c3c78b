/** Manifests of projects that change between one look and the next. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Manifest } from "@mlpipe/dsl";
import type { LoadAnswer, LoadRequest } from "./load-manifests.ts";

/** Loads pipelines in a process of its own, one after the other. */
export class Manifests implements AsyncDisposable {
  #loader = new Loader();

  /** The manifest of a pipeline as its files are now. */
  async load(request: LoadRequest): Promise<Manifest> {
    let answer = await this.#loader.ask(request);
    if ("error" in answer) {
      // Node reads a package.json once in the life of a process, and this one may have changed since.
      await this.#loader.end();
      this.#loader = new Loader();
      answer = await this.#loader.ask(request);
    }
    if ("error" in answer) throw new Error(`${request.file} does not load: ${answer.error}`);
    return answer.manifest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loader.end();
  }
}

class Loader {
  // What modules of the project say while they are loaded is of no interest.
  readonly #child: ChildProcess = fork(join(import.meta.dirname, "load-manifests.ts"), {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: ["--conditions=@mlpipe/source", "--disable-warning=ExperimentalWarning"],
  });
  readonly #ended = once(this.#child, "exit");

  async ask(request: LoadRequest): Promise<LoadAnswer> {
    const answered = once(this.#child, "message");
    this.#child.send(request);
    const lost: LoadAnswer = { error: "the process that loads it has ended" };
    // Written by the other end, in this shape.
    const [answer] = (await Promise.race([answered, this.#ended.then(() => [lost])])) as [LoadAnswer];
    return answer;
  }

  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#ended;
  }
}
