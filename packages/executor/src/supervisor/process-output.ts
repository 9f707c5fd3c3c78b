/** What one process says, on both streams, by pipes that go from one process to the next or by those that Node makes. */
import { closeSync } from "node:fs";
import type { Readable } from "node:stream";
import type { OutputPipe, OutputPipes } from "./output-pipes.ts";
import type { Ends, RootProcess } from "./starter.ts";

const names = ["stdout", "stderr"] as const;

/** After so long it is looked whether a process says anything: one with much to say waits until it is listened to. */
const lookMs = 5;

/** One that has lived for so long is listened to; of a quiet one that ends before, what it said is taken at once. */
const listenMs = 40;

/** After a process has ended, how long its pipes may stay open: a daemon that holds them must not hang the run. */
const drainMs = 250;

/** Returns whether more can be taken at once; else `resume` says when. */
export type Say = (stream: "stdout" | "stderr", bytes: Buffer) => boolean;

export class ProcessOutput {
  readonly #pipes: OutputPipes;
  readonly #say: Say;
  /** Those that are only looked at when the process has ended. */
  readonly #unheard = new Map<"stdout" | "stderr", OutputPipe>();
  readonly #heard: Readable[] = [];
  #listening: NodeJS.Timeout | undefined;

  constructor(pipes: OutputPipes, say: Say) {
    this.#pipes = pipes;
    this.#say = say;
  }

  /** Starts a process that speaks here. @throws what `start` throws */
  of(start: (ends?: Ends) => RootProcess): RootProcess {
    const ends = this.#open();
    let isStarted = false;
    try {
      const child = start(ends);
      isStarted = child.pid !== undefined;
      if (isStarted) this.#begin(child);
      return child;
    } finally {
      // Nobody could say that all is said while we had them too.
      for (const end of ends ?? []) closeSync(end);
      if (!isStarted) this.#giveBackAll();
    }
  }

  /** Goes on with what the process says, after `say` could not take more. */
  resume(): void {
    for (const stream of this.#heard) stream.resume();
  }

  /** The process has ended: `done` is called when all that was said has been passed on. */
  end(done: () => void): void {
    clearTimeout(this.#listening);
    for (const [name, pipe] of this.#unheard) {
      const isOver = pipe.takeRest((bytes) => this.#say(name, bytes));
      if (isOver) {
        this.#unheard.delete(name);
        this.#pipes.giveBack(pipe);
      } else if (!this.#listen(name, pipe)) {
        this.#unheard.delete(name);
        pipe.close();
      }
    }
    let open = this.#heard.filter((stream) => !stream.closed);
    if (open.length === 0) {
      done();
      return;
    }
    const drained = setInterval(() => {
      // What is held back only because nobody has taken it yet still belongs to the process.
      for (const stream of open) if (!stream.isPaused()) stream.destroy();
    }, drainMs);
    for (const stream of open) {
      stream.once("close", () => {
        open = open.filter((each) => each !== stream);
        if (open.length > 0) return;
        clearInterval(drained);
        done();
      });
    }
  }

  #begin(child: RootProcess): void {
    for (const name of names) {
      const stream = child[name];
      if (stream !== null) this.#hear(name, stream);
    }
    if (this.#unheard.size > 0) this.#listening = setTimeout(() => this.#look(), lookMs);
  }

  #look(): void {
    for (const [name, pipe] of this.#unheard)
      if (pipe.takeSome((bytes) => this.#say(name, bytes))) this.#listen(name, pipe);
    if (this.#unheard.size > 0) this.#listenIn(listenMs - lookMs);
  }

  /** The ends of two pipes for a process to write to; nothing where there are none. */
  #open(): Ends | undefined {
    const [stdout, stderr] = this.#pipes.take(names.length);
    if (stdout === undefined || stderr === undefined) return undefined;
    this.#unheard.set("stdout", stdout).set("stderr", stderr);
    const ends: number[] = [];
    try {
      for (const pipe of [stdout, stderr]) ends.push(pipe.openForWriting());
    } catch {
      // Too many open files, say: whoever starts the process is told so then.
      for (const end of ends.splice(0)) closeSync(end);
      this.#giveBackAll();
    }
    const [first, second] = ends;
    return first === undefined || second === undefined ? undefined : [first, second];
  }

  #giveBackAll(): void {
    for (const pipe of this.#unheard.values()) this.#pipes.giveBack(pipe);
    this.#unheard.clear();
  }

  #listenIn(ms: number): void {
    this.#listening = setTimeout(() => {
      for (const [name, pipe] of this.#unheard) this.#listen(name, pipe);
      if (this.#unheard.size > 0) this.#listenIn(10 * ms);
    }, ms);
  }

  /** Returns whether it can be listened to: that takes a descriptor. */
  #listen(name: "stdout" | "stderr", pipe: OutputPipe): boolean {
    let stream: Readable;
    try {
      stream = pipe.listen();
    } catch {
      return false;
    }
    this.#unheard.delete(name);
    // What goes wrong ends it like any other end.
    stream.on("error", () => {});
    stream.once("close", () => {
      if (stream.readableEnded) this.#pipes.giveBack(pipe);
      else pipe.close();
    });
    this.#hear(name, stream);
    return true;
  }

  #hear(name: "stdout" | "stderr", stream: Readable): void {
    this.#heard.push(stream);
    stream.on("data", (bytes: Buffer) => {
      if (!this.#say(name, bytes)) stream.pause();
    });
  }
}
