/**
 * Processes that are started by `posix_spawn` of the system's C library, where this Node can call it (`node:ffi`, Linux).
 * Node's own `spawn` copies what mlpipe's supervisor holds of page tables for every process, which it throws away at once:
 * four fifths of what it takes to start one. `posix_spawn` lends the child the memory until it has become its program.
 *
 * They are started as Node starts them (a session of their own, all signals as they are by default), and whatever
 * is unusual is left to Node: nothing is returned then, nothing has been started, and Node's own attempt says what is wrong.
 * `node:ffi` is experimental, so it is asked something known first; `NODE_OPTIONS=--no-experimental-ffi` turns it off.
 */
import { EventEmitter } from "node:events";
import type * as ffiModule from "node:ffi";
import { constants as fileConstants } from "node:fs";
import { constants } from "node:os";

type Ffi = typeof ffiModule;
type Library = ReturnType<typeof libraryOf>;

/** What a process is started with. */
export interface NativeOrder {
  /** Absolute path. */
  readonly program: string;
  /** The name it is called by, and its arguments. */
  readonly argv: readonly string[];
  /** Absolute path. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors that it has as its standard output and error. */
  readonly output: readonly [stdout: number, stderr: number];
}

/** In ms, as exact as the kernel counts. */
export interface ProcessorTime {
  readonly userMs: number;
  readonly systemMs: number;
}

/** A process that was started; `exit` is told with its code and signal, as of those of Node. */
export class NativeProcess extends EventEmitter {
  readonly pid: number;
  /** Once it has ended: what it has used, and whatever it has waited for. */
  used: ProcessorTime | undefined;
  readonly stdout = null;
  readonly stderr = null;

  constructor(pid: number) {
    super();
    this.pid = pid;
  }
}

/** From `spawn.h`, the same in glibc and musl. */
const attributes = { setSigDef: 0x04, setSigMask: 0x08, setSid: 0x80 } as const;

/** From `sys/wait.h`. */
const noHang = 1;

/** Larger than any C library's `posix_spawnattr_t`, `posix_spawn_file_actions_t`, `sigset_t` and `struct rusage`. */
const structSize = 1_024;

const pointerSize = 8;

/**
 * All that may be set, for what this process ignores its children would: also the two that glibc keeps for itself, which
 * it would ignore in the child.
 */
const resettable = Array.from({ length: 64 }, (_, i) => i + 1).filter(
  (signal) => signal !== constants.signals.SIGKILL && signal !== constants.signals.SIGSTOP,
);

/** How the types of arguments and of results were called changed between versions of Node 26. */
function signature<const Arguments extends readonly ("pointer" | "string" | "int32" | "int16")[]>(
  parameters: Arguments,
) {
  return { arguments: parameters, return: "int32", parameters, result: "int32" } as const;
}

const declarations = {
  getpid: signature([]),
  posix_spawn: signature(["pointer", "string", "pointer", "pointer", "pointer", "pointer"]),
  posix_spawnattr_init: signature(["pointer"]),
  posix_spawnattr_setflags: signature(["pointer", "int16"]),
  posix_spawnattr_setsigdefault: signature(["pointer", "pointer"]),
  posix_spawnattr_setsigmask: signature(["pointer", "pointer"]),
  posix_spawn_file_actions_init: signature(["pointer"]),
  posix_spawn_file_actions_destroy: signature(["pointer"]),
  posix_spawn_file_actions_addopen: signature(["pointer", "int32", "string", "int32", "int32"]),
  posix_spawn_file_actions_adddup2: signature(["pointer", "int32", "int32"]),
  posix_spawn_file_actions_addchdir_np: signature(["pointer", "string"]),
  wait4: signature(["int32", "pointer", "int32", "pointer"]),
} as const;

/** Starts processes, and waits for them. */
export class NativeProcesses {
  readonly #ffi: Ffi;
  readonly #c: Library;
  readonly #attributes: Memory;
  readonly #actions: Memory;
  readonly #pid: Memory;
  readonly #status: Memory;
  readonly #usage: Memory;
  /** What the process that was started last was given: held, because C has only the addresses. */
  #given: TextLists | undefined;
  readonly #running = new Map<number, NativeProcess>();

