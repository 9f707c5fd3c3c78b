/** Starts the first process of an order, in the quickest way that there is. */
import { spawn, type ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import type { Request } from "./messages.ts";
import { NativeProcesses, type ProcessorTime } from "./native-process.ts";
import { Programs } from "./programs.ts";

export type Order = Request & { readonly type: "start" };

/** The first process of a tree; one without a number was not started, and tells why by the event `error`. */
export interface RootProcess {
  readonly pid?: number | undefined;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Once it has ended, where the system has told it of this process alone. */
  readonly used?: ProcessorTime | undefined;
  once(event: "exit", listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown;
  once(event: "error", listener: (error: Error) => void): unknown;
}

/** Descriptors to write to. */
export type Ends = readonly [stdout: number, stderr: number];

export class Starter {
  readonly #programs = new Programs();
  #natives: NativeProcesses | "not looked for" | undefined = "not looked for";

  /**
   * The process of an order, in a session of its own.
   *
   * @param ends its standard output and error; without them it has pipes of Node's
   * @throws what `spawn` throws
   */
  start(order: Order, ends?: Ends): RootProcess {
    const { argv, env } = order;
    const [name = ""] = argv;
    const program = this.#programs.find(name, env["PATH"]);
    if (ends !== undefined && program !== name) {
      const native = this.#native()?.start({ program, argv, cwd: order.cwd, env, output: ends });
      if (native !== undefined) return native;
    }
    const child = spawned(program, order, ends);
    if (child.pid !== undefined || program === name) return child;
    // It has gone from where it was found, and may be elsewhere: the system knows, or says why not.
    child.once("error", () => {});
    this.#programs.forget(name, env["PATH"]);
    return spawned(name, order, ends);
  }

  /** Not before there are processes enough: to find it takes as long as to start one. */
  #native(): NativeProcesses | undefined {
    if (this.#natives === "not looked for") this.#natives = NativeProcesses.find();
    return this.#natives;
  }
}

function spawned(
  program: string,
  { argv: [name = "", ...args], cwd, env }: Order,
  ends?: Ends,
): ChildProcess {
  return spawn(program, args, {
    argv0: name,
    cwd,
    env,
    stdio: ends === undefined ? ["ignore", "pipe", "pipe"] : ["ignore", ...ends],
    detached: true,
    shell: false,
  });
}
