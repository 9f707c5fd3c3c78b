/**
 * Standard output and error, as far as the step used them. Writing to a pipe is asynchronous, and
 * `process.exit` drops what is still on its way; but merely to look at `process.stdout` costs a
 * tenth of what an empty step does, so streams that nobody touched are left alone.
 */
export class UsedStreams {
  readonly #used = new Set<NodeJS.WriteStream>();

  constructor() {
    for (const name of ["stdout", "stderr"] as const) {
      const descriptor = Object.getOwnPropertyDescriptor(process, name);
      const get = descriptor?.get?.bind(process);
      if (get === undefined) continue;
      const used = this.#used;
      Object.defineProperty(process, name, {
        ...descriptor,
        get() {
          // Node's own getter, which makes the stream when it is first asked for it.
          const stream = get() as NodeJS.WriteStream;
          used.add(stream);
          return stream;
        },
      });
    }
  }

  /** Calls back when all that was written is out. */
  flush(done: () => void): void {
    let waiting = 1;
    const out = (): void => {
      if (--waiting === 0) done();
    };
    for (const stream of this.#used) {
      if (stream.writableLength === 0 || stream.destroyed) continue;
      waiting++;
      stream.write("", out);
    }
    out();
  }
}