  /** Those of this Node; nothing where it has none, or none that can be relied on. */
  static find(): NativeProcesses | undefined {
    if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch)) return undefined;
    try {
      // Before Node 26.1 there is none.
      const ffi = process.getBuiltinModule("node:ffi") as Ffi | undefined;
      if (ffi === undefined) return undefined;
      const c = libraryOf(ffi);
      return c.getpid() === process.pid ? new NativeProcesses(ffi, c) : undefined;
    } catch {
      // Turned off, not permitted, or called in another way by now.
      return undefined;
    }
  }

  private constructor(ffi: Ffi, c: Library) {
    this.#ffi = ffi;
    this.#c = c;
    // With two sets of signals behind it.
    this.#attributes = new Memory(ffi, 3 * structSize);
    this.#actions = new Memory(ffi, structSize);
    this.#pid = new Memory(ffi, 8);
    this.#status = new Memory(ffi, 8);
    this.#usage = new Memory(ffi, structSize);
    const { setSigDef, setSigMask, setSid } = attributes;
    const { address, bytes } = this.#attributes;
    const [all, none] = [structSize, 2 * structSize];
    // A row of bits, of which the first stands for signal 1.
    for (const bit of resettable.map((signal) => signal - 1)) {
      bytes.writeUInt8(bytes.readUInt8(all + (bit >> 3)) | (1 << (bit & 7)), all + (bit >> 3));
    }
    must(c.posix_spawnattr_init(address));
    must(c.posix_spawnattr_setflags(address, setSigDef | setSigMask | setSid));
    must(c.posix_spawnattr_setsigdefault(address, address + BigInt(all)));
    must(c.posix_spawnattr_setsigmask(address, address + BigInt(none)));
    process.on("SIGCHLD", () => this.#reap());
  }

  /** The process of an order; nothing if it has to be left to Node. */
  start({ program, argv, cwd, env, output }: NativeOrder): NativeProcess | undefined {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    // In C a text ends there.
    if ([program, cwd, ...argv, ...variables].some((each) => each.includes("\0"))) return undefined;
    try {
      this.#given = new TextLists(this.#ffi, argv, variables);
      const pid = this.#spawn(program, cwd, output, this.#given);
      const started = new NativeProcess(pid);
      this.#running.set(pid, started);
      return started;
    } catch {
      return undefined;
    }
  }

  #spawn(program: string, cwd: string, [stdout, stderr]: NativeOrder["output"], given: TextLists): number {
    const c = this.#c;
    const actions = this.#actions.address;
    must(c.posix_spawn_file_actions_init(actions));
    try {
      must(c.posix_spawn_file_actions_addopen(actions, 0, "/dev/null", fileConstants.O_RDONLY, 0));
      must(c.posix_spawn_file_actions_adddup2(actions, stdout, 1));
      must(c.posix_spawn_file_actions_adddup2(actions, stderr, 2));
      must(c.posix_spawn_file_actions_addchdir_np(actions, cwd));
      const [argv, variables] = given.addresses;
      must(c.posix_spawn(this.#pid.address, program, actions, this.#attributes.address, argv, variables));
      return this.#pid.bytes.readInt32LE(0);
    } finally {
      c.posix_spawn_file_actions_destroy(actions);
    }
  }

  /** One signal may stand for several that have ended. */
  #reap(): void {
    for (const [pid, running] of this.#running) {
      if (this.#c.wait4(pid, this.#status.address, noHang, this.#usage.address) !== pid) continue;
      this.#running.delete(pid);
      running.used = processorTime(this.#usage.bytes);
      const status = this.#status.bytes.readInt32LE(0);
      const signal = status & 0x7f;
      const name = signalName(signal);
      if (name !== undefined) running.emit("exit", null, name);
      // As shells say it, where there is a signal without a name.
      else running.emit("exit", signal === 0 ? (status >> 8) & 0xff : 128 + signal, null);
    }
  }
}

/** Memory that C may read and write, as long as this is held. */
class Memory {
  readonly bytes: Buffer;
  readonly address: bigint;

  constructor(ffi: Ffi, size: number) {
    // Not from the pool, and of its own: V8 never moves it.
    this.bytes = Buffer.from(new ArrayBuffer(size));
    this.address = ffi.getRawPointer(this.bytes);
  }
}

/** Lists of texts as C has them: addresses, and a zero at the end. */
class TextLists {
  readonly addresses: readonly [bigint, bigint];
  /** To be held as long as the addresses are used. */
  readonly memory: Memory;

  constructor(ffi: Ffi, first: readonly string[], second: readonly string[]) {
    const texts = Buffer.from([...first, ...second].map((text) => `${text}\0`).join(""));
    const slots = first.length + 1 + second.length + 1;
    const memory = new Memory(ffi, slots * pointerSize + texts.length);
    texts.copy(memory.bytes, slots * pointerSize);
    let text = slots * pointerSize;
    for (let slot = 0; slot < slots; slot++) {
      if (slot === first.length || slot === slots - 1) continue;
      memory.bytes.writeBigUInt64LE(memory.address + BigInt(text), slot * pointerSize);
      text = memory.bytes.indexOf(0, text) + 1;
    }
    this.memory = memory;
    this.addresses = [memory.address, memory.address + BigInt((first.length + 1) * pointerSize)];
  }
}

/** Of a `struct rusage`, which begins with two of `struct timeval`: seconds and microseconds. */
function processorTime(usage: Buffer): ProcessorTime {
  const ms = (at: number): number =>
    Number(usage.readBigInt64LE(at)) * 1_000 + Number(usage.readBigInt64LE(at + 8)) / 1_000;
  return { userMs: ms(0), systemMs: ms(16) };
}

function libraryOf(ffi: Ffi) {
  return ffi.dlopen(null, declarations).functions;
}

/** The name of a signal; nothing for a real-time one. */
function signalName(number: number): NodeJS.Signals | undefined {
  const found = Object.entries(constants.signals).find(([, each]) => each === number);
  return found?.[0] as NodeJS.Signals | undefined;
}

function must(failed: number): void {
  if (failed !== 0) throw new Error(`the C library said ${failed}`);
}
