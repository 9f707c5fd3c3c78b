/** Runs processes on this machine, through a supervisor that outlives mlpipe just long enough to clean up after it. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { MlpipeError } from "@mlpipe/dsl";
import {
  attemptVariable,
  type Ended,
  type Engine,
  type ProcessOrder,
  type StartedProcess,
} from "./engine.ts";
import { channels, type Frame, FrameReader, writeMessage } from "./supervisor/frames.ts";
import type { Report, Request } from "./supervisor/messages.ts";
import { endMarked } from "./supervisor/strays.ts";

/** Longer than it takes a process to become the program that it was started for. */
const startingMs = 50;

/** Who is told to end a process now and has not after so long does not answer any more, and is ended itself. */
const silenceMs = 3_000;

/** The processes of one run. */
export class LocalEngine implements Engine {
  readonly #supervisor: ChildProcess | undefined;
  /** None if the supervisor could not be started. */
  readonly #socket: Duplex | undefined;
  readonly #running = new Map<number, Running>();
  readonly #ready: Promise<void>;
  readonly #gone: Promise<void>;
  #settleReady: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  readonly #onLost: (error: MlpipeError) => void;
  #last = 0;
  /** How many processes have ended, as the supervisor tells it. */
  #endsTold = 0;
  #isReady = false;
  #closed = false;

