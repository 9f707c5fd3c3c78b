/** A real server of MLflow on this machine, and a way to it that breaks when it is told to. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, openSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request, type Server } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { pythonTools } from "./python-tools.ts";

/** What the server has, as its own client reads it: see `read_mlflow.py`. */
export interface InMlflow {
  readonly experiments: readonly {
    readonly name: string;
    readonly runs: readonly MlflowRun[];
    readonly models: readonly {
      readonly id: string;
      readonly name: string;
      readonly status: string;
      readonly tags: Readonly<Record<string, string>>;
    }[];
  }[];
  readonly registered: readonly {
    readonly name: string;
    readonly aliases: Readonly<Record<string, string>>;
    readonly versions: readonly {
      readonly version: string;
      readonly tags: Readonly<Record<string, string>>;
    }[];
  }[];
  /** Text by path, of what an alias leads to: `line.model@deployed`. */
  readonly files: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface MlflowRun {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly params: Readonly<Record<string, string>>;
  /** As texts: JSON has no NaN. */
  readonly metrics: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
  readonly datasets: readonly {
    readonly name: string;
    readonly digest: string;
    readonly source: string;
    readonly profile: string;
    readonly tags: Readonly<Record<string, string>>;
  }[];
  readonly read: readonly string[];
  readonly made: readonly string[];
}

/** `mlflow server`, with a database and artifacts in a folder of its own. */
export class RealMlflow implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "mlpipe-mlflow-"));
  #process: ChildProcess | undefined;
  /** A client that stays: to begin one takes seconds. */
  #reader: ChildProcess | undefined;
  readonly #said = new PassThrough();
  readonly #answers = createInterface({ input: this.#said });
  #url = "";

  get url(): string {
    return this.#url;
  }

  async start(): Promise<void> {
    const port = await freePort();
    this.#url = `http://127.0.0.1:${port}`;
    const log = openSync(join(this.#folder, "log"), "a");
    const { PYTHONDONTWRITEBYTECODE: _, ...env } = process.env;
    const args = ["--host", "127.0.0.1", "--port", `${port}`, "--workers", "1"];
    const store = ["--backend-store-uri", `sqlite:///${join(this.#folder, "mlflow.db")}`];
    const files = ["--artifacts-destination", join(this.#folder, "artifacts")];
    this.#process = spawn(
      pythonTools("mlflow-requirements"),
      ["-m", "mlflow", "server", ...args, ...store, ...files],
      {
        cwd: this.#folder,
        env: { ...env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false", MLFLOW_DISABLE_TELEMETRY: "true" },
        stdio: ["ignore", log, log],
        // It starts processes of its own, which have to end with it.
        detached: true,
      },
    );
    this.#reader = spawn(
      pythonTools("mlflow-requirements"),
      [join(import.meta.dirname, "../python/read_mlflow.py"), this.#url],
      {
        cwd: this.#folder,
        env: { ...env, MLFLOW_HTTP_REQUEST_MAX_RETRIES: "1", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: "false" },
        stdio: ["pipe", "pipe", log],
      },
    );
    this.#reader.stdout?.pipe(this.#said);
    const limit = performance.now() + 90_000;
    while (!(await this.#isThere())) {
      if (this.#process.exitCode !== null || performance.now() > limit) {
        throw new Error(`mlflow server did not start:\n${this.#log()}`);
      }
      await pause(100);
    }
  }

  /** Everything, as its own client sees it. */
  async read(): Promise<InMlflow> {
    if (this.#reader === undefined) throw new Error("it was not started");
    const answer = once(this.#answers, "line");
    this.#reader.stdin?.write("\n");
    // Without an answer it has ended, and said why.
    const [line] = await Promise.race([answer, once(this.#reader, "exit").then(() => [])]);
    if (typeof line !== "string") throw new Error(`it cannot be read:\n${this.#log()}`);
    // The script prints it so.
    return JSON.parse(line) as InMlflow;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode } = this.#process ?? {};
    if (this.#process !== undefined && pid !== undefined && exitCode === null) {
      const ended = once(this.#process, "exit");
      process.kill(-pid, "SIGKILL");
      await ended;
    }
    if (this.#reader?.exitCode === null) {
      const ended = once(this.#reader, "exit");
      this.#reader.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #log(): string {
    return readFileSync(join(this.#folder, "log"), "utf8");
  }

  async #isThere(): Promise<boolean> {
    try {
      return (await fetch(`${this.#url}/health`)).ok;
    } catch {
      return false;
    }
  }
}

/** How a way breaks: before the server has heard of a request, or after it did what was asked. */
export type Break = "before" | "after";

/** Hands requests on to a server, below a path, as long as it is not to break. */
export class BreakableWay implements AsyncDisposable {
  readonly seen: { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders }[] =
    [];
  /** The path at which it breaks: nothing gets through from then on. */
  breaksAt: string | undefined;
  how: Break = "before";
  #isBroken = false;
  /** Answers so instead of asking the server; `"never"` is no answer at all. */
  answer: { readonly status: number; readonly body: string } | "never" | undefined;
  readonly #server: Server;
  readonly #target: RealMlflow;

  constructor(target: RealMlflow) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => {
      const { method = "", url = "", headers } = incoming;
      this.seen.push({ method, path: url, headers });
      const breaks = this.breaksAt !== undefined && url.split("?")[0]?.endsWith(this.breaksAt) === true;
      const isWhole = !this.#isBroken && !breaks;
      if (this.answer === "never") return;
      if (this.answer !== undefined) {
        incoming.resume();
        outgoing.writeHead(this.answer.status).end(this.answer.body);
        return;
      }
      if (this.#isBroken || (breaks && this.how === "before")) {
        this.#isBroken = true;
        incoming.socket.destroy();
        return;
      }
      const { host: _, ...others } = headers;
      const path = url.replace(/^\/behind\/a\/path/, "");
      const there = request(`${this.#target.url}${path}`, { method, headers: others }, (answer) => {
        if (isWhole) {
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(outgoing);
          return;
        }
        answer.resume().once("end", () => incoming.socket.destroy());
        this.#isBroken = true;
      });
      there.once("error", () => incoming.socket.destroy());
      incoming.pipe(there);
    });
  }

  mend(): void {
    this.#isBroken = false;
    this.breaksAt = undefined;
  }

  async url(): Promise<string> {
    if (!this.#server.listening) await once(this.#server.listen(0, "127.0.0.1"), "listening");
    // It listens on a port, so its address is one.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/behind/a/path/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function freePort(): Promise<number> {
  const server = createSocketServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  // As above.
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
