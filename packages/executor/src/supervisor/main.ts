/**
 * The supervisor of a run: `main.ts LOCK`, with a socket to mlpipe as descriptor 3. It holds the run's alive lock, starts
 * the processes of steps and ends them; when mlpipe is gone, however that came about, nothing that it started stays
 * behind. Small on purpose: to start a process takes the longer the more memory its parent holds.
 */
import { Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { AliveLock } from "@mlpipe/store/alive-lock";
import { attemptVariable } from "../engine.ts";
import { channels, FrameReader, writeFrame, writeMessage } from "./frames.ts";
import type { Report, Request } from "./messages.ts";
import { endOrphans } from "./orphans.ts";
import { OutputPipes } from "./output-pipes.ts";
import { ProcessTree } from "./process-tree.ts";
import { Starter } from "./starter.ts";
import { Strays } from "./strays.ts";
import { WaitingLine } from "./waiting-line.ts";

/** It lies in the folder of the run, in that of all runs. */
const lockPath = process.argv[2] ?? "";
const runFolder = dirname(lockPath);
const storeRoot = dirname(dirname(runFolder));

const socket = new Socket({ fd: 3, readable: true, writable: true });
const trees = new Map<number, ProcessTree>();
/** Where what is unfinished lies, under a name that says so: `gc` knows it from what living runs have. */
const pipes = new OutputPipes(join(storeRoot, "attempts", `.tmp-pipe-${basename(runFolder)}-`));
const strays = new Strays();
const surroundings = { starter: new Starter(), strays, pipes };
const line = new WaitingLine();
/** Marks of all attempts: at the end nothing of any of them may be left. */
const marks = new Set<string>();
/** How many processes were told to have ended. */
let told = 0;
/** What is left to do when the last process is gone, once the end has begun. */
let finish: (() => void) | undefined;

// In a session of its own, so a terminal sends it nothing; whoever else does means the run, which is mlpipe's to stop.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

const lock = takeLock();
if (lock !== undefined) {
  listen(lock);
  // Before a folder is made that they would write to.
  endOrphans(storeRoot);
  report(0, { type: "ready" });
  // What starts processes is loaded while nothing is asked yet, or the first step would wait for it.
  process.getBuiltinModule("node:child_process");
}

function takeLock(): AliveLock | undefined {
  try {
    const taken = AliveLock.take(lockPath);
    if (taken !== undefined) return taken;
    report(0, { type: "locked", message: null });
  } catch (error) {
    report(0, { type: "locked", message: error instanceof Error ? error.message : String(error) });
  }
  socket.end();
  return undefined;
}

function listen(held: AliveLock): void {
  const reader = new FrameReader();
  socket.on("data", (bytes: Buffer) => {
    for (const { process: id, payload } of reader.read(bytes)) {
      // Written by `LocalEngine`, of the same mlpipe.
      handle(id, JSON.parse(payload.toString("utf8")) as Request, held);
    }
  });
  socket.on("drain", () => {
    for (const tree of trees.values()) tree.resume();
  });
  // Killed, crashed, or gone without a word: it is all the same here.
  socket.on("error", () => {});
  socket.on("close", () => {
    end(held);
  });
  process.on("uncaughtException", () => {
    socket.destroy();
    end(held);
  });
}

function handle(id: number, request: Request, held: AliveLock): void {
  switch (request.type) {
    case "start": {
      if (request.waits) line.add(id, request);
      else begin(id, request);
      return;
    }
    case "begin": {
      const order = line.begin(id, request.known);
      if (order !== undefined) begin(id, order);
      return;
    }
    case "withdraw":
      withdraw(id, false);
      return;
    case "stop":
      if (!withdraw(id, true)) trees.get(id)?.stop(request.how);
      return;
    case "close":
      end(held);
  }
}

function begin(id: number, order: Request & { type: "start" }): void {
  const mark = order.env[attemptVariable];
  if (mark !== undefined) marks.add(mark);
  const tree = new ProcessTree(order, surroundings, {
    // When mlpipe is gone nobody wants it any more, and a full pipe must not look like something still to be said.
    output: (stream, bytes) => socket.destroyed || writeFrame(socket, channels[stream], id, bytes),
    ended: (ended) => {
      trees.delete(id);
      const isOver = finish !== undefined || socket.destroyed;
      line.ended(ended, order, told + 1);
      const next = order.handsOver && !isOver ? line.next() : undefined;
      // Said first: while the next is being started, mlpipe can look at what this one has made.
      const handed = next !== undefined && { next: { process: next.id, at: Date.now() } };
      report(id, { type: "ended", ended, ...handed });
      if (next !== undefined) begin(next.id, next.order);
      if (trees.size === 0) finish?.();
    },
  });
  trees.set(id, tree);
}

/** Returns whether it was still in line. */
function withdraw(id: number, stopped: boolean): boolean {
  if (!line.withdraw(id)) return false;
  const ended = { code: null, signal: null, timedOut: false, stopped, neverBegan: true, usage: null };
  report(id, { type: "ended", ended });
  return true;
}

function report(id: number, message: Report): void {
  if (message.type === "ended") told++;
  if (!socket.destroyed) writeMessage(socket, id, message);
}

/** Leaves nothing behind, gives the lock back and goes. */
function end(held: AliveLock): void {
  if (finish !== undefined) return;
  const left = trees.size > 0 || socket.destroyed;
  finish = (): void => {
    // A run that ended well has had each of its steps looked after already.
    if (left) strays.endAll([...marks]);
    pipes.close(() => {
      held.release();
      socket.end(() => process.exit(0));
    });
    // The other side may be stopped, and never take what is still to be said.
    setTimeout(() => process.exit(0), 500);
  };
  for (const tree of trees.values()) {
    tree.stop("now");
    if (socket.destroyed) tree.resume();
  }
  if (trees.size === 0) finish();
  // The lock says that something of the run may still be alive, so it is held until nothing is; a process that hangs
  // in the kernel is not waited for.
  else setTimeout(finish, 1_500);
}