  /**
   * @param lock the file of the run's alive lock, which the supervisor takes
   * @param onLost called when the supervisor has gone that was there, and nothing can be started any more
   */
  constructor(lock: string, onLost: (error: MlpipeError) => void = () => {}) {
    this.#onLost = onLost;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ready = promise;
    // Whoever starts a process waits for it; if nobody does, nobody need know.
    promise.catch(() => {});
    this.#settleReady = { resolve, reject };
    const supervisor = (this.#supervisor = this.#startSupervisor(lock));
    // The fourth descriptor was asked to be a pipe, which in Node is a socket. Without a process there is none at all.
    const socket = supervisor?.pid === undefined ? undefined : (supervisor.stdio[3] as Duplex);
    this.#socket = socket;
    if (socket === undefined) {
      this.#gone = Promise.resolve();
      return;
    }
    const reader = new FrameReader();
    socket.on("data", (bytes: Buffer) => {
      for (const frame of reader.read(bytes)) this.#take(frame);
    });
    socket.on("error", () => {});
    this.#gone = new Promise((gone) => {
      socket.once("close", () => {
        this.#lost("it has gone");
        gone();
      });
    });
  }

  #startSupervisor(lock: string): ChildProcess | undefined {
    const failed = (error: unknown): void => {
      this.#lost(`it could not be started: ${error instanceof Error ? error.message : String(error)}`);
    };
    try {
      const supervisor = spawn(process.execPath, [...supervisorArguments(), lock], {
        stdio: ["ignore", "ignore", "ignore", "pipe"],
        // A session of its own: a Ctrl-C at the terminal is for mlpipe, which asks the steps to stop.
        detached: true,
        env: {},
      });
      return supervisor.once("error", failed);
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  /**
   * Resolves when processes can be started.
   * @throws MlpipeError MLP4013 if another process holds the run's lock, MLP3036 if there is no supervisor
   */
  ready(): Promise<void> {
    return this.#ready;
  }

  start(order: ProcessOrder): StartedProcess {
    const id = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<Ended>();
    const { argv, cwd, env, timeoutMs, handsOver = false, leaves = [], onBegin, onOutput } = order;
    const running: Running = { onOutput, onBegin, mark: env[attemptVariable], isStopped: false, resolve };
    this.#running.set(id, running);
    const waits = onBegin !== undefined;
    this.#ask(id, { type: "start", argv, cwd, env, timeoutMs, handsOver, leaves, waits });
    if (this.#socket?.destroyed !== false) this.#lost("it has gone");
    return {
      ended: promise,
      stop: (how) => {
        running.isStopped = true;
        this.#ask(id, { type: "stop", how });
        if (how === "now") this.#expectEnd(id);
      },
      begin: () => {
        if (running.onBegin === undefined) return;
        this.#ask(id, { type: "begin", known: this.#endsTold });
        begun(running, new Date());
      },
      withdraw: () => {
        if (running.onBegin !== undefined) this.#ask(id, { type: "withdraw" });
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ask(0, { type: "close" });
    await this.#gone;
  }

  /** A supervisor that is stopped, or hangs, must not keep a run that is to end now. */
  #expectEnd(id: number): void {
    setTimeout(() => {
      if (this.#running.has(id)) this.#supervisor?.kill("SIGKILL");
    }, silenceMs).unref();
  }

  #ask(id: number, request: Request): void {
    const socket = this.#socket;
    if (socket?.destroyed !== false) return;
    // What is asked in one turn goes in one write: each wakes the supervisor.
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => {
        socket.uncork();
      });
    }
    writeMessage(socket, id, request);
  }

  #take({ channel, process: id, payload }: Frame): void {
    if (channel !== channels.message) {
      this.#running.get(id)?.onOutput(channel === channels.stdout ? "stdout" : "stderr", payload);
      return;
    }
    // Written by the supervisor, of the same mlpipe.
    const report = JSON.parse(payload.toString("utf8")) as Report;
    switch (report.type) {
      case "ready":
        this.#isReady = true;
        this.#settleReady?.resolve();
        return;
      case "locked":
        this.#settleReady?.reject(lockFailure(report.message));
        return;
      case "ended": {
        this.#endsTold++;
        const running = this.#running.get(id);
        this.#running.delete(id);
        const next = report.next && this.#running.get(report.next.process);
        if (report.next !== undefined && next !== undefined) begun(next, new Date(report.next.at));
        running?.resolve(report.ended);
      }
    }
  }

  /** Without the supervisor nobody knows how its processes end: they are ended from here. */
  #lost(why: string): void {
    const error = supervisorFailure(why);
    if (!this.#closed) this.#settleReady?.reject(error);
    if (!this.#closed && this.#isReady) this.#onLost(error);
    this.#isReady = false;
    const failure = { code: error.code, message: error.message };
    const lost = [...this.#running.values()];
    this.#running.clear();
    if (lost.length === 0) return;
    const endAll = (): void => {
      for (const { mark } of lost) if (mark !== undefined) endMarked(mark);
    };
    endAll();
    // One that was being started when the supervisor went shows whose it is only now.
    setTimeout(() => {
      endAll();
      for (const { resolve, onBegin, isStopped } of lost) {
        const stopped = this.#closed || isStopped;
        const how = onBegin === undefined ? { failure } : { neverBegan: true };
        resolve({ code: null, signal: null, timedOut: false, stopped, ...how, usage: null });
      }
    }, startingMs);
  }
}

interface Running {
  readonly onOutput: ProcessOrder["onOutput"];
  /** Of one that is in line. */
  onBegin: ProcessOrder["onBegin"];
  readonly mark: string | undefined;
  /** It was asked to end. */
  isStopped: boolean;
  readonly resolve: (ended: Ended) => void;
}

/** Tells of one in line that it has begun, once: it may be given a place from both sides. */
function begun(running: Running, at: Date): void {
  const { onBegin } = running;
  running.onBegin = undefined;
  onBegin?.(at);
}

function supervisorArguments(): readonly string[] {
  const fromSource = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(
    new URL(fromSource ? "./supervisor/main.ts" : "./supervisor/main.js", import.meta.url),
  );
  // What it holds is little, and so may be what Node keeps in reserve for it. Each thread of V8 has memory of its own: with
  // one, and no longer four, to start a process takes a tenth less. What V8 would keep to make its code faster is a quarter
  // of the rest, and most of what it does is to wait for the system.
  const memory = ["--max-semi-space-size=1", "--v8-pool-size=1", "--no-opt", "--no-maglev"];
  const lean = [...memory, ...withoutFfi(), "--disable-warning=ExperimentalWarning"];
  return [...(fromSource ? ["--conditions=@mlpipe/source"] : []), ...lean, main];
}

/** Whoever does not want mlpipe's Node to call C does not want it of the supervisor, which has no variables. */
function withoutFfi(): readonly string[] {
  const flag = "--no-experimental-ffi";
  const isOff = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].some((option) =>
    option.includes(flag),
  );
  return isOff ? [flag] : [];
}

function lockFailure(message: string | null): MlpipeError {
  return message === null
    ? new MlpipeError("MLP4013", "The run is executing in another process.", { exit: 4 })
    : new MlpipeError("MLP4005", `The run could not be locked: ${message}.`, {
        exit: 4,
        hint: "Check the disk, and who owns the store and its files.",
      });
}

function supervisorFailure(why: string): MlpipeError {
  return new MlpipeError("MLP3036", `The supervisor of the run is not there: ${why}.`, {
    exit: 4,
    hint:
      "It is a small process of mlpipe's that starts the steps. Was it killed, or is the system out of memory?\n" +
      "Run again: what has succeeded is not run again, and nothing of what was at work was kept.",
  });
}
