/**
 * Pipes for what processes say, handed on from one process to the next. What Node gives a process to speak into is a pair
 * of sockets for each stream, with all that it keeps of one: a quarter of what it takes to start a process, and most short
 * steps say nothing. A pipe of ours is looked at when its process has ended, and is listened to only if that takes longer.
 *
 * A pipe is a FIFO without a name: made by `mkfifo`, opened, removed, and found by its descriptor in `/proc`. Where any of
 * that cannot be had there are none, and Node's own serve.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync, readSync, unlinkSync } from "node:fs";
import { Socket } from "node:net";

/** After so many processes that would have had one, they are worth making: a run of few steps never comes to it. */
const worthMaking = 16;

/** How many are made together. */
const together = 8;

/** More are never made: so many processes at once are no short ones. */
const most = 64;

/** Reading on while somebody writes on would never end. */
const mostReads = 32;

const chunk = Buffer.allocUnsafe(64 * 1024);

/** One stream of one process after the other. */
export class OutputPipe {
  readonly #reading: number;

  /** @param path of a FIFO, whose name is not needed any more */
  constructor(path: string) {
    // Without waiting for somebody who writes.
    this.#reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** The end that a process writes to. It is the only one that can say when all have gone who have it: close it. */
  openForWriting(): number {
    return openSync(this.#path, constants.O_WRONLY);
  }

  /** Takes some of what was said so far. @returns whether there was anything */
  takeSome(take: (bytes: Buffer) => void): boolean {
    const length = this.#read();
    if (length === undefined || length === 0) return false;
    take(Buffer.from(chunk.subarray(0, length)));
    return true;
  }

  /** Takes what was said so far. @returns whether nobody is left who could say more */
  takeRest(take: (bytes: Buffer) => void): boolean {
    for (let reads = 0; reads < mostReads; reads++) {
      const length = this.#read();
      if (length === undefined) return false;
      if (length === 0) return true;
      take(Buffer.from(chunk.subarray(0, length)));
    }
    return false;
  }

  /** How much was there; nothing if somebody has the other end and says nothing. */
  #read(): number | undefined {
    try {
      return readSync(this.#reading, chunk);
    } catch {
      return undefined;
    }
  }

  /** What is said from now on, until nobody has the other end any more. */
  listen(): Socket {
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: true, writable: false });
  }

  /** Somebody may still write into it: it is given to nobody else. */
  close(): void {
    closeSync(this.#reading);
  }

  get #path(): string {
    return `/proc/self/fd/${this.#reading}`;
  }
}

/** The pipes of one supervisor. */
export class OutputPipes {
  readonly #prefix: string;
  readonly #spare: OutputPipe[] = [];
  #made = 0;
  #missed = 0;
  /** What is being made, and by whom. */
  #making: { readonly maker: ChildProcess; readonly paths: readonly string[] } | undefined;

  /**
   * @param prefix of the names that they have for a moment, with its folder: nobody else's, and one that is known to be
   *   nobody's when the supervisor was killed meanwhile
   */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** As many as that, or none. */
  take(count: number): readonly OutputPipe[] {
    if (this.#spare.length >= count) return this.#spare.splice(-count);
    if (++this.#missed >= worthMaking) this.#make();
    return [];
  }

  /** Gives one back that nobody has the other end of. */
  giveBack(pipe: OutputPipe): void {
    this.#spare.push(pipe);
  }

  /** Makes none any more, and goes on when none has a name. */
  close(then: () => void): void {
    this.#made = most;
    if (this.#making === undefined) {
      then();
      return;
    }
    const { maker, paths } = this.#making;
    maker.kill("SIGKILL");
    // Once now, whatever may keep it from ending, and once when it has ended: it may be making one this very moment.
    for (const path of paths) unname(path);
    // Unlike its exit, that comes also where there is no such program.
    maker.once("close", then);
  }

  #make(): void {
    this.#missed = 0;
    if (process.platform !== "linux" || this.#making !== undefined || this.#made >= most) return;
    this.#made += together;
    const paths = Array.from({ length: together }, (_, i) => `${this.#prefix}${this.#made + i}`);
    const maker = spawn("mkfifo", ["-m", "600", ...paths], { stdio: "ignore", env: {} });
    this.#making = { maker, paths };
    maker.once("error", () => {
      // There is no such program, and none is looked for again.
      this.#made = most;
      this.#making = undefined;
    });
    maker.once("exit", () => {
      this.#making = undefined;
      for (const path of paths) this.#open(path);
    });
  }

  #open(path: string): void {
    try {
      this.#spare.push(new OutputPipe(path));
    } catch {
      // It was not made.
    }
    unname(path);
  }
}

function unname(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not made.
  }
}
