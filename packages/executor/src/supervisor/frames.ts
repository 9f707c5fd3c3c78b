/**
 * How mlpipe and its supervisor talk: frames of a length, a channel and the number of a process, over one socket.
 * What a process says goes through as it is, bytes of any kind and amount; everything else is JSON.
 */
import type { Duplex } from "node:stream";

/** What a frame carries. */
export const channels = { message: 0, stdout: 1, stderr: 2 } as const;

export type Channel = (typeof channels)[keyof typeof channels];

export interface Frame {
  readonly channel: Channel;
  /** The process that it is about; 0 for none. */
  readonly process: number;
  readonly payload: Buffer;
}

const headerSize = 9;

/** Writes a frame; `false` if the other side is slow and the sender should wait for `drain`. */
export function writeFrame(socket: Duplex, channel: Channel, process: number, payload: Buffer): boolean {
  const header = Buffer.allocUnsafe(headerSize);
  header.writeUInt32LE(payload.length, 0);
  header.writeUInt8(channel, 4);
  header.writeUInt32LE(process, 5);
  // One write for what is short: each is a call of the system.
  if (payload.length < 4_096) return socket.write(Buffer.concat([header, payload]));
  socket.write(header);
  return socket.write(payload);
}

/** Writes a message about a process. */
export function writeMessage(socket: Duplex, process: number, message: unknown): boolean {
  return writeFrame(socket, channels.message, process, Buffer.from(JSON.stringify(message)));
}

/** Puts frames together again from whatever pieces they arrive in. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);
  #pieces: Buffer[] = [];
  #waiting = 0;
  #needed = headerSize;

  /** The frames that these bytes complete. */
  *read(bytes: Buffer): Generator<Frame> {
    this.#pieces.push(bytes);
    this.#waiting += bytes.length;
    // A long frame arrives in many pieces: they are joined once, when all of it is there.
    if (this.#held.length + this.#waiting < this.#needed) return;
    let held = Buffer.concat([this.#held, ...this.#pieces]);
    this.#pieces = [];
    this.#waiting = 0;
    for (;;) {
      this.#needed = headerSize;
      if (held.length < headerSize) break;
      this.#needed = headerSize + held.readUInt32LE(0);
      if (held.length < this.#needed) break;
      yield {
        // Written by `writeFrame`, on the other side.
        channel: held.readUInt8(4) as Channel,
        process: held.readUInt32LE(5),
        payload: held.subarray(headerSize, this.#needed),
      };
      held = held.subarray(this.#needed);
    }
    this.#held = held;
  }
}
